//! One-time tokens. They arrive here hashed; the clear text is only ever in the letter.

use chrono::{DateTime, Utc};
use kopitiam_kit::Tx;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;

use super::entity::one_time_token;
use crate::domain::one_time::Purpose;

/// Whom a token was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    /// The account.
    pub user_id: Uuid,
    /// The folded address it was sent to.
    pub email_key: String,
}

/// Keeps a new token's hash; the account's earlier tokens for the same purpose are worth nothing from now on.
///
/// # Errors
/// Database errors.
pub async fn issue(
    tx: &Tx,
    purpose: Purpose,
    to: &Redeemed,
    token_hash: String,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    one_time_token::Entity::update_many()
        .col_expr(one_time_token::Column::UsedAt, Expr::value(Some(now)))
        .filter(one_time_token::Column::UserId.eq(to.user_id))
        .filter(one_time_token::Column::Purpose.eq(purpose.name()))
        .filter(one_time_token::Column::UsedAt.is_null())
        .exec(tx)
        .await?;
    let row = one_time_token::Model {
        token_hash,
        purpose: purpose.name().to_owned(),
        user_id: to.user_id,
        email_key: to.email_key.clone(),
        issued_at: now,
        expires_at: now + purpose.life(),
        used_at: None,
    };
    one_time_token::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(())
}

/// Uses a token up; `None` when it is unknown, for something else, used or too old.
///
/// # Errors
/// Database errors.
pub async fn redeem(
    tx: &Tx,
    purpose: Purpose,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<Redeemed>, DbErr> {
    let used = one_time_token::Entity::update_many()
        .col_expr(one_time_token::Column::UsedAt, Expr::value(Some(now)))
        .filter(one_time_token::Column::TokenHash.eq(token_hash))
        .filter(one_time_token::Column::Purpose.eq(purpose.name()))
        .filter(one_time_token::Column::UsedAt.is_null())
        .filter(one_time_token::Column::ExpiresAt.gt(now))
        .exec(tx)
        .await?;
    if used.rows_affected == 0 {
        return Ok(None);
    }
    let row = one_time_token::Entity::find_by_id(token_hash.to_owned()).one(tx).await?;
    Ok(row.map(|row| Redeemed { user_id: row.user_id, email_key: row.email_key }))
}

/// Removes tokens that are worth nothing any more; gives how many.
///
/// # Errors
/// Database errors.
pub async fn purge(tx: &Tx, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let gone = one_time_token::Entity::delete_many()
        .filter(one_time_token::Column::ExpiresAt.lt(now))
        .exec(tx)
        .await?;
    Ok(gone.rows_affected)
}
