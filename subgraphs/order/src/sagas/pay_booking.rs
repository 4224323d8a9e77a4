//! Pay a part of a booking: hold funds, count the part as paid (the pivot), capture: the deposit into escrow, the
//! balance together with the escrow to the seller.
//!
//! Always: if the booking moved on meanwhile, the hold is released and nothing was paid. Elsewhere: the rules
//! (`domain::booking`), who may pay (`commands::bookings`).

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::wallet::{CaptureFunds, HoldFunds, Payee, ReleaseFunds, Split};
use kopitiam_kit::live::Hub;
use kopitiam_kit::saga::{
    Command, Definition, Failure, Message, Outcome, ReplyRule, Saga, SagaOwner, SagaState, Step, Undo,
    learn_nothing,
};
use kopitiam_kit::{SystemError, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::changes::{load_booking, move_booking, note_booking};
use super::wallet;
use crate::domain::booking::{Booking, Happening, Part};
use crate::domain::fee::platform_fee;
use crate::store::bookings::Cause;

/// How long funds stay held if this service were never to come back.
const HELD_HOURS: i64 = 24;

/// What the steps need to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayBooking {
    /// Which part.
    pub part: Part,
    /// Who pays.
    pub buyer_id: Uuid,
    /// Who receives the whole at the end.
    pub seller_id: Uuid,
    /// Names the hold.
    pub hold_id: Uuid,
    /// What is paid now.
    pub amount: Amount,
    /// Whether something is in escrow already.
    pub has_escrow: bool,
    /// The whole price, in minor units.
    pub price_minor: i64,
    /// Until when the funds are held.
    pub held_until: DateTime<Utc>,
    /// Shown in the wallet.
    pub title: String,
}

impl PayBooking {
    /// What paying this part of a booking starts with.
    pub fn of(booking: &Booking, part: Part, now: DateTime<Utc>) -> Self {
        let minor = match part {
            Part::Deposit => booking.deposit_minor,
            Part::Balance => booking.balance_due_minor(),
        };
        Self {
            part,
            buyer_id: booking.buyer_id,
            seller_id: booking.seller_id,
            hold_id: Uuid::now_v7(),
            amount: Amount::new(minor, &booking.currency),
            has_escrow: booking.escrow_minor > 0,
            price_minor: booking.price_minor,
            held_until: now + TimeDelta::hours(HELD_HOURS),
            title: booking.title.clone(),
        }
    }

    /// Who gets what: the deposit waits in escrow; at the end the seller gets the whole price less the fee.
    fn splits(&self, booking_id: Uuid) -> Vec<Split> {
        let split = |to, minor| Split { to, amount: Amount::new(minor, &self.amount.currency) };
        let splits = match self.part {
            Part::Deposit => vec![split(Payee::Escrow { reference: booking_id }, self.amount.minor)],
            Part::Balance => {
                let fee = platform_fee(self.price_minor);
                let seller = Payee::User { user_id: self.seller_id };
                vec![split(seller, self.price_minor - fee), split(Payee::Fees, fee)]
            }
        };
        splits.into_iter().filter(|split| split.amount.minor > 0).collect()
    }
}

/// The steps. The saga's subject is the booking.
pub static PAY_BOOKING: Definition<PayBooking> = Definition {
    kind: "pay-booking",
    deadline_seconds: 60,
    steps: &[
        Step::Send { name: "hold-funds", commands: &[HOLD_FUNDS] },
        Step::Pivot { name: "count" },
        Step::Send { name: "capture-funds", commands: &[CAPTURE_FUNDS] },
    ],
};

const HOLD_FUNDS: Command<PayBooking> = Command {
    name: "hold-funds",
    message: |saga| {
        let PayBooking { buyer_id, hold_id, ref amount, held_until, ref title, .. } = saga.context;
        let hold = HoldFunds {
            hold_id,
            user_id: buyer_id,
            amount: amount.clone(),
            reason: format!("BOOKING {title}"),
            expires_at: held_until,
        };
        Message::of(buyer_id, &hold)
    },
    replies: &[
        ReplyRule { event: "FundsHeld", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Refused(wallet::refusal) },
    ],
    undo: Some(Undo {
        name: "release-funds",
        message: |saga| {
            let PayBooking { buyer_id, hold_id, .. } = saga.context;
            Message::of(buyer_id, &ReleaseFunds { hold_id, user_id: buyer_id })
        },
        confirmed_by: "FundsReleased",
    }),
    when: None,
};

const CAPTURE_FUNDS: Command<PayBooking> = Command {
    name: "capture-funds",
    message: |saga| {
        let PayBooking { buyer_id, hold_id, part, has_escrow, .. } = saga.context;
        let escrow = (part == Part::Balance && has_escrow).then_some(saga.subject_id);
        let splits = saga.context.splits(saga.subject_id);
        Message::of(buyer_id, &CaptureFunds { hold_id, user_id: buyer_id, splits, escrow })
    },
    replies: &[
        ReplyRule { event: "FundsCaptured", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Refused(wallet::refusal) },
    ],
    undo: None,
    when: None,
};

/// The booking's part in it.
pub struct PayBookingOwner {
    /// Woken when a booking changed.
    pub changes: Hub<Uuid>,
}

impl SagaOwner for PayBookingOwner {
    type Context = PayBooking;

    fn definition(&self) -> &'static Definition<PayBooking> {
        &PAY_BOOKING
    }

    async fn pivot(
        &self,
        tx: &Tx,
        saga: &Saga<PayBooking>,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Failure>, SystemError> {
        let booking = load_booking(tx, saga.subject_id).await?;
        let happening = Happening::Held(saga.context.part);
        let Ok((next, _no_duty)) = booking.after(happening, now) else {
            return Ok(Err(Failure::new("BOOKING_MOVED_ON")));
        };
        let buyer = format!("user:{}", booking.buyer_id);
        let cause = Cause { actor: &buyer, note: None };
        move_booking(tx, &booking, &next, (happening, cause), now, &self.changes).await?;
        Ok(Ok(()))
    }

    async fn failed(
        &self,
        tx: &Tx,
        saga: &Saga<PayBooking>,
        failure: &Failure,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let booking = load_booking(tx, saga.subject_id).await?;
        let note = format!("The payment was refused: {}", failure.code);
        note_booking(tx, &booking, &note, now, &self.changes).await
    }

    async fn ended(
        &self,
        tx: &Tx,
        saga: &Saga<PayBooking>,
        _state: SagaState,
        _now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        self.changes.changed_by(tx, saga.subject_id);
        Ok(())
    }
}
