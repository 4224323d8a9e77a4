//! Orders, their lines, history and invoices.
//!
//! Always: a status changes by compare-and-set on (status, version), so of two deciders one loses; each change
//! leaves a row of history under its version; invoice numbers come from a counter row of the same transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::entities::{counter, invoice, order, order_event, order_line};
use super::{parsed, time};
use crate::domain::lines::LineStatus;
use crate::domain::order::{Onlooker, Order, OrderKind, OrderLine, OrderStatus, invoice_number};

/// One status that an order went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// Which.
    pub status: OrderStatus,
    /// Who brought it about: `user:<id>` or `service:<name>`.
    pub actor: String,
    /// For people.
    pub note: Option<String>,
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Identity.
    pub id: Uuid,
    /// The order it is for.
    pub order_id: Uuid,
    /// Number, gapless per year.
    pub number: String,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// What was paid, in minor units.
    pub total_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
}

/// A change of status, with who and why.
#[derive(Debug, Clone, Copy)]
pub struct Change<'change> {
    /// The new status.
    pub to: OrderStatus,
    /// Code of the reason.
    pub reason: Option<&'change str>,
    /// Who: `user:<id>` or `service:<name>`.
    pub actor: &'change str,
    /// For people.
    pub note: Option<&'change str>,
}

/// Adds a new order with its first line of history.
///
/// # Errors
/// When the database fails.
pub async fn insert<C: ConnectionTrait>(db: &C, order: &Order, actor: &str) -> Result<(), DbErr> {
    let row = order::ActiveModel {
        id: Set(order.id),
        number: Set(order.number.clone()),
        kind: Set(order.kind.as_str().to_owned()),
        status: Set(order.status.as_str().to_owned()),
        status_reason: Set(order.status_reason.clone()),
        buyer_id: Set(order.buyer_id),
        currency: Set(order.currency.clone()),
        subtotal_minor: Set(order.subtotal_minor),
        fee_minor: Set(order.fee_minor),
        total_minor: Set(order.total_minor),
        placed_at_ms: Set(order.placed_at.timestamp_millis()),
        expires_at_ms: Set(order.expires_at.map(|at| at.timestamp_millis())),
        version: Set(order.version),
        hold_id: Set(order.hold_id),
        settled_at_ms: Set(order.settled_at.map(|at| at.timestamp_millis())),
    };
    order::Entity::insert(row).exec_without_returning(db).await?;
    let lines = order.lines.iter().zip(0..).map(|(line, position)| order_line::ActiveModel {
        id: Set(line.id),
        order_id: Set(order.id),
        position: Set(position),
        title: Set(line.title.clone()),
        product_id: Set(line.product_id),
        listing_id: Set(line.listing_id),
        seller_id: Set(line.seller_id),
        quantity: Set(line.quantity),
        unit_price_minor: Set(line.unit_price_minor),
        line_total_minor: Set(line.line_total_minor),
        fee_minor: Set(line.fee_minor),
        status: Set(line.status.as_str().to_owned()),
        refund_id: Set(None),
    });
    order_line::Entity::insert_many(lines).exec_without_returning(db).await?;
    let first = Change { to: order.status, reason: None, actor, note: None };
    remember(db, order.id, order.version, order.placed_at, &first).await
}

/// Moves an order on, if it still is as `order` says. `false`: somebody else moved it first, and nothing changed.
///
/// # Errors
/// When the database fails.
pub async fn change<C: ConnectionTrait>(
    db: &C,
    order: &Order,
    change: Change<'_>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    use order::Column as C;
    if !order.status.may_become(change.to) {
        return Ok(false);
    }
    let version = order.version + 1;
    let changed = order::Entity::update_many()
        .col_expr(C::Status, Expr::value(change.to.as_str()))
        .col_expr(C::StatusReason, Expr::value(change.reason.map(str::to_owned)))
        .col_expr(C::ExpiresAtMs, Expr::value(Option::<i64>::None))
        .col_expr(C::Version, Expr::value(version))
        .filter(C::Id.eq(order.id))
        .filter(C::Status.eq(order.status.as_str()))
        .filter(C::Version.eq(order.version))
        .exec(db)
        .await?;
    if changed.rows_affected != 1 {
        return Ok(false);
    }
    remember(db, order.id, version, now, &change).await?;
    Ok(true)
}

