//! Sessions and their refresh tokens. Tokens arrive here hashed; the clear text never does.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ConnectionTrait, IntoActiveModel};

use super::entity::{refresh_token, session};
use crate::domain::session::{PresentedToken, REFRESH_TOKEN_LIFE};

/// Opens a session for `user_id` and gives its id, the `sid` claim.
///
/// # Errors
/// Database errors.
pub async fn open(db: &impl ConnectionTrait, user_id: Uuid, now: DateTime<Utc>) -> Result<Uuid, DbErr> {
    let id = Uuid::now_v7();
    let row = session::Model { id, user_id, created_at: now, revoked_at: None, revoked_reason: None };
    session::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(id)
}

/// Adds a refresh token to a session and gives the end of its life.
///
/// # Errors
/// Database errors.
pub async fn add_token(
    db: &impl ConnectionTrait,
    session_id: Uuid,
    token_hash: String,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, DbErr> {
    let expires_at = now + REFRESH_TOKEN_LIFE;
    let row = refresh_token::Model {
        token_hash,
        session_id,
        issued_at: now,
        expires_at,
        used_at: None,
        nonce_hash: None,
    };
    refresh_token::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(expires_at)
}

/// What is known of the token of that hash.
///
/// # Errors
/// Database errors.
pub async fn find_token(
    db: &impl ConnectionTrait,
    token_hash: &str,
) -> Result<Option<PresentedToken>, DbErr> {
    let Some(token) = refresh_token::Entity::find_by_id(token_hash.to_owned()).one(db).await? else {
        return Ok(None);
    };
    let Some(session) = session::Entity::find_by_id(token.session_id).one(db).await? else { return Ok(None) };
    Ok(Some(PresentedToken {
        session_id: session.id,
        user_id: session.user_id,
        expires_at: token.expires_at,
        used_at: token.used_at,
        nonce_hash: token.nonce_hash,
        revoked_at: session.revoked_at,
    }))
}

/// Marks a token as used; `false` when another request did so first: two holders, so the caller ends the family.
///
/// # Errors
/// Database errors.
pub async fn use_token(
    db: &impl ConnectionTrait,
    token_hash: &str,
    nonce_hash: Option<String>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let updated = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(Some(now)))
        .col_expr(refresh_token::Column::NonceHash, Expr::value(nonce_hash))
        .filter(refresh_token::Column::TokenHash.eq(token_hash))
        .filter(refresh_token::Column::UsedAt.is_null())
        .exec(db)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Removes refresh tokens whose life is over, then sessions that have none left; gives how many of each. A used token stays
/// as long as it would have lived, so that its reuse is noticed.
///
/// # Errors
/// Database errors.
pub async fn purge(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(u64, u64), DbErr> {
    let tokens = refresh_token::Entity::delete_many()
        .filter(refresh_token::Column::ExpiresAt.lt(now))
        .exec(db)
        .await?
        .rows_affected;
    let living =
        Query::select().column(refresh_token::Column::SessionId).from(refresh_token::Entity).to_owned();
    let sessions = session::Entity::delete_many()
        .filter(session::Column::CreatedAt.lt(now - REFRESH_TOKEN_LIFE))
        .filter(session::Column::Id.not_in_subquery(living))
        .exec(db)
        .await?
        .rows_affected;
    Ok((tokens, sessions))
}

/// Ends one session with all its tokens.
///
/// # Errors
/// Database errors.
pub async fn revoke(
    db: &impl ConnectionTrait,
    session_id: Uuid,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    revoke_where(db, session::Column::Id.eq(session_id), reason, now).await
}

/// Ends every session of a user.
///
/// # Errors
/// Database errors.
pub async fn revoke_all(
    db: &impl ConnectionTrait,
    user_id: Uuid,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    revoke_where(db, session::Column::UserId.eq(user_id), reason, now).await
}

async fn revoke_where(
    db: &impl ConnectionTrait,
    which: sea_orm::sea_query::SimpleExpr,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(Some(now)))
        .col_expr(session::Column::RevokedReason, Expr::value(Some(reason.to_owned())))
        .filter(which)
        .filter(session::Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(())
}
