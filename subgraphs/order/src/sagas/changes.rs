//! What the sagas change in orders and bookings: the row, its history, its event, and who is woken, in one transaction.

use chrono::{DateTime, Utc};
use kopitiam_kit::live::Hub;
use kopitiam_kit::{SystemError, Tx};
use uuid::Uuid;

use crate::domain::booking::{Booking, Happening};
use crate::domain::order::Order;
use crate::events::{self, ACTOR};
use crate::store::bookings::{self, Cause};
use crate::store::orders::{self, Change};

/// The order that a saga is about, for a change.
pub(crate) async fn load_order(tx: &Tx, id: Uuid) -> Result<Order, SystemError> {
    let found = orders::find_for_change(tx, id).await?;
    found.ok_or_else(|| SystemError::Invariant(format!("saga about order {id}, which is not there")))
}

/// Changes an order's status with its event, and wakes who watches. `false`: the order is not in a state for it.
pub(crate) async fn change_order(
    tx: &Tx,
    order: &Order,
    change: Change<'_>,
    correlation_id: Uuid,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<bool, SystemError> {
    if !order.status.may_become(change.to) {
        return Ok(false);
    }
    if !orders::change(tx, order, change, now).await? {
        return Err(lost_race("order", order.id));
    }
    events::status_changed(tx, order, &change, correlation_id).await?;
    changes.changed_by(tx, order.id);
    Ok(true)
}

/// Confirms an order with its invoice, in the transaction of the pivot. `false`: the order moved on before.
pub(crate) async fn confirm_order(
    tx: &Tx,
    order: &Order,
    hold_id: Uuid,
    saga_id: Uuid,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<bool, SystemError> {
    use crate::domain::order::OrderStatus;
    let confirmed = Change { to: OrderStatus::Confirmed, reason: None, actor: ACTOR, note: None };
    if !change_order(tx, order, confirmed, saga_id, now, changes).await? {
        return Ok(false);
    }
    orders::paid_by(tx, order.id, hold_id).await?;
    let invoice = orders::issue_invoice(tx, order, now).await?;
    events::invoice_issued(tx, order, &invoice, saga_id).await?;
    Ok(true)
}

/// Adds a line to an order's history, and wakes who watches.
pub(crate) async fn note_order(
    tx: &Tx,
    order: &Order,
    actor: &str,
    note: &str,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<(), SystemError> {
    if !orders::annotate(tx, order, actor, note, now).await? {
        return Err(lost_race("order", order.id));
    }
    changes.changed_by(tx, order.id);
    Ok(())
}

/// The booking that a saga is about, for a change.
pub(crate) async fn load_booking(tx: &Tx, id: Uuid) -> Result<Booking, SystemError> {
    let found = bookings::find_for_change(tx, id).await?;
    found.ok_or_else(|| SystemError::Invariant(format!("saga about booking {id}, which is not there")))
}

/// A booking moved: its row, history and events, and who watches is woken.
pub(crate) async fn move_booking(
    tx: &Tx,
    before: &Booking,
    after: &Booking,
    (happening, cause): (Happening, Cause<'_>),
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<(), SystemError> {
    if !bookings::save(tx, before.version, after, cause, now).await? {
        return Err(lost_race("booking", before.id));
    }
    events::booking_moved(tx, before, after, happening, cause).await?;
    changes.changed_by(tx, before.id);
    Ok(())
}

/// Adds a line to a booking's history, and wakes who watches.
pub(crate) async fn note_booking(
    tx: &Tx,
    booking: &Booking,
    note: &str,
    now: DateTime<Utc>,
    changes: &Hub<Uuid>,
) -> Result<(), SystemError> {
    let noted = Booking { version: booking.version + 1, ..booking.clone() };
    let cause = Cause { actor: ACTOR, note: Some(note) };
    if !bookings::save(tx, booking.version, &noted, cause, now).await? {
        return Err(lost_race("booking", booking.id));
    }
    changes.changed_by(tx, booking.id);
    Ok(())
}

/// Another transaction changed the row since this one read it: the whole transaction is to be tried again.
fn lost_race(what: &str, id: Uuid) -> SystemError {
    SystemError::Unavailable(format!("{what} {id} was changed by another transaction"))
}
