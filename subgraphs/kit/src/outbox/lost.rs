//! A broker that restarts may have lost the last of what it acknowledged; the outbox still has it, and gives it again.
//!
//! Always: what is found lost becomes unpublished, so the relay sends it again in its order, with the same ids. Two signs
//! are looked at: a topic that ends before a place where one of our messages was put (when a relay begins to publish),
//! and a new message that is put at or before such a place (after each batch).
//! Not seen: a loss that other producers have filled up before our relay comes back; the consumers' version gate
//! stops at the gap, and [`super::resend_since`] closes it.

use std::collections::BTreeMap;
use std::time::Duration;

use kopitiam_kafka::KafkaError;
use rdkafka::producer::{FutureProducer, Producer};
use sea_orm::{ConnectionTrait, Statement};

use super::relay::Placed;
use crate::db::Db;
use crate::errors::SystemError;

const ASK_WITHIN: Duration = Duration::from_secs(10);

/// Compares where our messages are with where the topics end.
pub(super) async fn resend_what_the_broker_lost(
    db: &Db,
    producer: &FutureProducer,
    prefix: &str,
) -> Result<(), SystemError> {
    for (topic, partition, last) in last_places(db).await? {
        let (producer, name) = (producer.clone(), format!("{prefix}{topic}"));
        let ask = move || producer.client().fetch_watermarks(&name, partition, ASK_WITHIN);
        // The client waits for the answer on the thread that asks.
        let asked = tokio::task::spawn_blocking(ask).await;
        let asked = asked.map_err(|error| SystemError::Unavailable(error.to_string()))?;
        let (_, end) = asked.map_err(KafkaError::from)?;
        if end <= last {
            unpublish(db, &topic, partition, end).await?;
        }
    }
    Ok(())
}

/// A new message at a place where an older one of ours was: that one, and what followed it, is lost. `true`: some was.
///
/// Then the new messages are to be sent again too, behind the lost ones: a consumer that had read on to the old end goes
/// on there, and would never see what was put before it.
pub(super) async fn resend_what_was_overwritten(
    db: &Db,
    sent: &[(&str, Placed)],
) -> Result<bool, SystemError> {
    let mut lost = false;
    let mut firsts = BTreeMap::<(&str, i32), i64>::new();
    for (topic, placed) in sent {
        let first = firsts.entry((topic, placed.partition)).or_insert(placed.offset);
        *first = placed.offset.min(*first);
    }
    for ((topic, partition), first) in firsts {
        let select = Statement::from_sql_and_values(
            db.backend(),
            "SELECT seq FROM kit_outbox WHERE topic = $1 AND published_partition = $2 AND published_offset >= $3 LIMIT 1",
            [topic.into(), i64::from(partition).into(), first.into()],
        );
        if db.read().query_one_raw(select).await?.is_some() {
            unpublish(db, topic, partition, first).await?;
            lost = true;
        }
    }
    Ok(lost)
}

/// The furthest place of a message of ours in each topic and partition.
async fn last_places(db: &Db) -> Result<Vec<(String, i32, i64)>, SystemError> {
    let select = "SELECT topic, published_partition, MAX(published_offset) AS last FROM kit_outbox \
                  WHERE published_offset IS NOT NULL GROUP BY topic, published_partition";
    let rows = db.read().query_all_raw(Statement::from_string(db.backend(), select)).await?;
    rows.iter()
        .map(|row| {
            let partition: i64 = row.try_get("", "published_partition")?;
            Ok((
                row.try_get("", "topic")?,
                i32::try_from(partition).unwrap_or_default(),
                row.try_get("", "last")?,
            ))
        })
        .collect()
}

async fn unpublish(db: &Db, topic: &str, partition: i32, from: i64) -> Result<(), SystemError> {
    let lost = db
        .transaction(|tx| async move {
            let update = Statement::from_sql_and_values(
                tx.get_database_backend(),
                "UPDATE kit_outbox SET published_at = NULL, published_partition = NULL, published_offset = NULL \
                 WHERE topic = $1 AND published_partition = $2 AND published_offset >= $3",
                [topic.into(), i64::from(partition).into(), from.into()],
            );
            Ok::<_, SystemError>(tx.execute_raw(update).await?.rows_affected())
        })
        .await?;
    tracing::error!(
        topic,
        partition,
        from,
        lost,
        "the broker lost acknowledged messages, sending them again"
    );
    Ok(())
}
