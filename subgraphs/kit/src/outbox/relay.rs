//! Publishes the outbox: in order per aggregate, at least once, woken by each commit.
//!
//! Always: the first copies of an aggregate's messages are on the topic in the order of their versions. A relay sends all
//! that is not marked, in order, and marks what the broker has acknowledged; so does every other relay of the same
//! database, and two such sequences mixed still bring each version first after the one before it. The lease only saves
//! the copies: one relay works, the others stand by. A starting relay takes it at once, because the holder may have
//! crashed; a holder that stops renewing loses it after ten seconds.
//! A crash between sending and marking sends the same message again, with the same id. A broker that lost what it had
//! acknowledged is given it again (`lost`).

use std::time::Duration;

use kopitiam_kafka::{client, topics};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lost;
use crate::config::KafkaConfig;
use crate::db::Db;
use crate::errors::SystemError;
use crate::failpoint::Point;
use crate::{senders, time};

const BATCH: u64 = 256;
const LEASE: Duration = Duration::from_secs(10);
/// The net under the wake-up: other processes commit to the same database too.
const POLL: Duration = Duration::from_secs(1);
const BACKOFF: Duration = Duration::from_millis(500);

/// Publishes until `shutdown`; waits for the broker as long as it takes.
pub async fn run(db: Db, kafka: KafkaConfig, shutdown: CancellationToken) {
    let holder = Uuid::now_v7();
    let work = async {
        ensure_topics(&kafka).await;
        while let Err(error) = take_lease(&db, holder, Taking::EvenIfHeld).await {
            tracing::warn!(%error, "waiting for the database");
            tokio::time::sleep(BACKOFF).await;
        }
        loop {
            if let Err(error) = publish_with_one_producer(&db, &kafka, holder).await {
                tracing::warn!(%error, "outbox relay stopped, trying again");
            }
            tokio::time::sleep(BACKOFF).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
    if let Err(error) = release_lease(&db, holder).await {
        tracing::debug!(%error, "the relay's lease runs out by itself");
    }
}

/// Makes the topics, however long the broker takes to appear.
async fn ensure_topics(kafka: &KafkaConfig) {
    while let Err(error) = topics::ensure(&kafka.brokers, &kafka.layout).await {
        tracing::warn!(%error, brokers = kafka.brokers, "waiting for the broker");
        tokio::time::sleep(BACKOFF).await;
    }
}

/// Ends with an error when the producer is broken (a message timed out, so a hole could follow) or the database is away.
async fn publish_with_one_producer(db: &Db, kafka: &KafkaConfig, holder: Uuid) -> Result<(), SystemError> {
    let producer = client::producer(&kafka.brokers)?;
    lost::resend_what_the_broker_lost(db, &producer, &kafka.layout.prefix).await?;
    loop {
        let published =
            if hold_lease(db, holder).await? { publish_batch(db, &producer, kafka).await? } else { 0 };
        if published == 0 {
            tokio::select! {
                () = db.committed() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}

struct Waiting {
    seq: i64,
    /// Without the cluster's prefix.
    name: String,
    topic: String,
    key: String,
    body: String,
}

/// Where the broker put a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) seq: i64,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl Waiting {
    fn from_row(row: &QueryResult, prefix: &str) -> Result<Self, SystemError> {
        let name: String = row.try_get("", "topic")?;
        Ok(Self {
            seq: row.try_get("", "seq")?,
            topic: format!("{prefix}{name}"),
            name,
            key: row.try_get("", "message_key")?,
            body: row.try_get("", "body")?,
        })
    }
}

async fn publish_batch(
    db: &Db,
    producer: &FutureProducer,
    kafka: &KafkaConfig,
) -> Result<usize, SystemError> {
    let select = format!(
        "SELECT seq, topic, message_key, body FROM kit_outbox WHERE published_at IS NULL ORDER BY seq LIMIT {BATCH}"
    );
    let rows = db.read().query_all_raw(Statement::from_string(db.backend(), select)).await?;
    let batch =
        rows.iter().map(|row| Waiting::from_row(row, &kafka.layout.prefix)).collect::<Result<Vec<_>, _>>()?;
    if batch.is_empty() {
        return Ok(0);
    }
    let mut deliveries = Vec::with_capacity(batch.len());
    for message in &batch {
        let envelope: kopitiam_kafka::Envelope = serde_json::from_str(&message.body)?;
        let record = FutureRecord::to(&message.topic)
            .key(&message.key)
            .payload(&message.body)
            .headers(senders::sign(kafka, envelope.headers(), &message.name, &message.key, &message.body))
            .timestamp(envelope.occurred_at.timestamp_millis());
        // Enqueued in order from one task: the idempotent producer keeps that order per partition.
        deliveries.push((message, producer.send_result(record)));
    }
    let mut sent = Vec::with_capacity(deliveries.len());
    let mut failure = None;
    for (message, delivery) in deliveries {
        match delivery {
            Ok(delivery) => match delivery.await {
                Ok(Ok(delivery)) => {
                    let placed =
                        Placed { seq: message.seq, partition: delivery.partition, offset: delivery.offset };
                    sent.push((message.name.as_str(), placed));
                }
                Ok(Err((error, _))) => failure = failure.or(Some(error)),
                Err(_) => failure = failure.or(Some(rdkafka::error::KafkaError::Canceled)),
            },
            Err((error, _)) => failure = failure.or(Some(error)),
        }
    }
    if !sent.is_empty() {
        db.reach(Point::BeforeMark).await;
    }
    if !lost::resend_what_was_overwritten(db, &sent).await? {
        mark_published(db, &sent).await?;
    }
    match failure {
        None => Ok(sent.len()),
        Some(error) => {
            // What is still queued would arrive beside the next attempt's copies for nothing.
            producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
            let _ = producer.flush(Timeout::After(Duration::ZERO));
            Err(kopitiam_kafka::KafkaError::from(error).into())
        }
    }
}

async fn mark_published(db: &Db, sent: &[(&str, Placed)]) -> Result<(), SystemError> {
    if sent.is_empty() {
        return Ok(());
    }
    let places = sent.iter().map(|(_, placed)| {
        let Placed { seq, partition, offset } = placed;
        format!("({seq},{partition},{offset})")
    });
    let places = places.collect::<Vec<_>>().join(",");
    let sql = format!(
        "UPDATE kit_outbox SET published_at = $1, published_partition = place.column2, published_offset = place.column3 \
         FROM (VALUES {places}) AS place WHERE kit_outbox.seq = place.column1"
    );
    db.transaction(|tx| {
        let update = Statement::from_sql_and_values(tx.get_database_backend(), &sql, [time::now().into()]);
        async move { tx.execute_raw(update).await.map(|_| ()).map_err(SystemError::from) }
    })
    .await
}

/// Whether this relay may publish now; takes the lease when it is free and renews it in its second half.
async fn hold_lease(db: &Db, holder: Uuid) -> Result<bool, SystemError> {
    let now_ms = time::now().timestamp_millis();
    let select = "SELECT holder, until_ms FROM kit_outbox_lease WHERE name = 'relay'";
    let current = db.read().query_one_raw(Statement::from_string(db.backend(), select)).await?;
    if let Some(row) = current {
        let (current_holder, until_ms): (Uuid, i64) =
            (row.try_get("", "holder")?, row.try_get("", "until_ms")?);
        let left_ms = until_ms - now_ms;
        if current_holder != holder && left_ms > 0 {
            return Ok(false);
        }
        if current_holder == holder && left_ms > lease_ms() / 2 {
            return Ok(true);
        }
    }
    take_lease(db, holder, Taking::IfFree).await
}

#[derive(Clone, Copy)]
enum Taking {
    IfFree,
    EvenIfHeld,
}

async fn take_lease(db: &Db, holder: Uuid, taking: Taking) -> Result<bool, SystemError> {
    let now_ms = time::now().timestamp_millis();
    // A lease that ran out before this moment is free.
    let free_before_ms = match taking {
        Taking::IfFree => now_ms,
        Taking::EvenIfHeld => i64::MAX,
    };
    db.transaction(|tx| {
        let take = Statement::from_sql_and_values(
            tx.get_database_backend(),
            "INSERT INTO kit_outbox_lease (name, holder, until_ms) VALUES ('relay', $1, $2) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms \
             WHERE kit_outbox_lease.holder = excluded.holder OR kit_outbox_lease.until_ms <= $3",
            [holder.into(), (now_ms + lease_ms()).into(), free_before_ms.into()],
        );
        async move { Ok(tx.execute_raw(take).await?.rows_affected() == 1) }
    })
    .await
}

fn lease_ms() -> i64 {
    i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX)
}

/// Lets another replica take over at once.
async fn release_lease(db: &Db, holder: Uuid) -> Result<(), SystemError> {
    db.transaction(|tx| {
        let release = Statement::from_sql_and_values(
            tx.get_database_backend(),
            "UPDATE kit_outbox_lease SET until_ms = 0 WHERE name = 'relay' AND holder = $1",
            [holder.into()],
        );
        async move { tx.execute_raw(release).await.map(|_| ()).map_err(SystemError::from) }
    })
    .await
}
