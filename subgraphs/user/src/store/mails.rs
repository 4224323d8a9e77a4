//! Letters that wait to be sent: written with the change they tell of, claimed by one sender at a time, gone when sent.

use chrono::{DateTime, Duration, Utc};
use kopitiam_kit::{Db, SystemError, Tx};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use super::entity::mail;
use crate::domain::letter::Letter;

/// Tries before a letter is given up; the last ones are hours apart.
const ATTEMPTS_MAX: i64 = 10;
const FIRST_PAUSE: Duration = Duration::seconds(30);
const LONGEST_PAUSE: Duration = Duration::hours(6);

/// Who gets a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// This account.
    User(Uuid),
    /// The account with this folded address, if there is one when the letter is written. Asking for a letter takes the
    /// same work whether there is or not.
    Address(String),
}

/// A letter that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// Also the message id.
    pub id: Uuid,
    /// Who gets it.
    pub recipient: Recipient,
    /// What it says.
    pub letter: Letter,
    /// How often it was tried.
    pub attempts: i64,
}

/// Puts a letter into the queue, in the transaction of what it tells.
///
/// # Errors
/// Database errors.
pub async fn enqueue(
    tx: &Tx,
    recipient: Recipient,
    letter: &Letter,
    now: DateTime<Utc>,
) -> Result<(), SystemError> {
    let (user_id, email_key) = match recipient {
        Recipient::User(id) => (Some(id), None),
        Recipient::Address(key) => (None, Some(key)),
    };
    let letter = serde_json::to_string(letter)?;
    let id = Uuid::now_v7();
    let row = mail::Model { id, user_id, email_key, letter, attempts: 0, due_at: now, created_at: now };
    mail::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(())
}

/// Letters that are due, oldest first.
///
/// # Errors
/// Database errors.
pub async fn due(db: &Db, limit: u64, now: DateTime<Utc>) -> Result<Vec<Due>, SystemError> {
    let rows = mail::Entity::find()
        .filter(mail::Column::DueAt.lte(now))
        .filter(mail::Column::Attempts.lt(ATTEMPTS_MAX))
        .order_by_asc(mail::Column::DueAt)
        .limit(limit)
        .all(db.read())
        .await?;
    rows.into_iter()
        .map(|row| {
            let recipient = match (row.user_id, row.email_key) {
                (Some(id), _) => Recipient::User(id),
                (None, key) => Recipient::Address(key.unwrap_or_default()),
            };
            Ok(Due {
                id: row.id,
                recipient,
                letter: serde_json::from_str(&row.letter)?,
                attempts: row.attempts,
            })
        })
        .collect()
}

/// Takes a letter to send it; `false` when another sender did. It comes back after a pause unless [`sent`] removes it.
///
/// # Errors
/// Database errors.
pub async fn claim(tx: &Tx, due: &Due, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let doublings = i32::try_from(due.attempts.clamp(0, 16)).unwrap_or(16);
    let pause = (FIRST_PAUSE * 2_i32.pow(doublings.unsigned_abs())).min(LONGEST_PAUSE);
    let claimed = mail::Entity::update_many()
        .col_expr(mail::Column::Attempts, Expr::value(due.attempts + 1))
        .col_expr(mail::Column::DueAt, Expr::value(now + pause))
        .filter(mail::Column::Id.eq(due.id))
        .filter(mail::Column::Attempts.eq(due.attempts))
        .exec(tx)
        .await?;
    Ok(claimed.rows_affected == 1)
}

/// Removes a letter that has gone, or that nobody is there to get.
///
/// # Errors
/// Database errors.
pub async fn sent(tx: &Tx, id: Uuid) -> Result<(), DbErr> {
    mail::Entity::delete_by_id(id).exec(tx).await.map(|_| ())
}

/// Removes letters that were tried often enough; gives how many.
///
/// # Errors
/// Database errors.
pub async fn give_up(tx: &Tx, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let hopeless = mail::Entity::delete_many()
        .filter(mail::Column::Attempts.gte(ATTEMPTS_MAX))
        .filter(mail::Column::DueAt.lte(now))
        .exec(tx)
        .await?;
    Ok(hopeless.rows_affected)
}

/// How many letters wait.
///
/// # Errors
/// Database errors.
pub async fn waiting(db: &Db) -> Result<u64, DbErr> {
    mail::Entity::find().count(db.read()).await
}
