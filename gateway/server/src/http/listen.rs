//! Accepts connections and serves them until shutdown, then drains.
//!
//! In: a bound listener, what answers, a token that ends it. Out: nothing; returns when all is closed.
//! Always: a connection without a complete request header in time is closed, so slow clients cannot hold the server;
//! after shutdown began no new connection is taken and those left are closed within the drain timeout.
//! Elsewhere: bounds on bodies (`request.rs`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Paths;
use super::client_address::Peer;
use crate::options::HttpSettings;
use crate::telemetry::Telemetry;

/// Request line and headers together: room for a long GET query, not for a flood.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// After an error of `accept` such as "too many open files", which only time can mend.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown`, then drains.
pub(crate) async fn run(
    listener: TcpListener,
    paths: Paths,
    settings: HttpSettings,
    telemetry: &Telemetry,
    draining: CancellationToken,
    shutdown: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(settings.connections_max));
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, peer, permit) = accepted;
        let connection = graceful.watch(connection(stream, peer, paths.clone(), settings.header_timeout));
        let counted = telemetry.connection();
        tokio::spawn(async move {
            let _open = (permit, counted);
            if let Err(error) = connection.await {
                // Clients that vanish or send what is not HTTP: their affair, not the operator's.
                tracing::debug!(%peer, %error, "connection ended");
            }
        });
    }
    drop(listener);
    draining.cancel();
    let left = graceful.count();
    tracing::info!(connections = left, "draining");
    if tokio::time::timeout(settings.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still running after the drain timeout and are cut");
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(connections).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    paths: Paths,
    header_timeout: Duration,
) -> impl GracefulConnection<Error = hyper::Error> {
    // Without this, the kernel holds small events of a stream back to join them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY");
    }
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        paths.clone().answer(request.map(Body::new))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
}
