//! One effect per client key: the same key with the same request gets the same answer, with another request an error.
//!
//! Always: the key's row, the effect and the answer are one transaction. A second call while the first runs waits for it
//! (SQLite queues writers; on PostgreSQL the insert waits for the row) and then gets its answer, or `IN_PROGRESS`.

use std::future::Future;

use sea_orm::{ConnectionTrait, Statement};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::db::{Db, Tx};
use crate::errors::{Failure, SystemError, UserError};
use crate::time;

/// Longest key a client may send.
const KEY_MAX: usize = 200;

/// Whose key, for which operation.
#[derive(Clone, Debug)]
pub struct Key {
    actor: String,
    operation: &'static str,
    from_client: String,
}

impl Key {
    /// `actor` is who asks (`user:<id>`); keys of different actors or operations never meet.
    ///
    /// # Errors
    /// A refusal `INVALID_IDEMPOTENCY_KEY` when the key is empty or longer than 200 characters.
    pub fn new(
        actor: impl Into<String>,
        operation: &'static str,
        client_key: &str,
    ) -> Result<Self, UserError> {
        if client_key.trim().is_empty() || client_key.len() > KEY_MAX {
            let message = format!("the idempotency key must be 1 to {KEY_MAX} characters");
            return Err(UserError::on(&["idempotencyKey"], "INVALID_IDEMPOTENCY_KEY", message));
        }
        Ok(Self { actor: actor.into(), operation, from_client: client_key.to_owned() })
    }
}

/// Runs `work` at most once for the key, in one transaction with the key's row, and stores its answer.
///
/// Refusals are stored too: the same key gets the same refusal. System failures and refusals that pass
/// ([`UserError::passing`]) are not: the same key may try again.
///
/// # Errors
/// What `work` gave; refusals `IDEMPOTENCY_MISMATCH` when the key came with another request, `IN_PROGRESS` when another
/// call with it has not finished.
pub async fn once<T, R, F, Fut>(db: &Db, key: &Key, request: &R, work: F) -> Result<T, Failure>
where
    T: Serialize + DeserializeOwned,
    R: Serialize + Sync,
    F: Fn(Tx) -> Fut + Sync,
    Fut: Future<Output = Result<T, Failure>> + Send,
    T: Send + Sync,
{
    let hash = request_hash(request)?;
    let (hash, work) = (hash.as_str(), &work);
    let outcome = db
        .transaction(|tx| async move {
            if !claim(&tx, key, hash).await? {
                return stored_answer(&tx, key, hash).await;
            }
            let value = work(tx.clone()).await?;
            store(&tx, key, &Answer::<&T>::Done(&value)).await?;
            Ok(value)
        })
        .await;
    if let Err(Failure::Refused(errors)) = &outcome
        && !errors.iter().any(|error| error.passing || is_own_code(&error.code))
    {
        // The refused work was rolled back with its key; the refusal alone is kept.
        db.transaction(|tx| async move {
            if claim(&tx, key, hash).await? {
                store(&tx, key, &Answer::<()>::Refused(errors.clone())).await?;
            }
            Ok::<(), Failure>(())
        })
        .await?;
    }
    outcome
}

#[derive(serde::Serialize, serde::Deserialize)]
enum Answer<T> {
    Done(T),
    Refused(Vec<UserError>),
}

fn is_own_code(code: &str) -> bool {
    code == "IDEMPOTENCY_MISMATCH" || code == "IN_PROGRESS"
}

fn request_hash<R: Serialize>(request: &R) -> Result<String, SystemError> {
    let digest = Sha256::digest(serde_json::to_vec(request)?);
    Ok(digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write as _;
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

async fn claim(tx: &Tx, key: &Key, hash: &str) -> Result<bool, SystemError> {
    let insert = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "INSERT INTO kit_idempotency (actor, operation, client_key, request_hash, created_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
        [
            key.actor.as_str().into(),
            key.operation.into(),
            key.from_client.as_str().into(),
            hash.into(),
            time::now().into(),
        ],
    );
    Ok(tx.execute_raw(insert).await?.rows_affected() == 1)
}

async fn store<T: Serialize>(tx: &Tx, key: &Key, answer: &Answer<T>) -> Result<(), SystemError> {
    let update = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "UPDATE kit_idempotency SET answer = $4 WHERE actor = $1 AND operation = $2 AND client_key = $3",
        [
            key.actor.as_str().into(),
            key.operation.into(),
            key.from_client.as_str().into(),
            serde_json::to_string(answer)?.into(),
        ],
    );
    tx.execute_raw(update).await?;
    Ok(())
}

async fn stored_answer<T: DeserializeOwned>(tx: &Tx, key: &Key, hash: &str) -> Result<T, Failure> {
    let select = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "SELECT request_hash, answer FROM kit_idempotency WHERE actor = $1 AND operation = $2 AND client_key = $3",
        [key.actor.as_str().into(), key.operation.into(), key.from_client.as_str().into()],
    );
    let in_progress = || Failure::refused("IN_PROGRESS", "the same request is still running");
    let row = tx.query_one_raw(select).await?.ok_or_else(in_progress)?;
    let stored_hash: String = row.try_get("", "request_hash")?;
    if stored_hash != hash {
        let message = "this idempotency key was used for another request";
        return Err(UserError::on(&["idempotencyKey"], "IDEMPOTENCY_MISMATCH", message).into());
    }
    let answer: Option<String> = row.try_get("", "answer")?;
    match serde_json::from_str(&answer.ok_or_else(in_progress)?)? {
        Answer::Done(value) => Ok(value),
        Answer::Refused(errors) => Err(Failure::Refused(errors)),
    }
}
