//! Carts: what is in them, whose they are, and forgetting those of guests who never came back.
//!
//! Elsewhere: what may be put in (`domain::cart`), prices and stock (`store::replicas`).

use chrono::TimeDelta;
use kopitiam_kit::errors::{Failure, UserError};
use kopitiam_kit::purge::{AgeColumn, Expiring};
use kopitiam_kit::{SystemError, Tx, time};
use uuid::Uuid;

use super::Shop;
use crate::domain::cart::{self, Cart, LINES_MAX, QUANTITY_MAX, Refusal};
use crate::store::{carts, replicas};

/// Carts of guests that nobody touched for so long are forgotten.
pub const GUESTS: Expiring = Expiring {
    table: "cart",
    column: AgeColumn::Millis("updated_at_ms"),
    keep: TimeDelta::days(30),
    only: "owner_id IS NULL",
};

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
    // No request needs to name more than a cart can hold, and each line costs a query.
    if lines.len() > LINES_MAX {
        return Err(cart_refusal(&Refusal::TooManyLines));
    }
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
