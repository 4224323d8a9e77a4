//! One connection: HTTP/1.1 or HTTP/2, and what bounds it.
//!
//! In: a stream of bytes. Out: nothing; returns when the connection is closed.
//! Always: what does not begin a request in time is closed, whatever the protocol; so is an HTTP/2 connection on which
//! nothing is asked, and any connection whose client does not read. HTTP/2 streams, resets, headers and buffers are
//! bounded; beyond them the client gets GOAWAY.
//! Elsewhere: which bytes become which answer (`http/mod.rs`).
//!
//! # Source
//! RFC 9113, section 3.3 "Starting HTTP/2 with Prior Knowledge" and 10.5 "Denial-of-Service Considerations". The upgrade
//! by `Upgrade: h2c` is obsolete (section 3.1) and not done.

use std::pin::{Pin, pin};
use std::time::Duration;

use axum::body::Body;
use http::StatusCode;
use http::header::{CONNECTION, HeaderValue};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsStream;
use tokio_util::sync::CancellationToken;

use super::super::Paths;
use super::super::app::Ending;
use super::super::client_address::Peer;
use super::activity::{Activity, Counted};
use super::patient::Patient;
use crate::options::HttpSettings;
use crate::telemetry::Guard;

/// Request line and headers together: room for a long GET query, not for a flood.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
/// Streams that a client opens and resets before we have seen them ("rapid reset", CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 20;
/// Streams that we had to reset for what the client sent on them.
const LOCAL_RESETS_MAX: usize = 100;
/// Of a response, for each HTTP/2 stream, before its client has read it.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// Of request bodies, for one HTTP/2 connection, before they are read.
const RECEIVE_WINDOW_BYTES: u32 = 1024 * 1024;
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The first bytes of HTTP/2; no method of HTTP/1.1 is called so.
const PREFACE: &[u8; 3] = b"PRI";
/// Between two looks at a client that sent less than that.
const PREFACE_PAUSE: Duration = Duration::from_millis(10);

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// Both protocols with their bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Protocols {
    header_timeout: Duration,
    write_timeout: Duration,
    http2: bool,
}

/// A connection that was accepted.
pub(super) struct Connection {
    pub(super) peer: Peer,
    pub(super) paths: Paths,
    pub(super) protocols: Protocols,
    /// When no further requests are to come, and when none are taken.
    pub(super) ending: Ending,
    /// Dropped when it is closed.
    pub(super) open: (OwnedSemaphorePermit, Guard),
}

impl Protocols {
    pub(super) fn new(settings: &HttpSettings) -> Self {
        Self {
            header_timeout: settings.header_timeout,
            write_timeout: settings.write_timeout,
            http2: settings.http2,
        }
    }
}

impl Connection {
    /// Looks at the first bytes of a plain connection, which decide; `None` when they do not come in time.
    pub(super) async fn version(&self, stream: &TcpStream) -> Option<Version> {
        if !self.protocols.http2 {
            return Some(Version::Http1);
        }
        let look = async {
            let mut seen = [0; PREFACE.len()];
            loop {
                match stream.peek(&mut seen).await {
                    Ok(count) if count < seen.len() && count > 0 && PREFACE.starts_with(&seen[..count]) => {
                        tokio::time::sleep(PREFACE_PAUSE).await;
                    }
                    Ok(_) if seen == *PREFACE => return Version::Http2,
                    // Also for a socket that breaks: HTTP/1.1 finds out.
                    Ok(_) | Err(_) => return Version::Http1,
                }
            }
        };
        timeout(self.protocols.header_timeout, look).await.ok()
    }

    /// Serves a connection after its handshake, which has to end in time.
    pub(super) async fn secured(
        self,
        handshake: impl Future<Output = std::io::Result<tokio_rustls::server::TlsStream<TcpStream>>>,
    ) {
        let stream = match timeout(self.protocols.header_timeout, handshake).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(peer = ?self.peer, %error, "TLS handshake failed");
                return;
            }
            Err(_) => return,
        };
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Version::Http2,
            _ => Version::Http1,
        };
        self.serve(TlsStream::Server(stream), version).await;
    }

    /// Serves a connection to its end.
    pub(super) async fn serve<S>(self, stream: S, version: Version)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { peer, paths, protocols, ending, open } = self;
        let Ending { leaving, draining, .. } = ending;
        let activity = Activity::default();
        let idle = activity.idle_for(protocols.header_timeout);
        let idle_again = activity.idle_for(protocols.header_timeout);
        let patient = Patient::new(stream, protocols.write_timeout);
        let stalled = activity.stalled_for(protocols.write_timeout, patient.bytes_written());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let (paths, busy, is_leaving) = (paths.clone(), activity.begin(), leaving.is_cancelled());
            async move {
                let response: Response<Body> = paths.answer(request.map(Body::new)).await?;
                Ok::<_, std::convert::Infallible>(match version {
                    // Its own timer sees that nothing is asked.
                    // Its client asks elsewhere next, instead of on a connection that is about to close.
                    Version::Http1 if is_leaving => closing(response),
                    Version::Http1 => response,
                    Version::Http2 => response.map(|body| Body::new(Counted::new(body, busy))),
                })
            }
        });
        let stream = TokioIo::new(patient);
        let ended = match version {
            Version::Http1 => {
                let connection = pin!(protocols.http1().serve_connection(stream, service).with_upgrades());
                until_drained(connection, http1::UpgradeableConnection::graceful_shutdown, &draining).await
            }
            Version::Http2 => {
                let connection = pin!(Protocols::http2().serve_connection(stream, service));
                let over = CancellationToken::new();
                let until_over = until_drained(connection, http2::Connection::graceful_shutdown, &over);
                let closing = async {
                    tokio::select! {
                        () = draining.cancelled() => {}
                        () = idle => {}
                    }
                    // Says goodbye; what was asked before the client heard it is still answered.
                    over.cancel();
                    idle_again.await;
                };
                tokio::select! {
                    ended = until_over => ended,
                    () = closing => Ok(()),
                    () = stalled => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            // Clients that vanish or send what is not HTTP: their affair, not the operator's.
            tracing::debug!(?peer, %error, "connection ended");
        }
        drop(open);
    }
}

/// An answer after which the connection is closed, unless it becomes another protocol's.
fn closing(mut response: Response<Body>) -> Response<Body> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A connection to its end; once the server drains, it takes no further requests.
async fn until_drained<C: Future>(
    mut connection: Pin<&mut C>,
    stop: impl FnOnce(Pin<&mut C>),
    draining: &CancellationToken,
) -> C::Output {
    tokio::select! {
        ended = &mut connection => return ended,
        () = draining.cancelled() => stop(connection.as_mut()),
    }
    connection.await
}

impl Protocols {
    fn http1(self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(HEADER_BYTES_MAX);
        builder
    }

    fn http2() -> http2::Builder<TokioExecutor> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
            .max_local_error_reset_streams(LOCAL_RESETS_MAX)
            .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).expect("it is small"))
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .initial_connection_window_size(RECEIVE_WINDOW_BYTES)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        builder
    }
}
