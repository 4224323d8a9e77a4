//! The crate's one error type.

use std::path::PathBuf;
use std::time::Duration;

/// Why a message could not be sent, read or understood.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The client library refused or failed; usually the broker is away, so the caller retries.
    #[error("Kafka client: {0}")]
    Client(#[from] rdkafka::error::KafkaError),
    /// The broker refused to make a topic.
    #[error("cannot make topic `{topic}`: {code}")]
    TopicRefused {
        /// The topic's name.
        topic: String,
        /// The broker's code.
        code: rdkafka::types::RDKafkaErrorCode,
    },
    /// The record is not an envelope: the producer's bug, so a poison message.
    #[error("record is no envelope: {0}")]
    Envelope(String),
    /// The payload does not fit its type: the producer's bug, so a poison message.
    #[error("payload of `{message_type}` does not fit: {source}")]
    Payload {
        /// The envelope's `type`.
        message_type: String,
        /// What did not fit.
        source: serde_json::Error,
    },
    /// A payload could not be written as JSON; our bug.
    #[error("cannot encode payload: {0}")]
    Encode(#[source] serde_json::Error),
    /// A client setting that reliability depends on has another value.
    #[error("Kafka client setting `{setting}` is `{found}`, must be `{wanted}`")]
    UnsafeSetting {
        /// The librdkafka property.
        setting: &'static str,
        /// The only value accepted.
        wanted: &'static str,
        /// What was configured.
        found: String,
    },
    /// The embedded broker's binary is not there: it has to be built first.
    #[error(
        "no embedded broker at {}: build it with `cargo build --ignore-rust-version` in kafka/broker, or set KAFKA_BROKERS",
        .0.display()
    )]
    NoBrokerBinary(PathBuf),
    /// The embedded broker ended or stayed silent instead of becoming ready.
    #[error("the embedded broker was not ready within {within:?}: {detail}")]
    BrokerNotReady {
        /// How long it was given.
        within: Duration,
        /// What it said last.
        detail: String,
    },
    /// The embedded broker could not be started.
    #[error("cannot start the embedded broker: {0}")]
    Spawn(#[from] std::io::Error),
}
