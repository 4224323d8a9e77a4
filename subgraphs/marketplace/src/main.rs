//! The whole marketplace as one program: gateway and services in one process on SQLite, the broker and the storefront as
//! its children. `marketplace run` starts it, `marketplace seed` only fills the databases; `dead-letters`, `resend`,
//! `rebuild`, `audit` and `sagas` are for operators.
//!
//! - `run.rs`: starts everything in order, and stops it
//! - `services.rs`: the four services and the gateway, joined in process
//! - `children.rs`: the broker and the storefront
//! - `operate.rs`: what operators ask of the databases; `across.rs`: what must hold across them
//! - `preflight.rs`: taken ports and a data folder in use, told in one line before anything starts
//!
//! Elsewhere: what the services do (`user`, `product`, `order`, `listing`), what the gateway does (`server`).

mod across;
mod children;
mod operate;
mod preflight;
mod run;
mod services;

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use kopitiam_kit::operator::Operation;
use operate::{Name, operate};
use uuid::Uuid;

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
    /// Shows the messages that could not be applied, or has them tried again by the running marketplace.
    DeadLetters {
        #[command(flatten)]
        on: On,
        #[command(subcommand)]
        action: DeadLetters,
    },
    /// Has the running marketplace publish again what was written since a time: for a broker that lost messages.
    Resend {
        #[command(flatten)]
        on: On,
        /// RFC 3339, such as `2026-01-31T12:00:00Z`.
        since: DateTime<Utc>,
    },
    /// Makes the read models anew from the events. The marketplace must not be running.
    Rebuild {
        #[command(flatten)]
        on: On,
    },
    /// Asks whether what must hold in the databases and across them holds; fails with what does not.
    Audit {
        #[command(flatten)]
        on: On,
    },
    /// Shows the steps of each kind of saga, one JSON object per kind.
    Sagas {
        #[command(flatten)]
        on: On,
    },
}

#[derive(Subcommand)]
enum DeadLetters {
    /// One JSON object per message.
    List,
    /// All of them, or the one with this id.
    Replay {
        /// The message's `eventId`.
        id: Option<Uuid>,
    },
}

#[derive(Args)]
struct On {
    #[command(flatten)]
    data: Data,
    /// Only this service.
    #[arg(long)]
    service: Option<Name>,
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
        Command::DeadLetters { on, action } => {
            let operation = match action {
                DeadLetters::List => Operation::ListDeadLetters,
                DeadLetters::Replay { id } => Operation::ReplayDeadLetters(id),
            };
            operate(&on.data, on.service, operation).await
        }
        Command::Resend { on, since } => operate(&on.data, on.service, Operation::ResendOutbox(since)).await,
        Command::Rebuild { on } => operate(&on.data, on.service, Operation::Rebuild).await,
        Command::Audit { on } => operate(&on.data, on.service, Operation::Audit).await,
        Command::Sagas { on } => operate(&on.data, on.service, Operation::ShowSagas).await,
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
