//! Refund lines of an order: decide (the pivot), give the money back, put the units back into stock.
//!
//! Always: the lines are claimed for this refund before any money moves, so nothing else can hand them over or refund
//! them meanwhile, and the decision is never taken back. A seller who has spent the money owes it: the wallet is asked
//! until it is there. Elsewhere: who may ask for it, and when (`commands::refunds`).

use chrono::{DateTime, Utc};
use kopitiam_kafka::messages::stock::{RestockLines, StockLine};
use kopitiam_kafka::messages::wallet::RefundFunds;
use kopitiam_kit::live::Hub;
use kopitiam_kit::saga::{
    Command, Definition, Failure, Message, Outcome, ReplyRule, Saga, SagaOwner, SagaState, Step,
    learn_nothing,
};
use kopitiam_kit::{SystemError, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::changes::{change_order, load_order, note_order};
use super::wallet::Shares;
use crate::domain::lines;
use crate::domain::order::{Order, OrderLine, OrderStatus};
use crate::store::lines as rows;
use crate::store::orders::Change;

/// What the steps need to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundOrder {
    /// Names the refund, in the wallet and on its lines.
    pub refund_id: Uuid,
    /// The hold that paid the order.
    pub hold_id: Uuid,
    /// Number of the order, shown in the wallet.
    pub number: String,
    /// Who gets the money.
    pub buyer_id: Uuid,
    /// Who gives it back.
    pub shares: Shares,
    /// Its lines.
    pub line_ids: Vec<Uuid>,
    /// Quantity per product that comes back into stock.
    pub units: Vec<(Uuid, i64)>,
    /// Why, as a code of the order.
    pub code: String,
    /// Why, in words.
    pub reason: String,
    /// Who asked: `user:<id>`.
    pub actor: String,
}

impl RefundOrder {
    /// The refund of these lines of an order that `hold_id` paid.
    pub fn of(
        order: &Order,
        hold_id: Uuid,
        lines: &[&OrderLine],
        (code, reason): (&str, &str),
        actor: &str,
    ) -> Self {
        Self {
            refund_id: Uuid::now_v7(),
            hold_id,
            number: order.number.clone(),
            buyer_id: order.buyer_id,
            shares: Shares::of(lines.iter().copied(), &order.currency),
            line_ids: lines.iter().map(|line| line.id).collect(),
            units: lines::quantities(lines.iter().copied()),
            code: code.to_owned(),
            reason: reason.to_owned(),
            actor: actor.to_owned(),
        }
    }
}

/// The steps.
pub static REFUND_ORDER: Definition<RefundOrder> = Definition {
    kind: "refund-order",
    deadline_seconds: 5 * 60,
    steps: &[
        Step::Pivot { name: "decide" },
        Step::Send { name: "refund-funds", commands: &[REFUND_FUNDS] },
        Step::Send { name: "restock", commands: &[RESTOCK] },
    ],
};

const REFUND_FUNDS: Command<RefundOrder> = Command {
    name: "refund-funds",
    message: |saga| {
        let RefundOrder { refund_id, hold_id, buyer_id, ref shares, ref number, .. } = saga.context;
        let reason = format!("REFUND {number}");
        let refund = RefundFunds { refund_id, hold_id, user_id: buyer_id, splits: shares.splits(), reason };
        Message::of(buyer_id, &refund)
    },
    replies: &[
        ReplyRule { event: "FundsRefunded", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Retry },
    ],
    undo: None,
    when: None,
};

const RESTOCK: Command<RefundOrder> = Command {
    name: "restock",
    message: |saga| {
        let units = saga.context.units.iter();
        let restock = RestockLines {
            reservation_id: saga.subject_id,
            lines: units
                .map(|(product_id, quantity)| StockLine { product_id: *product_id, quantity: *quantity })
                .collect(),
            reason: saga.context.reason.clone(),
        };
        Message::of(saga.subject_id, &restock)
    },
    replies: &[
        ReplyRule { event: "StockRestocked", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "StockRejected", outcome: Outcome::Refused(restock_refusal) },
    ],
    undo: None,
    // A ticket has no units.
    when: Some(|context| !context.units.is_empty()),
};

/// The stock takes back what it sold; an answer like this one is a fault that a person should see.
fn restock_refusal(payload: &Value) -> Failure {
    Failure::new(payload["code"].as_str().unwrap_or("RESTOCK_REFUSED"))
}

/// The order's part in refunding it.
pub struct RefundOrderOwner {
    /// Woken when an order changed.
    pub changes: Hub<Uuid>,
}

impl SagaOwner for RefundOrderOwner {
    type Context = RefundOrder;

    fn definition(&self) -> &'static Definition<RefundOrder> {
        &REFUND_ORDER
    }

    async fn answered(
        &self,
        tx: &Tx,
        saga: &Saga<RefundOrder>,
        command: &str,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        if command != "refund-funds" {
            return Ok(());
        }
        let RefundOrder { refund_id, ref line_ids, ref code, ref reason, ref actor, .. } = saga.context;
        rows::refunded(tx, refund_id).await?;
        let order = load_order(tx, saga.subject_id).await?;
        let to = lines::status_of(&order.lines);
        let note = if to == OrderStatus::Refunded {
            reason.clone()
        } else {
            format!("{} of {} lines refunded: {reason}", line_ids.len(), order.lines.len())
        };
        let change = Change { to, reason: Some(code), actor, note: Some(&note) };
        if !change_order(tx, &order, change, saga.id, now, &self.changes).await? {
            note_order(tx, &order, actor, &note, now, &self.changes).await?;
        }
        Ok(())
    }

    async fn pivot(
        &self,
        tx: &Tx,
        saga: &Saga<RefundOrder>,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Failure>, SystemError> {
        let RefundOrder { refund_id, ref line_ids, ref actor, .. } = saga.context;
        if !rows::claim(tx, saga.subject_id, line_ids, refund_id).await? {
            // Whoever begins it holds the order's row and has looked at the lines: none can have gone meanwhile.
            return Err(SystemError::Unavailable(format!("lines of order {} moved on", saga.subject_id)));
        }
        let order = load_order(tx, saga.subject_id).await?;
        let note = format!("Refund of {} of {} lines begun", line_ids.len(), order.lines.len());
        note_order(tx, &order, actor, &note, now, &self.changes).await?;
        Ok(Ok(()))
    }

    async fn ended(
        &self,
        tx: &Tx,
        saga: &Saga<RefundOrder>,
        _state: SagaState,
        _now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        self.changes.changed_by(tx, saga.subject_id);
        Ok(())
    }
}
