//! Messages that a consumer could not apply yet: kept in order per key until they can be, never skipped.
//!
//! Always: once an event of a key is parked, every later event of that key is parked behind it, so nothing is applied out
//! of order; other keys go on. An event that fills a gap frees its key. What is parked is tried again by itself, with
//! pauses that grow to ten minutes, and at once by [`replay`]. Commands and unreadable records are parked alone: the
//! senders of commands wait for the answer, and an unreadable record that hid an event leaves a gap behind it. What nobody
//! proved to be its sender's is kept with its headers and believed only when a key proves it; later events of its key are
//! tried without it, so that a forged one stops nothing.
//!
//! Elsewhere: when a message is parked (`consumer`).

use chrono::{DateTime, Utc};
use kopitiam_kafka::Envelope;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use serde::Serialize;
use uuid::Uuid;

use crate::db::{Db, Tx};
use crate::errors::SystemError;
use crate::senders::Claim;

/// First pause before a parked key is tried again; doubles each time.
const PAUSE_MS: i64 = 1_000;
/// Longest pause.
const PAUSE_MAX_MS: i64 = 600_000;
/// Keys tried per look.
const KEYS_PER_LOOK: i64 = 50;

/// A message to park.
#[derive(Debug, Clone)]
pub(crate) struct NewParked<'a> {
    /// The consumer's group.
    pub(crate) consumer: &'a str,
    /// The topic's name without the cluster's prefix.
    pub(crate) topic: &'a str,
    /// The record's key.
    pub(crate) key: &'a str,
    /// Whether later messages of the key wait behind it.
    pub(crate) blocks: bool,
    /// The message's id; for an unreadable record, or one that nobody proved to be its sender's, one made of its bytes.
    pub(crate) event_id: Uuid,
    /// The message, when it could be read.
    pub(crate) envelope: Option<&'a Envelope>,
    /// Whose it says it is, when that is not proved.
    pub(crate) claim: Option<&'a Claim>,
    /// What came, as text.
    pub(crate) body: &'a str,
    /// Why it is parked.
    pub(crate) reason: &'a str,
}

/// A parked message, for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// Position in the table.
    pub seq: i64,
    /// The consumer that could not apply it.
    pub consumer: String,
    /// Topic it came from.
    pub topic: String,
    /// Its key.
    pub key: String,
    /// Its id.
    pub event_id: Uuid,
    /// Its type; empty when it could not be read.
    pub message_type: String,
    /// Its version.
    pub aggregate_version: i64,
    /// Why it could not be applied the last time.
    pub reason: String,
    /// How often it was tried since it is parked.
    pub tries: i64,
    /// Since when.
    pub parked_at: DateTime<Utc>,
    /// What came.
    pub body: String,
    /// Whose it says it is, when that is not proved.
    #[serde(skip)]
    pub(crate) claim: Option<String>,
}

impl Parked {
    fn from_row(row: &QueryResult) -> Result<Self, SystemError> {
        Ok(Self {
            seq: row.try_get("", "seq")?,
            consumer: row.try_get("", "consumer")?,
            topic: row.try_get("", "topic")?,
            key: row.try_get("", "message_key")?,
            event_id: row.try_get("", "event_id")?,
            message_type: row.try_get("", "message_type")?,
            aggregate_version: row.try_get("", "aggregate_version")?,
            reason: row.try_get("", "reason")?,
            tries: row.try_get("", "tries")?,
            parked_at: row.try_get("", "parked_at")?,
            body: row.try_get("", "body")?,
            claim: row.try_get("", "claim")?,
        })
    }
}

fn statement<const N: usize>(db: &impl ConnectionTrait, sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

const COLUMNS: &str = "seq, consumer, topic, message_key, event_id, message_type, aggregate_version, reason, tries, \
                       parked_at, body, claim";

/// The text without NUL, which PostgreSQL stores in no text: what strangers sent must not stop the consumer.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Parks a message; a copy of a parked one changes nothing.
pub(crate) async fn add(tx: &Tx, parked: &NewParked<'_>, now: DateTime<Utc>) -> Result<(), SystemError> {
    let claim = parked.claim.map(serde_json::to_string).transpose()?;
    let insert = statement(
        tx,
        "INSERT INTO kit_parked (consumer, topic, message_key, blocks, event_id, message_type, aggregate_version, body, \
         reason, tries, next_try_ms, parked_at, claim) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12) \
         ON CONFLICT (consumer, event_id) DO NOTHING",
        [
            parked.consumer.into(),
            parked.topic.into(),
            parked.key.into(),
            parked.blocks.into(),
            parked.event_id.into(),
            parked.envelope.map(|envelope| storable(&envelope.message_type)).unwrap_or_default().into(),
            parked.envelope.map(|envelope| envelope.aggregate_version).unwrap_or_default().into(),
            storable(parked.body).into(),
            storable(parked.reason).into(),
            (now.timestamp_millis() + PAUSE_MS).into(),
            now.into(),
            claim.into(),
        ],
    );
    tx.execute_raw(insert).await?;
    Ok(())
}

/// Whether messages of the key wait.
pub(crate) async fn holds(tx: &Tx, consumer: &str, topic: &str, key: &str) -> Result<bool, SystemError> {
    let select = statement(
        tx,
        "SELECT seq FROM kit_parked WHERE consumer = $1 AND topic = $2 AND message_key = $3 AND blocks LIMIT 1",
        [consumer.into(), topic.into(), key.into()],
    );
    Ok(tx.query_one_raw(select).await?.is_some())
}

/// What waits under the key, in the order to apply it: a message that fills a gap may have come last.
pub(crate) async fn of_key(
    db: &Db,
    consumer: &str,
    topic: &str,
    key: &str,
) -> Result<Vec<Parked>, SystemError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM kit_parked WHERE consumer = $1 AND topic = $2 AND message_key = $3 \
         ORDER BY aggregate_version, seq"
    );
    let rows = db
        .read()
        .query_all_raw(statement(db.read(), &sql, [consumer.into(), topic.into(), key.into()]))
        .await?;
    rows.iter().map(Parked::from_row).collect()
}

