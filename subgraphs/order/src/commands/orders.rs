//! Checkout, and calling an order off.
//!
//! Elsewhere: what may be ordered (`domain::order`), stock and money (`sagas::place_order`).

use chrono::TimeDelta;
use kopitiam_kit::auth::Identity;
use kopitiam_kit::errors::{Failure, UserError};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Money, Tx, saga, time};
use serde::Serialize;
use uuid::Uuid;

use super::{NOTE_CHARACTERS_MAX, Shop, refunds, reload_order, too_long};
use crate::domain::lines::LineStatus;
use crate::domain::order::{self, Checkout, CheckoutRefusal, Order, OrderKind, OrderStatus};
use crate::events;
use crate::sagas::place_order::{DEADLINE_SECONDS, PlaceOrder};
use crate::sagas::purchase::CANCELLED;
use crate::store::{carts, orders, replicas};

/// What a buyer asks for at checkout, as sent.
#[derive(Debug, Clone, Serialize)]
pub struct CheckoutRequest {
    /// The cart.
    pub cart_id: String,
    /// The total that the buyer saw.
    pub expected_total: String,
    /// Its currency.
    pub currency: String,
}

/// Places an order: answers at once with the pending order, and the place-order saga goes on from there.
///
/// # Errors
/// Refusals; no order is there then. Failures of the database.
pub async fn checkout(
    shop: &Shop,
    buyer: &Identity,
    request: &CheckoutRequest,
    client_key: &str,
) -> Result<Order, Failure> {
    let key = Key::new(buyer.actor(), "checkout", client_key)?;
    let expected = Money::parse(&request.expected_total, &request.currency).map_err(UserError::from)?;
    let checkout = Checkout {
        buyer_id: buyer.user_id,
        expected_total_minor: expected.minor(),
        currency: request.currency.clone(),
    };
    let checkout = &checkout;
    let work = move |tx: Tx| async move {
        let now = time::of(&tx).await?;
        let cart = match Uuid::try_parse(&request.cart_id) {
            Ok(id) => carts::find(&tx, id, Some(buyer.user_id)).await?,
            Err(_) => None,
        };
        let Some(cart) = cart else {
            return Err(
                UserError::on(&["input", "cartId"], "CART_NOT_FOUND", "There is no such cart.").into()
            );
        };
        if replicas::is_banned(&tx, buyer.user_id).await? {
            return Err(Failure::refused("USER_BANNED", "This account may not buy."));
        }
        let expires_at = now + TimeDelta::seconds(i64::from(DEADLINE_SECONDS));
        let order = order::place(Uuid::now_v7(), &cart, checkout, now, expires_at)
            .map_err(|refusal| checkout_refusal(refusal, expected))?;
        orders::insert(&tx, &order, &buyer.actor()).await?;
        let context = PlaceOrder::of(&order, Some(cart.id), now);
        let saga_id = shop.place_order.begin(&tx, order.id, context, now).await?;
        events::order_created(&tx, &order, &buyer.actor(), saga_id).await?;
        Ok(order.id)
    };
    let order_id = idempotency::once(&shop.db, &key, request, work).await?;
    reload_order(shop, order_id).await
}

fn checkout_refusal(refusal: CheckoutRefusal, expected: Money) -> Failure {
    let error = match refusal {
        CheckoutRefusal::EmptyCart => {
            UserError::on(&["input", "cartId"], "EMPTY_CART", "There is nothing in this cart.")
        }
        CheckoutRefusal::Unavailable(name) => {
            UserError::on(&["input", "cartId"], "UNAVAILABLE", format!("{name} is no longer sold."))
        }
        CheckoutRefusal::OwnProduct(name) => {
            UserError::on(&["input", "cartId"], "OWN_PRODUCT", format!("{name} is your own."))
        }
        CheckoutRefusal::Currency => {
            UserError::on(&["input", "currency"], "CURRENCY_MISMATCH", "This cart is in another currency.")
        }
        CheckoutRefusal::PriceChanged(minor) => {
            let total = Money::new(minor, expected.currency());
            UserError::on(&["input", "expectedTotal"], "PRICE_CHANGED", format!("The total is now {total}."))
        }
    };
    error.into()
}

