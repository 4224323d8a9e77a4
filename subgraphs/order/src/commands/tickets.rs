//! Reserving a fixed-price listing, and paying for it before the reservation ends.
//!
//! Elsewhere: the lock, the deadline and the money (`sagas::reserve_listing`).

use kopitiam_kit::auth::Identity;
use kopitiam_kit::errors::{Failure, UserError};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Tx, time};
use uuid::Uuid;

use super::orders::own_order;
use super::{Shop, reload_order};
use crate::domain::order::{self, Order, OrderKind, OrderStatus, ReserveRefusal};
use crate::events;
use crate::sagas::reserve_listing::{PAY_WITHIN, PAYMENT, ReserveListing};
use crate::store::{listings, orders, replicas};

/// Reserves a listing for fifteen minutes: answers at once with the order AWAITING_PAYMENT.
///
/// # Errors
/// Refusals; no order is there then. Failures of the database.
pub async fn reserve_listing(
    shop: &Shop,
    buyer: &Identity,
    listing_id: &str,
    client_key: &str,
) -> Result<Order, Failure> {
    let key = Key::new(buyer.actor(), "reserveListing", client_key)?;
    let work = move |tx: Tx| async move {
        let now = time::of(&tx).await?;
        let listing = match Uuid::try_parse(listing_id) {
            Ok(id) => listings::find(&tx, id).await?,
            Err(_) => None,
        };
        let Some(listing) = listing else {
            return Err(
                UserError::on(&["listingId"], "LISTING_NOT_FOUND", "There is no such listing.").into()
            );
        };
        if replicas::is_banned(&tx, buyer.user_id).await? {
            return Err(Failure::refused("USER_BANNED", "This account may not buy."));
        }
        let until = now + PAY_WITHIN;
        let order =
            order::reserve(Uuid::now_v7(), &listing, buyer.user_id, now, until).map_err(reserve_refusal)?;
        orders::insert(&tx, &order, &buyer.actor()).await?;
        let context = ReserveListing::of(&order, listing.id, until);
        let saga_id = shop.reserve_listing.begin_until(&tx, until, order.id, context, now).await?;
        events::order_created(&tx, &order, &buyer.actor(), saga_id).await?;
        Ok(order.id)
    };
    let order_id = idempotency::once(&shop.db, &key, &listing_id, work).await?;
    reload_order(shop, order_id).await
}

fn reserve_refusal(refusal: ReserveRefusal) -> Failure {
    let (code, message) = match refusal {
        ReserveRefusal::Kind => ("NOT_RESERVABLE", "Only fixed-price listings can be reserved."),
        ReserveRefusal::OwnListing => ("OWN_LISTING", "This listing is your own."),
        ReserveRefusal::NotActive => ("NOT_ACTIVE", "This listing is not open."),
    };
    UserError::on(&["listingId"], code, message).into()
}

/// Pays for a reserved listing: the order is CONFIRMED once the funds are held. A refused payment leaves it payable
/// until it expires.
///
/// # Errors
/// Refusals: not the caller's order, not reserved (yet), paid already, expired. Failures of the database.
pub async fn pay_order(shop: &Shop, buyer: &Identity, id: &str, client_key: &str) -> Result<Order, Failure> {
    let key = Key::new(buyer.actor(), "payOrder", client_key)?;
    let work = move |tx: Tx| async move {
        let now = time::of(&tx).await?;
        let order = own_order(&tx, buyer.user_id, id).await?;
        if order.kind != OrderKind::Ticket || order.status != OrderStatus::AwaitingPayment {
            return Err(not_payable(order.status));
        }
        if order.expires_at.is_none_or(|expires_at| expires_at <= now) {
            return Err(not_payable(OrderStatus::Expired));
        }
        let signalled = shop.reserve_listing.signal(&tx, order.id, PAYMENT, |_| {}, now).await?;
        if signalled.is_ok() {
            return Ok(order.id);
        }
        // It waits for the listing's lock, or for the wallet's answer to an earlier payment.
        Err(Failure::refused_for_now(
            "ORDER_SETTLING",
            "One moment: the order is being worked on; try again.",
        ))
    };
    let order_id = idempotency::once(&shop.db, &key, &id, work).await?;
    reload_order(shop, order_id).await
}

fn not_payable(status: OrderStatus) -> Failure {
    let (code, message) = match status {
        OrderStatus::Confirmed | OrderStatus::Fulfilled | OrderStatus::Refunded => {
            ("ALREADY_PAID", "This order is paid.")
        }
        OrderStatus::Expired => ("ORDER_EXPIRED", "The time to pay this order is over."),
        _ => ("NOT_PAYABLE", "There is nothing to pay for this order."),
    };
    Failure::refused(code, message)
}
