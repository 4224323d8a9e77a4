//! Making listings. An auction is pending until its item is locked for it (saga S-A, steps 1 and 2).

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::listing::ListingCancelled;
use kopitiam_kit::errors::{Failure, SystemError, is_unique_violation};
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::{Tx, saga, timers};
use uuid::Uuid;

use super::{Changes, END_AUCTION, Market, updated};
use crate::domain::listing::{Details, Listing, ListingStatus};
use crate::sagas::ITEM_UNAVAILABLE;
use crate::sagas::open::{OPEN_AUCTION, OpenAuction};
use crate::sagas::place_bid::HOLD_OUTLIVES;
use crate::store::listings::{self, Change};
use crate::{events, store};

/// Codes of the open saga's own making: the seller reads them as what they mean.
const DEADLINE: &str = "DEADLINE";

impl Market {
    /// Writes a new listing; for an auction also begins to lock its item, within `patience` (the usual one if `None`).
    ///
    /// # Errors
    /// `ITEM_ALREADY_LISTED` when the item is under another open auction, `USER_BANNED`; [`SystemError`] when the
    /// database refuses.
    pub async fn create(
        &self,
        tx: &Tx,
        listing: &Listing,
        actor: &str,
        patience: Option<TimeDelta>,
    ) -> Result<(), Failure> {
        if store::sellers::is_banned_for_now(tx, listing.seller_id).await? {
            return Err(Failure::refused("USER_BANNED", "This account may not list anything."));
        }
        match listings::insert(tx, listing).await {
            Ok(()) => {}
            Err(SystemError::Database(error)) if is_unique_violation(&error) => {
                return Err(Failure::refused(
                    "ITEM_ALREADY_LISTED",
                    "The item is under another open auction.",
                ));
            }
            Err(error) => return Err(error.into()),
        }
        outbox::append(tx, NewMessage::new(listing.id, actor, &events::created(listing))).await?;
        if let Details::Auction { item_id, ends_at, .. } = listing.details {
            let lock_until = ends_at + HOLD_OUTLIVES;
            let context = OpenAuction { item_id, seller_id: listing.seller_id, lock_until };
            let now = listing.created_at;
            let usual = TimeDelta::seconds(i64::from(OPEN_AUCTION.deadline_seconds));
            let deadline = now + patience.unwrap_or(usual);
            self.open.begin_until(tx, deadline, listing.id, context, now).await?;
        }
        self.changes.hub.changed_by(tx, listing.id);
        Ok(())
    }
}

/// The item is locked for the auction: it opens, and its end is set. The inner `Err` when it cannot open any more.
///
/// # Errors
/// [`SystemError`] when the database refuses.
pub async fn open(
    tx: &Tx,
    changes: &Changes,
    id: Uuid,
    correlation: Uuid,
    now: DateTime<Utc>,
) -> Result<Result<(), saga::Failure>, SystemError> {
    let Some(mut listing) = listings::lock(tx, id).await? else {
        return Ok(Err(saga::Failure::new("UNKNOWN_LISTING")));
    };
    let Details::Auction { ends_at, .. } = listing.details else {
        return Ok(Err(saga::Failure::new("NOT_AN_AUCTION")));
    };
    if store::sellers::is_banned(tx, listing.seller_id).await? {
        return Ok(Err(saga::Failure::new("SELLER_BANNED")));
    }
    if listing.status != ListingStatus::Pending || now >= ends_at {
        return Ok(Err(saga::Failure::new("AUCTION_ENDED")));
    }
    if !listings::change(tx, &listing, Change::Status(ListingStatus::Active)).await? {
        return Err(super::lost_race(id));
    }
    listing.status = ListingStatus::Active;
    changes.tell(tx, id, correlation, &updated(&listing)).await?;
    timers::set(tx, END_AUCTION, id, ends_at).await?;
    Ok(Ok(()))
}

/// The auction cannot open: it is called off. Nothing when it is not pending any more.
///
/// # Errors
/// [`SystemError`] when the database refuses.
pub async fn call_off(
    tx: &Tx,
    changes: &Changes,
    id: Uuid,
    correlation: Uuid,
    failure: &saga::Failure,
) -> Result<(), SystemError> {
    let Some(listing) = listings::lock(tx, id).await? else { return Ok(()) };
    if listing.status != ListingStatus::Pending {
        return Ok(());
    }
    if !listings::change(tx, &listing, Change::Status(ListingStatus::Cancelled)).await? {
        return Err(super::lost_race(id));
    }
    let reason = if failure.code == DEADLINE { ITEM_UNAVAILABLE } else { &failure.code };
    let cancelled = ListingCancelled {
        reason: reason.to_owned(),
        title: Some(listing.title),
        seller_id: Some(listing.seller_id),
    };
    changes.tell(tx, id, correlation, &cancelled).await
}
