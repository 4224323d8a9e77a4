//! Bounds on streams, to clients and from subgraphs.

use std::time::Duration;

use crate::events::EventSettings;
use crate::streams::Caps;

/// How clients listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSettings {
    /// WebSocket.
    pub websocket: WebSocketSettings,
    /// How much may wait for one client of a WebSocket before its sources are slowed down, in bytes.
    pub buffer_bytes_max: usize,
    /// How long a client may take nothing while something waits for it; then it is cut off.
    pub slow_client_timeout: Duration,
    /// Streams open at once, whatever they go by: WebSocket, server-sent events, multipart.
    pub streams_max: usize,
    /// Streams open at once of one address; of IPv6, of one /64 network.
    pub streams_per_address_max: usize,
    /// Streams open at once of one subject of verified tokens.
    pub streams_per_subject_max: usize,
    /// Subscriptions that are fed from Kafka topics.
    pub events: Option<EventSettings>,
}

/// The protocol `graphql-transport-ws`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketSettings {
    /// Whether it is spoken at all.
    pub enabled: bool,
    /// A further path where it is spoken, besides the GraphQL path.
    pub path: Option<String>,
    /// From the open socket to `connection_init`.
    pub init_timeout: Duration,
    /// How often a silent client is asked whether it lives; after two such intervals of silence it is gone.
    pub ping_interval: Duration,
    /// The largest message of a client.
    pub message_bytes_max: usize,
    /// Operations at a time on one socket.
    pub operations_max: usize,
    /// Sockets open at once.
    pub sockets_max: usize,
    /// Sockets open at once from one address; of IPv6, from one /64 network.
    pub sockets_per_address_max: usize,
    /// Sockets open at once of one subject of verified tokens.
    pub sockets_per_subject_max: usize,
}

impl SubscriptionSettings {
    pub(crate) fn caps(&self) -> Caps {
        Caps {
            total: self.streams_max,
            per_address: self.streams_per_address_max,
            per_subject: self.streams_per_subject_max,
        }
    }
}

impl WebSocketSettings {
    pub(crate) fn caps(&self) -> Caps {
        Caps {
            total: self.sockets_max,
            per_address: self.sockets_per_address_max,
            per_subject: self.sockets_per_subject_max,
        }
    }
}

impl Default for SubscriptionSettings {
    fn default() -> Self {
        Self {
            websocket: WebSocketSettings::default(),
            buffer_bytes_max: 1024 * 1024,
            slow_client_timeout: Duration::from_secs(10),
            streams_max: 100_000,
            streams_per_address_max: 5_000,
            streams_per_subject_max: 1_000,
            events: None,
        }
    }
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            path: None,
            init_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(12),
            message_bytes_max: 256 * 1024,
            operations_max: 100,
            sockets_max: 10_000,
            sockets_per_address_max: 500,
            sockets_per_subject_max: 100,
        }
    }
}
