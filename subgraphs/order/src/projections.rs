//! Messages of other services → this service's own rows: copies of products, stock and users, and replies to sagas.
//!
//! Always: an event older than the copy, or seen before, changes nothing; after a gap the event waits. Elsewhere: the
//! inbox, retries and dead letters (kit).
//! - `products`, `stock`, `users`, `listings`: the copies.
//! - `auctions`: the order of an auction that was won and paid.
//! - `Projections`: which message goes where.

mod auctions;
mod listings;
mod products;
mod stock;
mod users;

use std::sync::Arc;

use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::consumer::{HandleError, Handler};
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
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        products::apply(tx, envelope).await?;
        stock::apply(tx, envelope).await?;
        users::apply(tx, envelope).await?;
        listings::apply(tx, envelope).await?;
        auctions::apply(tx, envelope).await?;
        self.shop.reply(tx, envelope, time::now()).await?;
        Ok(())
    }
}
