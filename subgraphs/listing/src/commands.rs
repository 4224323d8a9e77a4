//! Changes of listings: the row and its events in one transaction.

use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::listing::{ListingCancelled, ListingUpdated};
use kopitiam_kafka::messages::stock::LockItem;
use kopitiam_kit::Tx;
use kopitiam_kit::errors::{Failure, SystemError, is_unique_violation};
use kopitiam_kit::live::Hub;
use kopitiam_kit::outbox::{self, NewMessage};
use uuid::Uuid;

use crate::domain::listing::{Details, Listing, ListingStatus};
use crate::{events, store};

/// How this service signs what it does by itself.
pub const ACTOR: &str = "service:listing";

/// Writes a new listing; for an auction also asks for its item to be locked (saga S-A, step 1).
///
/// # Errors
/// `ITEM_ALREADY_LISTED` when the item is under another open auction; [`SystemError`] when the database refuses.
pub async fn create(tx: &Tx, hub: &Hub<Uuid>, listing: &Listing, actor: &str) -> Result<(), Failure> {
    match store::listings::insert(tx, listing).await {
        Ok(()) => {}
        Err(SystemError::Database(error)) if is_unique_violation(&error) => {
            return Err(Failure::refused("ITEM_ALREADY_LISTED", "The item is under another open auction."));
        }
        Err(error) => return Err(error.into()),
    }
    let created = outbox::append(tx, NewMessage::new(listing.id, actor, &events::created(listing))).await?;
    if let Details::Auction { item_id, .. } = listing.details {
        let command = LockItem { item_id, listing_id: listing.id, owner_id: listing.seller_id };
        outbox::append(tx, NewMessage::caused_by(&created, item_id, ACTOR, &command).correlation(listing.id))
            .await?;
    }
    hub.changed_by(tx, listing.id);
    Ok(())
}

/// The item is locked for the auction: it opens (saga S-A, step 2). A late or repeated reply changes nothing.
///
/// # Errors
/// [`SystemError`] when the database refuses.
pub async fn open(tx: &Tx, hub: &Hub<Uuid>, id: Uuid, cause: &Envelope) -> Result<(), SystemError> {
    if store::listings::move_on(tx, id, ListingStatus::Pending, ListingStatus::Active).await? {
        let listing = existing(tx, id).await?;
        let updated = ListingUpdated {
            title: listing.title,
            status: ListingStatus::Active.name().to_owned(),
            ask_price: listing.ask_price.into(),
            deposit_percent: None,
        };
        outbox::append(tx, NewMessage::caused_by(cause, id, ACTOR, &updated)).await?;
        hub.changed_by(tx, id);
    }
    Ok(())
}

/// The item is not to be had: the auction is called off.
///
/// # Errors
/// [`SystemError`] when the database refuses.
pub async fn call_off(tx: &Tx, hub: &Hub<Uuid>, id: Uuid, cause: &Envelope) -> Result<(), SystemError> {
    if store::listings::move_on(tx, id, ListingStatus::Pending, ListingStatus::Cancelled).await? {
        let cancelled = ListingCancelled { reason: "ITEM_UNAVAILABLE".to_owned(), title: None, seller_id: None };
        outbox::append(tx, NewMessage::caused_by(cause, id, ACTOR, &cancelled)).await?;
        hub.changed_by(tx, id);
    }
    Ok(())
}

async fn existing(tx: &Tx, id: Uuid) -> Result<Listing, SystemError> {
    let found = store::listings::by_ids(tx, &[id]).await?.remove(&id);
    found.ok_or_else(|| SystemError::Invariant(format!("listing {id} is gone")))
}
