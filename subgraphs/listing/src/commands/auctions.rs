//! Which bid leads, and how an auction ends (saga S-A, steps 4 to 6 and calling off).
//!
//! Always: the listing's row is locked before a bid is judged, the passed bid gives up its lead before the new one takes
//! it, and what nobody needs any more (holds, the item) is given back by a saga of the same transaction.

use chrono::{DateTime, Utc};
use kopitiam_kafka::messages::listing::{
    AuctionEnded, AuctionExtended, BidAccepted, BidOutbid, BidRejected, ListingCancelled, ListingClosed,
};
use kopitiam_kit::saga::{Failure, Sagas};
use kopitiam_kit::{SystemError, Tx, timers};
use uuid::Uuid;

use super::{ACTOR, Changes, END_AUCTION, bids, lost_race};
use crate::domain::auction::{self, BidRefusal, End, Leads, Rules};
use crate::domain::bid::{Bid, BidStatus};
use crate::domain::listing::{Details, Listing, ListingStatus};
use crate::sagas::let_go::LetGo;
use crate::sagas::owners::{LetGoOwner, SettleOwner};
use crate::sagas::settle::SettleAuction;
use crate::store;
use crate::store::listings::{self, Change};

/// Why the leading bid of an unsold auction is given back.
const RESERVE_NOT_MET: &str = "RESERVE_NOT_MET";
/// Why bids on an auction that was called off are given back.
const AUCTION_CANCELLED: &str = "AUCTION_CANCELLED";

/// Auctions that run and end.
pub struct Auctions {
    /// Told what changed.
    pub changes: Changes,
    /// Auctions being settled.
    pub settle: Sagas<SettleOwner>,
    /// What is being given back.
    pub let_go: Sagas<LetGoOwner>,
    rules: Rules,
}

impl Auctions {
    /// Under these rules.
    pub fn new(changes: Changes, rules: Rules) -> Self {
        let settle = Sagas::new(SettleOwner { changes: changes.clone() }, ACTOR);
        let let_go = Sagas::new(LetGoOwner, ACTOR);
        Self { changes, settle, let_go, rules }
    }

