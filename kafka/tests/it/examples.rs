//! One example of every payload, with every optional field filled in.

use chrono::{DateTime, Utc};
use kopitiam_kafka::Message;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::booking::*;
use kopitiam_kafka::messages::listing::*;
use kopitiam_kafka::messages::order::*;
use kopitiam_kafka::messages::product::*;
use kopitiam_kafka::messages::review::*;
use kopitiam_kafka::messages::stock::*;
use kopitiam_kafka::messages::user::*;
use kopitiam_kafka::messages::wallet::*;
use serde_json::Value;
use uuid::Uuid;

pub(crate) struct Example {
    pub(crate) message_type: &'static str,
    pub(crate) json: Value,
    /// Reads JSON as the payload type and writes it again.
    pub(crate) round_trip: fn(Value) -> Result<Value, String>,
}

fn example<M: Message>(payload: &M) -> Example {
    Example {
        message_type: M::TYPE,
        json: serde_json::to_value(payload).unwrap(),
        round_trip: |json| {
            let payload: M = serde_json::from_value(json).map_err(|error| error.to_string())?;
            serde_json::to_value(&payload).map_err(|error| error.to_string())
        },
    }
}

fn id(number: u16) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number))
}

fn at() -> DateTime<Utc> {
    "2026-11-21T08:30:00.000001Z".parse().unwrap()
}

fn amount() -> Amount {
    Amount::new(1250, "USD")
}

fn text(value: &str) -> String {
    value.to_owned()
}

fn splits() -> Vec<Split> {
    let part = |to, minor| Split { to, amount: Amount::new(minor, "USD") };
    vec![
        part(Payee::User { user_id: id(5) }, 1000),
        part(Payee::Fees, 125),
        part(Payee::Escrow { reference: id(7) }, 125),
    ]
}

fn lines() -> Vec<StockLine> {
    vec![StockLine { product_id: id(3), quantity: 2 }]
}

pub(crate) fn all() -> Vec<Example> {
    [users(), wallets(), products(), stock(), listings(), bids(), orders(), bookings()]
        .into_iter()
        .flatten()
        .collect()
}

fn users() -> Vec<Example> {
    vec![
        example(&UserRegistered {
            username: text("bob"),
            email: text("bob@kopitiam.example"),
            full_name: Some(text("Bob Lim")),
            roles: vec![text("USER")],
        }),
        example(&UserUpdated {
            username: text("bob"),
            email: text("bob@kopitiam.example"),
            full_name: Some(text("Bob Lim")),
        }),
        example(&UserBanned { reason: text("fraud") }),
        example(&UserUnbanned {}),
        example(&RolesChanged { roles: vec![text("USER"), text("SELLER")] }),
        example(&TokensEnded { token_version: 2 }),
        example(&SellerOpened {
            handle: text("kopi-house"),
            display_name: text("Kopi House"),
            bio: Some(text("Beans and cups.")),
        }),
        example(&SellerUpdated {
            handle: text("kopi-house"),
            display_name: text("Kopi House"),
            bio: Some(text("Beans and cups.")),
            verified: true,
        }),
    ]
}

fn wallets() -> Vec<Example> {
    let (hold_id, user_id) = (id(1), id(2));
    vec![
        example(&HoldFunds {
            hold_id,
            user_id,
            amount: amount(),
            reason: text("ORDER K-1001"),
            expires_at: at(),
        }),
        example(&ReleaseFunds { hold_id, user_id }),
        example(&CaptureFunds { hold_id, user_id, splits: splits(), escrow: None }),
        example(&ReleaseEscrow {
            release_id: id(9),
            reference: id(3),
            user_id,
            splits: splits(),
            reason: text("BOOKING cancelled"),
        }),
        example(&RefundFunds {
            refund_id: id(9),
            hold_id,
            user_id,
            splits: splits(),
            reason: text("broken cup"),
        }),
        example(&CreditGranted { amount: amount(), reason: text("welcome"), granted_by: id(1) }),
        example(&ToppedUp { amount: amount(), payment_id: text("pi_1") }),
        example(&FundsHeld { hold_id, amount: amount() }),
        example(&FundsRejected { hold_id, code: text("INSUFFICIENT_FUNDS") }),
        example(&FundsReleased { hold_id, amount: amount() }),
        example(&EscrowReleased { release_id: id(9), reference: id(3), amount: amount(), splits: splits() }),
        example(&FundsCaptured { hold_id, amount: amount(), splits: splits() }),
        example(&FundsRefunded { refund_id: id(9), hold_id, amount: amount() }),
    ]
}

