//! Handing over lines of a paid order, and refunding them: by their seller, or by a manager.
//!
//! Elsewhere: which lines (`domain::lines`), the money's way back (`sagas::refund_order`).

use kopitiam_kit::auth::{Identity, Viewer};
use kopitiam_kit::errors::{Failure, UserError};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Tx, time};
use serde::Serialize;
use uuid::Uuid;

use super::orders::order_not_found;
use super::{NOTE_CHARACTERS_MAX, Shop, reload_order, too_long};
use crate::domain::lines::{self, Deed, Doer, LinesRefusal};
use crate::domain::order::{Order, OrderLine};
use crate::sagas::changes::{change_order, note_order};
use crate::sagas::refund_order::RefundOrder;
use crate::store::lines as line_rows;
use crate::store::orders::{self, Change};

/// Scope to refund everybody's lines and to decide disputes.
pub const RESOLVE: &str = "disputes:resolve";
/// The reason that a refunded order shows when it was not its buyer who called it off.
const REFUNDED: &str = "REFUNDED_BY_SELLER";

#[derive(Serialize)]
struct LinesRequest<'request> {
    id: &'request str,
    line_ids: &'request [Uuid],
    reason: Option<&'request str>,
}

/// Marks lines as handed over; the order is FULFILLED when all are.
///
/// # Errors
/// Refusals: not the caller's lines, or not open. Failures of the database.
pub async fn fulfil_order(
    shop: &Shop,
    viewer: &Viewer,
    id: &str,
    line_ids: &[Uuid],
    client_key: &str,
) -> Result<Order, Failure> {
    let who = viewer.require()?;
    let key = Key::new(who.actor(), "fulfilOrder", client_key)?;
    let doer = doer(who, viewer);
    let work = move |tx: Tx| async move {
        let order = sold_order(&tx, id).await?;
        let picked: Vec<Uuid> =
            pick(&order, line_ids, Deed::Fulfil, doer)?.iter().map(|line| line.id).collect();
        if !line_rows::fulfil(&tx, order.id, &picked).await? {
            return Err(line_refusal(LinesRefusal::Line));
        }
        let now = time::of(&tx).await?;
        let order = sold_order(&tx, id).await?;
        let to = lines::status_of(&order.lines);
        let note = format!("{} of {} lines handed over", picked.len(), order.lines.len());
        let actor = who.actor();
        let change = Change { to, reason: None, actor: &actor, note: Some(&note) };
        if !change_order(&tx, &order, change, Uuid::now_v7(), now, &shop.changes).await? {
            note_order(&tx, &order, &actor, &note, now, &shop.changes).await?;
        }
        Ok(order.id)
    };
    let request = LinesRequest { id, line_ids, reason: None };
    let order_id = idempotency::once(&shop.db, &key, &request, work).await?;
    reload_order(shop, order_id).await
}

/// Gives the money of lines back to the buyer and their units back into stock. Decided at once; the lines are REFUNDED
/// when the money is back.
///
/// # Errors
/// Refusals: not the caller's lines, refunded already, or not settled yet. Failures of the database.
pub async fn refund_order(
    shop: &Shop,
    viewer: &Viewer,
    id: &str,
    line_ids: &[Uuid],
    reason: &str,
    client_key: &str,
) -> Result<Order, Failure> {
    let who = viewer.require()?;
    let key = Key::new(who.actor(), "refundOrder", client_key)?;
    let reason = reason.trim();
    if reason.is_empty() || too_long(Some(reason)) {
        let message = format!("The reason must have 1 to {NOTE_CHARACTERS_MAX} characters.");
        return Err(UserError::on(&["reason"], "INVALID_REASON", message).into());
    }
    let doer = doer(who, viewer);
    let work = move |tx: Tx| async move {
        let order = sold_order(&tx, id).await?;
        let picked = pick(&order, line_ids, Deed::Refund, doer)?;
        begin(shop, &tx, &order, &picked, (REFUNDED, reason), &who.actor()).await?;
        Ok(order.id)
    };
    let request = LinesRequest { id, line_ids, reason: Some(reason) };
    let order_id = idempotency::once(&shop.db, &key, &request, work).await?;
    reload_order(shop, order_id).await
}

/// Decides a refund of lines that are free for it; the caller holds the order's row.
///
/// # Errors
/// `ORDER_SETTLING` while the payment is on its way, `NOT_REFUNDABLE` when it is not known how the order was paid.
pub(super) async fn begin(
    shop: &Shop,
    tx: &Tx,
    order: &Order,
    lines: &[&OrderLine],
    reason: (&str, &str),
    actor: &str,
) -> Result<(), Failure> {
    let Some(hold_id) = order.hold_id else {
        return Err(Failure::refused("NOT_REFUNDABLE", "This order cannot be refunded here."));
    };
    if order.settled_at.is_none() {
        let message = "The payment is being settled; try again in a moment.";
        return Err(Failure::refused_for_now("ORDER_SETTLING", message));
    }
    let context = RefundOrder::of(order, hold_id, lines, reason, actor);
    shop.refund_order.begin(tx, order.id, context, time::of(tx).await?).await?;
    Ok(())
}

/// Lines of this order are on their way back.
pub(super) fn in_progress() -> Failure {
    Failure::refused_for_now("REFUND_IN_PROGRESS", "A refund of this order is under way.")
}

fn doer(who: &Identity, viewer: &Viewer) -> Doer {
    Doer { user_id: who.user_id, is_manager: viewer.has_scope(RESOLVE) }
}

async fn sold_order(tx: &Tx, id: &str) -> Result<Order, Failure> {
    let order = match Uuid::try_parse(id) {
        Ok(id) => orders::find_for_change(tx, id).await?,
        Err(_) => None,
    };
    order.ok_or_else(order_not_found)
}

fn pick<'order>(
    order: &'order Order,
    ids: &[Uuid],
    deed: Deed,
    doer: Doer,
) -> Result<Vec<&'order OrderLine>, Failure> {
    lines::pick(order, ids, deed, doer).map_err(|refusal| {
        // Whoever sells nothing in the order does not learn that it is there.
        let is_known = doer.is_manager || order.lines.iter().any(|line| line.seller_id == Some(doer.user_id));
        if is_known { line_refusal(refusal) } else { order_not_found() }
    })
}

fn line_refusal(refusal: LinesRefusal) -> Failure {
    let (code, message) = match refusal {
        LinesRefusal::Unknown => ("LINE_NOT_FOUND", "There is no such line of yours."),
        LinesRefusal::None => ("NO_LINES", "Name at least one line."),
        LinesRefusal::Order => ("ORDER_NOT_PAID", "This order is not paid, or over."),
        LinesRefusal::Line => ("LINE_DONE", "A line was handed over or refunded already."),
    };
    UserError::on(&["lineIds"], code, message).into()
}
