//! Reservations: all lines or none, resolved once.
//!
//! Always: a repeated command changes nothing and gets the first answer again; a release that comes before its
//! reservation makes the reservation impossible; rows are locked in product id order.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::Tx;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use super::entity::{reservation, reservation_line, restock};
use super::stock::{self, Change};
use super::{plus, products};
use crate::domain::product::{Product, Stock};
use crate::domain::reservation::ReservationStatus;

/// A product that a command is about, with its level after it.
pub type Level = (Uuid, Stock);

/// A line that could not be reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// Which product.
    pub product_id: Uuid,
    /// Units asked for.
    pub requested: i64,
    /// Units there are.
    pub available: i64,
}

/// The answer to a reservation command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Every line is set aside: the units and the product as it is sold now, and until when.
    Reserved {
        /// Units and product per line.
        lines: Vec<(i64, Product)>,
        /// End of the reservation.
        expires_at: DateTime<Utc>,
    },
    /// Nothing was set aside.
    Rejected {
        /// `OUT_OF_STOCK`, `UNKNOWN_PRODUCT`, `PRODUCT_ARCHIVED`, `INVALID_LINES` or `RESERVATION_RESOLVED`.
        code: &'static str,
        /// The lines at fault.
        lines: Vec<Shortage>,
    },
    /// The units are free again.
    Released,
    /// The units are sold.
    Committed,
    /// Sold units came back.
    Restocked(BTreeMap<Uuid, i64>),
}

/// An answer, and the levels that changed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// For whoever sent the command.
    pub answer: Answer,
    /// For everyone who shows stock.
    pub levels: Vec<Level>,
}

impl Outcome {
    fn unchanged(answer: Answer) -> Outcome {
        Outcome { answer, levels: Vec::new() }
    }

    fn rejected(code: &'static str) -> Outcome {
        Outcome::unchanged(Answer::Rejected { code, lines: Vec::new() })
    }
}

async fn find(tx: &Tx, id: Uuid) -> Result<Option<(reservation::Model, ReservationStatus)>, DbErr> {
    let Some(row) = reservation::Entity::find_by_id(id).one(tx).await? else { return Ok(None) };
    let status = ReservationStatus::parse(&row.status)
        .ok_or_else(|| DbErr::Custom(format!("reservation {id} has the unknown status {}", row.status)))?;
    Ok(Some((row, status)))
}

/// The lines of a reservation, in product id order.
///
/// # Errors
/// Database errors.
pub async fn lines(tx: &Tx, id: Uuid) -> Result<Vec<(Uuid, i64)>, DbErr> {
    let rows = reservation_line::Entity::find()
        .filter(reservation_line::Column::ReservationId.eq(id))
        .order_by_asc(reservation_line::Column::ProductId)
        .all(tx)
        .await?;
    let mut lines: Vec<(Uuid, i64)> = rows.into_iter().map(|row| (row.product_id, row.quantity)).collect();
    lines.sort_unstable();
    Ok(lines)
}

async fn insert(
    tx: &Tx,
    id: Uuid,
    status: ReservationStatus,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let resolved_at = (status != ReservationStatus::Reserved).then_some(now);
    let status = status.name().to_owned();
    let row = reservation::Model { id, status, expires_at, created_at: now, resolved_at };
    reservation::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(())
}

