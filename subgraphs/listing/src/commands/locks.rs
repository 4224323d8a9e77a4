//! Commands of orders on fixed-price listings: keep it, free it, it is sold. Each is answered, however often it comes.
//!
//! Always: the listing's row is locked first; one order holds it (`listing_lock_holder`); only that order frees or buys it.

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::listing::{
    ListingCancelled, ListingCommand, ListingLockRejected, ListingLocked, ListingSold, ListingUnlocked,
    LockListing, SellListing,
};
use kopitiam_kafka::{Envelope, Message};
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::{SystemError, Tx, timers};
use uuid::Uuid;

use super::terms::SELLER_BANNED;
use super::{ACTOR, FREE_LISTING, Market, lost_race};
use crate::domain::listing::{Details, Listing, ListingStatus};
use crate::store::listings::{self, Change};
use crate::store::locks::{self, Lock, LockState, Terms};
use crate::store::sellers;

/// An order that says nothing for this long after its lock's end is taken for lost.
const LOST_AFTER: TimeDelta = TimeDelta::hours(24);

impl Market {
    /// Applies a command about the listing `id`, and answers it.
    ///
    /// # Errors
    /// [`SystemError`] when the database refuses, or another transaction is faster: to be tried again.
    pub async fn order_command(
        &self,
        tx: &Tx,
        cause: &Envelope,
        command: &ListingCommand,
    ) -> Result<(), SystemError> {
        let id = cause.aggregate_id;
        match command {
            ListingCommand::LockListing(wanted) => match self.keep(tx, id, wanted).await? {
                Ok(locked) => self.answer(tx, cause, &locked).await,
                Err(code) => {
                    let order_id = wanted.order_id;
                    self.answer(tx, cause, &ListingLockRejected { order_id, code: code.to_owned() }).await
                }
            },
            ListingCommand::UnlockListing(command) => {
                self.free(tx, id, command.order_id, LockState::Released).await?;
                self.answer(tx, cause, &ListingUnlocked { order_id: command.order_id }).await
            }
            ListingCommand::SellListing(command) => {
                let order_id = command.order_id;
                if let Some(sold) = self.sell(tx, id, command).await? {
                    return self.answer(tx, cause, &sold).await;
                }
                let code = "NOT_ACTIVE".to_owned();
                self.answer(tx, cause, &ListingLockRejected { order_id, code }).await
            }
        }
    }

    async fn answer<M: Message>(&self, tx: &Tx, cause: &Envelope, event: &M) -> Result<(), SystemError> {
        outbox::append(tx, NewMessage::caused_by(cause, cause.aggregate_id, ACTOR, event)).await?;
        self.changes.hub.changed_by(tx, cause.aggregate_id);
        Ok(())
    }

