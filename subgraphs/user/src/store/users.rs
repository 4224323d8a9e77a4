//! Accounts: find, list, insert, and the changes that raise a version.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr};
use sea_orm::{Condition, ConnectionTrait, IntoActiveModel, QueryOrder, QuerySelect};

use super::entity::{audit, user};
use super::plus;
use crate::domain::account::{Roles, User, UserStatus};
use crate::domain::input::{Email, Username};

impl From<user::Model> for User {
    fn from(row: user::Model) -> User {
        User {
            id: row.id,
            email: row.email,
            username: row.username,
            full_name: row.full_name,
            status: UserStatus::parse(&row.status),
            roles: Roles::parse(&row.roles),
            token_version: row.token_version,
            email_verified: row.email_verified_at.is_some(),
            version: row.version,
            created_at: row.created_at,
        }
    }
}

/// An account to insert.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// UUIDv7, or a fixed one in seed data.
    pub id: Uuid,
    /// Checked.
    pub email: Email,
    /// Checked.
    pub username: Username,
    /// Checked.
    pub full_name: Option<String>,
    /// PHC string.
    pub password_hash: String,
    /// What the account may do.
    pub roles: Roles,
    /// Whether the address is known to be the person's.
    pub verified: bool,
}

/// Inserts an account of version 1.
///
/// # Errors
/// Database errors; the unique keys of e-mail and username among them (`DbErr::sql_err`).
pub async fn insert(db: &impl ConnectionTrait, new: NewUser, now: DateTime<Utc>) -> Result<User, DbErr> {
    let row = user::Model {
        id: new.id,
        email: new.email.as_str().to_owned(),
        email_key: new.email.key(),
        username: new.username.as_str().to_owned(),
        username_key: new.username.key(),
        full_name: new.full_name,
        password_hash: new.password_hash,
        status: if new.verified { UserStatus::Active } else { UserStatus::Unverified }.name().to_owned(),
        roles: new.roles.stored(),
        token_version: 1,
        version: 1,
        created_at: now,
        updated_at: now,
        email_verified_at: new.verified.then_some(now),
    };
    user::Entity::insert(row.clone().into_active_model()).exec_without_returning(db).await?;
    Ok(row.into())
}

/// The account of that id.
///
/// # Errors
/// Database errors.
pub async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<User>, DbErr> {
    Ok(user::Entity::find_by_id(id).one(db).await?.map(User::from))
}

/// The accounts of those ids, in one query.
///
/// # Errors
/// Database errors.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<User>, DbErr> {
    let rows = user::Entity::find().filter(user::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    Ok(rows.into_iter().map(User::from).collect())
}

/// The account of that e-mail with its password hash.
///
/// # Errors
/// Database errors.
pub async fn find_credentials(
    db: &impl ConnectionTrait,
    email: &Email,
) -> Result<Option<(User, String)>, DbErr> {
    let row = user::Entity::find().filter(user::Column::EmailKey.eq(email.key())).one(db).await?;
    Ok(row.map(|row| (row.clone().into(), row.password_hash)))
}

/// The account of that folded address.
///
/// # Errors
/// Database errors.
pub async fn find_by_email_key(db: &impl ConnectionTrait, key: &str) -> Result<Option<User>, DbErr> {
    let row = user::Entity::find().filter(user::Column::EmailKey.eq(key)).one(db).await?;
    Ok(row.map(User::from))
}

/// The password hash of an account.
///
/// # Errors
/// Database errors.
pub async fn password_hash(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<String>, DbErr> {
    Ok(user::Entity::find_by_id(id).one(db).await?.map(|row| row.password_hash))
}

/// Which of the two names exist already: e-mail, username.
///
/// # Errors
/// Database errors.
pub async fn taken(
    db: &impl ConnectionTrait,
    email: &Email,
    username: &Username,
) -> Result<(bool, bool), DbErr> {
    let rows = user::Entity::find()
        .filter(
            Condition::any()
                .add(user::Column::EmailKey.eq(email.key()))
                .add(user::Column::UsernameKey.eq(username.key())),
        )
        .all(db)
        .await?;
    let email_taken = rows.iter().any(|row| row.email_key == email.key());
    Ok((email_taken, rows.iter().any(|row| row.username_key == username.key())))
}

/// What to change; `None` leaves a part as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// New address.
    pub email: Option<Email>,
    /// New name; the inner `None` removes it.
    pub full_name: Option<Option<String>>,
    /// New PHC string.
    pub password_hash: Option<String>,
    /// New state.
    pub status: Option<UserStatus>,
    /// Whether the address is known to be the person's.
    pub verified: Option<bool>,
    /// New roles.
    pub roles: Option<Roles>,
    /// Whether the tokens issued so far lose their worth.
    pub end_tokens: bool,
}