/// Sets every line aside, or none.
///
/// # Errors
/// Database errors.
pub async fn reserve(
    tx: &Tx,
    id: Uuid,
    wanted: &BTreeMap<Uuid, i64>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Outcome, DbErr> {
    if let Some((row, status)) = find(tx, id).await? {
        return match status {
            ReservationStatus::Reserved => {
                let lines: BTreeMap<Uuid, i64> = lines(tx, id).await?.into_iter().collect();
                let lines = with_products(tx, &lines).await?;
                let expires_at = row.expires_at.unwrap_or(expires_at);
                Ok(Outcome::unchanged(Answer::Reserved { lines, expires_at }))
            }
            // What was short is not kept; asking again cannot reserve any more, so the levels of now explain it.
            ReservationStatus::Rejected => Ok(Outcome::unchanged(shortage(tx, wanted).await?)),
            ReservationStatus::Released | ReservationStatus::Committed => {
                Ok(Outcome::rejected("RESERVATION_RESOLVED"))
            }
        };
    }
    let savepoint = tx.savepoint().await?;
    let mut levels = Vec::new();
    let mut complete = all_on_sale(tx, wanted).await?;
    for (product_id, units) in wanted {
        if !complete {
            break;
        }
        match stock::change(tx, *product_id, Change::Reserve(*units)).await? {
            Some(level) => levels.push((*product_id, level)),
            None => complete = false,
        }
    }
    if !complete {
        savepoint.rollback().await?;
        insert(tx, id, ReservationStatus::Rejected, None, now).await?;
        return Ok(Outcome::unchanged(shortage(tx, wanted).await?));
    }
    insert(tx, id, ReservationStatus::Reserved, Some(expires_at), now).await?;
    let rows = wanted.iter().map(|(product_id, quantity)| {
        reservation_line::Model {
            reservation_id: id,
            product_id: *product_id,
            quantity: *quantity,
            restocked: 0,
        }
        .into_active_model()
    });
    reservation_line::Entity::insert_many(rows).exec_without_returning(tx).await?;
    savepoint.release().await?;
    let lines = with_products(tx, wanted).await?;
    Ok(Outcome { answer: Answer::Reserved { lines, expires_at }, levels })
}

/// Refuses a reservation whose lines make no sense, for ever.
///
/// # Errors
/// Database errors.
pub async fn refuse(tx: &Tx, id: Uuid, now: DateTime<Utc>) -> Result<Outcome, DbErr> {
    if find(tx, id).await?.is_none() {
        insert(tx, id, ReservationStatus::Rejected, None, now).await?;
    }
    Ok(Outcome::rejected("INVALID_LINES"))
}

async fn all_on_sale(tx: &Tx, wanted: &BTreeMap<Uuid, i64>) -> Result<bool, DbErr> {
    let ids: Vec<Uuid> = wanted.keys().copied().collect();
    let found = products::find_many(tx, &ids).await?;
    Ok(found.len() == ids.len() && found.iter().all(|product| !product.archived))
}

async fn with_products(tx: &Tx, lines: &BTreeMap<Uuid, i64>) -> Result<Vec<(i64, Product)>, DbErr> {
    let ids: Vec<Uuid> = lines.keys().copied().collect();
    let mut found = products::find_many(tx, &ids).await?;
    found.sort_by_key(|product| product.id);
    Ok(found.into_iter().filter_map(|product| Some((*lines.get(&product.id)?, product))).collect())
}

/// Which lines are at fault, and why.
async fn shortage(tx: &Tx, wanted: &BTreeMap<Uuid, i64>) -> Result<Answer, DbErr> {
    let ids: Vec<Uuid> = wanted.keys().copied().collect();
    let levels = stock::levels(tx, &ids).await?;
    let found = products::find_many(tx, &ids).await?;
    let on_sale = |id: &Uuid| found.iter().any(|product| product.id == *id && !product.archived);
    let available = |id: &Uuid| {
        if on_sale(id) { levels.get(id).map_or(0, |level| level.available()) } else { 0 }
    };
    let lines = wanted
        .iter()
        .filter(|(id, units)| available(id) < **units)
        .map(|(id, units)| Shortage { product_id: *id, requested: *units, available: available(id) })
        .collect();
    let code = if found.len() < ids.len() {
        "UNKNOWN_PRODUCT"
    } else if ids.iter().all(on_sale) {
        "OUT_OF_STOCK"
    } else {
        "PRODUCT_ARCHIVED"
    };
    Ok(Answer::Rejected { code, lines })
}

/// Moves a reservation from one status to the next; `false` when someone else did first.
async fn resolve(
    tx: &Tx,
    id: Uuid,
    from: ReservationStatus,
    to: ReservationStatus,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let updated = reservation::Entity::update_many()
        .col_expr(reservation::Column::Status, Expr::value(to.name()))
        .col_expr(reservation::Column::ResolvedAt, Expr::value(Some(now)))
        .filter(reservation::Column::Id.eq(id))
        .filter(reservation::Column::Status.eq(from.name()))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

async fn change_lines(tx: &Tx, id: Uuid, how: fn(i64) -> Change) -> Result<Option<Vec<Level>>, DbErr> {
    let mut levels = Vec::new();
    for (product_id, units) in lines(tx, id).await? {
        match stock::change(tx, product_id, how(units)).await? {
            Some(level) => levels.push((product_id, level)),
            None => return Ok(None),
        }
    }
    Ok(Some(levels))
}

fn broken(id: Uuid) -> DbErr {
    DbErr::Custom(format!("stock does not cover reservation {id}"))
}

/// Gives the units back.
///
/// # Errors
/// Database errors.
pub async fn release(tx: &Tx, id: Uuid, now: DateTime<Utc>) -> Result<Outcome, DbErr> {
    use ReservationStatus::{Committed, Rejected, Released, Reserved};
    match find(tx, id).await? {
        None => {
            // The release overtook its reservation: this row makes the late reservation impossible.
            insert(tx, id, Released, None, now).await?;
            Ok(Outcome::unchanged(Answer::Released))
        }
        Some((_, Reserved)) if resolve(tx, id, Reserved, Released, now).await? => {
            let levels = change_lines(tx, id, Change::Release).await?.ok_or_else(|| broken(id))?;
            Ok(Outcome { answer: Answer::Released, levels })
        }
        Some((_, Released | Rejected)) => Ok(Outcome::unchanged(Answer::Released)),
        Some((_, Reserved | Committed)) => Ok(Outcome::rejected("RESERVATION_RESOLVED")),
    }
}

/// Sells the units. A reservation that the clock released is sold all the same while there are units: its order is
/// confirmed already.
///
/// # Errors
/// Database errors.
pub async fn commit(tx: &Tx, id: Uuid, now: DateTime<Utc>) -> Result<Outcome, DbErr> {
    use ReservationStatus::{Committed, Rejected, Released, Reserved};
    match find(tx, id).await? {
        Some((_, Reserved)) if resolve(tx, id, Reserved, Committed, now).await? => {
            let levels = change_lines(tx, id, Change::Commit).await?.ok_or_else(|| broken(id))?;
            Ok(Outcome { answer: Answer::Committed, levels })
        }
        Some((_, Committed)) => Ok(Outcome::unchanged(Answer::Committed)),
        Some((row, Released)) if row.expires_at.is_some_and(|end| end <= now) => {
            let savepoint = tx.savepoint().await?;
            match change_lines(tx, id, Change::Take).await? {
                Some(levels) if resolve(tx, id, Released, Committed, now).await? => {
                    savepoint.release().await?;
                    Ok(Outcome { answer: Answer::Committed, levels })
                }
                _ => {
                    savepoint.rollback().await?;
                    Ok(Outcome::unchanged(shortage(tx, &lines(tx, id).await?.into_iter().collect()).await?))
                }
            }
        }
        None | Some((_, Reserved | Released | Rejected)) => Ok(Outcome::rejected("RESERVATION_RESOLVED")),
    }
}

/// Takes sold units back, once per saga, per line never more than were sold.
///
/// # Errors
/// Database errors.
pub async fn restock(tx: &Tx, id: Uuid, saga_id: Uuid, back: BTreeMap<Uuid, i64>) -> Result<Outcome, DbErr> {
    if !matches!(find(tx, id).await?, Some((_, ReservationStatus::Committed))) {
        return Ok(Outcome::rejected("RESERVATION_RESOLVED"));
    }
    let savepoint = tx.savepoint().await?;
    let row = restock::Model { reservation_id: id, saga_id };
    let once = OnConflict::columns([restock::Column::ReservationId, restock::Column::SagaId])
        .do_nothing()
        .to_owned();
    let noted =
        restock::Entity::insert(row.into_active_model()).on_conflict(once).exec_without_returning(tx).await?;
    if noted == 0 {
        savepoint.release().await?;
        return Ok(Outcome::unchanged(Answer::Restocked(back)));
    }
    let mut levels = Vec::new();
    for (product_id, units) in &back {
        let noted = reservation_line::Entity::update_many()
            .col_expr(reservation_line::Column::Restocked, plus("restocked", *units))
            .filter(reservation_line::Column::ReservationId.eq(id))
            .filter(reservation_line::Column::ProductId.eq(*product_id))
            .filter(plus("restocked", *units).lte(Expr::col("quantity")))
            .exec(tx)
            .await?;
        if noted.rows_affected == 0 {
            savepoint.rollback().await?;
            return Ok(Outcome::rejected("RESTOCK_EXCEEDS_SALE"));
        }
        let level =
            stock::change(tx, *product_id, Change::Restock(*units)).await?.ok_or_else(|| broken(id))?;
        levels.push((*product_id, level));
    }
    savepoint.release().await?;
    Ok(Outcome { answer: Answer::Restocked(back), levels })
}

/// Reservations whose time is over, oldest first.
///
/// # Errors
/// Database errors.
pub async fn overdue(tx: &Tx, limit: u64, now: DateTime<Utc>) -> Result<Vec<Uuid>, DbErr> {
    let rows = reservation::Entity::find()
        .filter(reservation::Column::Status.eq(ReservationStatus::Reserved.name()))
        .filter(reservation::Column::ExpiresAt.lte(now))
        .order_by_asc(reservation::Column::ExpiresAt)
        .limit(limit)
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
