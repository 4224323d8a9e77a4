//! `gateway config`: what a configuration file may contain.

use clap::Subcommand;
use schemars::schema_for;

use super::output::{self, Failure};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Arguments {
    /// Prints the JSON Schema of the configuration file.
    Schema,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match arguments {
        Arguments::Schema => output::write(&json_schema(), None),
    }
}

/// The schema as editors take it.
fn json_schema() -> String {
    let mut text = serde_json::to_string_pretty(&schema_for!(Config)).expect("a JSON Schema is JSON");
    text.push('\n');
    text
}
