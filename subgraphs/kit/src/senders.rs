//! Who sent a message: the relay signs it in its service's name, and who reads it refuses what that service may not send.
//!
//! Headers of a record: `sender`, the service; `signature`, by that service's own key over sender, topic (without the
//! cluster's prefix), key and body. With keys, what is not signed is refused. Without keys, a record without a sender is
//! taken (an earlier release sent it) and one with a sender that may not send it is refused all the same. A signature by a
//! key that is not known here may be one of a key that is known tomorrow: the consumer keeps such records ([`Claim`]).
//!
//! Elsewhere: the keys (`message_keys`); who may send what (`kopitiam_kafka::senders`).

use kopitiam_kafka::{Envelope, Topic, senders};
use rdkafka::Message;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use serde::{Deserialize, Serialize};

use crate::config::KafkaConfig;

const SENDER: &str = "sender";
const SIGNATURE: &str = "signature";

/// Why a record is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotBelieved {
    /// It names no sender, and there are keys.
    #[error("nobody signed it")]
    Unsigned,
    /// Somebody without the key made or changed it.
    #[error("its signature is not that of `{0}`")]
    Forged(String),
    /// Its sender has no business with this.
    #[error("`{sender}` may not send `{message_type}`")]
    NotAllowed {
        /// The service it names.
        sender: String,
        /// The message's type.
        message_type: String,
    },
}

impl NotBelieved {
    /// Whether another key may prove it genuine.
    pub(crate) fn is_for_want_of_a_key(&self) -> bool {
        !matches!(self, Self::NotAllowed { .. })
    }
}

/// Whose a record says it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    sender: Option<String>,
    signature: Option<String>,
}

impl Claim {
    /// What its headers say.
    pub(crate) fn of<R: Message>(record: &R) -> Self {
        let text = |name| header(record, name).map(str::to_owned);
        Self { sender: text(SENDER), signature: text(SIGNATURE) }
    }

    /// Whether a message with this key and body, as they came, is to be believed.
    ///
    /// # Errors
    /// [`NotBelieved`].
    pub(crate) fn check(
        &self,
        kafka: &KafkaConfig,
        topic: Topic,
        (key, body): (&[u8], &[u8]),
        envelope: &Envelope,
    ) -> Result<(), NotBelieved> {
        let Some(sender) = self.sender.as_deref() else {
            return if kafka.keys.is_empty() { Ok(()) } else { Err(NotBelieved::Unsigned) };
        };
        if !kafka.keys.is_empty() {
            let signature = self.signature.as_deref().ok_or(NotBelieved::Unsigned)?;
            if !kafka.keys.verify(sender, &parts(sender, topic.name(), key, body), signature) {
                return Err(NotBelieved::Forged(sender.to_owned()));
            }
        }
        if senders::may_send(sender, topic, &envelope.message_type) {
            return Ok(());
        }
        let (sender, message_type) = (sender.to_owned(), envelope.message_type.clone());
        Err(NotBelieved::NotAllowed { sender, message_type })
    }
}

/// The headers of a message of this service, beside those of its envelope. `topic` is without the cluster's prefix.
pub(crate) fn sign(
    kafka: &KafkaConfig,
    headers: OwnedHeaders,
    topic: &str,
    key: &str,
    body: &str,
) -> OwnedHeaders {
    let Some(sender) = kafka.sender else { return headers };
    let headers = headers.insert(Header { key: SENDER, value: Some(sender) });
    match kafka.keys.sign(&parts(sender, topic, key.as_bytes(), body.as_bytes())) {
        Some(signature) => headers.insert(Header { key: SIGNATURE, value: Some(&signature) }),
        None => headers,
    }
}

/// Whether a record of the topic is to be believed.
///
/// # Errors
/// [`NotBelieved`].
pub(crate) fn check<R: Message>(
    kafka: &KafkaConfig,
    topic: Topic,
    record: &R,
    envelope: &Envelope,
) -> Result<(), NotBelieved> {
    let message = (record.key().unwrap_or_default(), record.payload().unwrap_or_default());
    Claim::of(record).check(kafka, topic, message, envelope)
}

/// What is signed: a line each, and the body as it is. No name has a line's end in it, and a key is an id.
fn parts<'message>(
    sender: &'message str,
    topic: &'message str,
    key: &'message [u8],
    body: &'message [u8],
) -> [&'message [u8]; 8] {
    [b"message-v1\n", sender.as_bytes(), b"\n", topic.as_bytes(), b"\n", key, b"\n", body]
}

fn header<'record, R: Message>(record: &'record R, name: &str) -> Option<&'record str> {
    let found = record.headers()?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}
