//! What every way to pay for an order has in common: how its history tells the answers, and how the order ends.
//!
//! Elsewhere: the steps of each way (`place_order`, `reserve_listing`), the rows (`changes`).

use chrono::{DateTime, Utc};
use kopitiam_kit::live::Hub;
use kopitiam_kit::saga::{Failure, Saga, SagaState};
use kopitiam_kit::{SystemError, Tx};
use uuid::Uuid;

use super::changes::{change_order, confirm_order, load_order, note_order};
use crate::domain::order::{Order, OrderStatus};
use crate::events::ACTOR;
use crate::store::orders::{self, Change};

/// The code of a failure that the buyer wished for.
pub const CANCELLED: &str = "CANCELLED_BY_BUYER";
/// The code of a failure by the saga's deadline, as the engine gives it.
const DEADLINE: &str = "DEADLINE";
/// The order is not in a state to be confirmed any more.
const MOVED_ON: &str = "ORDER_MOVED_ON";

/// What an order's history says when a command was answered.
const ANSWERED: &[(&str, &str)] = &[
    ("reserve-stock", "Stock is reserved"),
    ("lock-listing", "The listing is reserved"),
    ("hold-funds", "Funds are held"),
    ("commit-stock", "Stock is handed over"),
    ("sell-listing", "The listing is handed over"),
    ("capture-funds", "Payment is captured"),
];

/// A command was answered: the order's history says so.
pub(super) async fn answered<C: Sync>(
    tx: &Tx,
    saga: &Saga<C>,
    command: &str,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<(), SystemError> {
    let Some((_, note)) = ANSWERED.iter().find(|(name, _)| *name == command) else { return Ok(()) };
    let order = load_order(tx, saga.subject_id).await?;
    note_order(tx, &order, ACTOR, note, now, changes).await
}

/// The pivot: the order is confirmed with its invoice, or it moved on before.
pub(super) async fn confirm<C: Sync>(
    tx: &Tx,
    saga: &Saga<C>,
    hold_id: Uuid,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<Result<(), Failure>, SystemError> {
    let order = load_order(tx, saga.subject_id).await?;
    let confirmed = confirm_order(tx, &order, hold_id, saga.id, now, changes).await?;
    Ok(if confirmed { Ok(()) } else { Err(Failure::new(MOVED_ON)) })
}

/// The purchase failed: the order says so at once, by its buyer's name if the buyer wished for it. `late` is its status
/// when time ran out; `explain` says more of the failure for people.
pub(super) async fn failed<C: Sync>(
    tx: &Tx,
    saga: &Saga<C>,
    failure: &Failure,
    late: OrderStatus,
    explain: fn(&Order, &Failure) -> Option<String>,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<(), SystemError> {
    let order = load_order(tx, saga.subject_id).await?;
    let buyer = format!("user:{}", order.buyer_id);
    let (to, actor) = match failure.code.as_str() {
        CANCELLED => (OrderStatus::Cancelled, buyer.as_str()),
        DEADLINE => (late, ACTOR),
        _ => (OrderStatus::Rejected, ACTOR),
    };
    let note = explain(&order, failure);
    let note = note.as_deref().or_else(|| failure.detail["note"].as_str());
    let change = Change { to, reason: Some(&failure.code), actor, note };
    change_order(tx, &order, change, saga.id, now, changes).await?;
    Ok(())
}

/// The saga is over: when it went through, the money is where it belongs.
pub(super) async fn ended<C: Sync>(
    tx: &Tx,
    saga: &Saga<C>,
    state: SagaState,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<(), SystemError> {
    if state == SagaState::Completed {
        orders::settled(tx, saga.subject_id, now).await?;
    }
    changes.changed_by(tx, saga.subject_id);
    Ok(())
}
