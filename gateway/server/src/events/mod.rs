//! Subscriptions that are fed from Kafka topics, so that subgraphs need keep no streams.
//!
//! In: the request of a subscription whose field is in the settings. Out: its responses: for each event that is meant, the
//! entity it is about, asked of the field's subgraph with the client's own credential.
//! Always: an event says only that something happened to an entity; what a client sees of that is what the subgraph
//! answers to this client, and nothing when it answers with nothing.
//!
//! - `mapping.rs`: from arguments and events to keys, filters and entities
//! - `entity.rs`: from the subscription to the query for an entity, and back
//! - `topics.rs`: the records
//!
//! Elsewhere: sources that subgraphs serve themselves (`subgraph_client/streams/`), what other subgraphs add to an event
//! (the plan).

mod entity;
mod mapping;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use kopitiam_executor::transport::TransportError;
use rdkafka::ClientConfig;
use serde_json::Value;
use tokio::sync::mpsc;

use self::entity::{Asked, Completion};
use self::mapping::Wanted;
pub use self::mapping::{EventField, NotATemplate, Template};
use self::topics::Topics;
use crate::telemetry::Telemetry;

/// Subscriptions fed from Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSettings {
    /// `bootstrap.servers`.
    pub brokers: String,
    /// Further settings of librdkafka, such as those of TLS and SASL.
    pub properties: Vec<(String, String)>,
    /// How often it is looked whether a topic has further partitions.
    pub partitions_interval: Duration,
    /// Fields of the subscription type that are fed from topics.
    pub fields: Vec<EventField>,
}

/// The event-driven subscriptions of a gateway.
#[derive(Debug)]
pub(crate) struct Events {
    fields: Vec<EventField>,
    topics: Topics,
}

/// Asks the subscription's subgraph.
pub(crate) type Ask = Box<dyn Fn(Bytes) -> BoxFuture<'static, Result<Bytes, TransportError>> + Send + Sync>;

type Item = Result<Bytes, TransportError>;

impl EventSettings {
    /// How often it is looked for further partitions unless the settings say otherwise.
    pub const PARTITIONS_INTERVAL: Duration = Duration::from_secs(10);
}

impl Events {
    pub(crate) fn new(settings: EventSettings, telemetry: Telemetry) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", settings.brokers)
            // Named because the client wants a name: it joins no group and commits nothing.
            .set("group.id", format!("gateway-{}", uuid::Uuid::now_v7().simple()))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest")
            .set("allow.auto.create.topics", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "200")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000");
        for (name, value) in settings.properties {
            config.set(name, value);
        }
        let topics = Topics::new(config, settings.partitions_interval, telemetry);
        Self { fields: settings.fields, topics }
    }

    /// What a subscription listens to, when it is one of these.
    pub(crate) fn find(&self, body: &[u8]) -> Option<Listening<'_>> {
        let asked = Asked::read(body)?;
        let field = self.fields.iter().find(|field| field.field == asked.field)?;
        let completion = asked.completion(&field.entity)?;
        Some(Listening { topics: &self.topics, field, wanted: field.wanted(&asked.arguments), completion })
    }
}

/// A subscription that is fed from a topic.
pub(crate) struct Listening<'a> {
    topics: &'a Topics,
    field: &'a EventField,
    wanted: Wanted,
    completion: Completion,
}

struct Feeding {
    records: mpsc::Receiver<Arc<Value>>,
    field: EventField,
    wanted: Wanted,
    completion: Completion,
    ask: Ask,
    is_over: bool,
}

impl Listening<'_> {
    /// Its responses.
    ///
    /// # Errors
    /// [`TransportError`] when the topic cannot be read.
    pub(crate) async fn open(self, ask: Ask) -> Result<BoxStream<'static, Item>, TransportError> {
        let Self { topics, field, wanted, completion } = self;
        let records = topics.listen(&field.topic, wanted.key.clone()).await?;
        let feeding = Feeding { records, field: field.clone(), wanted, completion, ask, is_over: false };
        let items = stream::unfold(feeding, |mut feeding| async move {
            let item = feeding.next().await?;
            Some((item, feeding))
        });
        Ok(items.boxed())
    }
}

impl Feeding {
    async fn next(&mut self) -> Option<Item> {
        while !self.is_over {
            let Some(event) = self.records.recv().await else {
                // Cut off for being slower than its topic.
                self.is_over = true;
                return Some(Err(TransportError::Overloaded));
            };
            if !self.wanted.has(&event) {
                continue;
            }
            let Some(representation) = self.field.representation(&event) else {
                tracing::debug!(field = self.field.field, "an event does not name its entity");
                continue;
            };
            match (self.ask)(self.completion.request(representation)).await {
                Ok(answer) => {
                    if let Some(response) = self.completion.event(&answer) {
                        return Some(Ok(response));
                    }
                }
                // One event is lost; the stream is not.
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}
