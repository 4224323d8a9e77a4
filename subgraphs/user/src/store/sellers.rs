//! Stalls: find in batches, open.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, IntoActiveModel};

use super::entity::seller;
use crate::domain::account::Seller;

impl From<seller::Model> for Seller {
    fn from(row: seller::Model) -> Seller {
        let seller::Model { id, handle, display_name, bio, verified, member_since } = row;
        Seller { id, handle, display_name, bio, verified, member_since }
    }
}

/// The stalls of those users, in one query.
///
/// # Errors
/// Database errors.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Seller>, DbErr> {
    let rows = seller::Entity::find().filter(seller::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(Seller::from).collect())
}

/// The stalls of those handles, in one query.
///
/// # Errors
/// Database errors.
pub async fn find_by_handles(db: &impl ConnectionTrait, handles: &[String]) -> Result<Vec<Seller>, DbErr> {
    let rows =
        seller::Entity::find().filter(seller::Column::Handle.is_in(handles.iter().cloned())).all(db).await?;
    Ok(rows.into_iter().map(Seller::from).collect())
}

/// Opens a stall.
///
/// # Errors
/// Database errors; the unique key of the handle among them.
pub async fn insert(db: &impl ConnectionTrait, new: &Seller) -> Result<(), DbErr> {
    let Seller { id, handle, display_name, bio, verified, member_since } = new.clone();
    let row = seller::Model { id, handle, display_name, bio, verified, member_since };
    seller::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// A stall to open now, not yet vouched for by the shop.
pub fn unverified(
    id: Uuid,
    handle: String,
    display_name: String,
    bio: Option<String>,
    now: DateTime<Utc>,
) -> Seller {
    Seller { id, handle, display_name, bio, verified: false, member_since: now }
}
