//! Bookings: states, what each party can do in each, what time does, and where the escrow goes.
//!
//! Pure: (booking, what happens, now) → the booking after it and what the wallet must do. Always: escrow goes to the
//! seller only when both sides confirmed (silence counts after a week), when the buyer calls it off too late, or when a
//! manager says so (invariant I9); a booking that is not over has a time at which something happens by itself.
//! Elsewhere: rows (`store::bookings`), the wallet's part (`sagas::bookings`), who may ask (`commands::bookings`).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fee::platform_fee;

/// How long a seller may think about a request.
pub const ANSWER_WITHIN: TimeDelta = TimeDelta::hours(48);
/// How long a buyer may take to pay the deposit.
pub const DEPOSIT_WITHIN: TimeDelta = TimeDelta::hours(24);
/// After this silence a delivery counts as confirmed.
pub const CONFIRM_WITHIN: TimeDelta = TimeDelta::days(7);
/// Between reminders of an unpaid balance; after the first one managers may decide.
pub const REMIND_EVERY: TimeDelta = TimeDelta::days(7);
/// After this a dispute that nobody decided, or a service that never came, gives the buyer everything back.
pub const REFUND_AFTER: TimeDelta = TimeDelta::days(60);
/// A buyer who calls off at least this long before the start gets the deposit back; later it is the seller's.
pub const FREE_CANCEL_BEFORE: TimeDelta = TimeDelta::hours(48);

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
    /// Nothing will happen any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Declined | Self::Expired | Self::Cancelled)
    }

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
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

impl BookingAction {
    /// All actions.
    pub const ALL: [Self; 10] = [
        Self::Accept,
        Self::Decline,
        Self::PayDeposit,
        Self::MarkDelivered,
        Self::ConfirmCompletion,
        Self::PayBalance,
        Self::Cancel,
        Self::Dispute,
        Self::ResolveRefund,
        Self::ResolveRelease,
    ];
}

/// Who does something with a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who booked.
    Buyer,
    /// Who serves.
    Seller,
    /// Who decides disputes; never a party of the booking.
    Manager,
}

/// Which part of the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Part {
    /// Before the service, into escrow.
    Deposit,
    /// After it, to the seller together with the escrow.
    Balance,
}

/// What happens to a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A party acts. The amount is what a manager gives back to the buyer, in minor units, where they decide; `None`:
    /// all or nothing, as the action says.
    Act(Role, BookingAction, Option<i64>),
    /// The wallet set the money of this part aside.
    Held(Part),
    /// The booking's time is up.
    TimeUp,
}

/// What the wallet must do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Nothing.
    None,
    /// Take this part from the buyer; the booking moves on when the money is held.
    Collect(Part),
    /// Pay the whole escrow out. Minor units; they add up to what was in escrow.
    PayOut {
        /// To the seller.
        seller: i64,
        /// To the platform, out of the seller's part.
        fee: i64,
        /// Back to the buyer.
        buyer: i64,
    },
}

/// Why something cannot happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not in this state, or not by this party.
    #[error("not possible now")]
    NotNow,
    /// More than there is in escrow, or less than nothing.
    #[error("the amount must be 0 to what is in escrow")]
    Amount,
}

/// A booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// Identity.
    pub id: Uuid,
    /// The service booked.
    pub listing_id: Uuid,
    /// Its title then.
    pub title: String,
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
    /// What is in escrow now, in minor units.
    pub escrow_minor: i64,
    /// The deposit has been paid.
    pub deposit_paid: bool,
    /// When the service is wanted.
    pub starts_at: Option<DateTime<Utc>>,
    /// When the seller said it is done.
    pub seller_confirmed_at: Option<DateTime<Utc>>,
    /// When the buyer agreed, or their silence counted as agreement.
    pub buyer_confirmed_at: Option<DateTime<Utc>>,
    /// When silence becomes agreement.
    pub auto_confirm_at: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it came into its state.
    pub state_since: DateTime<Utc>,
    /// When the buyer was last reminded of the balance; from then on managers may decide.
    pub reminded_at: Option<DateTime<Utc>>,
    /// Counts its changes, from 1.
    pub version: i64,
}

