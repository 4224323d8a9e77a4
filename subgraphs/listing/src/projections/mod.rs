//! What other services' messages change here.
//!
//! - `users.rs`: `user.events.v1` → names of sellers, who is banned
//! - here: replies to the sagas of auctions, commands of orders on listings
//!
//! Always: a message seen before changes nothing. Elsewhere: inbox, retries and parking (kit).

pub mod users;

use std::sync::Arc;

use kopitiam_kafka::messages::listing::ListingCommand;
use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::{SystemError, Tx, time};

use crate::commands::Market;

/// The topics that this service consumes.
pub const TOPICS: [Topic; 5] =
    [Topic::UserEvents, Topic::StockEvents, Topic::WalletEvents, Topic::OrderEvents, Topic::ListingCommands];

/// Applies each message to what it concerns.
pub struct Projections {
    market: Arc<Market>,
}

impl Projections {
    /// Over the service's operations.
    pub fn new(market: Arc<Market>) -> Self {
        Self { market }
    }
}

#[async_trait::async_trait]
impl Handler for Projections {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        users::apply(tx, &self.market, envelope).await?;
        if let Some(command) = ListingCommand::decode(envelope)? {
            return Ok(self.market.order_command(tx, envelope, &command).await?);
        }
        Ok(reply(tx, &self.market, envelope).await?)
    }
}

/// The message may answer a saga, which its correlation id names.
///
/// # Errors
/// [`SystemError`] when the database refuses, or another transaction moved the saga: to be tried again.
pub async fn reply(tx: &Tx, market: &Market, envelope: &Envelope) -> Result<(), SystemError> {
    let now = time::of(tx).await?;
    let _answered = market.bids.reply(tx, envelope, now).await?
        || market.auctions.let_go.reply(tx, envelope, now).await?
        || market.auctions.settle.reply(tx, envelope, now).await?
        || market.open.reply(tx, envelope, now).await?;
    Ok(())
}
