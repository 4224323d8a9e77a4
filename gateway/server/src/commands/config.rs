//! `gateway config`: what a configuration file may contain, and files made from those of other gateways.

use std::path::PathBuf;

use clap::Subcommand;
use schemars::schema_for;

use super::migrate::{self, Origin};
use super::output::{self, Failure};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Arguments {
    /// Prints the JSON Schema of the configuration file.
    Schema,
    /// Makes a configuration file from another gateway's; what differs is reported on stderr.
    Migrate {
        /// Whose file it is.
        #[arg(long, value_enum)]
        from: Origin,
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where to write; stdout without it.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match arguments {
        Arguments::Schema => output::write(&json_schema(), None),
        Arguments::Migrate { from, file, output } => migrate::run(*from, file, output.as_deref()),
    }
}

/// The schema as editors take it.
fn json_schema() -> String {
    let mut text = serde_json::to_string_pretty(&schema_for!(Config)).expect("a JSON Schema is JSON");
    text.push('\n');
    text
}
