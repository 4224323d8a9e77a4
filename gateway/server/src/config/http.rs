//! `http`: bounds of connections, requests and streams.

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::options::{HttpSettings, Options};

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
    /// How long requests in flight may go on after shutdown began.
    pub drain_timeout: HumanDuration,
    /// Connections open at once; further ones wait.
    pub connections_max: usize,
    /// How often an idle event stream gets a comment.
    pub stream_keep_alive: HumanDuration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        let settings = HttpSettings::default();
        Self {
            body_bytes_max: settings.body_bytes_max,
            header_timeout: HumanDuration(settings.header_timeout),
            body_timeout: HumanDuration(settings.body_timeout),
            request_timeout: HumanDuration(settings.request_timeout),
            drain_timeout: HumanDuration(settings.drain_timeout),
            connections_max: settings.connections_max,
            stream_keep_alive: HumanDuration(settings.stream_keep_alive),
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
            drain_timeout: self.drain_timeout.0,
            connections_max: self.connections_max,
            stream_keep_alive: self.stream_keep_alive.0,
        };
    }
}
