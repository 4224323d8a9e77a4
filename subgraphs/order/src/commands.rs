//! What the mutations do, each in one transaction: carts, checkout, cancelling.
//!
//! In: a verified caller and parsed input. Out: the new state, or a refusal for `userErrors`. Always: what is written
//! is written with its event and its saga, or not at all. Elsewhere: the rules (`domain`), rows (`store`), what
//! happens after the answer (`sagas`).

use chrono::{TimeDelta, Utc};
use kopitiam_kit::auth::Identity;
use kopitiam_kit::errors::{Failure, UserError};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::live::Hub;
use kopitiam_kit::saga::{self, SagaState, Sagas};
use kopitiam_kit::{Db, Money, SystemError, Tx, time};
use serde::Serialize;
use uuid::Uuid;

use crate::domain::cart::{self, Cart, LINES_MAX, QUANTITY_MAX, Refusal};
use crate::domain::order::{self, Checkout, CheckoutRefusal, Order, OrderStatus};
use crate::events::{self, ACTOR};
use crate::sagas::owners::{PlaceOrderOwner, RefundOrderOwner};
use crate::sagas::place_order::{CANCELLED, DEADLINE_SECONDS, PlaceOrder};
use crate::sagas::refund_order::RefundOrder;
use crate::store::{carts, orders, replicas};

/// Longest reason that a buyer may give, in characters.
const REASON_CHARACTERS_MAX: usize = 500;

/// What every operation of this service works with.
pub struct Shop {
    /// Its database.
    pub db: Db,
    /// Woken with an order's id when it changed.
    pub changes: Hub<Uuid>,
    /// Orders being placed.
    pub place_order: Sagas<PlaceOrderOwner>,
    /// Orders being refunded.
    pub refund_order: Sagas<RefundOrderOwner>,
}

impl Shop {
    /// Over a migrated database.
    pub fn new(db: Db) -> Self {
        let changes = Hub::default();
        let place_order = Sagas::new(PlaceOrderOwner { changes: changes.clone() }, ACTOR);
        let refund_order = Sagas::new(RefundOrderOwner { changes: changes.clone() }, ACTOR);
        Self { db, changes, place_order, refund_order }
    }
}

/// Sets quantities of products in a cart: the one named, else the viewer's own, else a new one. A guest's cart that
/// is named by somebody logged in becomes theirs, or part of theirs.
///
/// # Errors
/// Refusals; nothing is changed then. Failures of the database.
pub async fn set_cart_lines(
    shop: &Shop,
    viewer: Option<Uuid>,
    cart_id: Option<Uuid>,
    lines: &[(Uuid, i32)],
) -> Result<Cart, Failure> {
    let now_ms = time::now().timestamp_millis();
    let work = move |tx: Tx| async move {
        let cart = open_cart(&tx, viewer, cart_id, now_ms).await?;
        let ids: Vec<Uuid> = lines.iter().map(|(product_id, _)| *product_id).collect();
        let products = replicas::products(&tx, &ids).await?;
        let wanted = cart::set_lines(&cart, lines, &products).map_err(|refusal| cart_refusal(&refusal))?;
        carts::set_lines(&tx, cart.id, &wanted, now_ms).await?;
        reload_cart(&tx, cart.id, viewer).await
    };
    shop.db.transaction(work).await
}

async fn open_cart(
    tx: &Tx,
    viewer: Option<Uuid>,
    cart_id: Option<Uuid>,
    now_ms: i64,
) -> Result<Cart, Failure> {
    let named = match cart_id {
        Some(id) => carts::find(tx, id, viewer).await?,
        None => None,
    };
    let Some(viewer) = viewer else {
        return match (named, cart_id) {
            (Some(cart), _) => Ok(cart),
            (None, None) => Ok(carts::create(tx, None, now_ms).await?),
            (None, Some(_)) => {
                Err(UserError::on(&["cartId"], "CART_NOT_FOUND", "There is no such cart.").into())
            }
        };
    };
    let own = carts::of_owner(tx, viewer).await?;
    match (named.filter(|cart| cart.owner_id.is_none()), own) {
        (Some(guest), Some(own)) => {
            carts::merge(tx, &guest, &own, now_ms).await?;
            reload_cart(tx, own.id, Some(viewer)).await
        }
        (Some(guest), None) => {
            carts::adopt(tx, guest.id, viewer).await?;
            reload_cart(tx, guest.id, Some(viewer)).await
        }
        (None, Some(own)) => Ok(own),
        (None, None) => Ok(carts::create(tx, Some(viewer), now_ms).await?),
    }
}

