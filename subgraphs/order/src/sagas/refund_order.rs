//! Refund order: give the money back, mark the order REFUNDED (the pivot), put the units back into stock.
//!
//! The money comes first because it can be refused: the sellers may have spent their share. Then nothing else has
//! happened and the order stays CONFIRMED. Elsewhere: who may ask for it, and when (`app`).

use kopitiam_kafka::messages::stock::RestockLines;
use kopitiam_kafka::messages::wallet::{FundsRejected, RefundFunds};
use kopitiam_kit::saga::{
    Command, Definition, Failure, Message, Outcome, ReplyRule, Step, command_id, learn_nothing,
};
use serde::{Deserialize, Serialize};

use super::place_order::{PlaceOrder, hold_id};

/// What the steps need to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundOrder {
    /// How the order was paid and what it held.
    pub placed: PlaceOrder,
    /// What the buyer said.
    pub reason: String,
    /// Who asked: `user:<id>`.
    pub actor: String,
}

/// The steps. A refund is named by its order: there is at most one that moves money.
pub static REFUND_ORDER: Definition<RefundOrder> = Definition {
    kind: "refund-order",
    // A refund may have happened although its answer is late, so it is asked for until it is answered.
    deadline_seconds: 30 * 24 * 60 * 60,
    steps: &[
        Step::Send { name: "refund-funds", commands: &[REFUND_FUNDS] },
        Step::Pivot { name: "mark-refunded" },
        Step::Send { name: "restock", commands: &[RESTOCK] },
    ],
};

const REFUND_FUNDS: Command<RefundOrder> = Command {
    name: "refund-funds",
    message: |saga| {
        let placed = &saga.context.placed;
        let refund = RefundFunds {
            refund_id: command_id(saga.subject_id, "refund-funds"),
            hold_id: hold_id(saga.subject_id),
            user_id: placed.buyer_id,
            splits: placed.splits(),
            reason: format!("REFUND {}", placed.number),
        };
        Message::of(placed.buyer_id, &refund)
    },
    replies: &[
        ReplyRule { event: "FundsRefunded", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "FundsRejected", outcome: Outcome::Refused(refusal) },
    ],
    undo: None,
    when: None,
};

const RESTOCK: Command<RefundOrder> = Command {
    name: "restock",
    message: |saga| {
        let restock = RestockLines {
            reservation_id: saga.subject_id,
            lines: saga.context.placed.stock_lines(),
            reason: saga.context.reason.clone(),
        };
        Message::of(saga.subject_id, &restock)
    },
    replies: &[
        ReplyRule { event: "StockRestocked", outcome: Outcome::Done(learn_nothing) },
        ReplyRule { event: "StockRejected", outcome: Outcome::Refused(restock_refusal) },
    ],
    undo: None,
    when: None,
};

fn refusal(payload: &serde_json::Value) -> Failure {
    let reply = serde_json::from_value::<FundsRejected>(payload.clone());
    Failure::new(reply.map_or_else(|_| "REFUND_REFUSED".to_owned(), |reply| reply.code))
}

/// The stock takes back what it sold; an answer like this one is a fault that a person should see.
fn restock_refusal(payload: &serde_json::Value) -> Failure {
    Failure::new(payload["code"].as_str().unwrap_or("RESTOCK_REFUSED"))
}
