//! Secrets of programs, hashed.

use chrono::{DateTime, Utc};
use kopitiam_kit::Tx;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ConnectionTrait, IntoActiveModel};

use super::entity::service_account;

/// Gives the service of that name a new secret; an earlier one is worth nothing from now on, and a disabled identity is
/// enabled.
///
/// # Errors
/// Database errors.
pub async fn set_secret(tx: &Tx, name: &str, secret_hash: String, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = service_account::Model {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        secret_hash,
        created_at: now,
        disabled_at: None,
    };
    let replace = OnConflict::column(service_account::Column::Name)
        .update_columns([service_account::Column::SecretHash, service_account::Column::DisabledAt])
        .to_owned();
    service_account::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await
        .map(|_| ())
}

/// Takes the identity's secret away; `false` when there is none of that name.
///
/// # Errors
/// Database errors.
pub async fn disable(tx: &Tx, name: &str, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let disabled = service_account::Entity::update_many()
        .col_expr(service_account::Column::DisabledAt, Expr::value(Some(now)))
        .filter(service_account::Column::Name.eq(name))
        .exec(tx)
        .await?;
    Ok(disabled.rows_affected == 1)
}

/// The id of the enabled identity with that name and secret.
///
/// # Errors
/// Database errors.
pub async fn find(db: &impl ConnectionTrait, name: &str, secret_hash: &str) -> Result<Option<Uuid>, DbErr> {
    // Compared by the database as hashes of 256 random bits: how long that takes says nothing about the secret.
    let row = service_account::Entity::find()
        .filter(service_account::Column::Name.eq(name))
        .filter(service_account::Column::SecretHash.eq(secret_hash))
        .filter(service_account::Column::DisabledAt.is_null())
        .one(db)
        .await?;
    Ok(row.map(|row| row.id))
}