impl Booking {
    /// What is still to be paid, in minor units.
    pub fn balance_due_minor(&self) -> i64 {
        if self.state.is_over() {
            0
        } else if self.deposit_paid {
            self.price_minor - self.deposit_minor
        } else {
            self.price_minor
        }
    }

    /// What `viewer` is to this booking; `None`: nothing.
    pub fn role_of(&self, viewer: Uuid, is_manager: bool) -> Option<Role> {
        if viewer == self.buyer_id {
            Some(Role::Buyer)
        } else if viewer == self.seller_id {
            Some(Role::Seller)
        } else {
            is_manager.then_some(Role::Manager)
        }
    }

    /// What `viewer` can do now. A manager who is a party cannot decide their own dispute.
    pub fn allowed_actions(&self, viewer: Uuid, is_manager: bool) -> Vec<BookingAction> {
        let Some(role) = self.role_of(viewer, is_manager) else { return Vec::new() };
        BookingAction::ALL.into_iter().filter(|action| self.allows(role, *action)).collect()
    }

    fn allows(&self, role: Role, action: BookingAction) -> bool {
        use BookingAction as A;
        use BookingState as S;
        match (role, action) {
            (Role::Seller, A::Accept | A::Decline) => self.state == S::Requested,
            (Role::Buyer, A::PayDeposit) => self.state == S::Accepted,
            (Role::Seller, A::MarkDelivered) => self.state == S::DepositHeld,
            (Role::Buyer, A::ConfirmCompletion | A::Dispute) => self.state == S::Delivered,
            (Role::Buyer, A::PayBalance) => self.state == S::BalanceDue,
            (Role::Buyer, A::Cancel) => matches!(self.state, S::Requested | S::Accepted | S::DepositHeld),
            (Role::Seller, A::Cancel) => matches!(self.state, S::Accepted | S::DepositHeld),
            (Role::Manager, A::ResolveRefund | A::ResolveRelease) => {
                self.state == S::Disputed || (self.state == S::BalanceDue && self.reminded_at.is_some())
            }
            _ => false,
        }
    }