/// Adds a line of history without a change of status, under a version of its own.
///
/// # Errors
/// When the database fails.
pub async fn annotate<C: ConnectionTrait>(
    db: &C,
    order: &Order,
    actor: &str,
    note: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    use order::Column as C;
    let version = order.version + 1;
    let changed = order::Entity::update_many()
        .col_expr(C::Version, Expr::value(version))
        .filter(C::Id.eq(order.id))
        .filter(C::Version.eq(order.version))
        .exec(db)
        .await?;
    if changed.rows_affected != 1 {
        return Ok(false);
    }
    let note = Change { to: order.status, reason: None, actor, note: Some(note) };
    remember(db, order.id, version, now, &note).await?;
    Ok(true)
}

async fn remember<C: ConnectionTrait>(
    db: &C,
    order_id: Uuid,
    version: i64,
    at: DateTime<Utc>,
    change: &Change<'_>,
) -> Result<(), DbErr> {
    let row = order_event::ActiveModel {
        id: Set(Uuid::now_v7()),
        order_id: Set(order_id),
        version: Set(version),
        at_ms: Set(at.timestamp_millis()),
        status: Set(change.to.as_str().to_owned()),
        actor: Set(change.actor.to_owned()),
        note: Set(change.note.map(str::to_owned)),
    };
    order_event::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Issues the invoice of an order under the year's next number. The counter row is locked until the transaction
/// ends, so a number is taken only by an invoice that is really issued.
///
/// # Errors
/// When the database fails, or the order has an invoice already.
pub async fn issue_invoice<C: ConnectionTrait>(
    db: &C,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Invoice, DbErr> {
    let year = now.year();
    let sequence = next(db, &format!("invoice:{year}")).await?;
    let invoice = Invoice {
        id: Uuid::now_v7(),
        order_id: order.id,
        number: invoice_number(year, sequence),
        issued_at: now,
        total_minor: order.total_minor,
        currency: order.currency.clone(),
    };
    let row = invoice::ActiveModel {
        id: Set(invoice.id),
        order_id: Set(order.id),
        number: Set(invoice.number.clone()),
        year: Set(year),
        sequence: Set(sequence),
        issued_at_ms: Set(now.timestamp_millis()),
        total_minor: Set(order.total_minor),
        currency: Set(order.currency.clone()),
    };
    invoice::Entity::insert(row).exec_without_returning(db).await?;
    Ok(invoice)
}

/// Counts a counter up by one conditional write, which is also what two transactions queue at.
async fn next<C: ConnectionTrait>(db: &C, name: &str) -> Result<i64, DbErr> {
    use counter::Column as C;
    let first = counter::ActiveModel { name: Set(name.to_owned()), value: Set(1) };
    let add_one =
        OnConflict::column(C::Name).value(C::Value, Expr::col((counter::Entity, C::Value)).add(1)).to_owned();
    counter::Entity::insert(first).on_conflict(add_one).exec_without_returning(db).await?;
    let row = counter::Entity::find_by_id(name.to_owned()).one(db).await?;
    row.map(|row| row.value).ok_or_else(|| DbErr::RecordNotFound(format!("counter {name}")))
}

/// Notes which hold pays the order, in the transaction that confirms it.
///
/// # Errors
/// When the database fails.
pub async fn paid_by<C: ConnectionTrait>(db: &C, id: Uuid, hold_id: Uuid) -> Result<(), DbErr> {
    order::Entity::update_many()
        .col_expr(order::Column::HoldId, Expr::value(hold_id))
        .filter(order::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(())
}

/// Notes that the money reached its receivers.
///
/// # Errors
/// When the database fails.
pub async fn settled<C: ConnectionTrait>(db: &C, id: Uuid, now: DateTime<Utc>) -> Result<(), DbErr> {
    order::Entity::update_many()
        .col_expr(order::Column::SettledAtMs, Expr::value(now.timestamp_millis()))
        .filter(order::Column::Id.eq(id))
        .exec(db)
        .await?;
    Ok(())
}

/// The versions that these orders stand at.
///
/// # Errors
/// When the database fails.
pub async fn versions<C: ConnectionTrait>(db: &C, ids: &[Uuid]) -> Result<Vec<(Uuid, i64)>, DbErr> {
    use order::Column as C;
    let mut versions = Vec::with_capacity(ids.len());
    // Databases bound the number of parameters.
    for some in ids.chunks(500) {
        let rows = order::Entity::find().select_only().columns([C::Id, C::Version]);
        versions.extend(
            rows.filter(C::Id.is_in(some.iter().copied())).into_tuple::<(Uuid, i64)>().all(db).await?,
        );
    }
    Ok(versions)
}

/// The order with this id, for a change: locked until the transaction ends where the database has row locks (on SQLite
/// the transaction is the only one that writes).
///
/// # Errors
/// When the database fails.
pub async fn find_for_change<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Order>, DbErr> {
    let row = order::Entity::find_by_id(id).lock_exclusive().one(db).await?;
    let orders = with_lines(db, row.into_iter().collect()).await?;
    Ok(orders.into_iter().next())
}

/// The order with this id, for the service's own use: no viewer is asked.
///
/// # Errors
/// When the database fails.
pub async fn find<C: ConnectionTrait>(db: &C, id: Uuid) -> Result<Option<Order>, DbErr> {
    let row = order::Entity::find_by_id(id).one(db).await?;
    let orders = with_lines(db, row.into_iter().collect()).await?;
    Ok(orders.into_iter().next())
}

/// The order with this number, for the service's own use: no viewer is asked.
///
/// # Errors
/// When the database fails.
pub async fn find_by_number<C: ConnectionTrait>(db: &C, number: &str) -> Result<Option<Order>, DbErr> {
    let row = order::Entity::find().filter(order::Column::Number.eq(number)).one(db).await?;
    let orders = with_lines(db, row.into_iter().collect()).await?;
    Ok(orders.into_iter().next())
}

/// The orders with these ids; unknown ids are missing from the answer.
///
/// # Errors
/// When the database fails.
pub async fn by_ids<C: ConnectionTrait>(db: &C, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Order>, DbErr> {
    let rows = order::Entity::find().filter(order::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    let orders = with_lines(db, rows).await?;
    Ok(orders.into_iter().map(|order| (order.id, order)).collect())
}

/// The orders with these numbers; unknown numbers are missing from the answer.
///
/// # Errors
/// When the database fails.
pub async fn by_numbers<C: ConnectionTrait>(
    db: &C,
    numbers: &[String],
) -> Result<BTreeMap<String, Order>, DbErr> {
    let rows = order::Entity::find().filter(order::Column::Number.is_in(numbers)).all(db).await?;
    let orders = with_lines(db, rows).await?;
    Ok(orders.into_iter().map(|order| (order.number.clone(), order)).collect())
}

/// A buyer's newest order per listing.
///
/// # Errors
/// When the database fails.
pub async fn of_buyer_by_listing<C: ConnectionTrait>(
    db: &C,
    buyer: Uuid,
    listing_ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Order>, DbErr> {
    let of_line = Expr::col((order::Entity, order::Column::Id))
        .equals((order_line::Entity, order_line::Column::OrderId));
    let query = Query::select()
        .column((order_line::Entity, order_line::Column::ListingId))
        .column((order::Entity, order::Column::Id))
        .from(order_line::Entity)
        .inner_join(order::Entity, of_line)
        .and_where(order_line::Column::ListingId.is_in(listing_ids.iter().copied()))
        .and_where(order::Column::BuyerId.eq(buyer))
        .order_by((order::Entity, order::Column::PlacedAtMs), sea_orm::Order::Asc)
        .order_by((order::Entity, order::Column::Id), sea_orm::Order::Asc)
        .to_owned();
    // The last order of a listing wins.
    let mut newest = BTreeMap::<Uuid, Uuid>::new();
    for row in db.query_all(&query).await? {
        newest.insert(row.try_get("", "listing_id")?, row.try_get("", "id")?);
    }
    let order_ids: Vec<Uuid> = newest.values().copied().collect();
    let orders = by_ids(db, &order_ids).await?;
    let of_listing = |(listing, order): (Uuid, Uuid)| Some((listing, orders.get(&order)?.clone()));
    Ok(newest.into_iter().filter_map(of_listing).collect())
}

/// The history of these orders, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn histories<C: ConnectionTrait>(
    db: &C,
    order_ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Vec<HistoryEntry>>, DbErr> {
    let rows = order_event::Entity::find()
        .filter(order_event::Column::OrderId.is_in(order_ids.iter().copied()))
        .order_by_asc(order_event::Column::Version)
        .all(db)
        .await?;
    let mut histories = BTreeMap::<Uuid, Vec<HistoryEntry>>::new();
    for row in rows {
        let status = parsed(OrderStatus::parse(&row.status), "order_event.status", &row.status)?;
        let entry = HistoryEntry { at: time(row.at_ms), status, actor: row.actor, note: row.note };
        histories.entry(row.order_id).or_default().push(entry);
    }
    Ok(histories)
}

/// The invoices of these orders.
///
/// # Errors
/// When the database fails.
pub async fn invoices<C: ConnectionTrait>(
    db: &C,
    order_ids: &[Uuid],
) -> Result<BTreeMap<Uuid, Invoice>, DbErr> {
    let rows = invoice::Entity::find()
        .filter(invoice::Column::OrderId.is_in(order_ids.iter().copied()))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.order_id, to_invoice(row))).collect())
}

/// The invoices with these ids whose orders the onlooker bought, or all of them.
///
/// # Errors
/// When the database fails.
pub async fn invoices_by_id<C: ConnectionTrait>(
    db: &C,
    ids: &[Uuid],
    onlooker: Onlooker,
) -> Result<BTreeMap<Uuid, Invoice>, DbErr> {
    let rows = invoice::Entity::find().filter(invoice::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    let order_ids: Vec<Uuid> = rows.iter().map(|row| row.order_id).collect();
    let buyers = order::Entity::find().filter(order::Column::Id.is_in(order_ids)).all(db).await?;
    let buyers: BTreeMap<Uuid, Uuid> = buyers.into_iter().map(|row| (row.id, row.buyer_id)).collect();
    let seen = rows
        .into_iter()
        .filter(|row| buyers.get(&row.order_id).is_some_and(|buyer| onlooker.may_see_of(*buyer)));
    Ok(seen.map(|row| (row.id, to_invoice(row))).collect())
}

/// The invoice with this number, for the service's own use: no viewer is asked.
///
/// # Errors
/// When the database fails.
pub async fn invoice_by_number<C: ConnectionTrait>(db: &C, number: &str) -> Result<Option<Invoice>, DbErr> {
    let row = invoice::Entity::find().filter(invoice::Column::Number.eq(number)).one(db).await?;
    Ok(row.map(to_invoice))
}

fn to_invoice(row: invoice::Model) -> Invoice {
    Invoice {
        id: row.id,
        order_id: row.order_id,
        number: row.number,
        issued_at: time(row.issued_at_ms),
        total_minor: row.total_minor,
        currency: row.currency,
    }
}

/// Adds the lines to the rows, whose order is kept.
pub(super) async fn with_lines<C: ConnectionTrait>(
    db: &C,
    rows: Vec<order::Model>,
) -> Result<Vec<Order>, DbErr> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let lines = order_line::Entity::find()
        .filter(order_line::Column::OrderId.is_in(rows.iter().map(|row| row.id)))
        .order_by_asc(order_line::Column::Position)
        .all(db)
        .await?;
    let mut of_order = BTreeMap::<Uuid, Vec<OrderLine>>::new();
    for line in lines {
        of_order.entry(line.order_id).or_default().push(to_line(line)?);
    }
    rows.into_iter().map(|row| to_order(&mut of_order, row)).collect()
}

fn to_line(row: order_line::Model) -> Result<OrderLine, DbErr> {
    Ok(OrderLine {
        status: parsed(LineStatus::parse(&row.status), "order_line.status", &row.status)?,
        id: row.id,
        title: row.title,
        product_id: row.product_id,
        listing_id: row.listing_id,
        seller_id: row.seller_id,
        quantity: row.quantity,
        unit_price_minor: row.unit_price_minor,
        line_total_minor: row.line_total_minor,
        fee_minor: row.fee_minor,
    })
}

fn to_order(lines: &mut BTreeMap<Uuid, Vec<OrderLine>>, row: order::Model) -> Result<Order, DbErr> {
    Ok(Order {
        kind: parsed(OrderKind::parse(&row.kind), "orders.kind", &row.kind)?,
        status: parsed(OrderStatus::parse(&row.status), "orders.status", &row.status)?,
        lines: lines.remove(&row.id).unwrap_or_default(),
        id: row.id,
        number: row.number,
        status_reason: row.status_reason,
        buyer_id: row.buyer_id,
        currency: row.currency,
        subtotal_minor: row.subtotal_minor,
        fee_minor: row.fee_minor,
        total_minor: row.total_minor,
        placed_at: time(row.placed_at_ms),
        expires_at: row.expires_at_ms.map(time),
        hold_id: row.hold_id,
        settled_at: row.settled_at_ms.map(time),
        version: row.version,
    })
}
