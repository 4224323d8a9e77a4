//! `gateway serve`: a supergraph over HTTP until SIGTERM or SIGINT; SIGHUP reads its file anew.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::{self, Failure};
use crate::config::{Config, FileError, LogFormat};
use crate::reload::Follower;
use crate::server::Server;
use crate::telemetry;

#[derive(Debug, Args)]
#[group(id = "source", required = true, multiple = true, args = ["config", "supergraph"])]
pub(super) struct Arguments {
    /// The gateway's settings (`gateway config schema` describes them).
    #[arg(long, value_name = "FILE", env = "GATEWAY_CONFIG")]
    config: Option<PathBuf>,
    /// The composed schema; replaces the one that the settings name.
    #[arg(long, value_name = "FILE", env = "GATEWAY_SUPERGRAPH")]
    supergraph: Option<PathBuf>,
    /// Address and port; port 0 takes a free one. 127.0.0.1:4000 unless the settings say otherwise.
    #[arg(long, value_name = "ADDRESS", env = "GATEWAY_LISTEN")]
    listen: Option<SocketAddr>,
    /// For a developer's machine: answers introspection and serves GraphiQL.
    #[arg(long)]
    dev: bool,
    /// The form of log lines; JSON unless the settings say otherwise, text with --dev.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut config = arguments.config.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    if let Some(listen) = arguments.listen {
        config.listen = listen;
    }
    config.dev |= arguments.dev;
    let config_file = arguments.config.unwrap_or_else(|| PathBuf::from("(defaults)"));
    let log_format =
        arguments.log_format.unwrap_or(if arguments.dev { LogFormat::Text } else { config.telemetry.format });
    telemetry::init(log_format, &config.telemetry.filter).map_err(|error| {
        FileError::new(&config_file, "CONFIG_INVALID", format!("`telemetry.filter`: {error}"))
    })?;

    let supergraph = arguments.supergraph.or_else(|| config.supergraph.file.clone()).ok_or_else(|| {
        FileError::new(
            &config_file,
            "CONFIG_INVALID",
            "no supergraph: set `supergraph.file` or give --supergraph",
        )
    })?;
    let sdl = output::read(&supergraph)?;
    let interval = config.supergraph.poll_interval.0;
    let options = config.into_options(&config_file, sdl.clone())?;
    let server = Server::bind(options).await.map_err(Failure::input)?;
    let hangup = signal(SignalKind::hangup()).map_err(|error| Failure::input(format!("SIGHUP: {error}")))?;
    let shutdown = termination()?;
    tracing::info!(address = %server.local_addr(), supergraph = %supergraph.display(), "listening");
    let follower = Follower::new(supergraph, sdl, server.schema());
    let interval = (!interval.is_zero()).then_some(interval);
    let following = tokio::spawn(follower.run(interval, hangup, shutdown.clone()));
    server.run(shutdown).await;
    // It ends with the server; a schema that it is just taking is logged first.
    following.await.map_err(|error| Failure::input(format!("following the supergraph: {error}")))?;
    tracing::info!("stopped");
    Ok(())
}

/// Cancelled by SIGTERM or SIGINT; a second one ends the process at once.
fn termination() -> Result<CancellationToken, Failure> {
    let token = CancellationToken::new();
    let cancel = token.clone();
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Failure::input(format!("SIGTERM: {error}")))?;
    tokio::spawn(async move {
        for request in ["first", "second"] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            tracing::info!(request, "asked to stop");
            if cancel.is_cancelled() {
                // Whoever asks twice does not want to wait for the drain.
                std::process::exit(130);
            }
            cancel.cancel();
        }
    });
    Ok(token)
}
