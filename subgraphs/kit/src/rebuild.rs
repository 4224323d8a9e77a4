//! Read models made anew from the topics: the event log is sufficient, and this is the proof.
//!
//! In: a service's [`ReadModels`]: which topics feed them, how to empty them, how one event is applied. Always: all in one
//! transaction, so readers see the old rows until the new ones are complete, and an error leaves the old ones.
//! Elsewhere: the same `apply` for live events (the service's handler), what waits among them (`parked`).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use kopitiam_kafka::{Envelope, KafkaError, Topic, client};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

use crate::config::KafkaConfig;
use crate::consumer::HandleError;
use crate::db::{Db, Tx};
use crate::errors::SystemError;
use crate::senders;

const ASK_WITHIN: Duration = Duration::from_secs(15);
/// A topic that still has messages answers within this time.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// The rows of a service that are made of other services' events, and of nothing else.
#[async_trait::async_trait]
pub trait ReadModels: Send + Sync + 'static {
    /// The topics that feed them; events only.
    fn topics(&self) -> &'static [Topic];

    /// Names of their projections, as [`crate::inbox::gate`] is given them.
    fn projections(&self) -> &'static [&'static str];

    /// Tables that hold nothing else; they are emptied in this order.
    fn tables(&self) -> &'static [&'static str];

    /// Resets what is a column of another table; nothing by default.
    async fn clear(&self, _tx: &Tx) -> Result<(), SystemError> {
        Ok(())
    }

    /// Applies an event, as the live handler does, without any other effect.
    async fn apply(&self, tx: &Tx, topic: Topic, envelope: &Envelope) -> Result<(), HandleError>;
}

/// What a rebuild did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Events read.
    pub events: u64,
    /// Records that could not be read: no events. The live consumer has parked them.
    pub unreadable: u64,
    /// Records that are not believed: of senders that may not send them, or not proved while a proved copy is there.
    pub refused: u64,
}

/// Empties the read models and applies every event of their topics, from the first one.
///
/// # Errors
/// When the broker does not answer in time, an event cannot be applied (a gap among them), the database refuses, or a
/// message is there that no key of ours proves: read models without it would look right and be empty.
pub async fn rebuild<M: ReadModels>(
    db: &Db,
    kafka: &KafkaConfig,
    models: &M,
) -> Result<Rebuilt, HandleError> {
    let (kafka, topics) = (kafka.clone(), models.topics());
    // The client blocks the thread that reads.
    let history = tokio::task::spawn_blocking(move || history(&kafka, topics)).await;
    let history = history.map_err(|error| SystemError::Unavailable(error.to_string()))??;
    let history = &history;
    let proved: HashSet<Uuid> = history.events.iter().map(|(_, envelope)| envelope.id).collect();
    let missing = history.unproven.iter().filter(|id| !proved.contains(id)).count();
    if missing > 0 {
        return Err(HandleError::Unproven(format!(
            "{missing} messages are refused, because no key known here signed them ({} records are unreadable); the read \
             models stay as they were: add the key, or sign again at the sender with `outbox resend SINCE`",
            history.unreadable
        )));
    }
    let refused = history.not_allowed + history.unproven.len() as u64;
    db.transaction(|tx| async move {
        clear(&tx, models).await?;
        let mut seen = HashSet::new();
        for (topic, envelope) in &history.events {
            if seen.insert(envelope.id) {
                models.apply(&tx, *topic, envelope).await?;
            }
        }
        Ok::<_, HandleError>(Rebuilt { events: seen.len() as u64, unreadable: history.unreadable, refused })
    })
    .await
}

async fn clear<M: ReadModels>(tx: &Tx, models: &M) -> Result<(), SystemError> {
    if tx.get_database_backend() == DbBackend::Postgres {
        // The live consumer waits, and then finds the versions that this transaction leaves.
        tx.execute_unprepared("LOCK TABLE kit_projection_versions IN EXCLUSIVE MODE").await?;
    }
    for table in models.tables() {
        tx.execute_unprepared(&format!("DELETE FROM {table}")).await?;
    }
    for projection in models.projections() {
        let delete = Statement::from_sql_and_values(
            tx.get_database_backend(),
            "DELETE FROM kit_projection_versions WHERE projection = $1",
            [(*projection).into()],
        );
        tx.execute_raw(delete).await?;
    }
    models.clear(tx).await
}

#[derive(Default)]
struct History {
    events: Vec<(Topic, Envelope)>,
    unreadable: u64,
    not_allowed: u64,
    /// Ids of messages that another key may prove.
    unproven: Vec<Uuid>,
}

/// Everything on the topics up to their ends of now, each aggregate's events in order of their versions: a message that
/// was sent again after a loss stands behind its successors.
fn history(kafka: &KafkaConfig, topics: &[Topic]) -> Result<History, SystemError> {
    let group = format!("{}rebuild-{}", kafka.layout.prefix, Uuid::now_v7().simple());
    let consumer: BaseConsumer =
        client::consumer_config(&kafka.brokers, &group).create().map_err(KafkaError::from)?;
    let mut wanted = TopicPartitionList::new();
    let mut open = HashSet::new();
    for topic in topics {
        let name = kafka.layout.name(*topic);
        let metadata = consumer.fetch_metadata(Some(&name), ASK_WITHIN).map_err(KafkaError::from)?;
        let partitions = metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
        for partition in partitions.map(rdkafka::metadata::MetadataPartition::id) {
            let ends = consumer.fetch_watermarks(&name, partition, ASK_WITHIN).map_err(KafkaError::from)?;
            if ends.1 > ends.0 {
                wanted.add_partition_offset(&name, partition, Offset::Beginning).map_err(KafkaError::from)?;
                open.insert((name.clone(), partition, ends.1));
            }
        }
    }
    consumer.assign(&wanted).map_err(KafkaError::from)?;
    let mut history = History::default();
    while !open.is_empty() {
        let record = consumer.poll(READ_WITHIN);
        let record = record.ok_or_else(|| SystemError::Unavailable("the broker sends no more".to_owned()))?;
        let record = record.map_err(KafkaError::from)?;
        let (topic, partition, offset) = (record.topic(), record.partition(), record.offset());
        match (
            Envelope::from_record(&record),
            topics.iter().find(|known| kafka.layout.name(**known) == topic),
        ) {
            (Ok(envelope), Some(topic)) => match senders::check(kafka, *topic, &record, &envelope) {
                Ok(()) => history.events.push((*topic, envelope)),
                Err(reason) if reason.is_for_want_of_a_key() => history.unproven.push(envelope.id),
                Err(_) => history.not_allowed += 1,
            },
            _ => history.unreadable += 1,
        }
        open.retain(|(name, number, end)| name != topic || *number != partition || offset + 1 < *end);
    }
    in_order(&mut history.events);
    Ok(history)
}

/// Sorts each aggregate's events of a topic by version; between aggregates the topics' own order stays.
fn in_order(events: &mut [(Topic, Envelope)]) {
    let mut positions = HashMap::new();
    let aggregate =
        |topic: Topic, envelope: &Envelope| (topic, envelope.aggregate_type.clone(), envelope.aggregate_id);
    for (topic, envelope) in events.iter() {
        let next = positions.len();
        positions.entry(aggregate(*topic, envelope)).or_insert(next);
    }
    events.sort_by_cached_key(|(topic, envelope)| {
        (positions.get(&aggregate(*topic, envelope)).copied(), envelope.aggregate_version)
    });
}
