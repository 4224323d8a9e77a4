//! `subgraphs.*.subscriptions`: how a subgraph's subscriptions are reached.

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::subgraph_client::{SourceProtocol, SourceSettings};

/// How a subgraph's subscriptions are reached. A router in this process is always asked for server-sent events.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// `sse`: server-sent events, one request for each subscription. `websocket`: `graphql-transport-ws`, where
    /// subscriptions with one credential share sockets. Default: sse.
    pub protocol: Option<SourceProtocol>,
    /// The path for WebSockets, such as `/ws`. Default: that of the subgraph's URL.
    pub websocket_path: Option<String>,
    /// Subscriptions that share one WebSocket. Default: 1000.
    pub per_socket_max: Option<usize>,
    /// WebSockets open at once to the subgraph; subscriptions beyond them are refused. Default: 1000.
    pub sockets_max: Option<usize>,
    /// How often a silent WebSocket is asked whether it lives; after two such intervals it is given up. Default: 12s.
    pub ping_interval: Option<HumanDuration>,
    /// Bytes of events of a WebSocket that may wait for one client; one that is slower loses its subscription. Default:
    /// 4 MiB.
    pub buffer_bytes_max: Option<usize>,
    /// For how long a broken subscription is opened again, with growing waits, before its clients learn of it; `0s`: at
    /// once. Default: 1m.
    pub reconnect_for: Option<HumanDuration>,
}

impl SourceConfig {
    pub(super) fn settings(&self) -> SourceSettings {
        let default = SourceSettings::default();
        SourceSettings {
            protocol: self.protocol.unwrap_or(default.protocol),
            websocket_path: self.websocket_path.clone().or(default.websocket_path),
            per_socket_max: self.per_socket_max.unwrap_or(default.per_socket_max).max(1),
            sockets_max: self.sockets_max.unwrap_or(default.sockets_max),
            ping_interval: self.ping_interval.map_or(default.ping_interval, |interval| {
                interval.0.max(std::time::Duration::from_millis(1))
            }),
            buffer_bytes_max: self.buffer_bytes_max.unwrap_or(default.buffer_bytes_max),
            reconnect_for: self.reconnect_for.map_or(default.reconnect_for, |patience| patience.0),
        }
    }
}