/// Changes an account of `expected_version` and raises its version; `None` when it has another by now.
///
/// # Errors
/// Database errors; the unique key of the e-mail among them.
pub async fn change(
    db: &impl ConnectionTrait,
    id: Uuid,
    expected_version: i32,
    change: Change,
    now: DateTime<Utc>,
) -> Result<Option<User>, DbErr> {
    let mut update = user::Entity::update_many()
        .col_expr(user::Column::Version, plus("version", 1))
        .col_expr(user::Column::UpdatedAt, Expr::value(now))
        .filter(user::Column::Id.eq(id))
        .filter(user::Column::Version.eq(expected_version));
    if let Some(email) = change.email {
        update = update
            .col_expr(user::Column::Email, Expr::value(email.as_str()))
            .col_expr(user::Column::EmailKey, Expr::value(email.key()));
    }
    if let Some(full_name) = change.full_name {
        update = update.col_expr(user::Column::FullName, Expr::value(full_name));
    }
    if let Some(hash) = change.password_hash {
        update = update.col_expr(user::Column::PasswordHash, Expr::value(hash));
    }
    if let Some(status) = change.status {
        update = update.col_expr(user::Column::Status, Expr::value(status.name()));
    }
    if let Some(verified) = change.verified {
        update = update.col_expr(user::Column::EmailVerifiedAt, Expr::value(verified.then_some(now)));
    }
    if let Some(roles) = change.roles {
        update = update.col_expr(user::Column::Roles, Expr::value(roles.stored()));
    }
    if change.end_tokens {
        update = update.col_expr(user::Column::TokenVersion, plus("token_version", 1));
    }
    if update.exec(db).await?.rows_affected == 0 { Ok(None) } else { find(db, id).await }
}

/// Stores a stronger hash of the same password; no version, because nothing that others see has changed.
///
/// # Errors
/// Database errors.
pub async fn rehash(db: &impl ConnectionTrait, id: Uuid, old: &str, new: &str) -> Result<(), DbErr> {
    user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(new))
        .filter(user::Column::Id.eq(id))
        .filter(user::Column::PasswordHash.eq(old))
        .exec(db)
        .await?;
    Ok(())
}

/// Which users to list.
fn matching(query: Option<&str>) -> Condition {
    let Some(word) = query.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty()) else {
        return Condition::all();
    };
    let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let anywhere = || LikeExpr::new(format!("%{escaped}%")).escape('\\');
    Condition::any()
        .add(Expr::col(user::Column::UsernameKey).like(anywhere()))
        .add(Expr::col(user::Column::EmailKey).like(anywhere()))
}

/// One page of users in username order, after the user of that name, at most `limit`.
///
/// # Errors
/// Database errors.
pub async fn list(
    db: &impl ConnectionTrait,
    query: Option<&str>,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<User>, DbErr> {
    let mut select =
        user::Entity::find().filter(matching(query)).order_by_asc(user::Column::UsernameKey).limit(limit);
    if let Some(after) = after {
        select = select.filter(user::Column::UsernameKey.gt(after));
    }
    Ok(select.all(db).await?.into_iter().map(User::from).collect())
}

/// How many users there are.
///
/// # Errors
/// Database errors.
pub async fn count(db: &impl ConnectionTrait, query: Option<&str>) -> Result<u64, DbErr> {
    user::Entity::find().filter(matching(query)).count(db).await
}

/// Writes down who did what to whom.
///
/// # Errors
/// Database errors.
pub async fn audit(
    db: &impl ConnectionTrait,
    actor_id: Option<Uuid>,
    action: &str,
    subject_id: Uuid,
    detail: String,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row =
        audit::Model { id: Uuid::now_v7(), at, actor_id, action: action.to_owned(), subject_id, detail };
    audit::Entity::insert(row.into_active_model()).exec_without_returning(db).await?;
    Ok(())
}

/// The audit trail of a user, oldest first: time, action, detail.
///
/// # Errors
/// Database errors.
pub async fn audit_trail(
    db: &impl ConnectionTrait,
    subject_id: Uuid,
) -> Result<Vec<(DateTime<Utc>, String, String)>, DbErr> {
    let rows = audit::Entity::find()
        .filter(audit::Column::SubjectId.eq(subject_id))
        .order_by_asc(audit::Column::Id)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.at, row.action, row.detail)).collect())
}
