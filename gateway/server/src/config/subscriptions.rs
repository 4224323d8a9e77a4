//! `subscriptions`: how clients listen.

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use super::events::KafkaConfig;
use crate::options::{Options, SubscriptionSettings, WebSocketSettings};

/// How clients listen.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubscriptionsConfig {
    /// The protocol `graphql-transport-ws`; queries and mutations go by it, too.
    pub websocket: WebSocketConfig,
    /// Bytes that may wait for one client of a WebSocket; beyond it, its sources are slowed down.
    pub buffer_bytes_max: usize,
    /// How long a message may wait for a client of a WebSocket to take it; then the client is cut off.
    pub slow_client_timeout: HumanDuration,
    /// Streams open at once, whatever they go by: WebSocket, server-sent events, multipart. Further ones are refused
    /// (`TOO_MANY_STREAMS`).
    pub streams_max: usize,
    /// Streams open at once of one address; of IPv6, of one /64 network. Behind proxies, name them in
    /// `headers.trusted_proxies`, or all clients are one.
    pub streams_per_address_max: usize,
    /// Streams open at once of one subject of access tokens.
    pub streams_per_subject_max: usize,
    /// Subscriptions that are fed from Kafka topics.
    pub kafka: Option<KafkaConfig>,
}

/// The protocol `graphql-transport-ws`; queries and mutations go by it, too.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocketConfig {
    /// Whether it is spoken at all, on the GraphQL path.
    pub enabled: bool,
    /// A further path where it is spoken, such as `/ws`.
    pub path: Option<String>,
    /// From the open socket to `connection_init`.
    pub init_timeout: HumanDuration,
    /// How often a silent client is asked whether it lives; after two such intervals without a sign it is cut off.
    pub ping_interval: HumanDuration,
    /// The largest message of a client, in bytes.
    pub message_bytes_max: usize,
    /// Operations at a time on one socket.
    pub operations_max: usize,
    /// Sockets open at once.
    pub sockets_max: usize,
    /// Sockets open at once from one address; of IPv6, from one /64 network.
    pub sockets_per_address_max: usize,
    /// Sockets open at once of one subject of access tokens.
    pub sockets_per_subject_max: usize,
}

impl Default for SubscriptionsConfig {
    fn default() -> Self {
        let settings = SubscriptionSettings::default();
        Self {
            websocket: WebSocketConfig::default(),
            buffer_bytes_max: settings.buffer_bytes_max,
            slow_client_timeout: HumanDuration(settings.slow_client_timeout),
            streams_max: settings.streams_max,
            streams_per_address_max: settings.streams_per_address_max,
            streams_per_subject_max: settings.streams_per_subject_max,
            kafka: None,
        }
    }
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        let settings = WebSocketSettings::default();
        Self {
            enabled: settings.enabled,
            path: settings.path,
            init_timeout: HumanDuration(settings.init_timeout),
            ping_interval: HumanDuration(settings.ping_interval),
            message_bytes_max: settings.message_bytes_max,
            operations_max: settings.operations_max,
            sockets_max: settings.sockets_max,
            sockets_per_address_max: settings.sockets_per_address_max,
            sockets_per_subject_max: settings.sockets_per_subject_max,
        }
    }
}

impl SubscriptionsConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        if self.websocket.ping_interval.0.is_zero() {
            return Err("`subscriptions.websocket.ping_interval` must be longer than nothing".to_owned());
        }
        if self.websocket.path.as_ref().is_some_and(|path| !is_path(path)) {
            return Err("`subscriptions.websocket.path` must begin with a slash, such as /ws".to_owned());
        }
        options.subscriptions = SubscriptionSettings {
            websocket: self.websocket.settings(),
            buffer_bytes_max: self.buffer_bytes_max,
            slow_client_timeout: self.slow_client_timeout.0,
            streams_max: self.streams_max,
            streams_per_address_max: self.streams_per_address_max,
            streams_per_subject_max: self.streams_per_subject_max,
            events: self.kafka.map(KafkaConfig::settings).transpose()?,
        };
        Ok(())
    }
}

impl WebSocketConfig {
    fn settings(self) -> WebSocketSettings {
        WebSocketSettings {
            enabled: self.enabled,
            path: self.path,
            init_timeout: self.init_timeout.0,
            ping_interval: self.ping_interval.0,
            message_bytes_max: self.message_bytes_max,
            operations_max: self.operations_max,
            sockets_max: self.sockets_max,
            sockets_per_address_max: self.sockets_per_address_max,
            sockets_per_subject_max: self.sockets_per_subject_max,
        }
    }
}

fn is_path(path: &str) -> bool {
    let taken = ["/graphql", "/health", "/ready"];
    path.len() > 1
        && path.starts_with('/')
        && !taken.contains(&path)
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte))
}
