//! `AuctionSettled` → the order of the auction, confirmed and invoiced from its first moment.
//!
//! Always: one order per auction, whatever is announced again: its id follows from the listing's. Elsewhere: bids, the
//! winner, and paying the seller (listing service).

use kopitiam_kafka::Envelope;
use kopitiam_kafka::messages::listing::{AuctionSettled, ListingEvent};
use kopitiam_kit::consumer::HandleError;
use kopitiam_kit::saga::command_id;
use kopitiam_kit::{SystemError, Tx, time};

use crate::domain::order::{self, Order};
use crate::events::{self, ACTOR};
use crate::store::{listings, orders};

/// Makes the order if the message says that an auction is settled.
pub(super) async fn apply(tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
    let Some(ListingEvent::AuctionSettled(settled)) = ListingEvent::decode(envelope)? else { return Ok(()) };
    let id = command_id(envelope.aggregate_id, "auction-order");
    if orders::find(tx, id).await?.is_some() {
        return Ok(());
    }
    let AuctionSettled { winner_id, price, hold_id, fee, .. } = settled;
    let listing = listings::find(tx, envelope.aggregate_id).await?;
    let listing = listing.ok_or_else(|| {
        SystemError::Unavailable(format!("auction {} was never announced", envelope.aggregate_id))
    })?;
    let now = time::of(tx).await?;
    // The price is in the currency that the auction was announced in: bids in another are refused there.
    let order = order::won(id, &listing, price.minor, winner_id, now);
    let mut order = Order { currency: price.currency, hold_id, ..order };
    if let Some(fee) = fee {
        // What was really taken; a refund gives back no more than that.
        order.fee_minor = fee.minor;
        order.lines.iter_mut().for_each(|line| line.fee_minor = fee.minor);
    }
    orders::insert(tx, &order, ACTOR).await?;
    events::order_created(tx, &order, ACTOR, envelope.correlation_id).await?;
    let invoice = orders::issue_invoice(tx, &order, now).await?;
    events::invoice_issued(tx, &order, &invoice, envelope.correlation_id).await?;
    Ok(())
}
