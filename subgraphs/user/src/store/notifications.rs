//! Notifications: written once per event, read by page, marked as read by their owner only. And the subjects they are
//! about.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::own_pages::{self, OwnPage};
use kopitiam_kit::{SystemError, Tx};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ConnectionTrait, FromQueryResult, IntoActiveModel, Order, QueryOrder, QuerySelect, QueryTrait,
};
use serde::{Deserialize, Serialize};

use super::Before;
use super::entity::{notice_subject, notification};
use crate::domain::notice::Notice;

/// One notification of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// UUIDv7.
    pub id: Uuid,
    /// See [`Notice::kind`].
    pub kind: String,
    /// See [`Notice::title`].
    pub title: String,
    /// See [`Notice::body`].
    pub body: String,
    /// See [`Notice::path`].
    pub path: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was read.
    pub read_at: Option<DateTime<Utc>>,
}

impl From<notification::Model> for Notification {
    fn from(row: notification::Model) -> Notification {
        let notification::Model { id, kind, title, body, path, created_at, read_at, .. } = row;
        Notification { id, kind, title, body, path, created_at, read_at }
    }
}

/// Writes a notification; `false` when this event gave the person one of this kind before.
///
/// # Errors
/// Database errors.
pub async fn insert(
    tx: &Tx,
    user_id: Uuid,
    notice: &Notice,
    event_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let row = notification::Model {
        id: Uuid::now_v7(),
        user_id,
        kind: notice.kind().to_owned(),
        title: notice.title(),
        body: notice.body().trim().to_owned(),
        path: notice.path(),
        event_id,
        created_at: now,
        read_at: None,
    };
    let columns = [notification::Column::EventId, notification::Column::UserId, notification::Column::Kind];
    let inserted = notification::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(inserted == 1)
}

/// One page of each of those people's notifications, newest first, in one query.
///
/// # Errors
/// Database errors.
pub async fn pages(
    db: &impl ConnectionTrait,
    user_ids: &[Uuid],
    page: Before,
) -> Result<HashMap<Uuid, Vec<Notification>>, DbErr> {
    let select = |user: &Uuid| {
        let rows = notification::Entity::find()
            .filter(notification::Column::UserId.eq(*user))
            .filter(notification::Column::Id.lt(page.bound()))
            .order_by_desc(notification::Column::Id)
            .limit(page.limit)
            .into_query();
        OwnPage { rows, order: vec![("id", Order::Desc)] }
    };
    let found: Vec<Vec<notification::Model>> =
        own_pages::rows(db, user_ids.iter().map(select).collect()).await?;
    let pages = found.into_iter().map(|rows| rows.into_iter().map(Notification::from).collect());
    Ok(user_ids.iter().copied().zip(pages).collect())
}

/// The newest notifications of one person.
///
/// # Errors
/// Database errors.
pub async fn newest(
    db: &impl ConnectionTrait,
    user_id: Uuid,
    limit: u64,
) -> Result<Vec<Notification>, DbErr> {
    let rows = notification::Entity::find()
        .filter(notification::Column::UserId.eq(user_id))
        .order_by_desc(notification::Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(Notification::from).collect())
}

#[derive(FromQueryResult)]
struct Count {
    user_id: Uuid,
    count: i64,
}

/// How many notifications those people have, and how many of them are unread, in one query each.
///
/// # Errors
/// Database errors.
pub async fn counts(
    db: &impl ConnectionTrait,
    user_ids: &[Uuid],
    only_unread: bool,
) -> Result<HashMap<Uuid, i64>, DbErr> {
    let mut select = notification::Entity::find()
        .select_only()
        .column(notification::Column::UserId)
        .column_as(notification::Column::Id.count(), "count")
        .filter(notification::Column::UserId.is_in(user_ids.iter().copied()))
        .group_by(notification::Column::UserId);
    if only_unread {
        select = select.filter(notification::Column::ReadAt.is_null());
    }
    let rows = select.into_model::<Count>().all(db).await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row.count)).collect())
}

/// Marks those of the person's notifications as read; ids of others change nothing.
///
/// # Errors
/// Database errors.
pub async fn mark_read(tx: &Tx, user_id: Uuid, ids: &[Uuid], now: DateTime<Utc>) -> Result<(), DbErr> {
    notification::Entity::update_many()
        .col_expr(notification::Column::ReadAt, Expr::value(Some(now)))
        .filter(notification::Column::UserId.eq(user_id))
        .filter(notification::Column::Id.is_in(ids.iter().copied()))
        .filter(notification::Column::ReadAt.is_null())
        .exec(tx)
        .await
        .map(|_| ())
}

/// Removes read notifications that are older than `before`; gives how many.
///
/// # Errors
/// Database errors.
pub async fn purge_read(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let gone = notification::Entity::delete_many()
        .filter(notification::Column::ReadAt.is_not_null())
        .filter(notification::Column::CreatedAt.lt(before))
        .exec(tx)
        .await?;
    Ok(gone.rows_affected)
}

/// What is remembered of a listing, order or booking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its title, or an order's number.
    pub title: String,
    /// Who sells.
    pub seller_id: Option<Uuid>,
    /// Who buys.
    pub buyer_id: Option<Uuid>,
    /// Of an order.
    pub lines: Vec<Line>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Who sells it.
    pub seller_id: Uuid,
    /// What it is.
    pub title: String,
}

/// Remembers a subject; what is known of it is replaced.
///
/// # Errors
/// Database errors.
pub async fn remember(tx: &Tx, id: Uuid, subject: &Subject) -> Result<(), SystemError> {
    let Subject { title, seller_id, buyer_id, lines } = subject.clone();
    let row = notice_subject::Model { id, title, seller_id, buyer_id, lines: serde_json::to_string(&lines)? };
    let replace = OnConflict::column(notice_subject::Column::Id)
        .update_columns([
            notice_subject::Column::Title,
            notice_subject::Column::SellerId,
            notice_subject::Column::BuyerId,
            notice_subject::Column::Lines,
        ])
        .to_owned();
    notice_subject::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// What is remembered of a subject.
///
/// # Errors
/// Database errors.
pub async fn recall(tx: &Tx, id: Uuid) -> Result<Option<Subject>, SystemError> {
    let Some(row) = notice_subject::Entity::find_by_id(id).one(tx).await? else { return Ok(None) };
    let notice_subject::Model { title, seller_id, buyer_id, lines, .. } = row;
    Ok(Some(Subject { title, seller_id, buyer_id, lines: serde_json::from_str(&lines)? }))
}
