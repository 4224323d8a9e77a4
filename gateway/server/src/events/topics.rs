//! The records of topics, to everybody who listens.
//!
//! In: a topic and a key. Out: the values of its records from now on, each parsed once.
//! Always: one consumer for a topic, however many listen, in no group, so that every gateway hears everything; a listener
//! hears every record that is written after its stream was opened; one that does not keep up is cut off instead of
//! slowing the others or filling memory. Partitions that a topic is given later are read, too; a consumer that does not
//! recover is replaced by one that goes on where it was, with growing pauses between the tries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kopitiam_executor::transport::TransportError;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::telemetry::Telemetry;

/// How long the broker may take for one answer.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// How long a first listener waits for its topic.
const READY_WITHIN: Duration = Duration::from_secs(15);
/// Before the first further try; each next one may wait twice as long.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Records that may wait for one listener.
const WAITING_MAX: usize = 1_024;

/// The topics that somebody listens to, or has.
#[derive(Debug)]
pub(super) struct Topics {
    config: ClientConfig,
    partitions_interval: Duration,
    telemetry: Telemetry,
    feeds: Mutex<HashMap<String, Feed>>,
}

#[derive(Debug)]
struct Feed {
    listeners: Arc<Mutex<Listeners>>,
    is_ready: watch::Receiver<bool>,
    reader: JoinHandle<()>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

type Sender = mpsc::Sender<Arc<Value>>;

#[derive(Debug, Default)]
struct Listeners {
    of_all: Vec<Sender>,
    by_key: HashMap<String, Vec<Sender>, ahash::RandomState>,
}

impl Listeners {
    fn add(&mut self, key: Option<String>, sender: Sender) {
        match key {
            Some(key) => self.by_key.entry(key).or_default().push(sender),
            None => self.of_all.push(sender),
        }
    }

    fn tell(&mut self, key: Option<&str>, value: &Arc<Value>) {
        // A listener that has gone, or has no room left, hears nothing more.
        let tell = |sender: &Sender| sender.try_send(Arc::clone(value)).is_ok();
        self.of_all.retain(tell);
        let Some(key) = key else { return };
        if let Some(senders) = self.by_key.get_mut(key) {
            senders.retain(tell);
            if senders.is_empty() {
                self.by_key.remove(key);
            }
        }
    }

    fn has(&self, key: Option<&str>) -> bool {
        !self.of_all.is_empty() || key.is_some_and(|key| self.by_key.contains_key(key))
    }

