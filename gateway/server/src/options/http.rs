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
    /// How long a gateway that was asked to stop goes on as before, but for `/ready`, so that whoever sends requests sees it
    /// and sends them elsewhere.
    pub shutdown_delay: Duration,
    /// How long requests in flight may go on after that.
    pub drain_timeout: Duration,
    /// Connections open at once; further ones wait in the listener's queue.
    pub connections_max: usize,
    /// How long a client may leave bytes of an answer unread before it is given up.
    pub write_timeout: Duration,
    /// Whether HTTP/2 is spoken: chosen by ALPN over TLS, with prior knowledge over plain TCP.
    pub http2: bool,
    /// How often an idle event stream gets a comment, so that nothing between us closes it.
    pub stream_keep_alive: Duration,
    /// Operations of one batch; `None`: batches are refused.
    pub batch_operations_max: Option<usize>,
    /// Operations executed at once; further ones are refused until there is room.
    pub operations_in_flight_max: usize,
    /// Whether clients may compress their requests (gzip, br, zstd); unpacked, a body is bounded as any other.
    pub compressed_requests: bool,
    /// Answers of at least so many bytes are compressed for clients that take it (gzip, br, zstd), streams never; `None`:
    /// none is.
    pub compression_bytes_min: Option<u16>,
    /// Which statuses `application/graphql-response+json` gets.
    pub statuses: Statuses,
}

/// The statuses of `application/graphql-response+json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Statuses {
    /// 400 for what was not executed, 200 otherwise.
    #[default]
    Stable,
    /// As newer drafts of GraphQL over HTTP have it: 422 for a document that parses and is refused, 294 for a response with
    /// data and errors.
    Draft,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_mins(1),
            shutdown_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(20),
            connections_max: 10_000,
            write_timeout: Duration::from_secs(30),
            http2: true,
            stream_keep_alive: Duration::from_secs(12),
            batch_operations_max: None,
            operations_in_flight_max: 2_000,
            compressed_requests: true,
            compression_bytes_min: Some(1024),
            statuses: Statuses::Stable,
        }
    }
}
