//! What people are told about: one variant per occasion, with all that its text needs. Texts are for people; `kind` and
//! `path` are stable.
//!
//! Elsewhere: which event gives which notice (`projections/notices.rs`), the letter around it (`letter.rs`).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An occasion, for one person. Amounts are texts such as `12.50 USD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Notice {
    /// To the buyer.
    OrderConfirmed { number: String },
    /// To the buyer.
    OrderRejected { number: String, reason: Option<String> },
    /// To the buyer.
    OrderCancelled { number: String, reason: Option<String> },
    /// To the buyer of a reserved ticket.
    OrderExpired { number: String },
    /// To the buyer.
    OrderRefunded { number: String },
    /// To each seller of a confirmed order.
    Sold { number: String, titles: Vec<String> },
    /// To the seller.
    ListingSold { listing_id: Uuid, title: String, price: String },
    /// To the seller.
    BidReceived { listing_id: Uuid, title: String, amount: String },
    /// To the bidder who led.
    Outbid { listing_id: Uuid, title: String },
    /// To the bidder.
    BidRejected { listing_id: Uuid, title: String, reason: String },
    /// To the winner.
    AuctionWon { listing_id: Uuid, title: String, price: String },
    /// To the seller.
    AuctionUnsold { listing_id: Uuid, title: String },
    /// To the seller.
    BookingRequested { booking_id: Uuid, title: String, price: String },
    /// To the buyer.
    BookingAccepted { booking_id: Uuid, title: String },
    /// To the buyer.
    BookingDeclined { booking_id: Uuid, title: String, note: Option<String> },
    /// To both.
    BookingExpired { booking_id: Uuid, title: String },
    /// To the seller.
    BookingDepositHeld { booking_id: Uuid, title: String, deposit: String },
    /// To the buyer.
    BookingDelivered { booking_id: Uuid, title: String },
    /// To the buyer.
    BookingBalanceDue { booking_id: Uuid, title: String, balance: String },
    /// To both.
    BookingClosed { booking_id: Uuid, title: String },
    /// To the other side.
    BookingCancelled { booking_id: Uuid, title: String },
    /// To the seller.
    BookingDisputed { booking_id: Uuid, title: String, note: Option<String> },
    /// To both.
    BookingResolved { booking_id: Uuid, title: String, refunded: String, released: String },
    /// To whom the review is about.
    ReviewReceived { rating: i32 },
    /// To the owner of the wallet.
    CreditGranted { amount: String, reason: String },
    /// To the owner of the wallet.
    ToppedUp { amount: String },
    /// To the owner of the wallet.
    TopUpFailed { amount: String },
}

