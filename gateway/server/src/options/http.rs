//! Bounds of HTTP.

use std::time::Duration;

/// Bounds on connections, requests and streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpSettings {
    /// The largest request body.
    pub body_bytes_max: usize,
    /// From an idle connection to a complete request header.
    pub header_timeout: Duration,
    /// From the end of the header to the end of the body.
    pub body_timeout: Duration,
    /// From the end of the body to the answer; streams are not bound by it.
    pub request_timeout: Duration,
    /// How long requests in flight may go on after shutdown began.
    pub drain_timeout: Duration,
    /// Connections open at once; further ones wait in the listener's queue.
    pub connections_max: usize,
    /// How often an idle event stream gets a comment, so that nothing between us closes it.
    pub stream_keep_alive: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(20),
            connections_max: 10_000,
            stream_keep_alive: Duration::from_secs(12),
        }
    }
}
