//! `listing.commands.v1` and `listing.events.v1`: listings, their locks, bids and auctions. The aggregate is the listing.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Amount, payloads, topic_messages};

/// What kind of listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ListingKind {
    /// Sold to the highest bidder.
    Auction,
    /// Sold at its price.
    FixedPrice,
    /// Booked at its price.
    Service,
}

payloads! {
    /// Keep the listing for one order.
    struct LockListing {
        /// For which order.
        order_id: Uuid,
        /// Who is buying.
        buyer_id: Uuid,
        /// The lock falls by itself after this.
        until: DateTime<Utc>,
    }
    /// Give the listing free; only the order that holds the lock can.
    struct UnlockListing {
        /// The lock's holder.
        order_id: Uuid,
    }
    /// The locked listing is sold.
    struct SellListing {
        /// The lock's holder.
        order_id: Uuid,
        /// Who bought it.
        buyer_id: Uuid,
    }
    /// A listing was made.
    struct ListingCreated {
        /// Its kind.
        kind: ListingKind,
        /// Its title.
        title: String,
        /// Who sells.
        seller_id: Uuid,
        /// Status, such as `ACTIVE`.
        status: String,
        /// Price asked now.
        ask_price: Amount,
        /// The product it offers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        product_id: Option<Uuid>,
        /// The item it offers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item_id: Option<Uuid>,
        /// End of an auction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_at: Option<DateTime<Utc>>,
        /// Share of a service's price that is paid before work starts, in percent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deposit_percent: Option<i32>,
    }
    /// A listing changed; carries the new state.
    struct ListingUpdated {
        /// Its title.
        title: String,
        /// Status, such as `ACTIVE`.
        status: String,
        /// Price asked now.
        ask_price: Amount,
        /// Share of a service's price that is paid before work starts, in percent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deposit_percent: Option<i32>,
    }
    /// The listing is kept for the order.
    struct ListingLocked {
        /// For which order.
        order_id: Uuid,
        /// Until when.
        until: DateTime<Utc>,
        /// Price at that moment.
        price: Amount,
        /// Who sells.
        seller_id: Uuid,
        /// Its title.
        title: String,
    }
    /// The listing is not kept.
    struct ListingLockRejected {
        /// For which order.
        order_id: Uuid,
        /// `ALREADY_RESERVED`, `NOT_ACTIVE`, `OWN_LISTING` or `UNKNOWN_LISTING`.
        code: String,
    }
    /// The listing is free again.
    struct ListingUnlocked {
        /// Which order held it.
        order_id: Uuid,
    }
    /// The listing is sold.
    struct ListingSold {
        /// By which order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<Uuid>,
        /// To whom.
        buyer_id: Uuid,
        /// For how much.
        price: Amount,
        /// Title of the listing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Who sells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seller_id: Option<Uuid>,
    }
    /// A bid waits for its funds.
    struct BidPlaced {
        /// Which bid.
        bid_id: Uuid,
        /// Whose.
        bidder_id: Uuid,
        /// How much.
        amount: Amount,
    }
    /// A bid leads.
    struct BidAccepted {
        /// Which bid.
        bid_id: Uuid,
        /// Whose.
        bidder_id: Uuid,
        /// How much.
        amount: Amount,
        /// Title of the listing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Who sells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seller_id: Option<Uuid>,
    }
    /// A bid no longer leads.
    struct BidOutbid {
        /// Which bid.
        bid_id: Uuid,
        /// Whose.
        bidder_id: Uuid,
        /// The bid that leads now.
        by_bid_id: Uuid,
        /// Title of the listing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// What the leading bid offers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Amount>,
    }
    /// A bid was refused.
    struct BidRejected {
        /// Which bid.
        bid_id: Uuid,
        /// Whose.
        bidder_id: Uuid,
        /// Why, such as `OUTBID` or `INSUFFICIENT_FUNDS`.
        code: String,
        /// Title of the listing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    }
    /// The auction ends later.
    struct AuctionExtended {
        /// The new end.
        ends_at: DateTime<Utc>,
    }
    /// The auction takes no more bids.
    struct AuctionEnded {
        /// The winning bid, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        winning_bid_id: Option<Uuid>,
        /// Its bidder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        winner_id: Option<Uuid>,
        /// Its amount.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<Amount>,
        /// Title of the listing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Who sells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seller_id: Option<Uuid>,
    }
    /// Money and item of a won auction have changed hands.
    struct AuctionSettled {
        /// The winner.
        winner_id: Uuid,
        /// The price.
        price: Amount,
        /// The captured hold of the winner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold_id: Option<Uuid>,
        /// The item that changed hands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item_id: Option<Uuid>,
        /// The platform's part of the price.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fee: Option<Amount>,
        /// Title of the listing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Who sells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seller_id: Option<Uuid>,
    }
    /// The listing ended without a sale.
    struct ListingClosed {
        /// Title of the listing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Who sells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seller_id: Option<Uuid>,
    }
    /// The listing was called off.
    struct ListingCancelled {
        /// Why, such as `ITEM_UNAVAILABLE` or `BY_SELLER`.
        reason: String,
        /// Title of the listing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Who sells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seller_id: Option<Uuid>,
    }
}

topic_messages! {
    /// A command of `listing.commands.v1`.
    enum ListingCommand on ListingCommands {
        "listing" => LockListing, UnlockListing, SellListing;
    }
}

topic_messages! {
    /// An event of `listing.events.v1`.
    enum ListingEvent on ListingEvents {
        "listing" => ListingCreated, ListingUpdated, ListingLocked, ListingLockRejected, ListingUnlocked, ListingSold,
            BidPlaced, BidAccepted, BidOutbid, BidRejected, AuctionExtended, AuctionEnded, AuctionSettled, ListingClosed,
            ListingCancelled;
    }
}
