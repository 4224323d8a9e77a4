//! `gateway serve`: a supergraph over HTTP until SIGTERM or SIGINT; SIGHUP reads it and the settings anew.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::{self, Failure};
use crate::config::{Config, FileError, LogFormat};
use crate::reload::{FollowedSettings, Follower, Overrides, Reader};
use crate::server::Server;
use crate::subgraph_client::HttpClient;
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

impl Arguments {
    fn overrides(&self) -> Overrides {
        Overrides {
            supergraph: self.supergraph.clone(),
            listen: self.listen,
            dev: self.dev,
            log_format: self.log_format,
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let overrides = arguments.overrides();
    let file = arguments.config.map(|file| output::read(&file).map(|text| (file, text))).transpose()?;
    let mut config = match &file {
        Some((file, text)) => Config::read(file, text)?,
        None => Config::default(),
    };
    overrides.apply(&mut config);
    let settings = file.map(|(file, text)| FollowedSettings::new(file, text, overrides, &config));
    let config_file =
        settings.as_ref().map_or_else(|| PathBuf::from("(defaults)"), |file| file.path().to_owned());
    let invalid = |message: String| FileError::new(&config_file, "CONFIG_INVALID", message);
    telemetry::init(config.telemetry.format, &config.telemetry.filter)
        .map_err(|error| invalid(format!("`telemetry.filter`: {error}")))?;

    let source = config.supergraph.source(&config_file)?;
    let source = source
        .ok_or_else(|| invalid("no supergraph: set `supergraph.file` or give --supergraph".to_owned()))?;
    let mut reader = Reader::new(source, HttpClient::new());
    let supergraph = reader.to_string();
    let sdl = reader
        .first()
        .await
        .map_err(|error| FileError::new(supergraph.as_ref(), "FILE_UNREADABLE", error))?;
    let interval = config.supergraph.interval();
    let options = config.into_options(&config_file, sdl.clone())?;
    let server = Server::bind(options).await.map_err(Failure::input)?;
    let hangup = signal(SignalKind::hangup()).map_err(|error| Failure::input(format!("SIGHUP: {error}")))?;
    let shutdown = termination()?;
    let metrics = server.metrics_addr().map(|address| address.to_string());
    tracing::info!(address = %server.local_addr(), metrics, supergraph, "listening");
    let follower = Follower::new(reader, sdl, settings, server.schema());
    let following = tokio::spawn(follower.run(interval, hangup, shutdown.clone()));
    server.run(shutdown).await;
    // It ends with the server; a schema that it is just taking is logged first.
    following.await.map_err(|error| Failure::input(format!("following the supergraph: {error}")))?;
    tracing::info!("stopped");
    Ok(())
}

/// Cancelled by SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn termination() -> Result<CancellationToken, Failure> {
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
