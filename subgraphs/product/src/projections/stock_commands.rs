//! `stock.commands.v1`: each command becomes one change of stock or of an item and its answer on `stock.events.v1`, in one
//! transaction with the consumer's inbox row. A command that makes no sense is answered with a rejection, so that no
//! saga waits for ever.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::stock::{
    ItemLockRejected, ItemLocked, ItemTransferred, ItemUnlocked, LockItem, RefusedLine, ReserveStock,
    ReservedLine, RestockLines, StockCommand, StockCommitted, StockLine, StockRejected, StockReleased,
    StockReserved, StockRestocked, TransferItem, UnlockItem,
};
use kopitiam_kit::consumer::{HandleError, Handler};
use kopitiam_kit::live::Hub;
use kopitiam_kit::{SystemError, Tx, time};
use uuid::Uuid;

use crate::domain::item::LockRejection;
use crate::domain::product::Product;
use crate::domain::reservation::sum_lines;
use crate::events::{Cause, publish, stock_updated};
use crate::store::reservations::{Answer, Outcome, Shortage};
use crate::store::{items, reservations};

/// Applies stock commands.
#[derive(Clone)]
pub struct StockCommands {
    /// Wakes `stockChanged`.
    pub stock: Hub<Uuid>,
}

#[async_trait::async_trait]
impl Handler for StockCommands {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        let command =
            StockCommand::decode(envelope).map_err(|error| HandleError::Poison(error.to_string()))?;
        let Some(command) = command else { return Ok(()) };
        Ok(self.apply(tx, envelope, command, time::of(tx).await?).await?)
    }
}

impl StockCommands {
    /// Applies one command and answers it.
    ///
    /// # Errors
    /// [`SystemError`]; a business refusal is an answer, not an error.
    pub async fn apply(
        &self,
        tx: &Tx,
        envelope: &Envelope,
        command: StockCommand,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let cause = Cause::Message(envelope);
        match command {
            StockCommand::ReserveStock(ReserveStock { reservation_id, lines, expires_at }) => {
                let outcome = match sum_lines(lines.iter().map(|line| (line.product_id, line.quantity))) {
                    Ok(wanted) => reservations::reserve(tx, reservation_id, &wanted, expires_at, now).await?,
                    Err(_) => reservations::refuse(tx, reservation_id, now).await?,
                };
                self.answer(tx, cause, reservation_id, outcome).await
            }
            StockCommand::ReleaseStock(command) => {
                let outcome = reservations::release(tx, command.reservation_id, now).await?;
                self.answer(tx, cause, command.reservation_id, outcome).await
            }
            StockCommand::CommitStock(command) => {
                let outcome = reservations::commit(tx, command.reservation_id, now).await?;
                self.answer(tx, cause, command.reservation_id, outcome).await
            }
            StockCommand::RestockLines(RestockLines { reservation_id, lines, .. }) => {
                let back = sum_lines(lines.iter().map(|line| (line.product_id, line.quantity)));
                let outcome = match back {
                    Ok(back) => {
                        reservations::restock(tx, reservation_id, envelope.correlation_id, back).await?
                    }
                    Err(_) => Outcome {
                        answer: Answer::Rejected { code: "INVALID_LINES", lines: Vec::new() },
                        levels: Vec::new(),
                    },
                };
                self.answer(tx, cause, reservation_id, outcome).await
            }
            StockCommand::LockItem(command) => lock_item(tx, cause, command).await,
            StockCommand::UnlockItem(command) => unlock_item(tx, cause, command).await,
            StockCommand::TransferItem(command) => transfer_item(tx, cause, command, now).await,
        }
    }

    /// Publishes the answer to a reservation command and the levels it changed.
    ///
    /// # Errors
    /// [`SystemError`] of the outbox.
    pub async fn answer(
        &self,
        tx: &Tx,
        cause: Cause<'_>,
        reservation_id: Uuid,
        outcome: Outcome,
    ) -> Result<(), SystemError> {
        for (product_id, level) in outcome.levels {
            stock_updated(tx, cause, &self.stock, product_id, level).await?;
        }
        match outcome.answer {
            Answer::Reserved { lines, expires_at } => {
                let lines = lines.into_iter().map(reserved_line).collect();
                publish(tx, cause, reservation_id, &StockReserved { reservation_id, lines, expires_at }).await
            }
            Answer::Rejected { code, lines } => {
                let lines = lines.into_iter().map(refused_line).collect();
                let event = StockRejected { reservation_id, code: code.to_owned(), lines };
                publish(tx, cause, reservation_id, &event).await
            }
            Answer::Released => publish(tx, cause, reservation_id, &StockReleased { reservation_id }).await,
            Answer::Committed => publish(tx, cause, reservation_id, &StockCommitted { reservation_id }).await,
            Answer::Restocked(back) => {
                let lines = stock_lines(back);
                publish(tx, cause, reservation_id, &StockRestocked { reservation_id, lines }).await
            }
        }
    }
}

fn reserved_line((quantity, product): (i64, Product)) -> ReservedLine {
    ReservedLine {
        product_id: product.id,
        quantity,
        unit_price: Amount::new(product.price_minor, product.currency),
        seller_id: product.seller_id,
        title: product.name,
    }
}

fn refused_line(line: Shortage) -> RefusedLine {
    let Shortage { product_id, requested, available } = line;
    RefusedLine { product_id, requested, available }
}

fn stock_lines(lines: BTreeMap<Uuid, i64>) -> Vec<StockLine> {
    lines.into_iter().map(|(product_id, quantity)| StockLine { product_id, quantity }).collect()
}

async fn lock_item(tx: &Tx, cause: Cause<'_>, command: LockItem) -> Result<(), SystemError> {
    let LockItem { item_id, listing_id, owner_id, until } = command;
    match items::lock(tx, item_id, listing_id, owner_id, until).await? {
        Ok(item) => publish(tx, cause, item_id, &ItemLocked { listing_id, owner_id: item.owner_id }).await,
        Err(rejection) => {
            let code = LockRejection::code(rejection).to_owned();
            publish(tx, cause, item_id, &ItemLockRejected { listing_id, code }).await
        }
    }
}

/// An item that the listing does not hold is free of it already: the same answer.
async fn unlock_item(tx: &Tx, cause: Cause<'_>, command: UnlockItem) -> Result<(), SystemError> {
    let UnlockItem { item_id, listing_id } = command;
    items::unlock(tx, item_id, listing_id).await?;
    publish(tx, cause, item_id, &ItemUnlocked { listing_id }).await
}

async fn transfer_item(
    tx: &Tx,
    cause: Cause<'_>,
    command: TransferItem,
    now: DateTime<Utc>,
) -> Result<(), SystemError> {
    let TransferItem { item_id, listing_id, to } = command;
    if let Some(from) = items::transfer(tx, item_id, listing_id, to, now).await? {
        return publish(tx, cause, item_id, &ItemTransferred { listing_id, from, to }).await;
    }
    // A repeated command finds the new owner in place and gets the same answer.
    if items::find(tx, item_id).await?.is_some_and(|item| item.owner_id == to) {
        let history = items::histories(tx, &[item_id]).await?.remove(&item_id).unwrap_or_default();
        let from = history.last().and_then(|transfer| transfer.from).unwrap_or(to);
        return publish(tx, cause, item_id, &ItemTransferred { listing_id, from, to }).await;
    }
    let code = LockRejection::Locked.code().to_owned();
    publish(tx, cause, item_id, &ItemLockRejected { listing_id, code }).await
}
