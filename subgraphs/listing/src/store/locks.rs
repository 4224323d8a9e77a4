//! Locks of listings by orders: one holder per listing, and for ever what became of each order's lock.
//!
//! A row leaves `HELD` once, by a conditional update. A release that comes before its lock makes the lock impossible.

use chrono::{DateTime, Utc};
use kopitiam_kit::{Money, SystemError, Tx};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::entity::lock::{ActiveModel, Column, Entity, Model};

/// What became of an order's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockState {
    /// The listing is kept for the order.
    Held,
    /// The order gave it up; for ever.
    Released,
    /// The clock took it from an order that said nothing.
    Lapsed,
    /// The order bought it.
    Sold,
}

impl LockState {
    fn name(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Released => "RELEASED",
            Self::Lapsed => "LAPSED",
            Self::Sold => "SOLD",
        }
    }
}

/// An order's lock on a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// For which order.
    pub order_id: Uuid,
    /// Which listing.
    pub listing_id: Uuid,
    /// What became of it.
    pub state: LockState,
    /// Buyer, price and end; none when the order gave up before it came.
    pub terms: Option<Terms>,
}

/// What a lock was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who is buying.
    pub buyer_id: Uuid,
    /// The price at that moment.
    pub price: Money,
    /// Until when the order wants it.
    pub until: DateTime<Utc>,
}

/// The lock of an order, locked itself until the transaction ends where the database has row locks.
///
/// # Errors
/// [`SystemError`] when the database refuses or the row is not understood.
pub async fn of_order(tx: &Tx, order_id: Uuid) -> Result<Option<Lock>, SystemError> {
    let found = Entity::find_by_id(order_id).lock_exclusive().one(tx).await?;
    found.map(|row| read(&row)).transpose()
}

/// Writes an order's first lock, or that it will never have one.
///
/// # Errors
/// [`SystemError::Database`]; a unique violation when another order holds the listing.
pub async fn insert(tx: &Tx, lock: &Lock) -> Result<(), SystemError> {
    let row = ActiveModel {
        order_id: Set(lock.order_id),
        listing_id: Set(lock.listing_id),
        state: Set(lock.state.name().to_owned()),
        buyer_id: Set(lock.terms.map(|terms| terms.buyer_id)),
        until: Set(lock.terms.map(|terms| terms.until)),
        currency: Set(lock.terms.map(|terms| terms.price.currency().code().to_owned())),
        price_minor: Set(lock.terms.map(|terms| terms.price.minor())),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Moves an order's lock from one state to another; `false` when it was not in the first any more.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn move_on(tx: &Tx, order_id: Uuid, from: LockState, to: LockState) -> Result<bool, SystemError> {
    let result = Entity::update_many()
        .col_expr(Column::State, Expr::val(to.name()))
        .filter(Column::OrderId.eq(order_id))
        .filter(Column::State.eq(from.name()))
        .exec(tx)
        .await?;
    Ok(result.rows_affected == 1)
}

fn read(row: &Model) -> Result<Lock, SystemError> {
    let state = [LockState::Held, LockState::Released, LockState::Lapsed, LockState::Sold]
        .into_iter()
        .find(|state| state.name() == row.state)
        .ok_or_else(|| SystemError::Invariant(format!("lock state `{}`", row.state)))?;
    let terms = match (row.buyer_id, row.price_minor, row.currency.as_deref(), row.until) {
        (Some(buyer_id), Some(minor), Some(currency), Some(until)) => {
            let price = Money::stored(minor, currency)
                .map_err(|error| SystemError::Invariant(format!("lock {}: {error}", row.order_id)))?;
            Some(Terms { buyer_id, price, until })
        }
        _ => None,
    };
    Ok(Lock { order_id: row.order_id, listing_id: row.listing_id, state, terms })
}
