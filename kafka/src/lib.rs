//! What the services say to each other: topics, the envelope, and every event and command payload.
//!
//! In: typed payloads. Out: Kafka records and back. A payload may only gain optional fields within a version; the golden
//! files under `golden/` and the JSON Schemas under `schemas/` are tested both ways. No service logic, no database.
//! - [`topics`]: the topics, their dead letters, and making them on a broker
//! - [`envelope`]: the headers and body around every payload
//! - [`senders`]: which service may send what
//! - [`messages`]: the payloads, one file per topic, and [`messages::Message`]
//! - [`client`]: producer and consumer set-up with the settings that reliability depends on
//! - [`embedded`]: the embedded broker as a child process, for `make run` and for tests
//!
//! Elsewhere: the outbox, the relay, the inbox and retries (`subgraphs/kit`).

pub mod client;
pub mod embedded;
pub mod envelope;
mod error;
pub mod messages;
pub mod senders;
pub mod topics;

pub use envelope::Envelope;
pub use error::KafkaError;
pub use messages::Message;
pub use topics::Topic;