impl Notice {
    /// The stable name, as programs read it.
    pub fn kind(&self) -> &'static str {
        match self {
            Notice::OrderConfirmed { .. } => "ORDER_CONFIRMED",
            Notice::OrderRejected { .. } => "ORDER_REJECTED",
            Notice::OrderCancelled { .. } => "ORDER_CANCELLED",
            Notice::OrderExpired { .. } => "ORDER_EXPIRED",
            Notice::OrderRefunded { .. } => "ORDER_REFUNDED",
            Notice::Sold { .. } => "SOLD",
            Notice::ListingSold { .. } => "LISTING_SOLD",
            Notice::BidReceived { .. } => "BID_RECEIVED",
            Notice::Outbid { .. } => "OUTBID",
            Notice::BidRejected { .. } => "BID_REJECTED",
            Notice::AuctionWon { .. } => "AUCTION_WON",
            Notice::AuctionUnsold { .. } => "AUCTION_UNSOLD",
            Notice::BookingRequested { .. } => "BOOKING_REQUESTED",
            Notice::BookingAccepted { .. } => "BOOKING_ACCEPTED",
            Notice::BookingDeclined { .. } => "BOOKING_DECLINED",
            Notice::BookingExpired { .. } => "BOOKING_EXPIRED",
            Notice::BookingDepositHeld { .. } => "BOOKING_DEPOSIT_HELD",
            Notice::BookingDelivered { .. } => "BOOKING_DELIVERED",
            Notice::BookingBalanceDue { .. } => "BOOKING_BALANCE_DUE",
            Notice::BookingClosed { .. } => "BOOKING_CLOSED",
            Notice::BookingCancelled { .. } => "BOOKING_CANCELLED",
            Notice::BookingDisputed { .. } => "BOOKING_DISPUTED",
            Notice::BookingResolved { .. } => "BOOKING_RESOLVED",
            Notice::ReviewReceived { .. } => "REVIEW_RECEIVED",
            Notice::CreditGranted { .. } => "CREDIT_GRANTED",
            Notice::ToppedUp { .. } => "TOPPED_UP",
            Notice::TopUpFailed { .. } => "TOP_UP_FAILED",
        }
    }

    /// Whether it also goes by mail: what asks for an answer or moved money does.
    pub fn is_mailed(&self) -> bool {
        !matches!(
            self,
            Notice::BidReceived { .. } | Notice::BidRejected { .. } | Notice::ReviewReceived { .. }
        )
    }

    /// One line.
    pub fn title(&self) -> String {
        match self {
            Notice::OrderConfirmed { number } => format!("Order {number} is confirmed"),
            Notice::OrderRejected { number, .. } => format!("Order {number} could not be placed"),
            Notice::OrderCancelled { number, .. } => format!("Order {number} was cancelled"),
            Notice::OrderExpired { number } => format!("Your reservation {number} has expired"),
            Notice::OrderRefunded { number } => format!("Order {number} was refunded"),
            Notice::Sold { number, .. } => format!("You made a sale: order {number}"),
            Notice::ListingSold { title, .. } => format!("Sold: {title}"),
            Notice::BidReceived { title, .. } => format!("New bid on {title}"),
            Notice::Outbid { title, .. } => format!("You were outbid on {title}"),
            Notice::BidRejected { title, .. } => format!("Your bid on {title} was not accepted"),
            Notice::AuctionWon { title, .. } => format!("You won {title}"),
            Notice::AuctionUnsold { title, .. } => format!("{title} ended without a bid"),
            Notice::BookingRequested { title, .. } => format!("New booking request: {title}"),
            Notice::BookingAccepted { title, .. } => format!("Booking accepted: {title}"),
            Notice::BookingDeclined { title, .. } => format!("Booking declined: {title}"),
            Notice::BookingExpired { title, .. } => format!("Booking expired: {title}"),
            Notice::BookingDepositHeld { title, .. } => format!("Deposit paid: {title}"),
            Notice::BookingDelivered { title, .. } => format!("Marked as done: {title}"),
            Notice::BookingBalanceDue { title, .. } => format!("Balance due: {title}"),
            Notice::BookingClosed { title, .. } => format!("Booking completed: {title}"),
            Notice::BookingCancelled { title, .. } => format!("Booking cancelled: {title}"),
            Notice::BookingDisputed { title, .. } => format!("Booking disputed: {title}"),
            Notice::BookingResolved { title, .. } => format!("Dispute decided: {title}"),
            Notice::ReviewReceived { rating } => format!("You received a review: {rating} of 5 stars"),
            Notice::CreditGranted { amount, .. } => format!("Your wallet changed by {amount}"),
            Notice::ToppedUp { amount } => format!("Your wallet was topped up by {amount}"),
            Notice::TopUpFailed { amount } => format!("Your top-up of {amount} failed"),
        }
    }

    /// One or two sentences.
    pub fn body(&self) -> String {
        match self {
            Notice::OrderConfirmed { .. } => "Payment is made and the invoice is ready.".to_owned(),
            Notice::OrderRejected { reason, .. } | Notice::OrderCancelled { reason, .. } => {
                format!("{} Nothing was charged.", because(reason.as_deref()))
            }
            Notice::OrderExpired { .. } => "It was not paid in time and is on sale again.".to_owned(),
            Notice::OrderRefunded { .. } => "The money is back in your wallet.".to_owned(),
            Notice::Sold { titles, .. } => format!("{}. Your share is in your wallet.", titles.join(", ")),
            Notice::ListingSold { price, .. } => format!("The price was {price}."),
            Notice::BidReceived { amount, .. } => format!("The highest bid is now {amount}."),
            Notice::Outbid { .. } => {
                "Your money is free again. Bid higher to stay in the auction.".to_owned()
            }
            Notice::BidRejected { reason, .. } => because(Some(reason)),
            Notice::AuctionWon { price, .. } => format!("The price of {price} was paid from your wallet."),
            Notice::AuctionUnsold { .. } => "You can list it again at any time.".to_owned(),
            Notice::BookingRequested { price, .. } => {
                format!("The price is {price}. Accept or decline within 48 hours.")
            }
            Notice::BookingAccepted { .. } => "Pay the deposit within 24 hours to keep it.".to_owned(),
            Notice::BookingDeclined { note, .. } => note_or(note.as_deref(), "The seller cannot take it."),
            Notice::BookingExpired { .. } => "A step was not taken in time.".to_owned(),
            Notice::BookingDepositHeld { deposit, .. } => {
                format!("{deposit} is kept safe until both of you confirm. You can begin.")
            }
            Notice::BookingDelivered { .. } => {
                "Please confirm within seven days, or open a dispute.".to_owned()
            }
            Notice::BookingBalanceDue { balance, .. } => format!("Please pay the balance of {balance}."),
            Notice::BookingClosed { .. } => "All is paid. Thank you!".to_owned(),
            Notice::BookingCancelled { .. } => "The other side called it off.".to_owned(),
            Notice::BookingDisputed { note, .. } => {
                note_or(note.as_deref(), "The buyer says that something is wrong. A manager will look at it.")
            }
            Notice::BookingResolved { refunded, released, .. } => {
                format!("{refunded} went back to the buyer and {released} to the seller.")
            }
            Notice::ReviewReceived { .. } => "Read what was written.".to_owned(),
            Notice::CreditGranted { reason, .. } => reason.clone(),
            Notice::ToppedUp { .. } => "The payment has arrived.".to_owned(),
            Notice::TopUpFailed { .. } => "Nothing was charged. You can try again.".to_owned(),
        }
    }

    /// Where to read on, a path of the storefront.
    pub fn path(&self) -> String {
        match self {
            Notice::OrderConfirmed { number }
            | Notice::OrderRejected { number, .. }
            | Notice::OrderCancelled { number, .. }
            | Notice::OrderExpired { number }
            | Notice::OrderRefunded { number } => format!("/orders/{number}"),
            Notice::Sold { .. } | Notice::ReviewReceived { .. } => "/seller".to_owned(),
            Notice::ListingSold { listing_id, .. }
            | Notice::BidReceived { listing_id, .. }
            | Notice::Outbid { listing_id, .. }
            | Notice::BidRejected { listing_id, .. }
            | Notice::AuctionWon { listing_id, .. }
            | Notice::AuctionUnsold { listing_id, .. } => format!("/listings/{listing_id}"),
            Notice::BookingRequested { booking_id, .. }
            | Notice::BookingAccepted { booking_id, .. }
            | Notice::BookingDeclined { booking_id, .. }
            | Notice::BookingExpired { booking_id, .. }
            | Notice::BookingDepositHeld { booking_id, .. }
            | Notice::BookingDelivered { booking_id, .. }
            | Notice::BookingBalanceDue { booking_id, .. }
            | Notice::BookingClosed { booking_id, .. }
            | Notice::BookingCancelled { booking_id, .. }
            | Notice::BookingDisputed { booking_id, .. }
            | Notice::BookingResolved { booking_id, .. } => format!("/bookings/{booking_id}"),
            Notice::CreditGranted { .. } | Notice::ToppedUp { .. } | Notice::TopUpFailed { .. } => {
                "/account".to_owned()
            }
        }
    }
}

