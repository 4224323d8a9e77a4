//! Bids: status, and the label under which other people see a bidder.
//!
//! Elsewhere: placing bids and settling auctions.

use chrono::{DateTime, Utc};
use kopitiam_kit::money::Money;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Where a bid stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BidStatus {
    /// Waits for its funds.
    Pending,
    /// Leads.
    Accepted,
    /// Led, and was passed.
    Outbid,
    /// Never led.
    Rejected,
    /// Won the auction.
    Won,
}

impl BidStatus {
    /// Every status, with its name in the database and in GraphQL.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::Pending, "PENDING"),
        (Self::Accepted, "ACCEPTED"),
        (Self::Outbid, "OUTBID"),
        (Self::Rejected, "REJECTED"),
        (Self::Won, "WON"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(status, _)| *status == self).map_or("REJECTED", |(_, name)| name)
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(status, _)| *status)
    }
}

/// A bid on an auction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bid {
    /// Its id.
    pub id: Uuid,
    /// On which auction.
    pub listing_id: Uuid,
    /// Whose it is. Private: only the bidder and managers may see it.
    pub bidder_id: Uuid,
    /// How much.
    pub amount: Money,
    /// When it was placed, by this service's clock.
    pub placed_at: DateTime<Utc>,
    /// Where it stands.
    pub status: BidStatus,
    /// Why it does not lead, when the status alone does not say.
    pub code: Option<String>,
}

impl Bid {
    /// Whether it led at some time: its amount was the auction's price then, which everybody saw.
    pub fn has_led(&self) -> bool {
        matches!(self.status, BidStatus::Accepted | BidStatus::Outbid | BidStatus::Won)
    }
}

/// How others see a bidder: the same throughout one auction, another in the next, and not to be turned back into the person.
/// People's ids are no secret: without `key` nobody can try who a label is.
pub fn bidder_label(key: &str, listing_id: Uuid, bidder_id: Uuid) -> String {
    let digest = Sha256::new()
        .chain_update(key.as_bytes())
        .chain_update(listing_id.as_bytes())
        .chain_update(bidder_id.as_bytes())
        .finalize();
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("Bidder {:06}", number % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bidder_has_one_label_in_an_auction_another_in_the_next_and_without_the_key_nobody_can_tell_which() {
        let (auction, next, bidder) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(77));
        let label = bidder_label("key", auction, bidder);
        assert_eq!(label, bidder_label("key", auction, bidder));
        assert_ne!(label, bidder_label("key", next, bidder));
        assert_ne!(label, bidder_label("key", auction, Uuid::from_u128(78)));
        assert_ne!(label, bidder_label("another key", auction, bidder));
    }
}
