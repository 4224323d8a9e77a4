//! Events and commands, written in the transaction of the change they tell about, published by [`relay`].
//!
//! Always: either both the change and its message are there, or neither. Versions are gapless per topic and aggregate,
//! counted by a row that the transaction locks; a unique index proves it. Rows are kept: they are the service's history.

mod lost;
pub mod relay;

use chrono::{DateTime, Utc};
use kopitiam_kafka::envelope::SCHEMA_VERSION;
use kopitiam_kafka::{Envelope, KafkaError, Message, Topic};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use uuid::Uuid;

use crate::db::Tx;
use crate::errors::SystemError;
use crate::{time, trace};

/// A message to write: its payload and what caused it.
#[derive(Clone, Debug)]
pub struct NewMessage<'payload, M> {
    /// Names the message; commands of a saga step use a fixed one, so that a repeated step is the same message.
    pub id: Uuid,
    /// What it is about.
    pub aggregate_id: Uuid,
    /// The Kafka key: messages of one key stay in order. The aggregate's id unless the topic says otherwise.
    pub key: Uuid,
    /// The saga (or request) this belongs to.
    pub correlation_id: Uuid,
    /// The message that caused it; its own id when a request did.
    pub causation_id: Uuid,
    /// `user:<id>` or `service:<name>`.
    pub actor: String,
    /// What it says.
    pub payload: &'payload M,
}

impl<'payload, M: Message> NewMessage<'payload, M> {
    /// A message about `aggregate_id` caused by a request of `actor`.
    pub fn new(aggregate_id: Uuid, actor: impl Into<String>, payload: &'payload M) -> Self {
        let id = Uuid::now_v7();
        Self {
            id,
            aggregate_id,
            key: aggregate_id,
            correlation_id: id,
            causation_id: id,
            actor: actor.into(),
            payload,
        }
    }

    /// A message about `aggregate_id` caused by another message: same correlation.
    pub fn caused_by(
        cause: &Envelope,
        aggregate_id: Uuid,
        actor: impl Into<String>,
        payload: &'payload M,
    ) -> Self {
        let new = Self::new(aggregate_id, actor, payload);
        Self { correlation_id: cause.correlation_id, causation_id: cause.id, ..new }
    }

    /// The same with a fixed id.
    #[must_use]
    pub fn id(self, id: Uuid) -> Self {
        Self { id, ..self }
    }

    /// The same with another Kafka key.
    #[must_use]
    pub fn key(self, key: Uuid) -> Self {
        Self { key, ..self }
    }

    /// The same as part of a saga.
    #[must_use]
    pub fn correlation(self, correlation_id: Uuid) -> Self {
        Self { correlation_id, ..self }
    }
}

/// Writes a message; the relay publishes it after the transaction has committed.
///
/// # Errors
/// [`SystemError::Database`], a unique violation among them when a message with this id is already there.
pub async fn append<M: Message>(tx: &Tx, message: NewMessage<'_, M>) -> Result<Envelope, SystemError> {
    let untyped = UntypedMessage {
        id: message.id,
        topic: M::TOPIC,
        message_type: M::TYPE,
        aggregate_type: M::AGGREGATE,
        aggregate_id: message.aggregate_id,
        key: message.key,
        correlation_id: message.correlation_id,
        causation_id: message.causation_id,
        actor: message.actor,
        payload: serde_json::to_value(message.payload).map_err(KafkaError::Encode)?,
    };
    append_untyped(tx, untyped).await
}

/// A message whose type is only known at run time, as saga step tables have them.
#[derive(Clone, Debug)]
pub struct UntypedMessage {
    /// See [`NewMessage::id`].
    pub id: Uuid,
    /// Where it is published.
    pub topic: Topic,
    /// The envelope's `type`.
    pub message_type: &'static str,
    /// The envelope's `aggregateType`.
    pub aggregate_type: &'static str,
    /// What it is about.
    pub aggregate_id: Uuid,
    /// See [`NewMessage::key`].
    pub key: Uuid,
    /// See [`NewMessage::correlation_id`].
    pub correlation_id: Uuid,
    /// See [`NewMessage::causation_id`].
    pub causation_id: Uuid,
    /// See [`NewMessage::actor`].
    pub actor: String,
    /// What it says.
    pub payload: serde_json::Value,
}

