//! `gateway plan`: what an operation will fetch, from where, in which order.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kopitiam_engine::{Engine, EngineSettings, IncrementalFormat, Request};

use super::output::{self, Failure};
use crate::subgraph_client::Transport;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The composed schema.
    #[arg(long, value_name = "FILE")]
    supergraph: PathBuf,
    /// The document with the operation.
    #[arg(long, value_name = "FILE")]
    query: PathBuf,
    /// Which operation, when the document has several.
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// The form of the plan.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Mermaid,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let sdl = output::read(&arguments.supergraph)?;
    let settings = EngineSettings { introspection: true, ..EngineSettings::default() };
    let engine = Engine::new(&sdl, Transport::new(), settings)
        .map_err(|error| Failure::input(format!("{}: {error}", arguments.supergraph.display())))?;
    let request = Request {
        query: output::read(&arguments.query)?,
        operation_name: arguments.operation.clone(),
        // What is deferred is shown as such.
        incremental: Some(IncrementalFormat::Current),
        ..Request::default()
    };
    let prepared = engine.prepare(&request).map_err(|refused| {
        Failure::diagnostics(output::diagnostics(&refused.body, &arguments.query.display().to_string()))
    })?;
    let text = match arguments.format {
        Format::Text => prepared.plan().to_string() + "\n",
        Format::Mermaid => prepared.plan().to_mermaid(),
        Format::Json => {
            serde_json::to_string_pretty(&prepared.plan().to_json()).expect("a plan is JSON") + "\n"
        }
    };
    output::write(&text, None)
}
