//! Signing keys: kept in this service's database, so that every replica signs with the same and a restart changes none.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, IntoActiveModel, QueryOrder};

use super::entity::signing_key;

/// A stored key.
#[derive(Clone)]
pub struct StoredKey {
    /// Its name in token headers and the key set.
    pub kid: String,
    /// Base64 of the private key's PKCS#8 form.
    pub private_key: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Every key, the newest last. Which of them signs is `security/key_ring.rs`'s to say.
///
/// # Errors
/// Database errors.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<StoredKey>, DbErr> {
    let rows = signing_key::Entity::find()
        .filter(signing_key::Column::RetiredAt.is_null())
        .order_by_asc(signing_key::Column::CreatedAt)
        .order_by_asc(signing_key::Column::Kid)
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| StoredKey { kid: row.kid, private_key: row.private_key, created_at: row.created_at })
        .collect())
}

/// Removes a key that no living token was signed with.
///
/// # Errors
/// Database errors.
pub async fn remove(db: &impl ConnectionTrait, kid: &str) -> Result<(), DbErr> {
    signing_key::Entity::delete_by_id(kid.to_owned()).exec(db).await.map(|_| ())
}

/// Adds a key unless one of that name is there.
///
/// # Errors
/// Database errors.
pub async fn insert(db: &impl ConnectionTrait, key: &StoredKey) -> Result<(), DbErr> {
    let row = signing_key::Model {
        kid: key.kid.clone(),
        private_key: key.private_key.clone(),
        created_at: key.created_at,
        retired_at: None,
    };
    signing_key::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(signing_key::Column::Kid).do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}
