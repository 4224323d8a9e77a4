//! What this service publishes on `order.events.v1`, written in the transaction of the change.
//!
//! Elsewhere: the payload types (`kopitiam_kafka::messages::order`), the commands of sagas (`sagas`).

use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::order::{InvoiceIssued, OrderCreated, OrderLinePayload, OrderStatusChanged};
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::{SystemError, Tx};
use uuid::Uuid;

use crate::domain::order::Order;
use crate::store::orders::{Change, Invoice};

/// The actor of what this service does by itself.
pub const ACTOR: &str = "service:order";

/// An order was placed; `saga_id` is the correlation of all that follows.
///
/// # Errors
/// When the database fails.
pub async fn order_created(tx: &Tx, order: &Order, actor: &str, saga_id: Uuid) -> Result<(), SystemError> {
    let lines = order.lines.iter().map(|line| OrderLinePayload {
        line_id: line.id,
        product_id: line.product_id,
        listing_id: line.listing_id,
        seller_id: line.seller_id,
        title: line.title.clone(),
        quantity: i64::from(line.quantity),
        unit_price: Amount::new(line.unit_price_minor, &order.currency),
    });
    let created = OrderCreated {
        number: order.number.clone(),
        buyer_id: order.buyer_id,
        kind: order.kind.as_str().to_owned(),
        lines: lines.collect(),
        total: Amount::new(order.total_minor, &order.currency),
    };
    outbox::append(tx, NewMessage::new(order.id, actor, &created).correlation(saga_id)).await?;
    Ok(())
}

/// An order moved on from the status that `order` has.
///
/// # Errors
/// When the database fails.
pub async fn status_changed(
    tx: &Tx,
    order: &Order,
    change: &Change<'_>,
    correlation_id: Uuid,
) -> Result<(), SystemError> {
    let changed = OrderStatusChanged {
        number: order.number.clone(),
        buyer_id: order.buyer_id,
        from: order.status.as_str().to_owned(),
        to: change.to.as_str().to_owned(),
        reason: change.reason.map(str::to_owned),
    };
    outbox::append(tx, NewMessage::new(order.id, change.actor, &changed).correlation(correlation_id)).await?;
    Ok(())
}

/// An order has its invoice.
///
/// # Errors
/// When the database fails.
pub async fn invoice_issued(
    tx: &Tx,
    order: &Order,
    invoice: &Invoice,
    correlation_id: Uuid,
) -> Result<(), SystemError> {
    let issued = InvoiceIssued {
        invoice_id: invoice.id,
        number: invoice.number.clone(),
        buyer_id: order.buyer_id,
        total: Amount::new(invoice.total_minor, &invoice.currency),
        issued_at: invoice.issued_at,
    };
    outbox::append(tx, NewMessage::new(order.id, ACTOR, &issued).correlation(correlation_id)).await?;
    Ok(())
}