fn products() -> Vec<Example> {
    vec![
        example(&ProductCreated {
            slug: text("house-blend-beans"),
            name: text("House blend beans"),
            description: text("Dark roast."),
            price: amount(),
            supplier: Some(text("Kopi House")),
            seller_id: id(5),
            category_ids: vec![id(1)],
            image_url: Some(text("/images/products/house-blend-beans.svg")),
        }),
        example(&ProductUpdated {
            slug: text("house-blend-beans"),
            name: text("House blend beans"),
            description: text("Dark roast."),
            price: amount(),
            supplier: Some(text("Kopi House")),
            seller_id: id(5),
            category_ids: vec![id(1)],
            image_url: Some(text("/images/products/house-blend-beans.svg")),
        }),
        example(&ProductArchived {}),
        example(&CategorySaved {
            slug: text("brewing-gear"),
            name: text("Brewing gear"),
            parent_id: Some(id(1)),
        }),
        example(&CategoryDeleted {}),
    ]
}

fn stock() -> Vec<Example> {
    let (reservation_id, item_id, listing_id) = (id(1), id(2), id(3));
    vec![
        example(&ReserveStock { reservation_id, lines: lines(), expires_at: at() }),
        example(&ReleaseStock { reservation_id }),
        example(&CommitStock { reservation_id }),
        example(&RestockLines { reservation_id, lines: lines(), reason: text("refund") }),
        example(&LockItem { item_id, listing_id, owner_id: id(5), until: None }),
        example(&UnlockItem { item_id, listing_id }),
        example(&TransferItem { item_id, listing_id, to: id(6) }),
        example(&StockReserved {
            reservation_id,
            lines: vec![ReservedLine {
                product_id: id(3),
                quantity: 2,
                unit_price: amount(),
                seller_id: id(5),
                title: text("House blend beans"),
            }],
            expires_at: at(),
        }),
        example(&StockRejected {
            reservation_id,
            code: text("OUT_OF_STOCK"),
            lines: vec![RefusedLine { product_id: id(3), requested: 2, available: 1 }],
        }),
        example(&StockReleased { reservation_id }),
        example(&StockCommitted { reservation_id }),
        example(&StockRestocked { reservation_id, lines: lines() }),
        example(&StockUpdated { on_hand: 20, reserved: 2 }),
        example(&ItemLocked { listing_id, owner_id: id(5) }),
        example(&ItemLockRejected { listing_id, code: text("NOT_OWNER") }),
        example(&ItemUnlocked { listing_id }),
        example(&ItemTransferred { listing_id, from: id(5), to: id(6) }),
    ]
}

fn listings() -> Vec<Example> {
    let (order_id, buyer_id) = (id(1), id(2));
    vec![
        example(&LockListing { order_id, buyer_id, until: at() }),
        example(&UnlockListing { order_id }),
        example(&SellListing { order_id, buyer_id }),
        example(&ListingCreated {
            kind: ListingKind::Auction,
            title: text("Kopitiam sign"),
            seller_id: id(5),
            status: text("PENDING"),
            ask_price: amount(),
            product_id: Some(id(3)),
            item_id: Some(id(4)),
            ends_at: Some(at()),
            deposit_percent: None,
        }),
        example(&ListingUpdated {
            title: text("Kopitiam sign"),
            status: text("ACTIVE"),
            ask_price: amount(),
            deposit_percent: None,
        }),
        example(&ListingLocked {
            order_id,
            until: at(),
            price: amount(),
            seller_id: id(5),
            title: text("Ticket, row 3"),
        }),
        example(&ListingLockRejected { order_id, code: text("ALREADY_RESERVED") }),
        example(&ListingUnlocked { order_id }),
        example(&ListingSold {
            order_id: Some(order_id),
            buyer_id,
            price: amount(),
            title: None,
            seller_id: None,
        }),
        example(&ListingClosed { title: None, seller_id: None }),
        example(&ListingCancelled { reason: text("ITEM_UNAVAILABLE"), title: None, seller_id: None }),
    ]
}

