//! Follows the supergraph and the settings while the gateway serves: what they say now holds, as long as it can be served.
//!
//! Always: what cannot be read or served changes nothing and is logged once, settings also when they are tried again (the
//! reason may pass); requests in flight end on what they began with.
//!
//! - `file.rs`: a file that may change
//! - `source.rs`: where a supergraph comes from; `uplink.rs`, `s3.rs`: two of those
//! - `settings.rs`: the file of settings
//!
//! Elsewhere: replacing what is served (`server.rs`).

mod file;
mod s3;
mod settings;
mod source;
mod uplink;

use std::time::{Duration, Instant};

use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

pub(crate) use self::s3::S3Source;
pub(crate) use self::settings::{FollowedSettings, Overrides};
pub(crate) use self::source::{Reader, SupergraphSource, UrlSource};
pub(crate) use self::uplink::UplinkSource;
use crate::server::{Reloaded, SchemaHandle};

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Follower {
    reader: Reader,
    settings: Option<FollowedSettings>,
    schema: SchemaHandle,
    /// What is served.
    served: String,
    /// What was read last, or why nothing could be.
    seen: Result<String, String>,
}

impl Follower {
    /// Follows what `reader` reads, which said `served` when the server was built, and the settings when there are any.
    pub(crate) fn new(
        reader: Reader,
        served: String,
        settings: Option<FollowedSettings>,
        schema: SchemaHandle,
    ) -> Self {
        Self { reader, settings, schema, seen: Ok(served.clone()), served }
    }

    /// Looks at every `interval` (never without one) and at every SIGHUP, until `shutdown`.
    pub(crate) async fn run(
        mut self,
        mut interval: Option<Duration>,
        mut hangup: Signal,
        shutdown: CancellationToken,
    ) {
        loop {
            let asked = tokio::select! {
                () = shutdown.cancelled() => return,
                Some(()) = hangup.recv() => true,
                () = pause(interval) => false,
            };
            // Rare, and large: what it needs is not kept for every look.
            if let Some(changed) = Box::pin(self.look_at_settings(asked)).await {
                interval = changed;
            }
            self.look(asked).await;
        }
    }

    /// Reads what may have changed, or if somebody asked, and serves what is new.
    async fn look(&mut self, asked: bool) {
        let Some(read) = self.reader.read(asked).await else { return };
        if !asked && read == self.seen {
            return;
        }
        self.seen.clone_from(&read);
        let source = self.reader.to_string();
        match read {
            Err(error) => {
                self.schema.unreadable(Reloaded::Supergraph);
                tracing::error!(source, error, "the supergraph is kept: it cannot be read");
            }
            Ok(sdl) if sdl == self.served => tracing::info!(source, "the supergraph is already served"),
            Ok(sdl) => {
                if let Err(error) = self.replace(sdl).await {
                    tracing::error!(source, error, "the supergraph is kept: the new one cannot be served");
                } else {
                    tracing::info!(source, "the supergraph is replaced");
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

    /// Takes settings that are new; gives the interval to look at from now on.
    async fn look_at_settings(&mut self, asked: bool) -> Option<Option<Duration>> {
        let settings = self.settings.as_mut()?;
        let started = Instant::now();
        let (file, read) = (settings.to_string(), settings.read(asked).await?);
        let (is_readable, taken) = match read {
            // Building a gateway takes a large future, and it happens seldom.
            Ok(read) => {
                let taking = settings.take(read, &self.schema, &mut self.reader, &self.served);
                (true, Box::pin(taking).await)
            }
            Err(error) => (false, Err(error)),
        };
        match taken {
            Ok(taken) => {
                self.served = taken.served;
                self.seen = Ok(self.served.clone());
                let restart = taken.unchanged.join(", ");
                if restart.is_empty() {
                    tracing::info!(file, "the settings are replaced");
                } else {
                    tracing::warn!(
                        file,
                        restart,
                        "the settings are replaced but for those that need a restart"
                    );
                }
                Some(taken.interval)
            }
            Err(error) => {
                let is_new = settings.failed(&error, started.elapsed());
                if is_new && !is_readable {
                    self.schema.unreadable(Reloaded::Settings);
                }
                if is_new || asked {
                    tracing::error!(file, error, "the settings are kept: the new ones cannot be used");
                }
                None
            }
        }
    }
}

async fn pause(interval: Option<Duration>) {
    match interval {
        Some(interval) => tokio::time::sleep(interval).await,
        None => std::future::pending().await,
    }
}
