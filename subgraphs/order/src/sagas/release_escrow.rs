//! Release a booking's escrow: the decision (the pivot) is the booking's own change in the same transaction, then the
//! wallet pays out until it says that it has.
//!
//! Elsewhere: who gets what (`domain::booking`), who decides (`commands::bookings`).

use chrono::{DateTime, Utc};
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::wallet::{Payee, ReleaseEscrow as ReleaseEscrowCommand, Split};
use kopitiam_kit::live::Hub;
use kopitiam_kit::saga::{
    Command, Definition, Message, Outcome, ReplyRule, Saga, SagaOwner, SagaState, Step, learn_nothing,
};
use kopitiam_kit::{SystemError, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::wallet;

/// What the steps need to know. Amounts are minor units.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseEscrow {
    /// Names the release.
    pub release_id: Uuid,
    /// Who paid into the escrow, and gets `buyer_minor` back.
    pub buyer_id: Uuid,
    /// Who gets `seller_minor`.
    pub seller_id: Uuid,
    /// To the seller.
    pub seller_minor: i64,
    /// To the platform.
    pub fee_minor: i64,
    /// Back to the buyer.
    pub buyer_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// Shown in the wallet.
    pub reason: String,
}

impl ReleaseEscrow {
    fn splits(&self) -> Vec<Split> {
        let parts = [
            (Payee::User { user_id: self.seller_id }, self.seller_minor),
            (Payee::Fees, self.fee_minor),
            (Payee::User { user_id: self.buyer_id }, self.buyer_minor),
        ];
        let parts = parts.into_iter().filter(|(_, minor)| *minor > 0);
        parts.map(|(to, minor)| Split { to, amount: Amount::new(minor, &self.currency) }).collect()
    }
}

/// The steps. The saga's subject is the booking.
pub static RELEASE_ESCROW: Definition<ReleaseEscrow> = Definition {
    kind: "release-escrow",
    deadline_seconds: 60,
    steps: &[Step::Pivot { name: "decide" }, Step::Send { name: "release-escrow", commands: &[RELEASE] }],
};

const RELEASE: Command<ReleaseEscrow> = Command {
    name: "release-escrow",
    message: |saga| {
        let ReleaseEscrow { release_id, buyer_id, ref reason, .. } = saga.context;
        let release = ReleaseEscrowCommand {
            release_id,
            reference: saga.subject_id,
            user_id: buyer_id,
            splits: saga.context.splits(),
            reason: reason.clone(),
        };
        Message::of(buyer_id, &release)
    },
    replies: &[
        ReplyRule { event: "EscrowReleased", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Refused(wallet::refusal) },
    ],
    undo: None,
    when: None,
};

/// The booking's part in it. Whoever begins it has moved the booking in the same transaction.
pub struct ReleaseEscrowOwner {
    /// Woken when a booking changed.
    pub changes: Hub<Uuid>,
}

impl SagaOwner for ReleaseEscrowOwner {
    type Context = ReleaseEscrow;

    fn definition(&self) -> &'static Definition<ReleaseEscrow> {
        &RELEASE_ESCROW
    }

    async fn ended(
        &self,
        tx: &Tx,
        saga: &Saga<ReleaseEscrow>,
        _state: SagaState,
        _now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        self.changes.changed_by(tx, saga.subject_id);
        Ok(())
    }
}
