//! Placing a bid: the bidder's funds are held, then the bid leads. It does not: the hold is released, also one that is
//! granted late.

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::wallet::{HoldFunds, ReleaseFunds};
use kopitiam_kit::saga::{Command, Definition, Message, Outcome, ReplyRule, Step, Undo, learn_nothing};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::funds_refusal;

/// A hold outlives its auction by this much: settling has that long even when the end moves.
pub const HOLD_OUTLIVES: TimeDelta = TimeDelta::days(14);

/// What the saga remembers; its subject is the bid, whose id is also the hold's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceBid {
    /// Whose bid.
    pub bidder_id: Uuid,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Shown in the bidder's ledger.
    pub reason: String,
    /// The hold is released by itself after this.
    pub hold_until: DateTime<Utc>,
}

/// The steps.
pub static PLACE_BID: Definition<PlaceBid> = Definition {
    kind: "place-bid",
    deadline_seconds: 60,
    steps: &[Step::Send { name: "hold-funds", commands: &[HOLD_FUNDS] }, Step::Pivot { name: "lead" }],
};

const HOLD_FUNDS: Command<PlaceBid> = Command {
    name: "hold-funds",
    message: |saga| {
        let user_id = saga.context.bidder_id;
        let hold = HoldFunds {
            hold_id: saga.subject_id,
            user_id,
            amount: Amount::new(saga.context.amount_minor, &saga.context.currency),
            reason: saga.context.reason.clone(),
            expires_at: saga.context.hold_until,
        };
        Message::of(user_id, &hold)
    },
    replies: &[
        ReplyRule { event: "FundsHeld", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Refused(funds_refusal) },
    ],
    undo: Some(Undo {
        name: "release-funds",
        message: |saga| {
            let user_id = saga.context.bidder_id;
            Message::of(user_id, &ReleaseFunds { hold_id: saga.subject_id, user_id })
        },
        confirmed_by: "FundsReleased",
    }),
    when: None,
};