/// Takes a message out; `false` when another transaction did.
pub(crate) async fn take(tx: &Tx, seq: i64) -> Result<bool, SystemError> {
    let delete = statement(tx, "DELETE FROM kit_parked WHERE seq = $1", [seq.into()]);
    Ok(tx.execute_raw(delete).await?.rows_affected() == 1)
}

/// Notes that a message could not be applied again, and when to try next.
pub(crate) async fn failed(
    db: &Db,
    parked: &Parked,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), SystemError> {
    let doubled = PAUSE_MS.saturating_mul(1 << parked.tries.clamp(0, 20));
    let next_try_ms = now.timestamp_millis() + doubled.min(PAUSE_MAX_MS);
    db.transaction(|tx| async move {
        let update = statement(
            &tx,
            "UPDATE kit_parked SET tries = tries + 1, reason = $2, next_try_ms = $3 WHERE seq = $1",
            [parked.seq.into(), storable(reason).into(), next_try_ms.into()],
        );
        tx.execute_raw(update).await?;
        // Those behind it wait for it: looking at them sooner would only repeat its failure.
        let behind = statement(
            &tx,
            "UPDATE kit_parked SET next_try_ms = $4 WHERE consumer = $1 AND topic = $2 AND message_key = $3",
            [
                parked.consumer.as_str().into(),
                parked.topic.as_str().into(),
                parked.key.as_str().into(),
                next_try_ms.into(),
            ],
        );
        tx.execute_raw(behind).await?;
        Ok(())
    })
    .await
}

/// The keys (topic, key) of a consumer whose time to be tried has come.
pub(crate) async fn due(
    db: &Db,
    consumer: &str,
    now: DateTime<Utc>,
) -> Result<Vec<(String, String)>, SystemError> {
    let select = statement(
        db.read(),
        "SELECT DISTINCT topic, message_key FROM kit_parked WHERE consumer = $1 AND next_try_ms <= $2 LIMIT $3",
        [consumer.into(), now.timestamp_millis().into(), KEYS_PER_LOOK.into()],
    );
    let rows = db.read().query_all_raw(select).await?;
    rows.iter().map(|row| Ok((row.try_get("", "topic")?, row.try_get("", "message_key")?))).collect()
}

/// How many messages are parked.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn count(db: &Db) -> Result<u64, SystemError> {
    let count = statement(db.read(), "SELECT COUNT(*) AS parked FROM kit_parked", []);
    let row = db.read().query_one_raw(count).await?;
    let parked: i64 = row.map(|row| row.try_get("", "parked")).transpose()?.unwrap_or_default();
    Ok(u64::try_from(parked).unwrap_or_default())
}

/// What is parked, the oldest first, at most `limit`.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn list(db: &Db, limit: u32) -> Result<Vec<Parked>, SystemError> {
    let sql = format!("SELECT {COLUMNS} FROM kit_parked ORDER BY seq LIMIT $1");
    let rows = db.read().query_all_raw(statement(db.read(), &sql, [i64::from(limit).into()])).await?;
    rows.iter().map(Parked::from_row).collect()
}

/// Has parked messages tried again at once: the one with this id, or all. The running consumer does it within a second;
/// otherwise the next start does. The number of messages.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn replay(db: &Db, event_id: Option<Uuid>) -> Result<u64, SystemError> {
    db.transaction(|tx| async move {
        let update = match event_id {
            Some(id) => statement(
                &tx,
                "UPDATE kit_parked SET next_try_ms = 0, tries = 0 WHERE event_id = $1",
                [id.into()],
            ),
            None => statement(&tx, "UPDATE kit_parked SET next_try_ms = 0, tries = 0", []),
        };
        Ok(tx.execute_raw(update).await?.rows_affected())
    })
    .await
}
