//! `gateway compose`: subgraph SDLs into a supergraph or a contract of it, in rover's file format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use kopitiam_composition::{Contract, Diagnostic, compose, compose_contract};

use super::output::{self, Failure};
use crate::config::{LoadedSubgraph, load_subgraphs};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file that names the subgraphs: subgraphs.<name>.{routing_url, schema.{file|subgraph_url}}.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where to write the supergraph; stdout without it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show only what has this `@tag`; may be given several times. The rest is `@inaccessible` to clients.
    #[arg(long, value_name = "TAG")]
    include_tag: Vec<String>,
    /// Hide what has this `@tag`, whatever else it has; may be given several times.
    #[arg(long, value_name = "TAG")]
    exclude_tag: Vec<String>,
    /// Also hide types that nothing visible leads to.
    #[arg(long)]
    hide_unreachable_types: bool,
}

impl Arguments {
    /// The contract asked for: the part of the schema for one audience.
    fn contract(&self) -> Option<Contract> {
        let asked =
            !self.include_tag.is_empty() || !self.exclude_tag.is_empty() || self.hide_unreachable_types;
        asked.then(|| Contract {
            include_tags: self.include_tag.clone(),
            exclude_tags: self.exclude_tag.clone(),
            hide_unreachable_types: self.hide_unreachable_types,
        })
    }
}

pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let loaded = load_subgraphs(&arguments.config).await.map_err(Failure::diagnostics)?;
    let composed =
        composed(loaded, &arguments.config, arguments.contract().as_ref()).map_err(Failure::diagnostics)?;
    for hint in composed.hints {
        output::note(hint);
    }
    output::write(&composed.sdl, arguments.output.as_deref())
}

/// A supergraph, and what composition has to say of it.
#[derive(Debug)]
pub(super) struct Composed {
    pub(super) sdl: String,
    /// Lines for people.
    pub(super) hints: Vec<String>,
}

/// Composes the subgraphs of `config`, whole or as a contract.
///
/// # Errors
/// A line for each error.
pub(super) fn composed(
    loaded: Vec<LoadedSubgraph>,
    config: &Path,
    contract: Option<&Contract>,
) -> Result<Composed, Vec<String>> {
    let (subgraphs, origins): (Vec<_>, BTreeMap<_, _>) = loaded
        .into_iter()
        .map(|loaded| {
            let name = loaded.subgraph.name.clone();
            (loaded.subgraph, (name, loaded.origin))
        })
        .unzip();
    let composed = match contract {
        Some(contract) => compose_contract(&subgraphs, contract),
        None => compose(&subgraphs),
    };
    let lines = |diagnostics: &[Diagnostic], severity: &str| -> Vec<String> {
        diagnostics.iter().map(|diagnostic| line(diagnostic, severity, &origins, config)).collect()
    };
    match composed {
        Ok(composed) => Ok(Composed { hints: lines(&composed.hints, "hint"), sdl: composed.supergraph_sdl }),
        Err(errors) => Err(lines(&errors, "error")),
    }
}

/// `file:line:column: error[CODE]: message`, as compilers write it, with a line for each further place.
fn line(
    diagnostic: &Diagnostic,
    severity: &str,
    origins: &BTreeMap<String, String>,
    config: &Path,
) -> String {
    let place = |location: &kopitiam_composition::Location| {
        let origin = origins.get(&location.subgraph).unwrap_or(&location.subgraph);
        format!("{origin}:{}:{}", location.line, location.column)
    };
    let (first, others) = match diagnostic.locations.split_first() {
        Some((first, others)) => (place(first), others),
        None => (config.display().to_string(), [].as_slice()),
    };
    let mut text = format!("{first}: {severity}[{}]: {}", diagnostic.code, diagnostic.message);
    for location in others {
        write!(text, "\n  also at {} (subgraph `{}`)", place(location), location.subgraph)
            .expect("a String takes every write");
    }
    text
}
