//! What this service publishes on `order.events.v1`, `booking.events.v1` and `review.events.v1`, written in the
//! transaction of the change.
//!
//! Elsewhere: the payload types (`kopitiam_kafka::messages`), the commands of sagas (`sagas`).

use kopitiam_kafka::Message;
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::booking::{
    BookingAccepted, BookingBalanceDue, BookingCancelled, BookingClosed, BookingDeclined, BookingDelivered,
    BookingDepositHeld, BookingDisputed, BookingExpired, BookingRequested, BookingResolved,
};
use kopitiam_kafka::messages::order::{InvoiceIssued, OrderCreated, OrderLinePayload, OrderStatusChanged};
use kopitiam_kafka::messages::review::ReviewPosted;
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::{SystemError, Tx};
use uuid::Uuid;

use crate::domain::booking::{Booking, BookingAction, BookingState, Happening};
use crate::domain::order::{Order, OrderStatus};
use crate::domain::review::Subject;
use crate::store::bookings::Cause;
use crate::store::orders::{Change, Invoice};
use crate::store::reputation::{RatingSum, Review};

/// The actor of what this service does by itself.
pub const ACTOR: &str = "service:order";
/// The actor of what time does to bookings.
pub const SYSTEM: &str = "SYSTEM";

/// An order was placed; `saga_id` is the correlation of all that follows.
///
/// # Errors
/// When the database fails.
pub async fn order_created(tx: &Tx, order: &Order, actor: &str, saga_id: Uuid) -> Result<(), SystemError> {
    let created = OrderCreated {
        number: order.number.clone(),
        buyer_id: order.buyer_id,
        kind: order.kind.as_str().to_owned(),
        lines: lines(order),
        total: Amount::new(order.total_minor, &order.currency),
    };
    outbox::append(tx, NewMessage::new(order.id, actor, &created).correlation(saga_id)).await?;
    Ok(())
}

fn lines(order: &Order) -> Vec<OrderLinePayload> {
    let lines = order.lines.iter().map(|line| OrderLinePayload {
        line_id: line.id,
        product_id: line.product_id,
        listing_id: line.listing_id,
        seller_id: line.seller_id,
        title: line.title.clone(),
        quantity: i64::from(line.quantity),
        unit_price: Amount::new(line.unit_price_minor, &order.currency),
    });
    lines.collect()
}

/// An order moved on from the status that `order` has. Its sellers learn of it from the lines once it is paid.
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
        lines: if change.to == OrderStatus::Confirmed { lines(order) } else { Vec::new() },
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

/// A service was asked for.
///
/// # Errors
/// When the database fails.
pub async fn booking_requested(tx: &Tx, booking: &Booking, actor: &str) -> Result<(), SystemError> {
    let requested = BookingRequested {
        listing_id: booking.listing_id,
        buyer_id: booking.buyer_id,
        seller_id: booking.seller_id,
        price: Amount::new(booking.price_minor, &booking.currency),
        deposit: Amount::new(booking.deposit_minor, &booking.currency),
    };
    publish(tx, booking, actor, &requested).await
}

/// A booking moved, or its buyer is reminded of the balance.
///
/// # Errors
/// When the database fails.
pub async fn booking_moved(
    tx: &Tx,
    before: &Booking,
    after: &Booking,
    happening: Happening,
    cause: Cause<'_>,
) -> Result<(), SystemError> {
    let amount = |minor| Amount::new(minor, &after.currency);
    let note = || cause.note.map(str::to_owned);
    let actor = cause.actor;
    match (happening, after.state) {
        (Happening::Act(_, BookingAction::Accept, _), state) => {
            publish(tx, after, actor, &BookingAccepted {}).await?;
            if state == BookingState::DepositHeld {
                publish(tx, after, actor, &BookingDepositHeld { deposit: amount(0) }).await?;
            }
            Ok(())
        }
        (Happening::Act(_, BookingAction::ResolveRefund | BookingAction::ResolveRelease, refund), state) => {
            let usual = if state == BookingState::Cancelled { before.escrow_minor } else { 0 };
            let refunded = refund.unwrap_or(usual);
            let released = amount(before.escrow_minor - refunded);
            publish(tx, after, actor, &BookingResolved { refunded: amount(refunded), released }).await
        }
        (Happening::TimeUp, BookingState::Cancelled) if before.state == BookingState::Disputed => {
            let resolved = BookingResolved { refunded: amount(before.escrow_minor), released: amount(0) };
            publish(tx, after, actor, &resolved).await
        }
        (Happening::TimeUp, BookingState::Cancelled | BookingState::Expired) => {
            publish(tx, after, actor, &BookingExpired { from: before.state.as_str().to_owned() }).await
        }
        (_, BookingState::Declined) => publish(tx, after, actor, &BookingDeclined { note: note() }).await,
        (Happening::Act(role, ..), BookingState::Cancelled) => {
            let by =
                if role == crate::domain::booking::Role::Buyer { after.buyer_id } else { after.seller_id };
            publish(tx, after, actor, &BookingCancelled { by }).await
        }
        (_, BookingState::DepositHeld) => {
            publish(tx, after, actor, &BookingDepositHeld { deposit: amount(after.deposit_minor) }).await
        }
        (_, BookingState::Delivered) => publish(tx, after, actor, &BookingDelivered {}).await,
        (_, BookingState::BalanceDue) => {
            let automatic = happening == Happening::TimeUp && before.state == BookingState::Delivered;
            let balance = amount(after.balance_due_minor());
            publish(tx, after, actor, &BookingBalanceDue { automatic, balance }).await
        }
        (_, BookingState::Closed) => publish(tx, after, actor, &BookingClosed {}).await,
        (_, BookingState::Disputed) => publish(tx, after, actor, &BookingDisputed { note: note() }).await,
        (
            _,
            BookingState::Requested
            | BookingState::Accepted
            | BookingState::Expired
            | BookingState::Cancelled,
        ) => Ok(()),
    }
}

async fn publish<M: Message>(tx: &Tx, booking: &Booking, actor: &str, event: &M) -> Result<(), SystemError> {
    outbox::append(tx, NewMessage::new(booking.id, actor, event)).await?;
    Ok(())
}

/// Somebody reviewed something, which has these stars now.
///
/// # Errors
/// When the database fails.
pub async fn review_posted(
    tx: &Tx,
    review: &Review,
    subject: Subject,
    subject_id: Uuid,
    stars: RatingSum,
) -> Result<(), SystemError> {
    let posted = ReviewPosted {
        review_id: review.id,
        subject: subject.as_str().to_owned(),
        rating: review.rating,
        author_id: review.author_id,
        rating_sum: stars.sum,
        rating_count: stars.count,
    };
    let actor = format!("user:{}", review.author_id);
    outbox::append(tx, NewMessage::new(subject_id, &actor, &posted)).await?;
    Ok(())
}
