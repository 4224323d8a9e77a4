//! Rows that are of no use after a while, deleted a few at a time.
//!
//! In: tables with a column that says how old a row is. Always: a row younger than its table's age stays; no transaction
//! deletes more than a small batch, so writers hardly wait. The kit's own: idempotency keys after two days, inbox rows
//! after thirty (commands are kept for seven on their topics, so no copy can arrive later; events are gated by version).
//! Not purged: the outbox, which is the service's history.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use tokio_util::sync::CancellationToken;

use crate::db::Db;
use crate::errors::SystemError;

/// Rows per transaction.
const BATCH: u32 = 500;
/// Between looks.
const EVERY: Duration = Duration::from_mins(15);

/// How a column tells a row's age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgeColumn {
    /// `TIMESTAMP WITH TIME ZONE`.
    Timestamp(&'static str),
    /// UTC milliseconds, `BIGINT`.
    Millis(&'static str),
}

/// Rows that may go.
#[derive(Clone, Copy, Debug)]
pub struct Expiring {
    /// The table.
    pub table: &'static str,
    /// When a row began to age; an index on it keeps the purge cheap.
    pub column: AgeColumn,
    /// Rows older than this go.
    pub keep: TimeDelta,
    /// A further SQL condition on rows that may go, such as `owner_id IS NULL`; empty for none.
    pub only: &'static str,
}

/// What the kit itself keeps for a while.
const OWN: [Expiring; 2] = [
    Expiring {
        table: "kit_idempotency",
        column: AgeColumn::Timestamp("created_at"),
        keep: TimeDelta::hours(48),
        only: "",
    },
    Expiring {
        table: "kit_inbox",
        column: AgeColumn::Timestamp("processed_at"),
        keep: TimeDelta::days(30),
        only: "",
    },
];

/// Deletes what is too old: of the kit's tables and of these. The number of rows.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn purge(db: &Db, tables: &[Expiring], now: DateTime<Utc>) -> Result<u64, SystemError> {
    let mut deleted = 0;
    for table in OWN.iter().chain(tables) {
        loop {
            let batch = delete_batch(db, table, now).await?;
            deleted += batch;
            if batch < u64::from(BATCH) {
                break;
            }
        }
    }
    Ok(deleted)
}

/// Purges a minute after the start and every quarter of an hour until `shutdown`.
pub async fn run(db: Db, tables: Vec<Expiring>, shutdown: CancellationToken) {
    let mut pause = Duration::from_mins(1);
    while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        match purge(&db, &tables, crate::time::now()).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "expired rows deleted"),
            Err(error) => tracing::warn!(%error, "expired rows could not be deleted"),
        }
        pause = EVERY;
    }
}

async fn delete_batch(db: &Db, table: &Expiring, now: DateTime<Utc>) -> Result<u64, SystemError> {
    let before = now - table.keep;
    let (column, before): (_, Value) = match table.column {
        AgeColumn::Timestamp(column) => (column, before.into()),
        AgeColumn::Millis(column) => (column, before.timestamp_millis().into()),
    };
    let row = if db.backend() == DbBackend::Postgres { "ctid" } else { "rowid" };
    let only = if table.only.is_empty() { String::new() } else { format!(" AND ({})", table.only) };
    let name = table.table;
    let sql = format!(
        "DELETE FROM {name} WHERE {row} IN (SELECT {row} FROM {name} WHERE {column} < $1{only} LIMIT {BATCH})"
    );
    db.transaction(|tx| {
        let delete = Statement::from_sql_and_values(tx.get_database_backend(), &sql, [before.clone()]);
        async move { Ok(tx.execute_raw(delete).await?.rows_affected()) }
    })
    .await
}
