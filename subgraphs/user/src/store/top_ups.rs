//! Top-ups, and the reports that were heard.

use chrono::{DateTime, Utc};
use kopitiam_kit::{Money, SystemError, Tx};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect};

use super::entity::{payment_event, top_up};
use crate::domain::top_up::{TopUp, TopUpStatus};

fn read(row: top_up::Model) -> Result<TopUp, SystemError> {
    let amount = Money::stored(row.amount, &row.currency)
        .map_err(|error| SystemError::Invariant(format!("top-up {}: {error}", row.id)))?;
    let top_up::Model { id, user_id, status, payment_id, url, created_at, .. } = row;
    Ok(TopUp { id, user_id, amount, status: TopUpStatus::parse(&status), payment_id, url, created_at })
}

/// Notes a top-up that is to be paid.
///
/// # Errors
/// Database errors.
pub async fn insert(tx: &Tx, new: &TopUp) -> Result<(), DbErr> {
    let TopUp { id, user_id, amount, status, payment_id, url, created_at } = new.clone();
    let row = top_up::Model {
        id,
        user_id,
        amount: amount.minor(),
        currency: amount.currency().code().to_owned(),
        status: status.name().to_owned(),
        payment_id,
        url,
        created_at,
        updated_at: created_at,
    };
    top_up::Entity::insert(row.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

/// The top-up of that id.
///
/// # Errors
/// Database errors.
pub async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<TopUp>, SystemError> {
    top_up::Entity::find_by_id(id).one(db).await?.map(read).transpose()
}

/// The top-up that the provider knows by that id.
///
/// # Errors
/// Database errors.
pub async fn find_by_payment(
    db: &impl ConnectionTrait,
    payment_id: &str,
) -> Result<Option<TopUp>, SystemError> {
    top_up::Entity::find()
        .filter(top_up::Column::PaymentId.eq(payment_id))
        .one(db)
        .await?
        .map(read)
        .transpose()
}

/// Notes what the provider answered.
///
/// # Errors
/// Database errors.
pub async fn set_payment(
    tx: &Tx,
    id: Uuid,
    payment_id: &str,
    url: Option<String>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    top_up::Entity::update_many()
        .col_expr(top_up::Column::PaymentId, Expr::value(Some(payment_id.to_owned())))
        .col_expr(top_up::Column::Url, Expr::value(url))
        .col_expr(top_up::Column::UpdatedAt, Expr::value(now))
        .filter(top_up::Column::Id.eq(id))
        .exec(tx)
        .await
        .map(|_| ())
}

/// Moves a top-up on; `false` when it is not in `from` any more.
///
/// # Errors
/// Database errors.
pub async fn move_on(
    tx: &Tx,
    id: Uuid,
    [from, to]: [TopUpStatus; 2],
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let moved = top_up::Entity::update_many()
        .col_expr(top_up::Column::Status, Expr::value(to.name()))
        .col_expr(top_up::Column::UpdatedAt, Expr::value(now))
        .filter(top_up::Column::Id.eq(id))
        .filter(top_up::Column::Status.eq(from.name()))
        .exec(tx)
        .await?;
    Ok(moved.rows_affected == 1)
}

/// Pending top-ups that began between the two moments, oldest first.
///
/// # Errors
/// Database errors.
pub async fn pending_between(
    db: &impl ConnectionTrait,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<TopUp>, SystemError> {
    let rows = top_up::Entity::find()
        .filter(top_up::Column::Status.eq(TopUpStatus::Pending.name()))
        .filter(top_up::Column::CreatedAt.gt(from))
        .filter(top_up::Column::CreatedAt.lt(to))
        .order_by_asc(top_up::Column::CreatedAt)
        .limit(limit)
        .all(db)
        .await?;
    rows.into_iter().map(read).collect()
}

/// Notes that a report was heard, in the transaction of its effect; `false` when it was before.
///
/// # Errors
/// Database errors.
pub async fn first_time(tx: &Tx, event_id: &str, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let row = payment_event::Model { event_id: event_id.to_owned(), heard_at: now };
    let inserted = payment_event::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(payment_event::Column::EventId).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(inserted == 1)
}

/// Forgets reports heard before then: their signatures are too old to be sent again.
///
/// # Errors
/// Database errors.
pub async fn purge(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let gone = payment_event::Entity::delete_many()
        .filter(payment_event::Column::HeardAt.lt(before))
        .exec(tx)
        .await?;
    Ok(gone.rows_affected)
}