/// Like [`append`].
///
/// # Errors
/// Like [`append`].
pub async fn append_untyped(tx: &Tx, message: UntypedMessage) -> Result<Envelope, SystemError> {
    let topic = message.topic.name();
    let version = next_version(tx, topic, message.aggregate_type, message.aggregate_id).await?;
    let envelope = Envelope {
        id: message.id,
        message_type: message.message_type.to_owned(),
        schema_version: SCHEMA_VERSION,
        aggregate_type: message.aggregate_type.to_owned(),
        aggregate_id: message.aggregate_id,
        aggregate_version: version,
        occurred_at: time::now(),
        correlation_id: message.correlation_id,
        causation_id: message.causation_id,
        actor: message.actor,
        traceparent: trace::current(),
        payload: message.payload,
    };
    let insert = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "INSERT INTO kit_outbox (id, topic, message_key, aggregate_type, aggregate_id, aggregate_version, message_type, body, occurred_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            envelope.id.into(),
            topic.into(),
            message.key.to_string().into(),
            message.aggregate_type.into(),
            envelope.aggregate_id.into(),
            version.into(),
            message.message_type.into(),
            serde_json::to_string(&envelope).map_err(KafkaError::Encode)?.into(),
            envelope.occurred_at.into(),
        ],
    );
    tx.execute_raw(insert).await?;
    Ok(envelope)
}

/// Publishes a message again, with the same id: for a command whose answer is overdue. Consumers drop the copy.
/// Returns whether there is such a message.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn resend(tx: &Tx, id: Uuid) -> Result<bool, SystemError> {
    let update = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "UPDATE kit_outbox SET published_at = NULL, published_partition = NULL, published_offset = NULL WHERE id = $1",
        [id.into()],
    );
    Ok(tx.execute_raw(update).await?.rows_affected() == 1)
}

/// Publishes again what was written at or after a time, with the same ids and in the same order: after a broker lost
/// messages in a way that the relay could not see. The number of messages.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn resend_since(db: &crate::Db, since: DateTime<Utc>) -> Result<u64, SystemError> {
    db.transaction(|tx| async move {
        let update = Statement::from_sql_and_values(
            tx.get_database_backend(),
            "UPDATE kit_outbox SET published_at = NULL, published_partition = NULL, published_offset = NULL \
             WHERE occurred_at >= $1",
            [since.into()],
        );
        Ok(tx.execute_raw(update).await?.rows_affected())
    })
    .await
}

/// The versions that aggregates stand at in a topic; one that was never published about is missing.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn versions(
    db: &crate::Db,
    topic: Topic,
    aggregate_type: &str,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, i64)>, SystemError> {
    let mut versions = Vec::with_capacity(ids.len());
    // Databases bound the number of parameters.
    for some in ids.chunks(500) {
        let places: Vec<String> = (3..some.len() + 3).map(|place| format!("${place}")).collect();
        let select = format!(
            "SELECT aggregate_id, version FROM kit_outbox_heads WHERE topic = $1 AND aggregate_type = $2 AND aggregate_id IN ({})",
            places.join(", ")
        );
        let values = [topic.name().into(), aggregate_type.into()].into_iter();
        let values = values.chain(some.iter().map(|id| (*id).into()));
        let select = Statement::from_sql_and_values(db.backend(), select, values);
        for row in db.read().query_all_raw(select).await? {
            versions.push((row.try_get("", "aggregate_id")?, row.try_get("", "version")?));
        }
    }
    Ok(versions)
}

/// How many messages wait to be published.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn backlog(db: &crate::Db) -> Result<u64, SystemError> {
    let count = Statement::from_string(
        db.backend(),
        "SELECT COUNT(*) AS waiting FROM kit_outbox WHERE published_at IS NULL",
    );
    let row = db.read().query_one_raw(count).await?;
    let waiting: i64 = row.map(|row| row.try_get("", "waiting")).transpose()?.unwrap_or_default();
    Ok(u64::try_from(waiting).unwrap_or_default())
}

/// When the oldest message was written that is not published yet.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn waits_since(db: &crate::Db) -> Result<Option<DateTime<Utc>>, SystemError> {
    let oldest = Statement::from_string(
        db.backend(),
        "SELECT occurred_at FROM kit_outbox WHERE published_at IS NULL ORDER BY seq LIMIT 1",
    );
    let row = db.read().query_one_raw(oldest).await?;
    Ok(row.map(|row| row.try_get("", "occurred_at")).transpose()?)
}

/// The aggregate's next version in the topic. The counter row stays locked until the transaction ends, so messages of one
/// aggregate become visible in the order of their versions.
async fn next_version(tx: &Tx, topic: &str, aggregate_type: &str, aggregate_id: Uuid) -> Result<i64, DbErr> {
    let count = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "INSERT INTO kit_outbox_heads (topic, aggregate_type, aggregate_id, version) VALUES ($1, $2, $3, 1) \
         ON CONFLICT (topic, aggregate_type, aggregate_id) DO UPDATE SET version = kit_outbox_heads.version + 1 \
         RETURNING version",
        [topic.into(), aggregate_type.into(), aggregate_id.into()],
    );
    let row = tx.query_one_raw(count).await?.ok_or(DbErr::RecordNotInserted)?;
    row.try_get("", "version")
}