/// A stable code in words.
fn because(code: Option<&str>) -> String {
    match code {
        None => String::new(),
        Some("OUT_OF_STOCK") => "Something in it is sold out.".to_owned(),
        Some("PRICE_CHANGED") => "A price changed in the meantime.".to_owned(),
        Some("INSUFFICIENT_FUNDS") => "Your wallet does not hold enough.".to_owned(),
        Some("ALREADY_RESERVED") => "Somebody else was faster.".to_owned(),
        Some("OUTBID") => "A higher bid came first.".to_owned(),
        Some("USER_BANNED") => "The account may not buy.".to_owned(),
        Some(other) => format!("Reason: {}.", other.to_lowercase().replace('_', " ")),
    }
}

fn note_or(note: Option<&str>, otherwise: &str) -> String {
    note.map(str::trim).filter(|note| !note.is_empty()).unwrap_or(otherwise).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_the_stored_tag() {
        let notice = Notice::Outbid { listing_id: Uuid::nil(), title: "Cup".into() };
        let stored = serde_json::to_value(&notice).unwrap();
        assert_eq!(stored["kind"], notice.kind());
        assert_eq!(serde_json::from_value::<Notice>(stored).unwrap(), notice);
    }

    #[test]
    fn a_code_becomes_words() {
        let rejected = Notice::OrderRejected { number: "K-1".into(), reason: Some("OUT_OF_STOCK".into()) };
        assert_eq!(rejected.body(), "Something in it is sold out. Nothing was charged.");
        let other = Notice::OrderRejected { number: "K-1".into(), reason: Some("NO_SUCH_THING".into()) };
        assert!(other.body().starts_with("Reason: no such thing."), "{}", other.body());
    }
}
