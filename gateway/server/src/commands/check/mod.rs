//! `gateway check`: what another supergraph would break for clients, and which plans it would change.
//!
//! In: two supergraphs, and the operations of clients. Out: changes of the API schema, operations that the new one refuses,
//! operations whose plans change with their requests, depth and cost before and after.
//! Always: exit code 1 when an operation breaks; without operations, when any change may break one.
//!
//! - `changes.rs`: changes of the API schema
//! - `operations.rs`: the operations, and their plans; `placeholders.rs`: values for their variables

mod changes;
mod operations;
mod placeholders;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use apollo_compiler::Schema;
use clap::{Args, ValueEnum};
use kopitiam_engine::{Engine, EngineSettings};
use serde_json::json;

use self::changes::{Change, Severity};
use self::operations::{Compared, Plans, Side};
use super::output::{self, Failure};
use crate::subgraph_client::Transport;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The new supergraph.
    #[arg(long, value_name = "FILE")]
    supergraph: PathBuf,
    /// The supergraph that clients use now.
    #[arg(long, value_name = "FILE")]
    against: PathBuf,
    /// A folder of the operations that clients send (*.graphql and *.gql, also in folders below). With it, a change breaks
    /// only what some operation uses.
    #[arg(long, value_name = "FOLDER")]
    operations: Option<PathBuf>,
    /// The form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (old, new) = (side(&arguments.against)?, side(&arguments.supergraph)?);
    let changes = changes::between(&old.api, &new.api);
    let operations = match &arguments.operations {
        Some(folder) => operations::compare(folder, &old, &new)?,
        None => Vec::new(),
    };
    let report = match arguments.format {
        Format::Text => text(&changes, &operations),
        Format::Json => json_report(&changes, &operations),
    };
    output::write(&report, None)?;
    let broken: Vec<String> = if arguments.operations.is_some() {
        operations.iter().flat_map(Compared::errors).collect()
    } else {
        changes
            .iter()
            .filter(|change| change.severity == Severity::Breaking)
            .map(ToString::to_string)
            .collect()
    };
    if broken.is_empty() { Ok(()) } else { Err(Failure::diagnostics(broken)) }
}

fn side(file: &Path) -> Result<Side, Failure> {
    let engine = engine(file)?;
    let api = api(&engine, file)?;
    Ok(Side { engine, api })
}

fn engine(file: &Path) -> Result<Engine<Transport>, Failure> {
    // Introspection is planned, too: a client's tools may ask it.
    let settings = EngineSettings { introspection: true, ..EngineSettings::default() };
    Engine::new(&output::read(file)?, Transport::new(), settings)
        .map_err(|error| Failure::input(format!("{}: {error}", file.display())))
}

fn api(engine: &Engine<Transport>, file: &Path) -> Result<Schema, Failure> {
    Schema::parse(engine.supergraph().api_sdl, file)
        .map_err(|error| Failure::input(format!("{}: the API schema: {error}", file.display())))
}

fn text(changes: &[Change], operations: &[Compared]) -> String {
    let mut text = String::new();
    let mut add =
        |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("a String takes every write");
    for change in changes {
        add(format_args!("{change}"));
    }
    for operation in operations {
        match &operation.plans {
            Plans::Changed { old, new } => {
                add(format_args!("{}: plan changes: {old} -> {new}", operation.place()));
            }
            Plans::New(new) => add(format_args!("{}: valid from now on: {new}", operation.place())),
            Plans::Broken(_) => add(format_args!("{}: breaks", operation.place())),
            Plans::Same(_) | Plans::Invalid => {}
        }
    }
    let count = |severity| changes.iter().filter(|change| change.severity == severity).count();
    let plans = |is: fn(&Plans) -> bool| operations.iter().filter(|operation| is(&operation.plans)).count();
    add(format_args!(
        "{} breaking, {} dangerous and {} other changes; of {} operations {} break and {} have another plan",
        count(Severity::Breaking),
        count(Severity::Dangerous),
        count(Severity::Safe),
        operations.len(),
        plans(|plans| matches!(plans, Plans::Broken(_))),
        plans(|plans| matches!(plans, Plans::Changed { .. })),
    ));
    text
}

fn json_report(changes: &[Change], operations: &[Compared]) -> String {
    let changes: Vec<_> = changes
        .iter()
        .map(|change| json!({ "severity": change.severity.name(), "code": change.code, "message": change.message }))
        .collect();
    let operations: Vec<_> = operations.iter().map(Compared::to_json).collect();
    let report = json!({ "changes": changes, "operations": operations });
    serde_json::to_string_pretty(&report).expect("a report is JSON") + "\n"
}
