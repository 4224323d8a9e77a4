//! A started service: its router, and the tasks behind it (relay, consumers, timers).

use std::future::Future;
use std::time::Duration;

use axum::Router;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::ServiceConfig;
use crate::serve;

/// How long tasks may take to end after shutdown began.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A started service, to be served on a port of its own or mounted in another process.
pub struct Service {
    /// Everything it answers over HTTP.
    pub router: Router,
    /// What runs behind it until shutdown.
    pub tasks: Tasks,
}

/// Named background tasks.
#[derive(Default)]
pub struct Tasks {
    set: JoinSet<&'static str>,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` until it ends; it must end soon after the service's shutdown token is cancelled.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.set.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits for all to end, at most ten seconds; what still runs then is stopped.
    pub async fn join(mut self) {
        let all = async {
            while let Some(ended) = self.set.join_next().await {
                match ended {
                    Ok(name) => tracing::debug!(name, "task ended"),
                    Err(error) => tracing::error!(%error, "task failed"),
                }
            }
        };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!("tasks did not end in time, stopping them");
        }
    }
}

/// The `main` of a service binary: settings from the environment, start, serve until SIGTERM or SIGINT, drain, stop.
///
/// # Errors
/// What is wrong with a setting, or why the service cannot start or listen.
pub async fn main<F, Fut>(name: &'static str, start: F) -> anyhow::Result<()>
where
    F: FnOnce(ServiceConfig, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<Service>>,
{
    crate::telemetry::init();
    let config = ServiceConfig::from_env(name)?;
    let listen = config.listen;
    let shutdown = CancellationToken::new();
    let service = start(config, shutdown.clone()).await?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| anyhow::anyhow!("cannot listen on {listen}: {error}"))?;
    tracing::info!(name, address = %listener.local_addr()?, "ready");
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            termination().await;
            shutdown.cancel();
        }
    });
    serve::serve(listener, service.router, shutdown).await?;
    service.tasks.join().await;
    Ok(())
}

/// Returns at SIGINT or SIGTERM.
async fn termination() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(error) => {
            tracing::warn!(%error, "cannot wait for SIGTERM");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