#[derive(Serialize)]
struct CancelRequest<'request> {
    id: &'request str,
    reason: Option<&'request str>,
}

/// Calls an order off. Before it is confirmed, what was reserved is given back; after, what was not handed over is
/// refunded and goes back into stock.
///
/// # Errors
/// Refusals: not the caller's order, or nothing to call off any more. Failures of the database.
pub async fn cancel_order(
    shop: &Shop,
    buyer: &Identity,
    id: &str,
    reason: Option<&str>,
    client_key: &str,
) -> Result<Order, Failure> {
    let key = Key::new(buyer.actor(), "cancelOrder", client_key)?;
    if too_long(reason) {
        let message = format!("The reason may have at most {NOTE_CHARACTERS_MAX} characters.");
        return Err(UserError::on(&["reason"], "REASON_TOO_LONG", message).into());
    }
    let work = move |tx: Tx| async move {
        let order = own_order(&tx, buyer.user_id, id).await?;
        match order.status {
            OrderStatus::Pending | OrderStatus::AwaitingPayment => abort(shop, &tx, &order, reason).await?,
            OrderStatus::Confirmed if order.kind == OrderKind::Cart => {
                cancel_confirmed(shop, &tx, &order, buyer, reason).await?;
            }
            _ => return Err(cannot_cancel()),
        }
        Ok(order.id)
    };
    let order_id = idempotency::once(&shop.db, &key, &CancelRequest { id, reason }, work).await?;
    reload_order(shop, order_id).await
}

/// The buyer's order of this id, for a change.
pub(super) async fn own_order(tx: &Tx, buyer_id: Uuid, id: &str) -> Result<Order, Failure> {
    let order = match Uuid::try_parse(id) {
        Ok(id) => orders::find_for_change(tx, id).await?,
        Err(_) => None,
    };
    // An order of somebody else is answered like one that is not there.
    order.filter(|order| order.buyer_id == buyer_id).ok_or_else(order_not_found)
}

pub(super) fn order_not_found() -> Failure {
    UserError::on(&["id"], "ORDER_NOT_FOUND", "There is no such order.").into()
}

/// The saga shows the end on the order and gives back what it had.
async fn abort(shop: &Shop, tx: &Tx, order: &Order, reason: Option<&str>) -> Result<(), Failure> {
    let wish = saga::Failure { code: CANCELLED.to_owned(), detail: serde_json::json!({ "note": reason }) };
    let now = time::of(tx).await?;
    let aborted = match order.kind {
        OrderKind::Cart => shop.place_order.abort(tx, order.id, wish, now).await?,
        OrderKind::Ticket => shop.reserve_listing.abort(tx, order.id, wish, now).await?,
        OrderKind::Auction => return Err(cannot_cancel()),
    };
    aborted.map_err(|_past_pivot| cannot_cancel())
}

/// Refunds whatever was not handed over.
async fn cancel_confirmed(
    shop: &Shop,
    tx: &Tx,
    order: &Order,
    buyer: &Identity,
    reason: Option<&str>,
) -> Result<(), Failure> {
    if order.lines.iter().any(|line| line.status == LineStatus::Refunding) {
        return Err(refunds::in_progress());
    }
    let open: Vec<_> = order.lines.iter().filter(|line| line.status == LineStatus::Open).collect();
    if open.is_empty() {
        return Err(cannot_cancel());
    }
    let reason = (CANCELLED, reason.unwrap_or("cancelled by the buyer"));
    refunds::begin(shop, tx, order, &open, reason, &buyer.actor()).await
}

fn cannot_cancel() -> Failure {
    Failure::refused("CANNOT_CANCEL", "This order can no longer be cancelled.")
}
