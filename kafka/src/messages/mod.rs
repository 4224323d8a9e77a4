//! The payloads, one file per topic. JSON names are camelCase; money is an integer of minor units with its currency.
//!
//! Each file has one enum of its topic's types with `decode`, which gives `None` for a type this build does not know:
//! a newer producer may add types, and an older consumer passes over them.

pub mod booking;
pub mod listing;
pub mod order;
pub mod product;
pub mod review;
pub mod stock;
pub mod user;
pub mod wallet;

use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Topic;

/// A payload type: its name on the wire, its topic, and what kind of aggregate it is about.
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The envelope's `type`.
    const TYPE: &'static str;
    /// Where it is published.
    const TOPIC: Topic;
    /// The envelope's `aggregateType`.
    const AGGREGATE: &'static str;
}

/// An amount of money in minor units (cents for USD). Never a JSON float.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amount {
    /// Minor units: 1250 is 12.50 in USD.
    pub minor: i64,
    /// ISO 4217 code.
    pub currency: String,
}

impl Amount {
    /// `minor` units of `currency`.
    pub fn new(minor: i64, currency: impl Into<String>) -> Self {
        Self { minor, currency: currency.into() }
    }
}

/// One payload type as data, for the schema and golden-file tests and for documentation.
pub struct MessageInfo {
    /// The envelope's `type`.
    pub message_type: &'static str,
    /// Where it is published.
    pub topic: Topic,
    /// The envelope's `aggregateType`.
    pub aggregate: &'static str,
    /// Its JSON Schema.
    pub schema: Schema,
}

/// Every payload type.
pub fn all() -> Vec<MessageInfo> {
    [
        user::UserEvent::infos(),
        wallet::WalletCommand::infos(),
        wallet::WalletEvent::infos(),
        product::ProductEvent::infos(),
        stock::StockCommand::infos(),
        stock::StockEvent::infos(),
        listing::ListingCommand::infos(),
        listing::ListingEvent::infos(),
        order::OrderEvent::infos(),
        booking::BookingEvent::infos(),
        review::ReviewEvent::infos(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Declares payload structs with the derives and naming that every payload has.
macro_rules! payloads {
    ($($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
            #[serde(rename_all = "camelCase")]
            pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
        )*
    };
}

/// Declares a topic's enum over payload structs and implements [`Message`] for each of them.
macro_rules! topic_messages {
    ($(#[$meta:meta])* enum $name:ident on $topic:ident { $($aggregate:literal => $($variant:ident),+ ;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "decoded once per message and matched at once")]
        pub enum $name {
            $($(
                #[doc = concat!("See [`struct@", stringify!($variant), "`].")]
                $variant($variant),
            )+)+
        }

        impl $name {
            /// The typed payload, or `None` when the type is unknown to this build.
            ///
            /// # Errors
            /// [`crate::KafkaError::Payload`] when a known type's payload does not fit.
            pub fn decode(envelope: &crate::Envelope) -> Result<Option<Self>, crate::KafkaError> {
                match envelope.message_type.as_str() {
                    $($(stringify!($variant) => envelope.payload_as().map(|payload| Some(Self::$variant(payload))),)+)+
                    _ => Ok(None),
                }
            }

            pub(crate) fn infos() -> Vec<crate::messages::MessageInfo> {
                vec![$($(crate::messages::MessageInfo {
                    message_type: stringify!($variant),
                    topic: crate::Topic::$topic,
                    aggregate: $aggregate,
                    schema: schemars::schema_for!($variant),
                },)+)+]
            }
        }

        $($(
            impl crate::Message for $variant {
                const TYPE: &'static str = stringify!($variant);
                const TOPIC: crate::Topic = crate::Topic::$topic;
                const AGGREGATE: &'static str = $aggregate;
            }
        )+)+
    };
}

use {payloads, topic_messages};