    /// The bid's funds are held: it leads, or the inner `Err` says why it does not.
    ///
    /// # Errors
    /// [`SystemError`] when the database refuses, or another transaction changed the listing: to be tried again.
    pub async fn lead(
        &self,
        tx: &Tx,
        bid_id: Uuid,
        correlation: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Failure>, SystemError> {
        let bid = bids::existing(tx, bid_id).await?;
        let Some(listing) = listings::lock(tx, bid.listing_id).await? else {
            return Err(SystemError::Invariant(format!("bid {bid_id} has no listing")));
        };
        // Read again behind the listing's lock: the auction may have ended, and refused the bid, a moment ago.
        let bid = bids::existing(tx, bid.id).await?;
        let verdict = match bid.status {
            BidStatus::Pending => auction::judge(&listing, &bid, self.rules),
            _ => Err(BidRefusal::Ended),
        };
        match verdict {
            Err(refusal) => Ok(Err(Failure::new(refusal.code()))),
            Ok(leads) => self.take_lead(tx, listing, bid, leads, correlation, now).await.map(Ok),
        }
    }

    async fn take_lead(
        &self,
        tx: &Tx,
        mut listing: Listing,
        bid: Bid,
        leads: Leads,
        correlation: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let passed = leader(tx, &listing).await?;
        if let Some(passed) = &passed
            && !store::bids::move_on(tx, passed.id, BidStatus::Accepted, BidStatus::Outbid, None).await?
        {
            return Err(lost_race(listing.id));
        }
        if !store::bids::move_on(tx, bid.id, BidStatus::Pending, BidStatus::Accepted, None).await?
            || !listings::change(tx, &listing, Change::Lead(&bid, leads.extended_to)).await?
        {
            return Err(lost_race(listing.id));
        }
        listing.lead(&bid, leads.extended_to);
        self.tell_lead(tx, &listing, &bid, passed.as_ref(), correlation).await?;
        if let Some(ends_at) = leads.extended_to {
            self.changes.tell(tx, listing.id, correlation, &AuctionExtended { ends_at }).await?;
            timers::set(tx, END_AUCTION, listing.id, ends_at).await?;
        }
        if leads.buys_now {
            timers::cancel(tx, END_AUCTION, listing.id).await?;
            self.sell(tx, &listing, &bid, correlation, now).await?;
        }
        match passed {
            Some(passed) => self.give_back(tx, listing.id, Some(&passed), None, now).await,
            None => Ok(()),
        }
    }

    async fn tell_lead(
        &self,
        tx: &Tx,
        listing: &Listing,
        bid: &Bid,
        passed: Option<&Bid>,
        correlation: Uuid,
    ) -> Result<(), SystemError> {
        let accepted = BidAccepted {
            bid_id: bid.id,
            bidder_id: bid.bidder_id,
            amount: bid.amount.into(),
            title: Some(listing.title.clone()),
            seller_id: Some(listing.seller_id),
        };
        self.changes.tell(tx, listing.id, correlation, &accepted).await?;
        let Some(passed) = passed else { return Ok(()) };
        let outbid = BidOutbid {
            bid_id: passed.id,
            bidder_id: passed.bidder_id,
            by_bid_id: bid.id,
            title: Some(listing.title.clone()),
            price: Some(bid.amount.into()),
        };
        self.changes.tell(tx, listing.id, correlation, &outbid).await
    }

    /// The clock says that an auction may be over: ends it, or sets the time to look again.
    ///
    /// # Errors
    /// [`SystemError`] when the database refuses, or another transaction changed the listing: to be tried again.
    pub async fn end(&self, tx: &Tx, listing_id: Uuid, now: DateTime<Utc>) -> Result<(), SystemError> {
        let Some(listing) = listings::lock(tx, listing_id).await? else { return Ok(()) };
        let waiting = store::bids::waiting(tx, listing_id).await?;
        match auction::end(&listing, waiting.len(), now) {
            End::Over => Ok(()),
            End::NotYet(at) => Ok(timers::set(tx, END_AUCTION, listing_id, at).await?),
            End::Sold => {
                let correlation = Uuid::now_v7();
                self.refuse_waiting(tx, waiting, correlation, BidRefusal::Ended.code()).await?;
                let Some(winner) = leader(tx, &listing).await? else {
                    return Err(SystemError::Invariant(format!("auction {listing_id} has no leading bid")));
                };
                self.sell(tx, &listing, &winner, correlation, now).await
            }
            End::Unsold => self.close(tx, &listing, waiting, now).await,
        }
    }

    /// The leading bid wins: nothing can take that back.
    async fn sell(
        &self,
        tx: &Tx,
        listing: &Listing,
        winner: &Bid,
        correlation: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let Details::Auction { item_id, .. } = listing.details else {
            return Err(SystemError::Invariant(format!("listing {} is no auction", listing.id)));
        };
        if !listings::change(tx, listing, Change::Status(ListingStatus::Settling)).await?
            || !store::bids::move_on(tx, winner.id, BidStatus::Accepted, BidStatus::Won, None).await?
        {
            return Err(lost_race(listing.id));
        }
        let ended = AuctionEnded {
            winning_bid_id: Some(winner.id),
            winner_id: Some(winner.bidder_id),
            price: Some(winner.amount.into()),
            title: Some(listing.title.clone()),
            seller_id: Some(listing.seller_id),
        };
        self.changes.tell(tx, listing.id, correlation, &ended).await?;
        let context = SettleAuction {
            title: listing.title.clone(),
            item_id,
            seller_id: listing.seller_id,
            winner_id: winner.bidder_id,
            bid_id: winner.id,
            price_minor: winner.amount.minor(),
            fee_minor: auction::platform_fee(winner.amount).minor(),
            currency: winner.amount.currency().code().to_owned(),
        };
        self.settle.begin(tx, listing.id, context, now).await?;
        Ok(())
    }

    /// Nobody bid enough: the item is free again, and so is the leader's money.
    async fn close(
        &self,
        tx: &Tx,
        listing: &Listing,
        waiting: Vec<Bid>,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let correlation = Uuid::now_v7();
        self.refuse_waiting(tx, waiting, correlation, BidRefusal::Ended.code()).await?;
        let leader = self.dismiss_leader(tx, listing, correlation, RESERVE_NOT_MET).await?;
        if !listings::change(tx, listing, Change::Status(ListingStatus::Closed)).await? {
            return Err(lost_race(listing.id));
        }
        let (title, seller_id) = (Some(listing.title.clone()), Some(listing.seller_id));
        let ended = AuctionEnded {
            winning_bid_id: None,
            winner_id: None,
            price: None,
            title: title.clone(),
            seller_id,
        };
        self.changes.tell(tx, listing.id, correlation, &ended).await?;
        self.changes.tell(tx, listing.id, correlation, &ListingClosed { title, seller_id }).await?;
        self.give_back(tx, listing.id, leader.as_ref(), item_of(listing), now).await
    }

    /// Calls an open listing off: every bid is refused, every hold released, the item freed. The caller locked the row.
    ///
    /// # Errors
    /// [`SystemError`] when the database refuses, or another transaction changed the listing: to be tried again.
    pub async fn call_off(
        &self,
        tx: &Tx,
        listing: &Listing,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let correlation = Uuid::now_v7();
        let waiting = store::bids::waiting(tx, listing.id).await?;
        self.refuse_waiting(tx, waiting, correlation, AUCTION_CANCELLED).await?;
        let leader = self.dismiss_leader(tx, listing, correlation, AUCTION_CANCELLED).await?;
        if !listings::change(tx, listing, Change::Status(ListingStatus::Cancelled)).await? {
            return Err(lost_race(listing.id));
        }
        let cancelled = ListingCancelled {
            reason: reason.to_owned(),
            title: Some(listing.title.clone()),
            seller_id: Some(listing.seller_id),
        };
        self.changes.tell(tx, listing.id, correlation, &cancelled).await?;
        timers::cancel(tx, END_AUCTION, listing.id).await?;
        let item_id = item_of(listing);
        if leader.is_none() && item_id.is_none() {
            return Ok(());
        }
        self.give_back(tx, listing.id, leader.as_ref(), item_id, now).await
    }

    /// Bids whose funds have not been heard of are refused; their sagas give back what arrives late.
    async fn refuse_waiting(
        &self,
        tx: &Tx,
        waiting: Vec<Bid>,
        correlation: Uuid,
        code: &str,
    ) -> Result<(), SystemError> {
        for bid in waiting {
            bids::refused(tx, &self.changes, bid.id, correlation, code).await?;
        }
        Ok(())
    }

    async fn dismiss_leader(
        &self,
        tx: &Tx,
        listing: &Listing,
        correlation: Uuid,
        code: &str,
    ) -> Result<Option<Bid>, SystemError> {
        let Some(leader) = leader(tx, listing).await? else { return Ok(None) };
        if !store::bids::move_on(tx, leader.id, BidStatus::Accepted, BidStatus::Outbid, Some(code)).await? {
            return Err(lost_race(listing.id));
        }
        let rejected = BidRejected {
            bid_id: leader.id,
            bidder_id: leader.bidder_id,
            code: code.to_owned(),
            title: Some(listing.title.clone()),
        };
        self.changes.tell(tx, listing.id, correlation, &rejected).await?;
        Ok(Some(leader))
    }

    async fn give_back(
        &self,
        tx: &Tx,
        listing_id: Uuid,
        bid: Option<&Bid>,
        item_id: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let context = LetGo { hold: bid.map(|bid| (bid.id, bid.bidder_id)), item_id };
        self.let_go.begin(tx, listing_id, context, now).await?;
        Ok(())
    }
}

fn item_of(listing: &Listing) -> Option<Uuid> {
    match listing.details {
        Details::Auction { item_id, .. } => Some(item_id),
        _ => None,
    }
}

/// The bid that leads now.
async fn leader(tx: &Tx, listing: &Listing) -> Result<Option<Bid>, SystemError> {
    match listing.details {
        Details::Auction { highest_bid_id: Some(id), .. } => bids::existing(tx, id).await.map(Some),
        _ => Ok(None),
    }
}
