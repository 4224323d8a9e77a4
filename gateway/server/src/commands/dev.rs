//! `gateway dev`: composes subgraphs and serves them, and does so anew when one changes.
//!
//! Always: what does not compose or cannot be served keeps the last good supergraph, and says why, once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::compose::composed;
use super::output::{self, Failure};
use super::serve::termination;
use crate::config::{Config, LoadedSubgraph, LogFormat, load_subgraphs};
use crate::server::{SchemaHandle, Server};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file that names the subgraphs: subgraphs.<name>.{routing_url, schema.{file|subgraph_url}}.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The gateway's settings, without a supergraph (`gateway config schema` describes them).
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Address and port; port 0 takes a free one. 127.0.0.1:4000 unless the settings say otherwise.
    #[arg(long, value_name = "ADDRESS", env = "GATEWAY_LISTEN")]
    listen: Option<SocketAddr>,
    /// How often to look whether a file, or the schema of a running subgraph, has changed.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 500)]
    poll: u64,
    /// The form of log lines.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut config = arguments.settings.as_deref().map(Config::load).transpose()?.unwrap_or_default();
    config.dev = true;
    if let Some(listen) = arguments.listen {
        config.listen = listen;
    }
    telemetry::init(arguments.log_format, &config.telemetry.filter)
        .map_err(|error| Failure::input(format!("`telemetry.filter`: {error}")))?;
    let settings = arguments.settings.clone().unwrap_or_else(|| PathBuf::from("(defaults)"));
    let shutdown = termination()?;
    let mut watched = Watched::new(arguments.config, Duration::from_millis(arguments.poll.max(10)));
    // Also the first state may be broken: a developer mends it and goes on.
    let Some(sdl) = watched.next_good(&shutdown).await else { return Ok(()) };
    let options = config.into_options(&settings, sdl)?;
    let server = Server::bind(options).await.map_err(Failure::input)?;
    let address = server.local_addr();
    tracing::info!(%address, "listening");
    output::note(format!("http://{address}/graphql"));
    let following = tokio::spawn(watched.follow(server.schema(), shutdown.clone()));
    server.run(shutdown).await;
    following.await.map_err(|error| Failure::input(format!("following the subgraphs: {error}")))
}

/// The subgraphs, as they were read last.
struct Watched {
    config: PathBuf,
    interval: Duration,
    /// What was composed last, or why nothing could be.
    seen: Option<Result<Vec<Identity>, Vec<String>>>,
}

impl Watched {
    fn new(config: PathBuf, interval: Duration) -> Self {
        Self { config, interval, seen: None }
    }

    /// A supergraph, if the subgraphs are not what they were; what is wrong with them is printed.
    async fn look(&mut self) -> Option<String> {
        let loaded = load_subgraphs(&self.config).await;
        let key = match &loaded {
            Ok(loaded) => Ok(loaded.iter().map(identity).collect()),
            Err(errors) => Err(errors.iter().map(ToString::to_string).collect::<Vec<_>>()),
        };
        if self.seen.as_ref() == Some(&key) {
            return None;
        }
        self.seen = Some(key);
        let composed = match loaded {
            Ok(loaded) => {
                let config = self.config.clone();
                let work = tokio::task::spawn_blocking(move || composed(loaded, &config, None));
                work.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
            }
            Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
        };
        match composed {
            Ok(composed) => Some(composed.sdl),
            Err(lines) => {
                for line in &lines {
                    output::note(line);
                }
                tracing::error!(errors = lines.len(), "the subgraphs do not compose");
                None
            }
        }
    }

    /// Waits for subgraphs that compose; `None` at shutdown.
    async fn next_good(&mut self, shutdown: &CancellationToken) -> Option<String> {
        loop {
            if let Some(sdl) = self.look().await {
                return Some(sdl);
            }
            tokio::select! {
                () = shutdown.cancelled() => return None,
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    async fn follow(mut self, schema: SchemaHandle, shutdown: CancellationToken) {
        while let Some(sdl) = self.next_good(&shutdown).await {
            let schema = schema.clone();
            let replaced = tokio::task::spawn_blocking(move || schema.replace(&sdl)).await;
            match replaced {
                Ok(Ok(())) => tracing::info!("the supergraph is replaced"),
                Ok(Err(error)) => {
                    tracing::error!(%error, "the supergraph is kept: the new one cannot be served");
                }
                Err(error) => tracing::error!(%error, "the supergraph is kept"),
            }
        }
    }
}

/// What makes a subgraph the same as before: its name, URL and SDL.
type Identity = (String, String, String);

fn identity(loaded: &LoadedSubgraph) -> Identity {
    let subgraph = &loaded.subgraph;
    (subgraph.name.clone(), subgraph.url.clone(), subgraph.sdl.clone())
}
