//! Items: ownership, the lock of a listing, and the history of owners.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kopitiam_kit::{Tx, own_pages};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{Condition, ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect};

use super::entity::{item, item_transfer};
use super::{ById, plus};
use crate::domain::item::{Item, ItemTransfer, LockRejection};

impl From<item::Model> for Item {
    fn from(row: item::Model) -> Item {
        let item::Model { id, title, image_url, owner_id, locked_by, version, .. } = row;
        Item { id, title, image_url, owner_id, locked_by, version }
    }
}

fn living() -> Select<item::Entity> {
    item::Entity::find().filter(item::Column::DeletedAt.is_null())
}

/// The items of those ids, in one query; deleted ones too, because histories refer to them.
///
/// # Errors
/// Database errors.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Item>, DbErr> {
    let rows = item::Entity::find().filter(item::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(Item::from).collect())
}

/// The item of that id, unless it was deleted.
///
/// # Errors
/// Database errors.
pub async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<Item>, DbErr> {
    Ok(living().filter(item::Column::Id.eq(id)).one(db).await?.map(Item::from))
}

/// Histories of those items, oldest first, in one query.
///
/// # Errors
/// Database errors.
pub async fn histories(
    db: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<ItemTransfer>>, DbErr> {
    let rows = item_transfer::Entity::find()
        .filter(item_transfer::Column::ItemId.is_in(ids.iter().copied()))
        .order_by_asc(item_transfer::Column::At)
        .order_by_asc(item_transfer::Column::Id)
        .all(db)
        .await?;
    let mut found: HashMap<Uuid, Vec<ItemTransfer>> = HashMap::new();
    for row in rows {
        let transfer = ItemTransfer { at: row.at, from: row.from_id, to: row.to_id };
        found.entry(row.item_id).or_default().push(transfer);
    }
    Ok(found)
}

/// A page of each owner's items, in id order; in the order of `pages`.
///
/// # Errors
/// Database errors.
pub async fn of_owners(db: &impl ConnectionTrait, pages: &[ById]) -> Result<Vec<Vec<Item>>, DbErr> {
    let select =
        |page: &ById| page.select(living().filter(item::Column::OwnerId.eq(page.owner)), item::Column::Id);
    let found: Vec<Vec<item::Model>> = own_pages::rows(db, pages.iter().map(select).collect()).await?;
    Ok(found.into_iter().map(|rows| rows.into_iter().map(Item::from).collect()).collect())
}

/// Inserts an item of version 1 and the first entry of its history.
///
/// # Errors
/// Database errors.
pub async fn insert(
    db: &impl ConnectionTrait,
    id: Uuid,
    owner_id: Uuid,
    title: String,
    image_url: Option<String>,
    now: DateTime<Utc>,
) -> Result<Item, DbErr> {
    let row = item::Model {
        id,
        title,
        image_url,
        owner_id,
        locked_by: None,
        locked_until: None,
        freed_from: None,
        version: 1,
        deleted_at: None,
    };
    item::Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    note_transfer(db, id, None, owner_id, now).await?;
    Ok(row.into())
}

async fn note_transfer(
    db: &impl ConnectionTrait,
    item_id: Uuid,
    from_id: Option<Uuid>,
    to_id: Uuid,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = item_transfer::Model { id: Uuid::now_v7(), item_id, from_id, to_id, at };
    item_transfer::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// Deletes an owner's free item; `false` when it is locked, not theirs, or gone.
///
/// # Errors
/// Database errors.
pub async fn delete(
    db: &impl ConnectionTrait,
    id: Uuid,
    owner_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let updated = item::Entity::update_many()
        .col_expr(item::Column::DeletedAt, Expr::value(Some(now)))
        .col_expr(item::Column::Version, plus("version", 1))
        .filter(item::Column::Id.eq(id))
        .filter(item::Column::OwnerId.eq(owner_id))
        .filter(item::Column::LockedBy.is_null())
        .filter(item::Column::DeletedAt.is_null())
        .exec(db)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Gives a free item to a listing of its owner, until a time if there is one; the listing that has it already keeps it.
///
/// # Errors
/// Database errors.
pub async fn lock(
    tx: &Tx,
    id: Uuid,
    listing_id: Uuid,
    owner_id: Uuid,
    until: Option<DateTime<Utc>>,
) -> Result<Result<Item, LockRejection>, DbErr> {
    let Some(known) = find(tx, id).await? else { return Ok(Err(LockRejection::NotFound)) };
    if let Err(rejection) = known.check_lock(listing_id, Some(owner_id)) {
        return Ok(Err(rejection));
    }
    if known.locked_by == Some(listing_id) {
        return Ok(Ok(known));
    }
    let updated = item::Entity::update_many()
        .col_expr(item::Column::LockedBy, Expr::value(Some(listing_id)))
        .col_expr(item::Column::LockedUntil, Expr::value(until))
        .col_expr(item::Column::FreedFrom, Expr::value(None::<Uuid>))
        .col_expr(item::Column::Version, plus("version", 1))
        .filter(item::Column::Id.eq(id))
        .filter(item::Column::OwnerId.eq(owner_id))
        .filter(item::Column::LockedBy.is_null())
        .filter(item::Column::DeletedAt.is_null())
        .exec(tx)
        .await?;
    if updated.rows_affected == 0 {
        return Ok(Err(LockRejection::Locked));
    }
    Ok(Ok(Item { locked_by: Some(listing_id), version: known.version + 1, ..known }))
}

/// Frees an item that this listing holds; `false` when it holds none.
///
/// # Errors
/// Database errors.
pub async fn unlock(tx: &Tx, id: Uuid, listing_id: Uuid) -> Result<bool, DbErr> {
    let updated = item::Entity::update_many()
        .col_expr(item::Column::LockedBy, Expr::value(None::<Uuid>))
        .col_expr(item::Column::LockedUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(item::Column::Version, plus("version", 1))
        .filter(item::Column::Id.eq(id))
        .filter(item::Column::LockedBy.eq(listing_id))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// The items whose lock has run out, with the listings that held them.
///
/// # Errors
/// Database errors.
pub async fn overdue(tx: &Tx, limit: u64, now: DateTime<Utc>) -> Result<Vec<(Uuid, Uuid)>, DbErr> {
    let rows = item::Entity::find()
        .filter(item::Column::LockedUntil.lte(now))
        .filter(item::Column::LockedBy.is_not_null())
        .order_by_asc(item::Column::LockedUntil)
        .limit(limit)
        .all(tx)
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.id, row.locked_by?))).collect())
}

/// Frees an item whose lock ran out; the listing may still hand it over while nobody else takes it.
///
/// # Errors
/// Database errors.
pub async fn expire(tx: &Tx, id: Uuid, listing_id: Uuid, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let updated = item::Entity::update_many()
        .col_expr(item::Column::LockedBy, Expr::value(None::<Uuid>))
        .col_expr(item::Column::LockedUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(item::Column::FreedFrom, Expr::value(Some(listing_id)))
        .col_expr(item::Column::Version, plus("version", 1))
        .filter(item::Column::Id.eq(id))
        .filter(item::Column::LockedBy.eq(listing_id))
        .filter(item::Column::LockedUntil.lte(now))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Hands an item that this listing holds to a new owner and frees it; also one that it held until its lock ran out, if
/// nobody took it since. Gives the owner before; `None` when the listing does not hold it.
///
/// # Errors
/// Database errors.
pub async fn transfer(
    tx: &Tx,
    id: Uuid,
    listing_id: Uuid,
    to: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, DbErr> {
    let Some(known) = find(tx, id).await? else { return Ok(None) };
    let updated = item::Entity::update_many()
        .col_expr(item::Column::OwnerId, Expr::value(to))
        .col_expr(item::Column::LockedBy, Expr::value(None::<Uuid>))
        .col_expr(item::Column::LockedUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(item::Column::FreedFrom, Expr::value(None::<Uuid>))
        .col_expr(item::Column::Version, plus("version", 1))
        .filter(item::Column::Id.eq(id))
        .filter(item::Column::DeletedAt.is_null())
        .filter(
            Condition::any().add(item::Column::LockedBy.eq(listing_id)).add(
                Condition::all()
                    .add(item::Column::LockedBy.is_null())
                    .add(item::Column::FreedFrom.eq(listing_id)),
            ),
        )
        .exec(tx)
        .await?;
    if updated.rows_affected == 0 {
        return Ok(None);
    }
    note_transfer(tx, id, Some(known.owner_id), to, now).await?;
    Ok(Some(known.owner_id))
}
