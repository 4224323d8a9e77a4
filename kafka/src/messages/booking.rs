//! `booking.events.v1`: services booked, with escrow. The aggregate is the booking.

use uuid::Uuid;

use super::{Amount, payloads, topic_messages};

payloads! {
    /// A buyer asks for a service.
    struct BookingRequested {
        /// Which listing.
        listing_id: Uuid,
        /// Who asks.
        buyer_id: Uuid,
        /// Who would serve.
        seller_id: Uuid,
        /// Price, fixed from now.
        price: Amount,
        /// The part paid before the service.
        deposit: Amount,
    }
    /// The seller accepted.
    struct BookingAccepted {}
    /// The seller declined.
    struct BookingDeclined {
        /// What the seller wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    }
    /// A step was not taken in time.
    struct BookingExpired {
        /// The state it stood in.
        from: String,
    }
    /// The deposit is in escrow.
    struct BookingDepositHeld {
        /// How much.
        deposit: Amount,
    }
    /// The seller says the service is done.
    struct BookingDelivered {}
    /// The buyer, or silence, confirmed; the balance is due.
    struct BookingBalanceDue {
        /// Whether silence confirmed.
        automatic: bool,
        /// How much.
        balance: Amount,
    }
    /// All is paid out.
    struct BookingClosed {}
    /// Called off before delivery.
    struct BookingCancelled {
        /// Who did.
        by: Uuid,
    }
    /// The buyer disputes the delivery.
    struct BookingDisputed {
        /// What the buyer wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    }
    /// A manager decided the dispute.
    struct BookingResolved {
        /// Part that went back to the buyer.
        refunded: Amount,
        /// Part that went to the seller.
        released: Amount,
    }
}

topic_messages! {
    /// An event of `booking.events.v1`.
    enum BookingEvent on BookingEvents {
        "booking" => BookingRequested, BookingAccepted, BookingDeclined, BookingExpired, BookingDepositHeld,
            BookingDelivered, BookingBalanceDue, BookingClosed, BookingCancelled, BookingDisputed, BookingResolved;
    }
}