async fn reload_cart(tx: &Tx, id: Uuid, viewer: Option<Uuid>) -> Result<Cart, Failure> {
    let found = carts::find(tx, id, viewer).await?;
    Ok(found.ok_or_else(|| SystemError::Invariant(format!("cart {id} is gone within its transaction")))?)
}

fn cart_refusal(refusal: &Refusal) -> Failure {
    let on = |index: &usize, field: &str, code: &str, message: String| {
        UserError::on(&["lines", &index.to_string(), field], code, message)
    };
    let error = match refusal {
        Refusal::Quantity(index) => {
            let message = format!("The quantity must be 0 to {QUANTITY_MAX}.");
            on(index, "quantity", "INVALID_QUANTITY", message)
        }
        Refusal::Product(index) => {
            on(index, "productId", "UNKNOWN_PRODUCT", "This product is not for sale.".to_owned())
        }
        Refusal::Currency(index) => {
            let message = "This product is sold in another currency than the rest of the cart.".to_owned();
            on(index, "productId", "CURRENCY_MISMATCH", message)
        }
        Refusal::TooManyLines => {
            UserError::on(&["lines"], "CART_FULL", format!("A cart holds at most {LINES_MAX} products."))
        }
    };
    error.into()
}

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
        let now = time::now();
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

/// Calls an order off. Before it is confirmed, what was reserved is given back; after, the payment is refunded and
/// the units go back into stock.
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
    if reason.is_some_and(|reason| reason.chars().count() > REASON_CHARACTERS_MAX) {
        let message = format!("The reason may have at most {REASON_CHARACTERS_MAX} characters.");
        return Err(UserError::on(&["reason"], "REASON_TOO_LONG", message).into());
    }
    let work = move |tx: Tx| async move {
        let order = match Uuid::try_parse(id) {
            Ok(id) => orders::find(&tx, id).await?,
            Err(_) => None,
        };
        // An order of somebody else is answered like one that is not there.
        let order = order.filter(|order| order.buyer_id == buyer.user_id).ok_or_else(|| {
            Failure::from(UserError::on(&["id"], "ORDER_NOT_FOUND", "There is no such order."))
        })?;
        match order.status {
            OrderStatus::Pending | OrderStatus::AwaitingPayment => abort(shop, &tx, &order, reason).await?,
            OrderStatus::Confirmed => refund(shop, &tx, &order, buyer, reason).await?,
            _ => return Err(cannot_cancel()),
        }
        Ok(order.id)
    };
    let order_id = idempotency::once(&shop.db, &key, &CancelRequest { id, reason }, work).await?;
    reload_order(shop, order_id).await
}

async fn abort(shop: &Shop, tx: &Tx, order: &Order, reason: Option<&str>) -> Result<(), Failure> {
    let wish = saga::Failure { code: CANCELLED.to_owned(), detail: serde_json::json!({ "note": reason }) };
    let aborted = shop.place_order.abort(tx, order.id, wish, Utc::now()).await?;
    aborted.map_err(|_past_pivot| cannot_cancel())
}

async fn refund(
    shop: &Shop,
    tx: &Tx,
    order: &Order,
    buyer: &Identity,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let Some(placed) = shop.place_order.of_subject(tx, order.id).await? else {
        return Err(Failure::refused("NOT_REFUNDABLE", "This order cannot be refunded here."));
    };
    if placed.state != SagaState::Completed {
        return Err(Failure::refused(
            "ORDER_SETTLING",
            "The payment is being settled; try again in a moment.",
        ));
    }
    let earlier = shop.refund_order.of_subject(tx, order.id).await?;
    if earlier.is_some_and(|earlier| !earlier.state.is_over()) {
        return Err(Failure::refused("REFUND_IN_PROGRESS", "The refund of this order is under way."));
    }
    let context = RefundOrder {
        placed: placed.context,
        reason: reason.unwrap_or("cancelled by the buyer").to_owned(),
        actor: buyer.actor(),
    };
    shop.refund_order.begin(tx, order.id, context, time::now()).await?;
    Ok(())
}

fn cannot_cancel() -> Failure {
    Failure::refused("CANNOT_CANCEL", "This order can no longer be cancelled.")
}

async fn reload_order(shop: &Shop, id: Uuid) -> Result<Order, Failure> {
    let found = orders::find(shop.db.read(), id).await?;
    Ok(found
        .ok_or_else(|| SystemError::Invariant(format!("order {id} is not there after its transaction")))?)
}
