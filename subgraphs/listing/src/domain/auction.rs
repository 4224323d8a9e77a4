//! The auction's decisions: may this bid be placed, does it lead, is the auction over. Pure: rows and the time in, a
//! verdict out; what follows from it is written by `commands::auctions`.
//!
//! Elsewhere: making auctions (`listing.rs`), the order of steps over several services (`sagas`).

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::money::Money;
use uuid::Uuid;

use super::bid::Bid;
use super::listing::{Details, Listing, ListingStatus};

/// After the end, bids that still wait for their funds are waited for this long.
pub const GRACE: TimeDelta = TimeDelta::seconds(5);
/// How soon an auction that waits for bids is looked at again.
pub const LOOK_AGAIN: TimeDelta = TimeDelta::milliseconds(250);
/// The platform's part of a price, in hundredths of a percent.
const FEE_BASIS_POINTS: i128 = 500;

/// What an installation may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// A bid that is placed in the last stretch of this length moves the end to that much after itself. `None`: the end
    /// never moves.
    pub extension: Option<TimeDelta>,
}

/// Why a bid may not be placed, or does not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BidRefusal {
    /// The listing takes no bids.
    #[error("This listing is no auction.")]
    NotAnAuction,
    /// The bidder sells it.
    #[error("You cannot bid on your own listing.")]
    OwnListing,
    /// It is not open (yet, or any more).
    #[error("This auction is not open.")]
    NotActive,
    /// Its time is over.
    #[error("This auction has ended.")]
    Ended,
    /// Another currency than the auction's.
    #[error("This auction is held in another currency.")]
    CurrencyMismatch,
    /// Below the next bid.
    #[error("The bid is below the next bid.")]
    TooLow,
    /// Somebody else was faster or went higher while the funds were set aside.
    #[error("Another bid was higher.")]
    Outbid,
}

impl BidRefusal {
    /// The stable code, in `userErrors`, events and the bid's row.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAnAuction => "NOT_AN_AUCTION",
            Self::OwnListing => "OWN_LISTING",
            Self::NotActive => "AUCTION_NOT_ACTIVE",
            Self::Ended => "AUCTION_ENDED",
            Self::CurrencyMismatch => "CURRENCY_MISMATCH",
            Self::TooLow => "BID_TOO_LOW",
            Self::Outbid => "OUTBID",
        }
    }
}

/// May this person place this bid now?
///
/// # Errors
/// Why not.
pub fn check_bid(
    listing: &Listing,
    bidder_id: Uuid,
    amount: Money,
    now: DateTime<Utc>,
) -> Result<(), BidRefusal> {
    let Details::Auction { ends_at, .. } = listing.details else { return Err(BidRefusal::NotAnAuction) };
    if listing.seller_id == bidder_id {
        return Err(BidRefusal::OwnListing);
    }
    if listing.status != ListingStatus::Active {
        let over = !matches!(listing.status, ListingStatus::Pending);
        return Err(if over { BidRefusal::Ended } else { BidRefusal::NotActive });
    }
    if now >= ends_at {
        return Err(BidRefusal::Ended);
    }
    if amount.currency() != listing.ask_price.currency() {
        return Err(BidRefusal::CurrencyMismatch);
    }
    if reaches_next(listing, amount) { Ok(()) } else { Err(BidRefusal::TooLow) }
}

/// A bid that leads from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leads {
    /// The new end, when it moves.
    pub extended_to: Option<DateTime<Utc>>,
    /// It reaches the buy-now price: the auction is over at once.
    pub buys_now: bool,
}

/// The bid's funds are held: does it lead? It was placed in time, so the end may have passed meanwhile.
///
/// # Errors
/// Why not.
pub fn judge(listing: &Listing, bid: &Bid, rules: Rules) -> Result<Leads, BidRefusal> {
    let Details::Auction { ends_at, buy_now_price, .. } = listing.details else {
        return Err(BidRefusal::NotAnAuction);
    };
    if listing.status != ListingStatus::Active || bid.placed_at >= ends_at {
        return Err(BidRefusal::Ended);
    }
    if bid.amount.currency() != listing.ask_price.currency() {
        return Err(BidRefusal::CurrencyMismatch);
    }
    if !reaches_next(listing, bid.amount) {
        return Err(BidRefusal::Outbid);
    }
    let buys_now = buy_now_price.is_some_and(|price| bid.amount.minor() >= price.minor());
    let moved = rules.extension.and_then(|stretch| bid.placed_at.checked_add_signed(stretch));
    let extended_to = moved.filter(|moved| !buys_now && *moved > ends_at);
    Ok(Leads { extended_to, buys_now })
}

fn reaches_next(listing: &Listing, amount: Money) -> bool {
    listing.min_next_bid().is_some_and(|next| amount.minor() >= next.minor())
}

/// What the clock finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Not open any more, or no auction: nothing to do.
    Over,
    /// Look again at this time.
    NotYet(DateTime<Utc>),
    /// The leading bid wins.
    Sold,
    /// Nobody bid enough.
    Unsold,
}

/// Is the auction over? `waiting` bids have not heard of their funds yet.
pub fn end(listing: &Listing, waiting: usize, now: DateTime<Utc>) -> End {
    let Details::Auction { ends_at, highest_bid_id, .. } = listing.details else { return End::Over };
    if listing.status != ListingStatus::Active {
        return End::Over;
    }
    if now < ends_at {
        return End::NotYet(ends_at);
    }
    if waiting > 0 && now < ends_at + GRACE {
        return End::NotYet((now + LOOK_AGAIN).min(ends_at + GRACE));
    }
    if highest_bid_id.is_some() && listing.reserve_met() { End::Sold } else { End::Unsold }
}

/// The platform's part of a price: five percent, half a minor unit rounded up.
pub fn platform_fee(price: Money) -> Money {
    let minor = (i128::from(price.minor()) * FEE_BASIS_POINTS + 5_000) / 10_000;
    Money::new(i64::try_from(minor).expect("a twentieth of an i64 is an i64"), price.currency())
}

#[cfg(test)]
#[path = "auction_tests.rs"]
mod tests;