    /// Keeps the listing for an order; the inner `Err` is the code of the refusal.
    async fn keep(
        &self,
        tx: &Tx,
        id: Uuid,
        wanted: &LockListing,
    ) -> Result<Result<ListingLocked, &'static str>, SystemError> {
        let Some(listing) = listings::lock(tx, id).await? else { return Ok(Err("UNKNOWN_LISTING")) };
        let (order_id, buyer_id, until) = (wanted.order_id, wanted.buyer_id, wanted.until);
        match locks::of_order(tx, order_id).await? {
            Some(Lock { state: LockState::Held, terms: Some(terms), .. }) => {
                return Ok(Ok(locked(&listing, order_id, &terms)));
            }
            Some(_) => return Ok(Err("NOT_ACTIVE")),
            None => {}
        }
        if !matches!(listing.details, Details::FixedPrice { .. }) {
            return Ok(Err("NOT_ACTIVE"));
        }
        if listing.seller_id == buyer_id {
            return Ok(Err("OWN_LISTING"));
        }
        match listing.status {
            ListingStatus::Active => {}
            ListingStatus::Reserved => return Ok(Err("ALREADY_RESERVED")),
            _ => return Ok(Err("NOT_ACTIVE")),
        }
        if !listings::change(tx, &listing, Change::Kept(order_id, buyer_id, until)).await? {
            return Err(lost_race(id));
        }
        let terms = Terms { buyer_id, price: listing.ask_price, until };
        let lock = Lock { order_id, listing_id: id, state: LockState::Held, terms: Some(terms) };
        locks::insert(tx, &lock).await?;
        timers::set(tx, FREE_LISTING, order_id, until + LOST_AFTER).await?;
        Ok(Ok(locked(&listing, order_id, &terms)))
    }

    /// Frees the listing if this order holds it. Whether it did.
    async fn free(&self, tx: &Tx, id: Uuid, order_id: Uuid, to: LockState) -> Result<bool, SystemError> {
        let listing = listings::lock(tx, id).await?;
        let Some(lock) = locks::of_order(tx, order_id).await? else {
            let lock = Lock { order_id, listing_id: id, state: LockState::Released, terms: None };
            locks::insert(tx, &lock).await?;
            return Ok(false);
        };
        if lock.listing_id != id {
            return Ok(false);
        }
        if !locks::move_on(tx, order_id, LockState::Held, to).await? {
            // What the clock took, the order gives up now: it cannot buy it any more.
            locks::move_on(tx, order_id, LockState::Lapsed, to).await?;
            return Ok(false);
        }
        timers::cancel(tx, FREE_LISTING, order_id).await?;
        let Some(listing) = listing else { return Ok(false) };
        self.open_again(tx, &listing, pieces(&listing)).await?;
        Ok(true)
    }

    /// Open again, with this many pieces; called off when the seller was banned meanwhile.
    async fn open_again(&self, tx: &Tx, listing: &Listing, left: i32) -> Result<(), SystemError> {
        let banned = sellers::is_banned_for_now(tx, listing.seller_id).await?;
        let to = if banned { ListingStatus::Cancelled } else { ListingStatus::Active };
        if !listings::change(tx, listing, Change::Free(to, left)).await? {
            return Err(lost_race(listing.id));
        }
        if banned {
            let cancelled = ListingCancelled {
                reason: SELLER_BANNED.to_owned(),
                title: Some(listing.title.clone()),
                seller_id: Some(listing.seller_id),
            };
            self.changes.tell(tx, listing.id, Uuid::now_v7(), &cancelled).await?;
        }
        Ok(())
    }

    /// The order that holds the listing has paid: one piece is sold. `None` when it does not hold it, and cannot any more.
    async fn sell(
        &self,
        tx: &Tx,
        id: Uuid,
        command: &SellListing,
    ) -> Result<Option<ListingSold>, SystemError> {
        let order_id = command.order_id;
        let Some(listing) = listings::lock(tx, id).await? else { return Ok(None) };
        let Some(Lock { listing_id, state, terms: Some(terms), .. }) = locks::of_order(tx, order_id).await?
        else {
            return Ok(None);
        };
        let sold = ListingSold {
            order_id: Some(order_id),
            buyer_id: terms.buyer_id,
            price: terms.price.into(),
            title: Some(listing.title.clone()),
            seller_id: Some(listing.seller_id),
        };
        if listing_id != id || terms.buyer_id != command.buyer_id {
            return Ok(None);
        }
        match state {
            LockState::Sold => return Ok(Some(sold)),
            LockState::Released => return Ok(None),
            // Freed by the clock, and paid after all: sold if it is still to be had.
            LockState::Lapsed if listing.status != ListingStatus::Active => return Ok(None),
            LockState::Lapsed | LockState::Held => {}
        }
        if !locks::move_on(tx, order_id, state, LockState::Sold).await? {
            return Err(lost_race(id));
        }
        timers::cancel(tx, FREE_LISTING, order_id).await?;
        let left = pieces(&listing) - 1;
        if left > 0 {
            self.open_again(tx, &listing, left).await?;
        } else if !listings::change(tx, &listing, Change::Free(ListingStatus::Sold, 1)).await? {
            return Err(lost_race(id));
        }
        Ok(Some(sold))
    }

    /// The clock: an order that held a listing has said nothing for a day.
    ///
    /// # Errors
    /// [`SystemError`] when the database refuses, or another transaction is faster: to be tried again.
    pub async fn free_lost(&self, tx: &Tx, order_id: Uuid, _now: DateTime<Utc>) -> Result<(), SystemError> {
        let Some(lock) = locks::of_order(tx, order_id).await? else { return Ok(()) };
        if self.free(tx, lock.listing_id, order_id, LockState::Lapsed).await? {
            tracing::warn!(%order_id, listing_id = %lock.listing_id, "the order's lock was never given up, freed");
            let freed = ListingUnlocked { order_id };
            self.changes.tell(tx, lock.listing_id, Uuid::now_v7(), &freed).await?;
        }
        Ok(())
    }
}

fn locked(listing: &Listing, order_id: Uuid, terms: &Terms) -> ListingLocked {
    ListingLocked {
        order_id,
        until: terms.until,
        price: terms.price.into(),
        seller_id: listing.seller_id,
        title: listing.title.clone(),
    }
}

fn pieces(listing: &Listing) -> i32 {
    match listing.details {
        Details::FixedPrice { quantity, .. } => quantity,
        _ => 1,
    }
}
