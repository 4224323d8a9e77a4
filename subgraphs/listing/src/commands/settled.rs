//! A won auction is sold: money and item have changed hands, and the order is written (saga S-A, step 7).

use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::listing::ListingSold;
use kopitiam_kit::saga::Saga;
use kopitiam_kit::{SystemError, Tx};

use super::{Changes, lost_race};
use crate::domain::listing::ListingStatus;
use crate::sagas::settle::SettleAuction;
use crate::store::listings::{self, Change};

/// The listing is sold; nothing when it is already.
///
/// # Errors
/// [`SystemError`] when the database refuses, or another transaction changed the listing: to be tried again.
pub async fn sold(tx: &Tx, changes: &Changes, saga: &Saga<SettleAuction>) -> Result<(), SystemError> {
    let Some(listing) = listings::lock(tx, saga.subject_id).await? else { return Ok(()) };
    if listing.status != ListingStatus::Settling {
        return Ok(());
    }
    if !listings::change(tx, &listing, Change::Status(ListingStatus::Sold)).await? {
        return Err(lost_race(listing.id));
    }
    let sold = ListingSold {
        order_id: None,
        buyer_id: saga.context.winner_id,
        price: Amount::new(saga.context.price_minor, &saga.context.currency),
        title: Some(listing.title),
        seller_id: Some(listing.seller_id),
    };
    changes.tell(tx, listing.id, saga.id, &sold).await
}
