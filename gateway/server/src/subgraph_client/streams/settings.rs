//! How a subgraph's subscriptions are reached.
//!
//! Elsewhere: the same as YAML (`config/subgraphs.rs`).

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

/// How a subgraph's subscriptions are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// What is spoken.
    pub protocol: SourceProtocol,
    /// The path for WebSockets. `None`: that of the subgraph's URL.
    pub websocket_path: Option<String>,
    /// Subscriptions that share one WebSocket.
    pub per_socket_max: usize,
    /// WebSockets open at once to the subgraph; beyond them subscriptions are refused.
    pub sockets_max: usize,
    /// How often a silent WebSocket is asked whether it lives; after two such intervals of silence it is given up.
    pub ping_interval: Duration,
    /// Bytes of events that may wait for one client; a client that is slower loses its subscription.
    pub buffer_bytes_max: usize,
    /// For how long a broken subscription is opened again before its clients learn of it; zero: they learn at once.
    pub reconnect_for: Duration,
}

/// What a subgraph speaks for subscriptions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceProtocol {
    /// GraphQL over server-sent events, distinct connections mode.
    #[default]
    Sse,
    /// `graphql-transport-ws`; subscriptions of one credential share sockets.
    Websocket,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            protocol: SourceProtocol::Sse,
            websocket_path: None,
            per_socket_max: 1_000,
            sockets_max: 1_000,
            ping_interval: Duration::from_secs(12),
            buffer_bytes_max: 4 * 1024 * 1024,
            reconnect_for: Duration::from_mins(1),
        }
    }
}