    /// When something happens by itself; `None` once over.
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        let since = self.state_since;
        match self.state {
            BookingState::Requested => Some(since + ANSWER_WITHIN),
            BookingState::Accepted => Some(since + DEPOSIT_WITHIN),
            BookingState::DepositHeld => {
                Some(self.starts_at.map_or(since, |at| at.max(since)) + REFUND_AFTER)
            }
            BookingState::Delivered => Some(self.auto_confirm_at.unwrap_or(since + CONFIRM_WITHIN)),
            BookingState::BalanceDue => Some(self.reminded_at.unwrap_or(since) + REMIND_EVERY),
            BookingState::Disputed => Some(since + REFUND_AFTER),
            BookingState::Closed
            | BookingState::Declined
            | BookingState::Expired
            | BookingState::Cancelled => None,
        }
    }

    /// The booking after this happened, and what the wallet must do.
    ///
    /// # Errors
    /// Why it cannot happen; the booking stays as it is.
    pub fn after(&self, happening: Happening, now: DateTime<Utc>) -> Result<(Self, Duty), Refusal> {
        match happening {
            Happening::Act(role, action, refund) if self.allows(role, action) => {
                self.acted(role, action, refund, now)
            }
            Happening::Held(Part::Deposit) if self.state == BookingState::Accepted => {
                let held = Self { deposit_paid: true, escrow_minor: self.deposit_minor, ..self.clone() };
                Ok((held.moved(BookingState::DepositHeld, now), Duty::None))
            }
            Happening::Held(Part::Balance) if self.state == BookingState::BalanceDue => {
                let paid = Self { escrow_minor: 0, ..self.clone() };
                Ok((paid.moved(BookingState::Closed, now), Duty::None))
            }
            Happening::TimeUp if self.due_at().is_some_and(|due_at| due_at <= now) => Ok(self.timed_out(now)),
            Happening::Act(..) | Happening::Held(_) | Happening::TimeUp => Err(Refusal::NotNow),
        }
    }

    /// An action that is allowed.
    fn acted(
        &self,
        role: Role,
        action: BookingAction,
        refund: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<(Self, Duty), Refusal> {
        use BookingAction as A;
        use BookingState as S;
        Ok(match action {
            // Without a deposit there is nothing to wait for.
            A::Accept if self.deposit_minor == 0 => (self.clone().moved(S::DepositHeld, now), Duty::None),
            A::Accept => (self.clone().moved(S::Accepted, now), Duty::None),
            A::Decline => (self.clone().moved(S::Declined, now), Duty::None),
            A::PayDeposit => (self.clone(), Duty::Collect(Part::Deposit)),
            A::PayBalance => (self.clone(), Duty::Collect(Part::Balance)),
            A::MarkDelivered => {
                let delivered = Self {
                    seller_confirmed_at: Some(now),
                    auto_confirm_at: Some(now + CONFIRM_WITHIN),
                    ..self.clone()
                };
                (delivered.moved(S::Delivered, now), Duty::None)
            }
            A::ConfirmCompletion => self.confirmed(now),
            A::Dispute => {
                let disputed = Self { auto_confirm_at: None, ..self.clone() };
                (disputed.moved(S::Disputed, now), Duty::None)
            }
            A::Cancel => {
                let in_time = self.starts_at.is_some_and(|at| now + FREE_CANCEL_BEFORE <= at);
                let back = if role == Role::Seller || in_time { self.escrow_minor } else { 0 };
                self.paid_out(S::Cancelled, back, now)
            }
            A::ResolveRefund | A::ResolveRelease => {
                let usual = if action == A::ResolveRefund { self.escrow_minor } else { 0 };
                let back = refund.unwrap_or(usual);
                if !(0..=self.escrow_minor).contains(&back) {
                    return Err(Refusal::Amount);
                }
                let is_full = action == A::ResolveRefund && back == self.escrow_minor;
                self.paid_out(if is_full { S::Cancelled } else { S::Closed }, back, now)
            }
        })
    }

    fn timed_out(&self, now: DateTime<Utc>) -> (Self, Duty) {
        match self.state {
            BookingState::Delivered => self.confirmed(now),
            BookingState::BalanceDue => {
                (Self { reminded_at: Some(now), ..self.clone() }.touched(), Duty::None)
            }
            BookingState::DepositHeld | BookingState::Disputed => {
                self.paid_out(BookingState::Cancelled, self.escrow_minor, now)
            }
            _ => (self.clone().moved(BookingState::Expired, now), Duty::None),
        }
    }

    /// Both sides agree that it is done.
    fn confirmed(&self, now: DateTime<Utc>) -> (Self, Duty) {
        let confirmed = Self { buyer_confirmed_at: Some(now), auto_confirm_at: None, ..self.clone() };
        if confirmed.balance_due_minor() == 0 {
            confirmed.paid_out(BookingState::Closed, 0, now)
        } else {
            (confirmed.moved(BookingState::BalanceDue, now), Duty::None)
        }
    }

    /// Over, with `back` minor units of the escrow to the buyer and the rest to the seller.
    fn paid_out(&self, state: BookingState, back: i64, now: DateTime<Utc>) -> (Self, Duty) {
        let to_seller = self.escrow_minor - back;
        let fee = platform_fee(to_seller);
        let duty = if self.escrow_minor == 0 {
            Duty::None
        } else {
            Duty::PayOut { seller: to_seller - fee, fee, buyer: back }
        };
        let over = Self { escrow_minor: 0, auto_confirm_at: None, ..self.clone() };
        (over.moved(state, now), duty)
    }

    fn moved(self, state: BookingState, now: DateTime<Utc>) -> Self {
        Self { state, state_since: now, ..self }.touched()
    }

    fn touched(self) -> Self {
        Self { version: self.version + 1, ..self }
    }
}

/// What is paid before a service, in minor units: the percentage of the price, rounded up.
pub fn deposit_of(price_minor: i64, percent: i32) -> i64 {
    let minor = (i128::from(price_minor) * i128::from(percent.clamp(0, 100)) + 99) / 100;
    i64::try_from(minor).expect("at most the whole of an i64")
}

#[cfg(test)]
mod tests;
