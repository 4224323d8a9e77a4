//! `listing.events.v1` → the copies of listings. Locks and sales are replies to sagas.

use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::listing::{self, ListingEvent};
use kopitiam_kit::consumer::HandleError;
use kopitiam_kit::{Tx, inbox};

use crate::domain::listing::{Listing, ListingKind};
use crate::store::listings;

/// Applies an event of the topic.
pub(super) async fn apply(tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
    if !inbox::gate(tx, "listings", envelope).await?.applies(envelope)? {
        return Ok(());
    }
    let Some(event) = ListingEvent::decode(envelope)? else { return Ok(()) };
    let id = envelope.aggregate_id;
    let status = match event {
        ListingEvent::ListingCreated(created) => {
            let listing = Listing {
                id,
                kind: kind(created.kind),
                title: created.title,
                seller_id: created.seller_id,
                status: created.status,
                price_minor: created.ask_price.minor,
                currency: created.ask_price.currency,
                deposit_percent: created.deposit_percent.unwrap_or_default(),
            };
            return Ok(listings::save(tx, &listing).await?);
        }
        ListingEvent::ListingUpdated(updated) => {
            let Some(known) = listings::find(tx, id).await? else { return Ok(()) };
            let listing = Listing {
                title: updated.title,
                status: updated.status,
                price_minor: updated.ask_price.minor,
                currency: updated.ask_price.currency,
                deposit_percent: updated.deposit_percent.unwrap_or(known.deposit_percent),
                ..known
            };
            return Ok(listings::save(tx, &listing).await?);
        }
        // Locks and sales say nothing of what is left: a listing may have several pieces, and an unlock is answered also
        // when another order holds the lock.
        ListingEvent::ListingClosed(_) => "CLOSED",
        ListingEvent::ListingCancelled(_) => "CANCELLED",
        ListingEvent::AuctionEnded(_) => "SETTLING",
        _ => return Ok(()),
    };
    Ok(listings::set_status(tx, id, status).await?)
}

fn kind(kind: listing::ListingKind) -> ListingKind {
    match kind {
        listing::ListingKind::Auction => ListingKind::Auction,
        listing::ListingKind::FixedPrice => ListingKind::FixedPrice,
        listing::ListingKind::Service => ListingKind::Service,
    }
}