fn bids() -> Vec<Example> {
    let (bid_id, bidder_id) = (id(1), id(2));
    vec![
        example(&BidPlaced { bid_id, bidder_id, amount: amount() }),
        example(&BidAccepted { bid_id, bidder_id, amount: amount(), title: None, seller_id: None }),
        example(&BidOutbid { bid_id, bidder_id, by_bid_id: id(3), title: None, price: None }),
        example(&BidRejected { bid_id, bidder_id, code: text("OUTBID"), title: None }),
        example(&AuctionExtended { ends_at: at() }),
        example(&AuctionEnded {
            winning_bid_id: Some(bid_id),
            winner_id: Some(bidder_id),
            price: Some(amount()),
            title: None,
            seller_id: None,
        }),
        example(&AuctionSettled {
            winner_id: bidder_id,
            price: amount(),
            hold_id: None,
            item_id: None,
            fee: None,
            title: None,
            seller_id: None,
        }),
    ]
}

fn orders() -> Vec<Example> {
    vec![
        example(&OrderCreated {
            number: text("K-1001"),
            buyer_id: id(2),
            kind: text("CART"),
            lines: vec![OrderLinePayload {
                line_id: id(1),
                product_id: Some(id(3)),
                listing_id: Some(id(6)),
                seller_id: Some(id(5)),
                title: text("House blend beans"),
                quantity: 2,
                unit_price: amount(),
            }],
            total: Amount::new(2500, "USD"),
        }),
        example(&OrderStatusChanged {
            number: text("K-1001"),
            buyer_id: id(2),
            from: text("PENDING"),
            to: text("CONFIRMED"),
            reason: Some(text("PAID")),
            lines: vec![OrderLinePayload {
                line_id: id(1),
                product_id: Some(id(3)),
                listing_id: Some(id(6)),
                seller_id: Some(id(5)),
                title: text("House blend beans"),
                quantity: 2,
                unit_price: amount(),
            }],
        }),
        example(&InvoiceIssued {
            invoice_id: id(9),
            number: text("2026-000001"),
            buyer_id: id(2),
            total: Amount::new(2500, "USD"),
            issued_at: at(),
        }),
        example(&ReviewPosted {
            review_id: id(7),
            subject: text("PRODUCT"),
            rating: 5,
            author_id: id(2),
            rating_sum: 14,
            rating_count: 3,
        }),
    ]
}

fn bookings() -> Vec<Example> {
    vec![
        example(&BookingRequested {
            listing_id: id(6),
            buyer_id: id(2),
            seller_id: id(5),
            price: amount(),
            deposit: Amount::new(250, "USD"),
        }),
        example(&BookingAccepted {}),
        example(&BookingDeclined { note: Some(text("fully booked")) }),
        example(&BookingExpired { from: text("ACCEPTED") }),
        example(&BookingDepositHeld { deposit: Amount::new(250, "USD") }),
        example(&BookingDelivered {}),
        example(&BookingBalanceDue { automatic: false, balance: Amount::new(1000, "USD") }),
        example(&BookingClosed {}),
        example(&BookingCancelled { by: id(2) }),
        example(&BookingDisputed { note: Some(text("nobody came")) }),
        example(&BookingResolved { refunded: Amount::new(250, "USD"), released: Amount::new(1000, "USD") }),
    ]
}
