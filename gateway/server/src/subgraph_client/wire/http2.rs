//! The one connection of HTTP/2 to a place, shared by all requests.
//!
//! Always: pinged while requests are under way, so a dead one ends them; replaced when it is over;
//! an answer whose stream is reset before its end is a failure (`resets.rs`).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::body::RequestBody;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::connect::Stream;
use super::resets::Told;

/// What a request needs; cheap to clone.
pub(super) type Http2 = SendRequest<RequestBody>;

const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers are large and come on one connection: the protocol's own 64 KiB would stop each of them after one round trip.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
const HEAD_BYTES_MAX: u32 = 64 * 1024;

/// The connection, when there is one.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Option<Http2>>);

impl Shared {
    /// The connection, unless it is over.
    pub(super) fn get(&self) -> Option<Http2> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_some_and(SendRequest::is_closed) {
            *slot = None;
        }
        slot.clone()
    }

    pub(super) fn set(&self, connection: Http2) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }
}

/// Begins HTTP/2 on a connection.
///
/// # Errors
/// When the other side is gone already.
pub(super) async fn begin(stream: Stream) -> hyper::Result<Http2> {
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(Told::new(stream)))
        .await?;
    // Ends with the last sender and the last answer. Why it ended reaches whoever waits for an answer.
    tokio::spawn(connection);
    Ok(sender)
}
