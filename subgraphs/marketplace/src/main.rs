//! The whole marketplace as one program: gateway and services in one process on SQLite, the broker and the storefront as
//! its children. `marketplace run` starts it, `marketplace seed` only fills the databases.
//!
//! - `run.rs`: starts everything in order, and stops it
//! - `services.rs`: the four services and the gateway, joined in process
//! - `children.rs`: the broker and the storefront
//! - `preflight.rs`: taken ports and a data folder in use, told in one line before anything starts
//!
//! Elsewhere: what the services do (`user`, `product`, `order`, `listing`), what the gateway does (`server`).

mod children;
mod preflight;
mod run;
mod services;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Gateway, services, broker and storefront on one machine, without configuration.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts everything; Ctrl-C stops it.
    Run(Run),
    /// Fills the databases with the seed data and ends. What is there already stays.
    Seed(Data),
}

#[derive(Args)]
struct Data {
    /// Folder of the databases and of the embedded broker's log.
    #[arg(long, env = "DATA_DIR", default_value = "data")]
    data: PathBuf,
    /// `host:port[,…]` of a Kafka; without it the embedded broker is started.
    #[arg(long, env = "KAFKA_BROKERS")]
    kafka: Option<String>,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    data: Data,
    /// Port of the GraphQL endpoint.
    #[arg(long, env = "GATEWAY_PORT", default_value_t = 4000)]
    gateway_port: u16,
    /// Port of the storefront.
    #[arg(long, env = "WEB_PORT", default_value_t = 3000)]
    web_port: u16,
    /// Folder of the built storefront; without it only GraphQL is served.
    #[arg(long)]
    web: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(options) => Box::pin(run::run(options)).await,
        Command::Seed(options) => Box::pin(run::seed(options)).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell_error(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A line for the person who started it.
#[expect(clippy::print_stdout, reason = "progress is this program's output")]
fn tell(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "the one line that says why it ended")]
fn tell_error(line: &str) {
    eprintln!("{line}");
}
