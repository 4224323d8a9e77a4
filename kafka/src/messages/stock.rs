//! `stock.commands.v1` and `stock.events.v1`: reservations, stock levels, item locks. The aggregate is the reservation
//! (its id is the order's), the product for levels, or the item.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Amount, payloads, topic_messages};

payloads! {
    /// A product and how many of it.
    struct StockLine {
        /// Which product.
        product_id: Uuid,
        /// How many; positive.
        quantity: i64,
    }
    /// A reserved line with the price and names at that moment.
    struct ReservedLine {
        /// Which product.
        product_id: Uuid,
        /// How many.
        quantity: i64,
        /// Price of one.
        unit_price: Amount,
        /// Who sells it.
        seller_id: Uuid,
        /// Its name.
        title: String,
    }
    /// A line that could not be reserved.
    struct RefusedLine {
        /// Which product.
        product_id: Uuid,
        /// How many were asked for.
        requested: i64,
        /// How many there are.
        available: i64,
    }
    /// Reserve all lines or none.
    struct ReserveStock {
        /// Names the reservation for ever; the order's id.
        reservation_id: Uuid,
        /// What to reserve.
        lines: Vec<StockLine>,
        /// The reservation is released by itself after this.
        expires_at: DateTime<Utc>,
    }
    /// Give a reservation back.
    struct ReleaseStock {
        /// Which reservation.
        reservation_id: Uuid,
    }
    /// The reserved units are sold.
    struct CommitStock {
        /// Which reservation.
        reservation_id: Uuid,
    }
    /// Sold units come back.
    struct RestockLines {
        /// The committed reservation.
        reservation_id: Uuid,
        /// What comes back.
        lines: Vec<StockLine>,
        /// Why.
        reason: String,
    }
    /// Keep an item for a listing.
    struct LockItem {
        /// Which item.
        item_id: Uuid,
        /// For which listing.
        listing_id: Uuid,
        /// Who must own it.
        owner_id: Uuid,
        /// The lock falls by itself after this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    }
    /// Give an item free; only the listing that holds the lock can.
    struct UnlockItem {
        /// Which item.
        item_id: Uuid,
        /// The lock's holder.
        listing_id: Uuid,
    }
    /// Hand an item over and free its lock.
    struct TransferItem {
        /// Which item.
        item_id: Uuid,
        /// The lock's holder.
        listing_id: Uuid,
        /// The new owner.
        to: Uuid,
    }
    /// All lines are reserved.
    struct StockReserved {
        /// Which reservation.
        reservation_id: Uuid,
        /// What, at which price.
        lines: Vec<ReservedLine>,
        /// Until when.
        expires_at: DateTime<Utc>,
    }
    /// Nothing was reserved.
    struct StockRejected {
        /// Which reservation.
        reservation_id: Uuid,
        /// `OUT_OF_STOCK`, `UNKNOWN_PRODUCT`, `PRODUCT_ARCHIVED` or `RESERVATION_RESOLVED`.
        code: String,
        /// The lines at fault.
        lines: Vec<RefusedLine>,
    }
    /// The reservation was given back.
    struct StockReleased {
        /// Which reservation.
        reservation_id: Uuid,
    }
    /// The reserved units left the stock.
    struct StockCommitted {
        /// Which reservation.
        reservation_id: Uuid,
    }
    /// Sold units came back.
    struct StockRestocked {
        /// Which reservation.
        reservation_id: Uuid,
        /// What came back.
        lines: Vec<StockLine>,
    }
    /// A product's stock level.
    struct StockUpdated {
        /// Units there are, reserved ones included.
        on_hand: i64,
        /// Units promised to orders.
        reserved: i64,
    }
    /// The item is kept for the listing.
    struct ItemLocked {
        /// For which listing.
        listing_id: Uuid,
        /// Who owns it.
        owner_id: Uuid,
    }
    /// The item is not kept.
    struct ItemLockRejected {
        /// For which listing.
        listing_id: Uuid,
        /// `UNKNOWN_ITEM`, `NOT_OWNER` or `ITEM_LOCKED`.
        code: String,
    }
    /// The item is free.
    struct ItemUnlocked {
        /// Which listing held it.
        listing_id: Uuid,
    }
    /// The item has a new owner.
    struct ItemTransferred {
        /// Which listing sold it.
        listing_id: Uuid,
        /// The owner before.
        from: Uuid,
        /// The owner now.
        to: Uuid,
    }
}

topic_messages! {
    /// A command of `stock.commands.v1`.
    enum StockCommand on StockCommands {
        "reservation" => ReserveStock, ReleaseStock, CommitStock, RestockLines;
        "item" => LockItem, UnlockItem, TransferItem;
    }
}

topic_messages! {
    /// An event of `stock.events.v1`.
    enum StockEvent on StockEvents {
        "reservation" => StockReserved, StockRejected, StockReleased, StockCommitted, StockRestocked;
        "product" => StockUpdated;
        "item" => ItemLocked, ItemLockRejected, ItemUnlocked, ItemTransferred;
    }
}
