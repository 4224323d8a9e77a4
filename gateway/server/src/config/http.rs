//! `http`: bounds of connections, requests and streams.

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::options::{HttpSettings, Options, Statuses};

/// Bounds of connections, requests and streams.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// From an idle connection to a complete request header.
    pub header_timeout: HumanDuration,
    /// From the end of the header to the end of the body.
    pub body_timeout: HumanDuration,
    /// From the end of the body to the answer. Streams are not bound by it.
    pub request_timeout: HumanDuration,
    /// How long a gateway that was asked to stop goes on as before, but that `/ready` says 503, so that what stands in front
    /// sees it and sends requests elsewhere: a little longer than the period of its checks.
    pub shutdown_delay: HumanDuration,
    /// How long requests in flight may go on after that.
    pub drain_timeout: HumanDuration,
    /// Connections open at once; further ones wait.
    pub connections_max: usize,
    /// How long a client may leave bytes of an answer unread before it is given up.
    pub write_timeout: HumanDuration,
    /// Whether HTTP/2 is spoken: chosen by ALPN over TLS, with prior knowledge over plain TCP.
    pub http2: bool,
    /// How often an idle event stream gets a comment.
    pub stream_keep_alive: HumanDuration,
    /// Operations executed at once; further ones are refused with status 503 until there is room.
    pub operations_in_flight_max: usize,
    /// Whether clients may compress their requests (gzip, br, zstd). `body_bytes_max` holds for what arrives and for what comes
    /// out of it.
    pub compressed_requests: bool,
    /// Whether answers are compressed for clients that take it (gzip, br, zstd). Streams never are.
    pub compression: bool,
    /// Answers below so many bytes are not.
    pub compression_bytes_min: u16,
    /// The statuses of `application/graphql-response+json`: `stable` (200, 400) or `draft` (also 294 and 422).
    pub statuses: Statuses,
}

impl Default for HttpConfig {
    fn default() -> Self {
        let settings = HttpSettings::default();
        Self {
            body_bytes_max: settings.body_bytes_max,
            header_timeout: HumanDuration(settings.header_timeout),
            body_timeout: HumanDuration(settings.body_timeout),
            request_timeout: HumanDuration(settings.request_timeout),
            shutdown_delay: HumanDuration(settings.shutdown_delay),
            drain_timeout: HumanDuration(settings.drain_timeout),
            connections_max: settings.connections_max,
            write_timeout: HumanDuration(settings.write_timeout),
            http2: settings.http2,
            stream_keep_alive: HumanDuration(settings.stream_keep_alive),
            operations_in_flight_max: settings.operations_in_flight_max,
            compressed_requests: settings.compressed_requests,
            compression: settings.compression_bytes_min.is_some(),
            compression_bytes_min: settings.compression_bytes_min.unwrap_or(1024),
            statuses: settings.statuses,
        }
    }
}

impl HttpConfig {
    pub(super) fn apply(self, options: &mut Options) {
        options.http = HttpSettings {
            body_bytes_max: self.body_bytes_max,
            header_timeout: self.header_timeout.0,
            body_timeout: self.body_timeout.0,
            request_timeout: self.request_timeout.0,
            shutdown_delay: self.shutdown_delay.0,
            drain_timeout: self.drain_timeout.0,
            connections_max: self.connections_max,
            write_timeout: self.write_timeout.0,
            http2: self.http2,
            stream_keep_alive: self.stream_keep_alive.0,
            operations_in_flight_max: self.operations_in_flight_max,
            compressed_requests: self.compressed_requests,
            compression_bytes_min: self.compression.then_some(self.compression_bytes_min),
            statuses: self.statuses,
            ..options.http
        };
    }
}
