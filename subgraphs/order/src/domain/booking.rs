//! Bookings: states, and the actions that each party has in each.
//!
//! Elsewhere: rows (`store::reputation`). Making and moving bookings is not here yet; this is what a page of one
//! shows.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where a booking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookingState {
    /// The seller has not answered.
    Requested,
    /// Waits for the deposit.
    Accepted,
    /// The deposit is in escrow.
    DepositHeld,
    /// The seller says it is done.
    Delivered,
    /// The buyer agrees; the rest is to be paid.
    BalanceDue,
    /// Paid.
    Closed,
    /// The seller said no.
    Declined,
    /// Nobody acted in time.
    Expired,
    /// Called off.
    Cancelled,
    /// Waits for a manager.
    Disputed,
}

impl BookingState {
    /// All states.
    pub const ALL: [Self; 10] = [
        Self::Requested,
        Self::Accepted,
        Self::DepositHeld,
        Self::Delivered,
        Self::BalanceDue,
        Self::Closed,
        Self::Declined,
        Self::Expired,
        Self::Cancelled,
        Self::Disputed,
    ];

    /// The stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Accepted => "ACCEPTED",
            Self::DepositHeld => "DEPOSIT_HELD",
            Self::Delivered => "DELIVERED",
            Self::BalanceDue => "BALANCE_DUE",
            Self::Closed => "CLOSED",
            Self::Declined => "DECLINED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
            Self::Disputed => "DISPUTED",
        }
    }

    /// The inverse of `as_str`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What a party can do with a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookingAction {
    /// The seller agrees.
    Accept,
    /// The seller refuses.
    Decline,
    /// The buyer pays the deposit into escrow.
    PayDeposit,
    /// The seller has done it.
    MarkDelivered,
    /// The buyer agrees that it is done.
    ConfirmCompletion,
    /// The buyer pays the rest.
    PayBalance,
    /// Either calls it off.
    Cancel,
    /// The buyer does not agree.
    Dispute,
    /// A manager gives the money back.
    ResolveRefund,
    /// A manager lets the seller have it.
    ResolveRelease,
}

/// A booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// Identity.
    pub id: Uuid,
    /// The service booked.
    pub listing_id: Uuid,
    /// Who books.
    pub buyer_id: Uuid,
    /// Who offers.
    pub seller_id: Uuid,
    /// Where it stands.
    pub state: BookingState,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// Whole price, in minor units.
    pub price_minor: i64,
    /// Deposit, in minor units.
    pub deposit_minor: i64,
    /// The deposit has been paid.
    pub deposit_paid: bool,
    /// When the seller said it is done.
    pub seller_confirmed_at: Option<DateTime<Utc>>,
    /// When the buyer agreed.
    pub buyer_confirmed_at: Option<DateTime<Utc>>,
    /// When silence becomes agreement.
    pub auto_confirm_at: Option<DateTime<Utc>>,
    /// Counts its changes, from 1.
    pub version: i64,
}

impl Booking {
    /// What is still to be paid, in minor units.
    pub fn balance_due_minor(&self) -> i64 {
        match self.state {
            BookingState::Closed
            | BookingState::Declined
            | BookingState::Expired
            | BookingState::Cancelled => 0,
            _ if self.deposit_paid => self.price_minor - self.deposit_minor,
            _ => self.price_minor,
        }
    }

    /// What `viewer` can do now.
    pub fn allowed_actions(&self, viewer: Uuid, is_manager: bool) -> Vec<BookingAction> {
        use BookingAction as A;
        let (buyer, seller) = (viewer == self.buyer_id, viewer == self.seller_id);
        let offered: &[(bool, A)] = match self.state {
            BookingState::Requested => &[(seller, A::Accept), (seller, A::Decline), (buyer, A::Cancel)],
            BookingState::Accepted => &[(buyer, A::PayDeposit), (buyer || seller, A::Cancel)],
            BookingState::DepositHeld => &[(seller, A::MarkDelivered), (buyer || seller, A::Cancel)],
            BookingState::Delivered => &[(buyer, A::ConfirmCompletion), (buyer, A::Dispute)],
            BookingState::BalanceDue => &[(buyer, A::PayBalance)],
            BookingState::Disputed => &[(is_manager, A::ResolveRefund), (is_manager, A::ResolveRelease)],
            BookingState::Closed
            | BookingState::Declined
            | BookingState::Expired
            | BookingState::Cancelled => &[],
        };
        offered.iter().filter(|(allowed, _)| *allowed).map(|(_, action)| *action).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking(state: BookingState, deposit_paid: bool) -> Booking {
        Booking {
            id: Uuid::nil(),
            listing_id: Uuid::nil(),
            buyer_id: Uuid::from_u128(1),
            seller_id: Uuid::from_u128(2),
            state,
            currency: "USD".into(),
            price_minor: 10_000,
            deposit_minor: 2_500,
            deposit_paid,
            seller_confirmed_at: None,
            buyer_confirmed_at: None,
            auto_confirm_at: None,
            version: 1,
        }
    }

    #[test]
    fn each_party_is_offered_its_own_actions_only() {
        let requested = booking(BookingState::Requested, false);
        assert_eq!(requested.allowed_actions(Uuid::from_u128(1), false), [BookingAction::Cancel]);
        let seller = requested.allowed_actions(Uuid::from_u128(2), false);
        assert_eq!(seller, [BookingAction::Accept, BookingAction::Decline]);
        assert!(requested.allowed_actions(Uuid::from_u128(3), false).is_empty());
        let disputed = booking(BookingState::Disputed, true);
        assert_eq!(disputed.allowed_actions(Uuid::from_u128(3), true).len(), 2);
        assert!(disputed.allowed_actions(Uuid::from_u128(1), false).is_empty());
    }

    #[test]
    fn balance_counts_the_deposit_once_paid() {
        assert_eq!(booking(BookingState::Accepted, false).balance_due_minor(), 10_000);
        assert_eq!(booking(BookingState::DepositHeld, true).balance_due_minor(), 7_500);
        assert_eq!(booking(BookingState::Closed, true).balance_due_minor(), 0);
    }
}
