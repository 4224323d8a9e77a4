//! Listings as this service knows them, from the events of the listing service.
//!
//! Elsewhere: rows (`store::listings`), who locks and sells them (listing service).

use uuid::Uuid;

/// What kind of listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingKind {
    /// Sold to the highest bidder.
    Auction,
    /// Sold at its price.
    FixedPrice,
    /// Booked at its price.
    Service,
}

impl ListingKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Auction, Self::FixedPrice, Self::Service];

    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auction => "AUCTION",
            Self::FixedPrice => "FIXED_PRICE",
            Self::Service => "SERVICE",
        }
    }

    /// The inverse of `as_str`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A listing. Its owner decides whether it can be had; this copy only answers sooner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Identity.
    pub id: Uuid,
    /// Its kind.
    pub kind: ListingKind,
    /// Its title, copied into order lines.
    pub title: String,
    /// Who sells.
    pub seller_id: Uuid,
    /// Status as last heard, such as `ACTIVE`.
    pub status: String,
    /// Price asked, in minor units of `currency`.
    pub price_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// Paid before a service, in percent of the price.
    pub deposit_percent: i32,
}

impl Listing {
    /// Open, as far as is known here.
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}
