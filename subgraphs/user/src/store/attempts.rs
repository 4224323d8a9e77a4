//! Counters of what must not be tried too often. Shared by all replicas, and exact: an attempt is counted before it is
//! made, so a hundred at once are a hundred.

use chrono::{DateTime, Utc};
use kopitiam_kit::Tx;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::security::limits::Limit;

/// Counts an attempt; `false` when the limit is reached.
///
/// # Errors
/// Database errors.
pub async fn take(tx: &Tx, limit: &Limit, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let count = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "INSERT INTO attempts (name, count, until) VALUES ($1, 1, $2) ON CONFLICT (name) DO UPDATE SET \
         count = CASE WHEN attempts.until <= $3 THEN 1 ELSE attempts.count + 1 END, \
         until = CASE WHEN attempts.until <= $3 THEN excluded.until ELSE attempts.until END RETURNING count",
        [limit.name.as_str().into(), (now + limit.window).into(), now.into()],
    );
    let row = tx.query_one_raw(count).await?;
    let count: i64 = row.map(|row| row.try_get("", "count")).transpose()?.unwrap_or_default();
    Ok(count <= limit.max)
}

/// Takes back an attempt that turned out to be rightful.
///
/// # Errors
/// Database errors.
pub async fn give_back(tx: &Tx, limit: &Limit) -> Result<(), DbErr> {
    let less = "UPDATE attempts SET count = count - 1 WHERE name = $1 AND count > 0";
    let name = [limit.name.as_str().into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), less, name)).await?;
    Ok(())
}

/// Forgets all attempts of a counter: its owner is here.
///
/// # Errors
/// Database errors.
pub async fn forget(tx: &Tx, limit: &Limit) -> Result<(), DbErr> {
    let forget = "DELETE FROM attempts WHERE name = $1";
    let name = [limit.name.as_str().into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), forget, name)).await?;
    Ok(())
}

/// Removes counters whose time is over; gives how many.
///
/// # Errors
/// Database errors.
pub async fn purge(tx: &Tx, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let purge = "DELETE FROM attempts WHERE until <= $1";
    let done = tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), purge, [now.into()]));
    Ok(done.await?.rows_affected())
}
