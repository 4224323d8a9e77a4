//! What the sagas change in this service's own rows, in their transactions.
//!
//! Always: an order's status moves by compare-and-set, so a saga that lost the race is told so and compensates.
//! Elsewhere: the steps (`place_order`, `refund_order`), who may begin or abort them (`commands`).

use chrono::{DateTime, Utc};
use kopitiam_kit::live::Hub;
use kopitiam_kit::saga::{Definition, Failure, Saga, SagaOwner, SagaState};
use kopitiam_kit::{SystemError, Tx};
use uuid::Uuid;

use super::place_order::{CANCELLED, PLACE_ORDER, PlaceOrder, explain};
use super::refund_order::{REFUND_ORDER, RefundOrder};
use crate::domain::order::{Order, OrderStatus};
use crate::events::{self, ACTOR};
use crate::store::carts;
use crate::store::orders::{self, Change};

/// The order's part in placing it.
pub struct PlaceOrderOwner {
    /// Woken when an order changed.
    pub changes: Hub<Uuid>,
}

impl SagaOwner for PlaceOrderOwner {
    type Context = PlaceOrder;

    fn definition(&self) -> &'static Definition<PlaceOrder> {
        &PLACE_ORDER
    }

    async fn answered(
        &self,
        tx: &Tx,
        saga: &Saga<PlaceOrder>,
        command: &str,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let note = match command {
            "reserve-stock" => "Stock is reserved",
            "hold-funds" => "Funds are held",
            "commit-stock" => "Stock is handed over",
            "capture-funds" => "Payment is captured",
            _ => return Ok(()),
        };
        let order = load(tx, saga.subject_id).await?;
        note_down(tx, &order, note, now, &self.changes).await
    }

    async fn pivot(
        &self,
        tx: &Tx,
        saga: &Saga<PlaceOrder>,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Failure>, SystemError> {
        let order = load(tx, saga.subject_id).await?;
        let confirmed = Change { to: OrderStatus::Confirmed, reason: None, actor: ACTOR, note: None };
        if !change(tx, &order, confirmed, saga.id, now, &self.changes).await? {
            return Ok(Err(Failure::new("ORDER_MOVED_ON")));
        }
        let invoice = orders::issue_invoice(tx, &order, now).await?;
        events::invoice_issued(tx, &order, &invoice, saga.id).await?;
        if let Some(cart_id) = saga.context.cart_id {
            let bought: Vec<(Uuid, i64)> =
                saga.context.lines.iter().map(|line| (line.product_id, line.quantity)).collect();
            carts::take_out(tx, cart_id, &bought, now.timestamp_millis()).await?;
        }
        Ok(Ok(()))
    }

    async fn failed(
        &self,
        tx: &Tx,
        saga: &Saga<PlaceOrder>,
        failure: &Failure,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let order = load(tx, saga.subject_id).await?;
        let note = explain(&order, failure);
        let buyer = format!("user:{}", order.buyer_id);
        let by_buyer = failure.code == CANCELLED;
        let change_to = Change {
            to: if by_buyer { OrderStatus::Cancelled } else { OrderStatus::Rejected },
            reason: Some(&failure.code),
            actor: if by_buyer { &buyer } else { ACTOR },
            note: note.as_deref().or_else(|| failure.detail["note"].as_str()),
        };
        change(tx, &order, change_to, saga.id, now, &self.changes).await?;
        Ok(())
    }

    async fn ended(
        &self,
        tx: &Tx,
        saga: &Saga<PlaceOrder>,
        _state: SagaState,
        _now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        self.changes.changed_by(tx, saga.subject_id);
        Ok(())
    }
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

    async fn pivot(
        &self,
        tx: &Tx,
        saga: &Saga<RefundOrder>,
        now: DateTime<Utc>,
    ) -> Result<Result<(), Failure>, SystemError> {
        let order = load(tx, saga.subject_id).await?;
        let refunded = Change {
            to: OrderStatus::Refunded,
            reason: Some(CANCELLED),
            actor: &saga.context.actor,
            note: Some(&saga.context.reason),
        };
        let moved = change(tx, &order, refunded, saga.id, now, &self.changes).await?;
        Ok(if moved { Ok(()) } else { Err(Failure::new("ORDER_MOVED_ON")) })
    }

    async fn failed(
        &self,
        tx: &Tx,
        saga: &Saga<RefundOrder>,
        failure: &Failure,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let order = load(tx, saga.subject_id).await?;
        let note = format!("The refund was refused: {}", failure.code);
        note_down(tx, &order, &note, now, &self.changes).await
    }

    async fn ended(
        &self,
        _tx: &Tx,
        _saga: &Saga<RefundOrder>,
        _state: SagaState,
        _now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        Ok(())
    }
}

async fn load(tx: &Tx, order_id: Uuid) -> Result<Order, SystemError> {
    let found = orders::find(tx, order_id).await?;
    found.ok_or_else(|| SystemError::Invariant(format!("saga about order {order_id}, which is not there")))
}

/// Changes the status with its event, and wakes who watches. `false`: the order is not in a state for it.
async fn change(
    tx: &Tx,
    order: &Order,
    change: Change<'_>,
    saga_id: Uuid,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<bool, SystemError> {
    if !order.status.may_become(change.to) {
        return Ok(false);
    }
    if !orders::change(tx, order, change, now).await? {
        return Err(lost_race(order.id));
    }
    events::status_changed(tx, order, &change, saga_id).await?;
    changes.changed_by(tx, order.id);
    Ok(true)
}

/// Adds a line to the order's history, and wakes who watches.
async fn note_down(
    tx: &Tx,
    order: &Order,
    note: &str,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<(), SystemError> {
    if !orders::annotate(tx, order, ACTOR, note, now).await? {
        return Err(lost_race(order.id));
    }
    changes.changed_by(tx, order.id);
    Ok(())
}

/// Another transaction changed the row since this one read it: the whole transaction is to be tried again.
fn lost_race(order_id: Uuid) -> SystemError {
    SystemError::Unavailable(format!("order {order_id} was changed by another transaction"))
}
