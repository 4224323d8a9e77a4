//! Stock levels. Every change is one conditional UPDATE; the CHECK `0 ≤ reserved ≤ on_hand` stands behind it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ConnectionTrait, IntoActiveModel};

use super::entity::{adjustment, stock};
use super::plus;
use crate::domain::product::{STOCK_MAX, Stock};

fn level(row: &stock::Model) -> Stock {
    Stock { on_hand: row.on_hand, reserved: row.reserved, version: row.version }
}

/// Opens the stock of a new product.
///
/// # Errors
/// Database errors.
pub async fn open(db: &impl ConnectionTrait, product_id: Uuid, on_hand: i64) -> Result<Stock, DbErr> {
    let row = stock::Model { product_id, on_hand, reserved: 0, version: 1 };
    stock::Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    Ok(level(&row))
}

/// Levels of those products, in one query.
///
/// # Errors
/// Database errors.
pub async fn levels(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashMap<Uuid, Stock>, DbErr> {
    let rows =
        stock::Entity::find().filter(stock::Column::ProductId.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.product_id, level(&row))).collect())
}

/// One product's level.
///
/// # Errors
/// Database errors.
pub async fn of(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Stock>, DbErr> {
    Ok(stock::Entity::find_by_id(id).one(db).await?.map(|row| level(&row)))
}

/// How a level changes; both parts in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Set aside for an order; needs as many available.
    Reserve(i64),
    /// Free again; needs as many reserved.
    Release(i64),
    /// Sold out of the reserved units.
    Commit(i64),
    /// Sold without a reservation; needs as many available.
    Take(i64),
    /// Came in, or by a negative number went away unsold; reserved units stay covered.
    Adjust(i64),
    /// Sold units came back, and they are here whether or not the shelf was filled up meanwhile.
    Restock(i64),
}

/// Changes a level; `None` when there are not enough units for it.
///
/// # Errors
/// Database errors.
pub async fn change(db: &impl ConnectionTrait, id: Uuid, change: Change) -> Result<Option<Stock>, DbErr> {
    let available = || Expr::col("on_hand").sub(Expr::col("reserved"));
    let (on_hand, reserved, condition) = match change {
        Change::Reserve(units) => (0, units, available().gte(units)),
        Change::Release(units) => (0, -units, Expr::col("reserved").gte(units)),
        Change::Commit(units) => (-units, -units, Expr::col("reserved").gte(units)),
        Change::Take(units) => (-units, 0, available().gte(units)),
        Change::Adjust(delta) => {
            (delta, 0, available().add(delta).gte(0_i64).and(Expr::col("on_hand").add(delta).lte(STOCK_MAX)))
        }
        // A 64-bit zero: the same SQL as `Take`, and a prepared statement keeps the types it was first bound with.
        Change::Restock(units) => (units, 0, available().gte(0_i64)),
    };
    let updated = stock::Entity::update_many()
        .col_expr(stock::Column::OnHand, plus("on_hand", on_hand))
        .col_expr(stock::Column::Reserved, plus("reserved", reserved))
        .col_expr(stock::Column::Version, plus("version", 1))
        .filter(stock::Column::ProductId.eq(id))
        .filter(condition)
        .exec(db)
        .await?;
    if updated.rows_affected == 0 { Ok(None) } else { of(db, id).await }
}

/// Writes down why a level was changed by hand.
///
/// # Errors
/// Database errors.
pub async fn note_adjustment(
    db: &impl ConnectionTrait,
    product_id: Uuid,
    delta: i64,
    reason: String,
    actor_id: Option<Uuid>,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = adjustment::Model { id: Uuid::now_v7(), product_id, delta, reason, actor_id, at };
    adjustment::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}
