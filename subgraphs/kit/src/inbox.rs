//! Which messages a consumer has applied, and which version of each aggregate a projection stands at.

use kopitiam_kafka::Envelope;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

use crate::db::Tx;
use crate::errors::SystemError;
use crate::time;

/// Records that `consumer` applies the message, in the transaction that applies it. `false`: it already did.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn first_time(tx: &Tx, consumer: &str, event_id: Uuid) -> Result<bool, SystemError> {
    let insert = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "INSERT INTO kit_inbox (consumer, event_id, processed_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        [consumer.into(), event_id.into(), time::now().into()],
    );
    Ok(tx.execute_raw(insert).await?.rows_affected() == 1)
}

/// What a projection does with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It is the next one: apply it. The version is already recorded in this transaction.
    Apply,
    /// It is an old one: do nothing.
    Drop,
    /// One before it is missing: return [`crate::consumer::HandleError::Gap`], so that it is tried again later.
    Gap {
        /// The version this projection stands at.
        mine: i64,
    },
}

impl Gate {
    /// `true`: apply; `false`: drop; a gap as the error that makes the consumer try again.
    ///
    /// # Errors
    /// [`crate::consumer::HandleError::Gap`].
    pub fn applies(self, envelope: &Envelope) -> Result<bool, crate::consumer::HandleError> {
        match self {
            Self::Apply => Ok(true),
            Self::Drop => Ok(false),
            Self::Gap { mine } => {
                Err(crate::consumer::HandleError::Gap { mine, theirs: envelope.aggregate_version })
            }
        }
    }
}

/// Compares the event's version with the projection's: older is dropped, the next is applied, a later one is a gap.
///
/// Call it for every event of the aggregate, also for types the projection has no use for. For events only: commands to
/// one aggregate come from several services, each counting its own.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn gate(tx: &Tx, projection: &str, envelope: &Envelope) -> Result<Gate, SystemError> {
    let key = [projection.into(), envelope.aggregate_type.as_str().into(), envelope.aggregate_id.into()];
    let select = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "SELECT version FROM kit_projection_versions WHERE projection = $1 AND aggregate_type = $2 AND aggregate_id = $3",
        key.clone(),
    );
    let row = tx.query_one_raw(select).await?;
    let mine: i64 = row.map(|row| row.try_get("", "version")).transpose()?.unwrap_or_default();
    let theirs = envelope.aggregate_version;
    if theirs <= mine {
        return Ok(Gate::Drop);
    }
    if theirs != mine + 1 {
        return Ok(Gate::Gap { mine });
    }
    let upsert = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "INSERT INTO kit_projection_versions (projection, aggregate_type, aggregate_id, version) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (projection, aggregate_type, aggregate_id) DO UPDATE SET version = excluded.version",
        key.into_iter().chain([theirs.into()]),
    );
    tx.execute_raw(upsert).await?;
    Ok(Gate::Apply)
}

/// Until this transaction ends, nobody else applies an event of the aggregate to the projection: what it says now stays true
/// that long. Nothing is held still of which no event was ever applied.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn hold_still(
    tx: &Tx,
    projection: &str,
    aggregate_type: &str,
    aggregate_id: Uuid,
) -> Result<(), SystemError> {
    if tx.get_database_backend() != DbBackend::Postgres {
        // This transaction is the only one that writes.
        return Ok(());
    }
    let select = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT version FROM kit_projection_versions WHERE projection = $1 AND aggregate_type = $2 AND aggregate_id = $3 \
         FOR SHARE",
        [projection.into(), aggregate_type.into(), aggregate_id.into()],
    );
    tx.query_one_raw(select).await?;
    Ok(())
}
