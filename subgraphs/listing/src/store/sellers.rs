//! The replica of seller names, which saves the hop to the user service on every listing card; and who is banned.

use std::collections::HashMap;

use kopitiam_kit::{SystemError, Tx, inbox};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::entity::{banned, seller};

/// The name under which versions of applied events of people are kept.
pub const PROJECTION: &str = "users";
/// What the aggregate of these events is called.
pub const USER: &str = "user";

/// Keeps a seller's public name.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn save(
    connection: &impl ConnectionTrait,
    id: Uuid,
    display_name: &str,
) -> Result<(), SystemError> {
    let row = seller::ActiveModel { id: Set(id), display_name: Set(display_name.to_owned()) };
    let update = OnConflict::column(seller::Column::Id).update_column(seller::Column::DisplayName).to_owned();
    seller::Entity::insert(row).on_conflict(update).exec_without_returning(connection).await?;
    Ok(())
}

/// Names by seller; a seller that no event has told of yet is missing.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn names(
    connection: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, String>, SystemError> {
    let rows =
        seller::Entity::find().filter(seller::Column::Id.is_in(ids.iter().copied())).all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.display_name)).collect())
}

/// Notes that a person may not act, or may again.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn set_banned(
    connection: &impl ConnectionTrait,
    id: Uuid,
    is_banned: bool,
) -> Result<(), SystemError> {
    if is_banned {
        let row = banned::ActiveModel { id: Set(id) };
        let known = OnConflict::column(banned::Column::Id).do_nothing().to_owned();
        banned::Entity::insert(row).on_conflict(known).exec_without_returning(connection).await?;
    } else {
        banned::Entity::delete_by_id(id).exec(connection).await?;
    }
    Ok(())
}

/// Whether a person may not act.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn is_banned(connection: &impl ConnectionTrait, id: Uuid) -> Result<bool, SystemError> {
    Ok(banned::Entity::find_by_id(id).one(connection).await?.is_some())
}

/// Whether a person may not act, until this transaction ends: a ban that comes meanwhile waits, and then sees what it did.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn is_banned_for_now(tx: &Tx, id: Uuid) -> Result<bool, SystemError> {
    inbox::hold_still(tx, PROJECTION, USER, id).await?;
    is_banned(tx, id).await
}
