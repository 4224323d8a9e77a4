//! Messages of other services → this service's own rows: copies of products, stock and users, and replies to sagas.
//!
//! Always: an event older than the copy, or seen before, changes nothing; after a gap the event waits. Elsewhere: the
//! inbox, retries and dead letters (kit).
//! - `products`, `stock`, `users`, `listings`: the copies.
//! - `auctions`: the order of an auction that was won and paid.
//! - `Projections`: which message goes where; `Copies`: the copies alone, for a rebuild.

mod auctions;
mod listings;
mod products;
mod stock;
mod users;

use std::sync::Arc;

use kopitiam_kafka::messages::listing::ListingEvent;
use kopitiam_kafka::messages::product::ProductEvent;
use kopitiam_kafka::messages::stock::StockEvent;
use kopitiam_kafka::messages::user::UserEvent;
use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::rebuild::ReadModels;
use kopitiam_kit::{Tx, time};

use crate::commands::Shop;

/// The topics that this service consumes.
pub const TOPICS: [Topic; 5] =
    [Topic::ProductEvents, Topic::StockEvents, Topic::UserEvents, Topic::WalletEvents, Topic::ListingEvents];

/// Applies each message to what it concerns.
pub struct Projections {
    shop: Arc<Shop>,
}

impl Projections {
    /// Over the service's sagas.
    pub fn new(shop: Arc<Shop>) -> Self {
        Self { shop }
    }
}

#[async_trait::async_trait]
impl Handler for Projections {
    /// Without its topic a message is placed by its type, so only types that this build knows.
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        let topic = if ProductEvent::decode(envelope)?.is_some() {
            Topic::ProductEvents
        } else if StockEvent::decode(envelope)?.is_some() {
            Topic::StockEvents
        } else if UserEvent::decode(envelope)?.is_some() {
            Topic::UserEvents
        } else if ListingEvent::decode(envelope)?.is_some() {
            Topic::ListingEvents
        } else {
            Topic::WalletEvents
        };
        self.handle_from(tx, topic, envelope).await
    }

    async fn handle_from(&self, tx: &Tx, topic: Topic, envelope: &Envelope) -> Result<(), HandleError> {
        copy(tx, topic, envelope).await?;
        auctions::apply(tx, envelope).await?;
        self.shop.reply(tx, envelope, time::of(tx).await?).await?;
        Ok(())
    }
}

/// Keeps what the event says in the copies. Each gates its topic's events whatever their type: one that a newer service
/// sends must not look like a gap when the next one comes.
async fn copy(tx: &Tx, topic: Topic, envelope: &Envelope) -> Result<(), HandleError> {
    match topic {
        Topic::ProductEvents => products::apply(tx, envelope).await,
        Topic::StockEvents => stock::apply(tx, envelope).await,
        Topic::UserEvents => users::apply(tx, envelope).await,
        Topic::ListingEvents => listings::apply(tx, envelope).await,
        _ => Ok(()),
    }
}

/// The copies alone, to be made anew from the topics.
#[derive(Clone, Copy)]
pub struct Copies;

#[async_trait::async_trait]
impl ReadModels for Copies {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::ProductEvents, Topic::StockEvents, Topic::UserEvents, Topic::ListingEvents]
    }

    fn projections(&self) -> &'static [&'static str] {
        &["products", "stock", "users", "listings"]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["product_replica", "stock_replica", "user_replica", "listing_replica"]
    }

    async fn apply(&self, tx: &Tx, topic: Topic, envelope: &Envelope) -> Result<(), HandleError> {
        copy(tx, topic, envelope).await
    }
}
