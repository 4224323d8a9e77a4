//! A started service: its router, and the tasks behind it (relay, consumers, timers).

use std::future::Future;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use futures::FutureExt;
use kopitiam_kafka::{Envelope, Topic};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::ServiceConfig;
use crate::consumer::HandleError;
use crate::db::{Db, Tx};
use crate::operator::{self, Desk, Operation};
use crate::rebuild::ReadModels;
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

/// Named background tasks. One that panics ends the service: nobody would notice a relay that is no more.
#[derive(Default)]
pub struct Tasks {
    set: JoinSet<&'static str>,
    failure: TaskFailure,
}

/// Tells of the first task that panicked. Cheap to clone; clones share.
#[derive(Clone, Default)]
pub struct TaskFailure {
    name: Arc<OnceLock<&'static str>>,
    happened: CancellationToken,
}

impl TaskFailure {
    /// Returns the task's name once one has panicked, never otherwise.
    pub async fn happened(&self) -> &'static str {
        self.happened.cancelled().await;
        self.name.get().copied().unwrap_or("unnamed")
    }

    /// The task's name, if one has panicked.
    pub fn name(&self) -> Option<&'static str> {
        self.name.get().copied()
    }

    fn tell(&self, name: &'static str) {
        tracing::error!(name, "task panicked, the service ends");
        let _ = self.name.set(name);
        self.happened.cancel();
    }
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` until it ends; it must end soon after the service's shutdown token is cancelled.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let failure = self.failure.clone();
        self.set.spawn(async move {
            // What the task shares is transactions and channels, which a panic leaves rolled back and closed.
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                failure.tell(name);
            }
            name
        });
    }

    /// Tells of tasks that panic.
    pub fn failure(&self) -> TaskFailure {
        self.failure.clone()
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

/// The `main` of a service binary: settings from the environment, start, serve until SIGTERM or SIGINT, drain, stop. With
/// arguments it does what an operator asks (`operator`) and ends.
///
/// # Errors
/// What is wrong with a setting, why the service cannot start or listen, or what the operator is told.
pub async fn main<F, Fut, M>(name: &'static str, start: F, desk: Desk<'_, M>) -> anyhow::Result<()>
where
    F: FnOnce(ServiceConfig, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<Service>>,
    M: ReadModels,
{
    crate::telemetry::init();
    let config = ServiceConfig::from_env(name)?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(operation) = Operation::parse(&arguments).map_err(anyhow::Error::msg)? {
        let db = Db::connect(&config.database_url).await?;
        let lines = operator::perform(operation, &db, &config.kafka, &desk).await?;
        let mut output = std::io::stdout().lock();
        return Ok(lines.iter().try_for_each(|line| writeln!(output, "{line}"))?);
    }
    Db::connect(&config.database_url).await?.check_durable().await?;
    let (listen, database) = (config.listen, config.database_url.clone());
    let shutdown = CancellationToken::new();
    let service = start(config, shutdown.clone()).await?;
    let router = serve::faults::mount(service.router, &database)?;
    let failure = service.tasks.failure();
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| anyhow::anyhow!("cannot listen on {listen}: {error}"))?;
    tracing::info!(name, address = %listener.local_addr()?, "ready");
    tokio::spawn({
        let (shutdown, failure) = (shutdown.clone(), failure.clone());
        async move {
            tokio::select! {
                () = termination() => {}
                _ = failure.happened() => {}
            }
            shutdown.cancel();
        }
    });
    serve::serve(listener, router, shutdown).await?;
    service.tasks.join().await;
    match failure.name() {
        None => Ok(()),
        Some(name) => anyhow::bail!("the task `{name}` panicked"),
    }
}

/// For services that keep no rows made of others' events.
pub struct NoReadModels;

#[async_trait::async_trait]
impl ReadModels for NoReadModels {
    fn topics(&self) -> &'static [Topic] {
        &[]
    }

    fn projections(&self) -> &'static [&'static str] {
        &[]
    }

    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    async fn apply(&self, _tx: &Tx, _topic: Topic, _envelope: &Envelope) -> Result<(), HandleError> {
        Ok(())
    }
}

/// Returns at SIGINT or SIGTERM.
pub async fn termination() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panicking_task_is_told_by_name() {
        let mut tasks = Tasks::new();
        tasks.spawn("steady", std::future::pending());
        assert_eq!(tasks.failure().name(), None);
        tasks.spawn("shaky", async { panic!("on purpose") });
        let told = tokio::time::timeout(STOP_WITHIN, tasks.failure().happened()).await;
        assert_eq!(told, Ok("shaky"));
    }

    #[tokio::test]
    async fn tasks_that_end_well_fail_nobody() {
        let mut tasks = Tasks::new();
        let failure = tasks.failure();
        tasks.spawn("short", async {});
        tasks.join().await;
        assert_eq!(failure.name(), None);
    }
}
