//! Follows the supergraph's file: what it says now is served, as long as that can be served.
//!
//! Always: a file that cannot be read or served changes nothing and is logged once; requests in flight end on the schema
//! they began with.
//! Elsewhere: replacing the schema (`server.rs`), the first reading (`commands/serve.rs`).

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

use crate::server::SchemaHandle;

/// A file's time of modification counts in steps: within one, a file can change again and not show it.
const CLOCK_STEP_MAX: Duration = Duration::from_secs(1);

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Follower {
    file: PathBuf,
    schema: SchemaHandle,
    /// What is served.
    served: String,
    /// What the file said last, or why it could not be read.
    seen: Result<String, String>,
    /// The file's state when it was read; `None` when it may have changed since without showing it.
    stamp: Option<Stamp>,
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

impl Follower {
    /// Follows `file`, which said `served` when the server was built.
    pub(crate) fn new(file: PathBuf, served: String, schema: SchemaHandle) -> Self {
        Self { file, schema, seen: Ok(served.clone()), served, stamp: None }
    }

    /// Looks at the file at every `interval` (never without one) and at every SIGHUP, until `shutdown`.
    pub(crate) async fn run(
        mut self,
        interval: Option<Duration>,
        mut hangup: Signal,
        shutdown: CancellationToken,
    ) {
        loop {
            let asked = tokio::select! {
                () = shutdown.cancelled() => return,
                Some(()) = hangup.recv() => true,
                () = pause(interval) => false,
            };
            self.look(asked).await;
        }
    }

    /// Reads the file if it may have changed, or if somebody asked, and serves what is new.
    async fn look(&mut self, asked: bool) {
        let stamp = self.stamp().await;
        if !asked && stamp.is_some() && stamp == self.stamp {
            return;
        }
        let read_at = SystemTime::now();
        let read = tokio::fs::read_to_string(&self.file).await.map_err(|error| error.to_string());
        self.stamp = stamp
            .filter(|stamp| read_at.duration_since(stamp.modified).is_ok_and(|age| age > CLOCK_STEP_MAX));
        if !asked && read == self.seen {
            return;
        }
        self.seen.clone_from(&read);
        let file = self.file.display().to_string();
        match read {
            Err(error) => tracing::error!(file, error, "the supergraph is kept: the file cannot be read"),
            Ok(sdl) if sdl == self.served => tracing::info!(file, "the supergraph is already served"),
            Ok(sdl) => {
                if let Err(error) = self.replace(sdl).await {
                    tracing::error!(file, error, "the supergraph is kept: the file cannot be served");
                } else {
                    tracing::info!(file, "the supergraph is replaced");
                }
            }
        }
    }

    async fn replace(&mut self, sdl: String) -> Result<(), String> {
        let schema = self.schema.clone();
        // Reading a large schema takes long enough to hold up requests on this thread.
        let replaced = tokio::task::spawn_blocking(move || schema.replace(&sdl).map(|()| sdl)).await;
        self.served = replaced.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(())
    }

    async fn stamp(&self) -> Option<Stamp> {
        let metadata = tokio::fs::metadata(&self.file).await.ok()?;
        Some(Stamp { modified: metadata.modified().ok()?, bytes: metadata.len(), inode: metadata.ino() })
    }
}

async fn pause(interval: Option<Duration>) {
    match interval {
        Some(interval) => tokio::time::sleep(interval).await,
        None => std::future::pending().await,
    }
}
