//! `subscriptions.kafka`: subscriptions that are fed from topics.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::events::{EventField, EventSettings, Template};

/// Subscriptions that are fed from Kafka topics instead of by their subgraph: an event says which entity something
/// happened to, and the subgraph is asked for the entity with the client's credential.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Where the brokers are, such as `[kafka-1:9092, kafka-2:9092]`.
    pub brokers: Vec<String>,
    /// Further settings of librdkafka, such as `security.protocol: ssl`.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// How often it is looked whether a topic has further partitions, whose records are then told as well.
    #[serde(default = "partitions_interval")]
    pub partitions_interval: HumanDuration,
    /// By the field of the subscription type.
    pub fields: BTreeMap<String, EventFieldConfig>,
}

/// A field of the subscription type that is fed from a topic.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventFieldConfig {
    /// The topic; its records' values are JSON objects.
    pub topic: String,
    /// The key of the records that are meant, with the field's arguments in braces: `{orderId}`. Without it, or when the
    /// argument is not given: records of any key.
    pub key: Option<String>,
    /// Values that an event must have, by JSON pointer: `{ /type: OrderPaid, /data/buyer: '{buyerId}' }`. One whose argument
    /// is not given does not count.
    #[serde(default)]
    pub filters: BTreeMap<String, String>,
    /// The type of the entity that an event is about.
    pub entity: String,
    /// Where an event has the entity's key fields, by JSON pointer: `{ id: /data/orderId }`.
    pub key_fields: BTreeMap<String, String>,
}

fn partitions_interval() -> HumanDuration {
    HumanDuration(EventSettings::PARTITIONS_INTERVAL)
}

impl KafkaConfig {
    pub(super) fn settings(self) -> Result<EventSettings, String> {
        if self.brokers.is_empty() {
            return Err("`subscriptions.kafka.brokers` must not be empty".to_owned());
        }
        if self.partitions_interval.0.is_zero() {
            return Err("`subscriptions.kafka.partitions_interval` must be longer than nothing".to_owned());
        }
        let fields = self.fields.into_iter().map(|(name, field)| {
            field
                .settings(name.clone())
                .map_err(|wrong| format!("`subscriptions.kafka.fields.{name}`: {wrong}"))
        });
        Ok(EventSettings {
            brokers: self.brokers.join(","),
            partitions_interval: self.partitions_interval.0,
            properties: self.properties.into_iter().collect(),
            fields: fields.collect::<Result<_, _>>()?,
        })
    }
}

impl EventFieldConfig {
    fn settings(self, field: String) -> Result<EventField, String> {
        let template = |text: &str| Template::parse(text).map_err(|error| error.to_string());
        if self.key_fields.is_empty() {
            return Err("`key_fields` must name the entity's key".to_owned());
        }
        let pointers = self.key_fields.values().chain(self.filters.keys());
        if let Some(wrong) = pointers.clone().find(|pointer| !pointer.starts_with('/')) {
            return Err(format!("`{wrong}` is no JSON pointer such as /data/id"));
        }
        let filters = self
            .filters
            .iter()
            .map(|(pointer, text)| Ok((pointer.clone(), template(text)?)))
            .collect::<Result<_, String>>()?;
        Ok(EventField {
            field,
            topic: self.topic,
            key: self.key.as_deref().map(template).transpose()?,
            filters,
            entity: self.entity,
            key_fields: self.key_fields.into_iter().collect(),
        })
    }
}
