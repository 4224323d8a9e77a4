//! The records of topics, to everybody who listens.
//!
//! In: a topic and a key. Out: the values of its records from now on, each parsed once.
//! Always: one consumer for a topic, however many listen, in no group, so that every gateway hears everything; a listener
//! hears every record that is written after its stream was opened; one that does not keep up is cut off instead of
//! slowing the others or filling memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kopitiam_executor::transport::TransportError;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How long the broker may take for one answer.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// How long a first listener waits for its topic.
const READY_WITHIN: Duration = Duration::from_secs(15);
const BACKOFF: Duration = Duration::from_millis(500);
/// Records that may wait for one listener.
const WAITING_MAX: usize = 1_024;

/// The topics that somebody listens to, or has.
#[derive(Debug)]
pub(super) struct Topics {
    config: ClientConfig,
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
    pub(super) fn new(config: ClientConfig) -> Self {
        Self { config, feeds: Mutex::default() }
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
        let reader = tokio::spawn(read(self.config.clone(), topic.to_owned(), Arc::clone(&listeners), ready));
        Feed { listeners, is_ready, reader }
    }
}

async fn read(
    config: ClientConfig,
    topic: String,
    listeners: Arc<Mutex<Listeners>>,
    ready: watch::Sender<bool>,
) {
    let consumer = loop {
        match open(&config, &topic).await {
            Ok(consumer) => break consumer,
            Err(error) => {
                tracing::warn!(topic, %error, "a topic cannot be read, trying again");
                tokio::time::sleep(BACKOFF).await;
            }
        }
    };
    ready.send_replace(true);
    loop {
        match consumer.recv().await {
            Ok(record) => {
                let key = record.key().and_then(|key| std::str::from_utf8(key).ok());
                let payload = record.payload().unwrap_or_default();
                let mut listeners = lock(&listeners);
                // Without a value a record tells that there is nothing more to tell.
                if payload.is_empty() || !listeners.has(key) {
                    continue;
                }
                match serde_json::from_slice::<Value>(payload) {
                    Ok(value) => listeners.tell(key, &Arc::new(value)),
                    Err(error) => tracing::warn!(topic, %error, "a record is no JSON"),
                }
            }
            // The client connects again by itself and goes on where it was.
            Err(error) => {
                tracing::debug!(topic, %error, "waiting for the broker");
                tokio::time::sleep(BACKOFF).await;
            }
        }
    }
}

/// A consumer that stands at the end of every partition.
async fn open(config: &ClientConfig, topic: &str) -> Result<StreamConsumer, KafkaError> {
    let consumer: Arc<StreamConsumer> = Arc::new(config.create()?);
    let (asking, name) = (Arc::clone(&consumer), topic.to_owned());
    // The client waits for its answers on the thread that asks.
    let assigned = tokio::task::spawn_blocking(move || assign(&asking, &name)).await;
    assigned.unwrap_or(Err(KafkaError::Canceled))?;
    Ok(Arc::into_inner(consumer).expect("the thread that asked is done"))
}

fn assign(consumer: &StreamConsumer, topic: &str) -> Result<(), KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ASK_WITHIN)?;
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        let (_, end) = consumer.fetch_watermarks(topic, partition.id(), ASK_WITHIN)?;
        assignment.add_partition_offset(topic, partition.id(), Offset::Offset(end))?;
    }
    if assignment.count() == 0 {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopic));
    }
    consumer.assign(&assignment)
}