    /// Forgets those who have gone.
    fn tidy(&mut self) {
        self.of_all.retain(|sender| !sender.is_closed());
        self.by_key.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Topics {
    pub(super) fn new(config: ClientConfig, partitions_interval: Duration, telemetry: Telemetry) -> Self {
        Self { config, partitions_interval, telemetry, feeds: Mutex::default() }
    }

    /// The values of a topic's records of this key, or of any key, from now on.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] when the broker does not answer in time, or has no such topic.
    pub(super) async fn listen(
        &self,
        topic: &str,
        key: Option<String>,
    ) -> Result<mpsc::Receiver<Arc<Value>>, TransportError> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let mut is_ready = {
            let mut feeds = lock(&self.feeds);
            let feed = feeds.entry(topic.to_owned()).or_insert_with(|| self.feed(topic));
            let mut listeners = lock(&feed.listeners);
            listeners.tidy();
            listeners.add(key, sender);
            feed.is_ready.clone()
        };
        match tokio::time::timeout(READY_WITHIN, is_ready.wait_for(|ready| *ready)).await {
            Ok(Ok(_)) => Ok(receiver),
            Ok(Err(_)) | Err(_) => Err(TransportError::Unreachable),
        }
    }

    fn feed(&self, topic: &str) -> Feed {
        let (ready, is_ready) = watch::channel(false);
        let listeners = Arc::new(Mutex::new(Listeners::default()));
        let reader = Reader {
            config: self.config.clone(),
            topic: topic.to_owned(),
            listeners: Arc::clone(&listeners),
            telemetry: self.telemetry.clone(),
            partitions_interval: self.partitions_interval,
            positions: HashMap::new(),
        };
        Feed { listeners, is_ready, reader: tokio::spawn(reader.run(ready)) }
    }
}

/// One topic, read for ever.
struct Reader {
    config: ClientConfig,
    topic: String,
    listeners: Arc<Mutex<Listeners>>,
    telemetry: Telemetry,
    partitions_interval: Duration,
    /// Of each partition that is read, the offset of the next record. Empty before the first opening.
    positions: Positions,
}

/// By partition, the offset of the next record.
type Positions = HashMap<i32, i64>;

/// What the broker is asked on a thread that may wait: from positions to positions.
type Question = fn(&StreamConsumer, &str, &Positions) -> Result<Positions, KafkaError>;

/// Why a consumer is given up.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// It will not recover by itself.
    #[error(transparent)]
    Consumer(#[from] KafkaError),
    /// The thread that asked the broker panicked.
    #[error("asking the broker panicked")]
    Panicked,
}

impl Reader {
    async fn run(mut self, ready: watch::Sender<bool>) {
        let mut pause = BACKOFF_FIRST;
        loop {
            let opened = Instant::now();
            let (what, error) = match self.open().await {
                Ok(consumer) => {
                    ready.send_replace(true);
                    ("read", self.follow(&consumer).await)
                }
                Err(error) => ("open", error),
            };
            self.telemetry.topic_failed(&self.topic, what);
            if opened.elapsed() > BACKOFF_MAX {
                pause = BACKOFF_FIRST;
            }
            let topic = &self.topic;
            tracing::warn!(topic, %error, what, ?pause, "a topic of subscriptions cannot be read, trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    /// A consumer that goes on where the last one was, or stands at the end of every partition.
    async fn open(&mut self) -> Result<Arc<StreamConsumer>, Broken> {
        let consumer: Arc<StreamConsumer> = Arc::new(self.config.create()?);
        self.positions = self.asking(&consumer, assign).await?;
        Ok(consumer)
    }

    /// The client waits for its answers on the thread that asks.
    async fn asking(&self, consumer: &Arc<StreamConsumer>, ask: Question) -> Result<Positions, Broken> {
        let (consumer, topic, positions) = (Arc::clone(consumer), self.topic.clone(), self.positions.clone());
        let asked = tokio::task::spawn_blocking(move || ask(&consumer, &topic, &positions)).await;
        Ok(asked.map_err(|_| Broken::Panicked)??)
    }

    /// Tells every record to the listeners, until the consumer breaks.
    async fn follow(&mut self, consumer: &Arc<StreamConsumer>) -> Broken {
        let mut looking = tokio::time::interval_at(
            tokio::time::Instant::now() + self.partitions_interval,
            self.partitions_interval,
        );
        looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                record = consumer.recv() => match record {
                    Ok(record) => {
                        self.positions.insert(record.partition(), record.offset() + 1);
                        self.tell(&record);
                    }
                    Err(error) if passes(&error) && consumer.client().fatal_error().is_none() => {
                        tracing::debug!(topic = self.topic, %error, "waiting for the broker");
                        tokio::time::sleep(BACKOFF_FIRST).await;
                    }
                    Err(error) => return error.into(),
                },
                _ = looking.tick() => match self.asking(consumer, assign_new).await {
                    Ok(positions) => self.positions = positions,
                    // The broker is away; what is assigned is read on when it is back.
                    Err(Broken::Consumer(error)) if passes(&error) => {
                        tracing::debug!(topic = self.topic, %error, "waiting for the broker");
                    }
                    Err(broken) => return broken,
                },
            }
        }
    }

    fn tell(&self, record: &BorrowedMessage<'_>) {
        let key = record.key().and_then(|key| std::str::from_utf8(key).ok());
        let payload = record.payload().unwrap_or_default();
        let mut listeners = lock(&self.listeners);
        // Without a value a record tells that there is nothing more to tell.
        if payload.is_empty() || !listeners.has(key) {
            return;
        }
        match serde_json::from_slice::<Value>(payload) {
            Ok(value) => listeners.tell(key, &Arc::new(value)),
            Err(error) => tracing::warn!(topic = self.topic, %error, "a record is no JSON"),
        }
    }
}

/// Whether the client gets over an error by itself and goes on where it was.
fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::AllBrokersDown
                | Code::BrokerTransportFailure
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::BrokerNotAvailable
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::NetworkException
                | Code::PartitionEOF
        )
    )
}

/// Reads each partition on from its position. Of one without a position, everything when others have one: it was added
/// later; otherwise what is written from now on.
fn assign(consumer: &StreamConsumer, topic: &str, known: &Positions) -> Result<Positions, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ASK_WITHIN)?;
    let mut positions = HashMap::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        let (begin, end) = consumer.fetch_watermarks(topic, partition.id(), ASK_WITHIN)?;
        let position = match known.get(&partition.id()) {
            // Beyond the end when the topic was made anew.
            Some(position) => (*position).clamp(begin, end),
            None if known.is_empty() => end,
            None => begin,
        };
        positions.insert(partition.id(), position);
    }
    if positions.is_empty() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopic));
    }
    let mut assignment = TopicPartitionList::new();
    for (partition, position) in &positions {
        assignment.add_partition_offset(topic, *partition, Offset::Offset(*position))?;
    }
    consumer.assign(&assignment)?;
    Ok(positions)
}

/// Reads also the partitions that the topic was given since. What waits in the client is read again from the positions.
fn assign_new(consumer: &StreamConsumer, topic: &str, known: &Positions) -> Result<Positions, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ASK_WITHIN)?;
    let partitions = || metadata.topics().iter().flat_map(MetadataTopic::partitions);
    if partitions().next().is_none() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopic));
    }
    if partitions().all(|partition| known.contains_key(&partition.id())) {
        return Ok(known.clone());
    }
    tracing::info!(topic, "the topic has further partitions");
    assign(consumer, topic, known)
}
