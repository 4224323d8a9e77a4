//! The command line of the binary `gateway`.
//!
//! In: arguments. Out: what a command prints on stdout, diagnostics on stderr, an exit code.
//! Always: 0 is good, 1 means that the input is wrong, 2 that the command was used wrongly.
//!
//! - `serve.rs`, `compose.rs`, `dev.rs`, `plan.rs`, `check/`, `config.rs`, `migrate/`: one for each command
//! - `output.rs`: printing and exit codes

mod check;
mod compose;
mod config;
mod dev;
mod migrate;
mod output;
mod plan;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::output::Failure;

/// A GraphQL federation gateway: composes, plans, executes and serves Federation 2 supergraphs.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves a supergraph over HTTP.
    Serve(serve::Arguments),
    /// Composes subgraphs into a supergraph.
    Compose(compose::Arguments),
    /// Composes subgraphs, serves them, and does so anew when one changes.
    Dev(dev::Arguments),
    /// Prints the query plan of an operation.
    Plan(plan::Arguments),
    /// Compares two supergraphs: what breaks clients, and which plans change.
    Check(check::Arguments),
    /// Describes the configuration file, or makes one from another gateway's.
    #[command(subcommand)]
    Config(config::Arguments),
}

/// Runs the command that this process was started with.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::exit(Err(Failure::input(format!("no runtime: {error}")))),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Compose(arguments) => compose::run(&arguments).await,
            Command::Dev(arguments) => dev::run(arguments).await,
            Command::Plan(arguments) => plan::run(&arguments),
            Command::Check(arguments) => check::run(&arguments),
            Command::Config(arguments) => config::run(&arguments),
        }
    });
    output::exit(result)
}
