//! Placing a bid (saga S-A, step 3), and what becomes of it when it does not lead.

use chrono::{DateTime, Utc};
use kopitiam_kafka::messages::listing::{BidPlaced, BidRejected};
use kopitiam_kit::errors::{Failure, SystemError, UserError, is_unique_violation};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::{Money, Tx, time};
use uuid::Uuid;

use super::{Changes, Market};
use crate::domain::auction::{BidRefusal, check_bid};
use crate::domain::bid::{Bid, BidStatus};
use crate::domain::listing::{Details, Listing};
use crate::sagas::place_bid::{HOLD_OUTLIVES, PlaceBid};
use crate::store::{self, bids, listings};

impl Market {
    /// Places a bid, once per key: it is pending until the bidder's funds are held. Gives its id.
    ///
    /// # Errors
    /// Refusals: `LISTING_NOT_FOUND`, `USER_BANNED`, `BID_PENDING`, and those of [`BidRefusal`].
    pub async fn place_bid(
        &self,
        bidder_id: Uuid,
        listing_id: Option<Uuid>,
        amount: Money,
        client_key: &str,
    ) -> Result<Uuid, Failure> {
        let actor = format!("user:{bidder_id}");
        let key = Key::new(actor.as_str(), "placeBid", client_key)?;
        let actor = actor.as_str();
        idempotency::once(
            &self.db,
            &key,
            &(listing_id, amount.minor(), amount.currency().code()),
            |tx| async move {
                let unknown =
                    || UserError::on(&["listingId"], "LISTING_NOT_FOUND", "There is no such listing.");
                let listing_id = listing_id.ok_or_else(unknown)?;
                let listing =
                    listings::by_ids(&tx, &[listing_id]).await?.remove(&listing_id).ok_or_else(unknown)?;
                let now = time::of(&tx).await?;
                check_bid(&listing, bidder_id, amount, now).map_err(|refusal| told(refusal, &listing))?;
                if store::sellers::is_banned(&tx, bidder_id).await? {
                    return Err(Failure::refused("USER_BANNED", "This account may not bid."));
                }
                self.bid(&tx, &listing, bidder_id, amount, actor, now).await
            },
        )
        .await
    }

    async fn bid(
        &self,
        tx: &Tx,
        listing: &Listing,
        bidder_id: Uuid,
        amount: Money,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Uuid, Failure> {
        let bid = Bid {
            id: Uuid::now_v7(),
            listing_id: listing.id,
            bidder_id,
            amount,
            placed_at: now,
            status: BidStatus::Pending,
            code: None,
        };
        match bids::insert(tx, &bid).await {
            Ok(()) => {}
            Err(SystemError::Database(error)) if is_unique_violation(&error) => {
                let message = "Your last bid still waits for its funds.";
                return Err(Failure::refused_for_now("BID_PENDING", message));
            }
            Err(error) => return Err(error.into()),
        }
        let placed = BidPlaced { bid_id: bid.id, bidder_id, amount: amount.into() };
        outbox::append(tx, NewMessage::new(listing.id, actor, &placed)).await?;
        self.changes.hub.changed_by(tx, listing.id);
        let ends_at = match listing.details {
            Details::Auction { ends_at, .. } => ends_at,
            _ => now,
        };
        let context = PlaceBid {
            bidder_id,
            amount_minor: amount.minor(),
            currency: amount.currency().code().to_owned(),
            reason: format!("BID {}", listing.title),
            hold_until: ends_at + HOLD_OUTLIVES,
        };
        self.bids.begin(tx, bid.id, context, now).await?;
        Ok(bid.id)
    }
}

/// The refusal in the bidder's terms; one that is too low says what is enough.
fn told(refusal: BidRefusal, listing: &Listing) -> Failure {
    let error = match (refusal, listing.min_next_bid()) {
        (BidRefusal::TooLow, Some(next)) => {
            let message = format!("The next bid is at least {} {}.", next.decimal(), next.currency().code());
            UserError::on(&["amount"], refusal.code(), message)
        }
        (BidRefusal::CurrencyMismatch, _) => {
            UserError::on(&["currency"], refusal.code(), refusal.to_string())
        }
        _ => UserError::on(&["listingId"], refusal.code(), refusal.to_string()),
    };
    error.into()
}

/// A pending bid is refused; nothing when it was answered before.
///
/// # Errors
/// [`SystemError`] when the database refuses.
pub async fn refused(
    tx: &Tx,
    changes: &Changes,
    bid_id: Uuid,
    correlation: Uuid,
    code: &str,
) -> Result<(), SystemError> {
    if !bids::move_on(tx, bid_id, BidStatus::Pending, BidStatus::Rejected, Some(code)).await? {
        return Ok(());
    }
    let bid = existing(tx, bid_id).await?;
    let rejected = BidRejected {
        bid_id,
        bidder_id: bid.bidder_id,
        code: code.to_owned(),
        title: listings::by_ids(tx, &[bid.listing_id])
            .await?
            .remove(&bid.listing_id)
            .map(|listing| listing.title),
    };
    changes.tell(tx, bid.listing_id, correlation, &rejected).await
}

/// A bid that has to be there.
pub(super) async fn existing(tx: &Tx, bid_id: Uuid) -> Result<Bid, SystemError> {
    let found = bids::by_ids(tx, &[bid_id]).await?.remove(&bid_id);
    found.ok_or_else(|| SystemError::Invariant(format!("bid {bid_id} is gone")))
}
