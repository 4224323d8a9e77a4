//! Accepts connections and serves them until shutdown, then drains.
//!
//! In: bound listeners, what answers, a token that ends it. Out: nothing; returns when all is closed.
//! Always: a connection without a complete request header in time is closed, so slow clients cannot hold the server;
//! after shutdown began no new connection is taken and those left are closed within the drain timeout.
//!
//! - `connection.rs`: HTTP/1.1 or HTTP/2 on one connection, and its bounds; `activity.rs`: whether anything is asked on it
//! - `patient.rs`: gives up on a client that does not read
//! - `tls.rs`: certificates, also while they are replaced
//! - `unix.rs`: a socket in the file system
//!
//! Elsewhere: bounds on bodies (`request.rs`), WebSockets (`streams/`).

mod activity;
mod connection;
mod patient;
mod tls;
mod unix;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::{Connection, Protocols, Version};
pub(crate) use self::tls::Tls;
pub(crate) use self::unix::UnixSocket;
use super::Paths;
use super::app::Ending;
use super::client_address::Peer;
use crate::options::HttpSettings;
use crate::telemetry::Telemetry;

/// After an error of `accept` such as "too many open files", which only time can mend.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where clients come in.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) tcp: TcpListener,
    /// For connections over `tcp`; without it they are plain.
    pub(crate) tls: Option<Tls>,
    pub(crate) unix: Option<UnixSocket>,
}

/// What all connections have in common.
struct Serving<'a> {
    paths: &'a Paths,
    settings: HttpSettings,
    telemetry: &'a Telemetry,
    ending: Ending,
    connections: TaskTracker,
    room: Arc<Semaphore>,
}

/// Serves until `shutdown`, then drains.
pub(crate) async fn run(
    listeners: Listeners,
    paths: Paths,
    settings: HttpSettings,
    telemetry: &Telemetry,
    ending: Ending,
    shutdown: CancellationToken,
) {
    let Listeners { tcp, tls, unix } = listeners;
    let serving = Serving {
        paths: &paths,
        settings,
        telemetry,
        ending: ending.clone(),
        connections: TaskTracker::new(),
        room: Arc::new(Semaphore::new(settings.connections_max.min(Semaphore::MAX_PERMITS))),
    };
    let following = tls.as_ref().map(|tls| tokio::spawn(tls.clone().follow(shutdown.clone())));
    tokio::select! {
        () = leave(&ending, shutdown, settings.shutdown_delay) => {}
        // Taken whole: they close with the branch that did not end it.
        () = serving.tcp(tcp, tls) => {}
        () = serving.unix(unix) => {}
    }
    ending.draining.cancel();
    let connections = &serving.connections;
    tracing::info!(connections = connections.len(), "draining");
    connections.close();
    if tokio::time::timeout(settings.drain_timeout, connections.wait()).await.is_err() {
        tracing::warn!("requests were still running after the drain timeout and are cut");
    }
    if let Some(following) = following {
        following.abort();
    }
}

/// Says that it is not ready, and waits until those who send requests have seen it.
async fn leave(ending: &Ending, shutdown: CancellationToken, delay: Duration) {
    shutdown.cancelled().await;
    ending.leaving.cancel();
    if !delay.is_zero() {
        tracing::info!(?delay, "leaving: not ready from now on");
        tokio::time::sleep(delay).await;
    }
}

impl Serving<'_> {
    async fn tcp(&self, listener: TcpListener, tls: Option<Tls>) {
        loop {
            let permit = self.room().await;
            let Some((stream, peer)) = accepted(listener.accept().await).await else { continue };
            // Without this, the kernel holds small events of a stream back to join them.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%peer, %error, "TCP_NODELAY");
            }
            let connection = self.connection(Peer::Address(peer), permit);
            match &tls {
                None => {
                    self.connections.spawn(async move {
                        if let Some(version) = connection.version(&stream).await {
                            connection.serve(stream, version).await;
                        }
                    });
                }
                Some(tls) => {
                    let handshake = tls.accept(stream);
                    self.connections.spawn(connection.secured(handshake));
                }
            }
        }
    }

    /// Never ends, and without a socket never begins.
    async fn unix(&self, socket: Option<UnixSocket>) {
        let Some(socket) = socket else { return std::future::pending().await };
        let listener: &UnixListener = &socket.listener;
        loop {
            let permit = self.room().await;
            let Some((stream, _)) = accepted(listener.accept().await).await else { continue };
            let connection = self.connection(Peer::Local, permit);
            self.connections.spawn(async move {
                // Proxies on the same machine speak HTTP/1.1, and there is no looking ahead on such a socket.
                connection.serve(stream, Version::Http1).await;
            });
        }
    }

    /// Room for one more connection.
    async fn room(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.room).acquire_owned().await.expect("the semaphore is never closed")
    }

    fn connection(&self, peer: Peer, permit: OwnedSemaphorePermit) -> Connection {
        Connection {
            peer,
            paths: self.paths.clone(),
            protocols: Protocols::new(&self.settings),
            ending: self.ending.clone(),
            open: (permit, self.telemetry.connection()),
        }
    }
}

/// A failure is waited out: trying again at once would only burn the time that others need to close something.
async fn accepted<S>(result: io::Result<S>) -> Option<S> {
    match result {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "accept failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
