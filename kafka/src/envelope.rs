//! The envelope around every payload: all of it in the JSON body, the routing part again as record headers.
//!
//! Always: `aggregateVersion` is gapless per aggregate, `id` names the message for ever (a copy carries the same id).

use chrono::{DateTime, Utc};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{KafkaError, Message};

/// Current version of the payload schemas within the `v1` topics.
pub const SCHEMA_VERSION: u16 = 1;
/// `traceparent` of a message that no trace caused: version 00, zero ids, not sampled.
pub const NO_TRACE: &str = "00-00000000000000000000000000000000-0000000000000000-00";

/// One event or command with what consumers need to place it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// UUIDv7 of this message; consumers drop a second copy.
    pub id: Uuid,
    /// Name of the payload type, such as `OrderCreated`.
    #[serde(rename = "type")]
    pub message_type: String,
    /// Version of the payload's schema; grows when an optional field is added.
    pub schema_version: u16,
    /// What kind of thing the message is about, such as `order`.
    pub aggregate_type: String,
    /// Which one.
    pub aggregate_id: Uuid,
    /// 1 for the aggregate's first message in this stream, then +1 each, without a gap.
    pub aggregate_version: i64,
    /// When it happened, by the producing service's clock (UTC).
    pub occurred_at: DateTime<Utc>,
    /// The saga (or request) this belongs to; replies carry their command's.
    pub correlation_id: Uuid,
    /// The message that caused this one; its own id when a request did.
    pub causation_id: Uuid,
    /// Who caused it: `user:<id>`, or `service:<name>`.
    pub actor: String,
    /// W3C trace context.
    pub traceparent: String,
    /// The typed part, see [`crate::messages`].
    pub payload: Value,
}

impl Envelope {
    /// The typed payload.
    ///
    /// # Errors
    /// [`KafkaError::Payload`] when it does not fit `M`, or `M` is another type than the envelope's.
    pub fn decode<M: Message>(&self) -> Result<M, KafkaError> {
        if self.message_type != M::TYPE {
            let source = serde::de::Error::custom(format!("expected `{}`", M::TYPE));
            return Err(KafkaError::Payload { message_type: self.message_type.clone(), source });
        }
        self.payload_as()
    }

    pub(crate) fn payload_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, KafkaError> {
        serde_json::from_value(self.payload.clone())
            .map_err(|source| KafkaError::Payload { message_type: self.message_type.clone(), source })
    }

    /// The record's headers: what a router or a person with a console consumer needs without parsing the body.
    pub fn headers(&self) -> OwnedHeaders {
        let version = self.aggregate_version.to_string();
        let schema = self.schema_version.to_string();
        [
            ("id", self.id.to_string()),
            ("type", self.message_type.clone()),
            ("schemaVersion", schema),
            ("aggregateType", self.aggregate_type.clone()),
            ("aggregateId", self.aggregate_id.to_string()),
            ("aggregateVersion", version),
            ("occurredAt", self.occurred_at.to_rfc3339()),
            ("correlationId", self.correlation_id.to_string()),
            ("causationId", self.causation_id.to_string()),
            ("actor", self.actor.clone()),
            ("traceparent", self.traceparent.clone()),
        ]
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`KafkaError::Envelope`] when the body is not an envelope, or its `id` or `type` header says otherwise.
    pub fn from_record<R: rdkafka::Message>(record: &R) -> Result<Self, KafkaError> {
        let body = record.payload().ok_or_else(|| KafkaError::Envelope("empty body".to_owned()))?;
        let envelope: Self =
            serde_json::from_slice(body).map_err(|error| KafkaError::Envelope(error.to_string()))?;
        let id = envelope.id.to_string();
        for (name, expected) in [("id", id.as_str()), ("type", envelope.message_type.as_str())] {
            if let Some(found) = header(record, name)
                && found != expected
            {
                return Err(KafkaError::Envelope(format!(
                    "header `{name}` is `{found}`, body says `{expected}`"
                )));
            }
        }
        Ok(envelope)
    }
}

fn header<'record, R: rdkafka::Message>(record: &'record R, name: &str) -> Option<&'record str> {
    let found = record.headers()?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}
