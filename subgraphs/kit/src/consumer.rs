//! Applies messages: each once, in order per key, the offset committed after the transaction.
//!
//! In: a group, topics, a [`Handler`]. Always: the inbox row and the handler's writes are one transaction; a crash before
//! the offset is committed replays the message, and the inbox drops the copy. A message that cannot be applied is tried
//! five times and then goes to `<topic>.dlq`; while database or broker are away it is tried for ever.

use std::ops::Deref;
use std::time::Duration;

use kopitiam_kafka::{Envelope, KafkaError, Topic, client, topics};
use rdkafka::Message as _;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::config::KafkaConfig;
use crate::db::{Db, Tx};
use crate::errors::{Failure, SystemError, is_transient};
use crate::inbox;

const TRIES: u32 = 5;
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
const BROKER_BACKOFF: Duration = Duration::from_millis(500);
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Why a message was not applied.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The system's fault; transient ones are tried for ever.
    #[error("{0}")]
    System(#[from] SystemError),
    /// An earlier message of the aggregate is missing.
    #[error("version gap: at {mine}, got {theirs}")]
    Gap {
        /// The projection's version.
        mine: i64,
        /// The message's.
        theirs: i64,
    },
    /// The message makes no sense here; a retry will not help.
    #[error("cannot apply: {0}")]
    Poison(String),
}

impl From<DbErr> for HandleError {
    fn from(error: DbErr) -> Self {
        Self::System(error.into())
    }
}

impl From<KafkaError> for HandleError {
    fn from(error: KafkaError) -> Self {
        Self::System(error.into())
    }
}

impl From<Failure> for HandleError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::System(error) => Self::System(error),
            refused => Self::Poison(refused.to_string()),
        }
    }
}

/// Applies a message within the consumer's transaction.
#[async_trait::async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Applies it; may run again after a failure, so it has no effect but through `tx`.
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError>;
}

/// Who consumes what.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// Consumer group, and the name in the inbox: `<service>` or `<service>.<purpose>`.
    pub group: String,
    /// The topics.
    pub topics: Vec<Topic>,
}

/// Consumes until `shutdown`; waits for the broker and the database as long as it takes.
pub async fn run<H: Handler>(
    db: Db,
    kafka: KafkaConfig,
    config: ConsumerConfig,
    handler: H,
    shutdown: CancellationToken,
) {
    let worker = Worker { db, kafka, config, handler, closing: TaskTracker::new() };
    loop {
        let ended = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            ended = worker.consume(&shutdown) => ended,
        };
        match ended {
            Ok(()) => {
                worker.closing.close();
                // The group hears that we leave, so the next start gets its partitions at once. Not for ever: the
                // broker may be gone already.
                let _ = tokio::time::timeout(CLOSE_WITHIN, worker.closing.wait()).await;
                return;
            }
            Err(error) => {
                tracing::warn!(group = worker.config.group, %error, "consumer stopped, trying again");
                tokio::time::sleep(BROKER_BACKOFF).await;
            }
        }
    }
}

struct Worker<H> {
    db: Db,
    kafka: KafkaConfig,
    config: ConsumerConfig,
    handler: H,
    closing: TaskTracker,
}

/// Closes its consumer on a thread of its own: librdkafka waits in close until the broker has heard of it, for ever
/// when the broker is gone, and no thread of the runtime may wait like that.
struct Closing {
    consumer: Option<StreamConsumer>,
    until_closed: TaskTrackerToken,
}

impl Deref for Closing {
    type Target = StreamConsumer;

    fn deref(&self) -> &StreamConsumer {
        self.consumer.as_ref().expect("taken by drop only")
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let (consumer, until_closed) = (self.consumer.take(), self.until_closed.clone());
        std::thread::spawn(move || {
            if let Some(consumer) = &consumer
                && let Err(error) = consumer.commit_consumer_state(CommitMode::Sync)
            {
                tracing::debug!(%error, "offsets not committed at the end: the next start drops some copies");
            }
            drop(consumer);
            drop(until_closed);
        });
    }
}

impl<H: Handler> Worker<H> {
    async fn consume(&self, shutdown: &CancellationToken) -> Result<(), SystemError> {
        // A subscription to a topic that is not there yet would only be noticed at the next metadata refresh.
        topics::ensure(&self.kafka.brokers, &self.kafka.layout).await?;
        let consumer = client::consumer(
            &self.kafka.brokers,
            &self.kafka.layout,
            &self.config.group,
            &self.config.topics,
        )?;
        let consumer = Closing { consumer: Some(consumer), until_closed: self.closing.token() };
        while !shutdown.is_cancelled() {
            let message = match consumer.recv().await {
                Ok(message) => message,
                Err(error) => {
                    tracing::warn!(group = self.config.group, %error, "waiting for the broker");
                    tokio::time::sleep(BROKER_BACKOFF).await;
                    continue;
                }
            };
            self.apply_or_bury(&message).await?;
            commit_offset(&consumer, &message)?;
        }
        Ok(())
    }

    /// Returns once the message is applied, dropped as a copy, or safe in the dead letter topic.
    async fn apply_or_bury(&self, message: &BorrowedMessage<'_>) -> Result<(), SystemError> {
        let reason = match Envelope::from_record(message) {
            Ok(envelope) => match self.apply(&envelope).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::error!(
                        group = self.config.group, topic = message.topic(), id = %envelope.id,
                        message_type = envelope.message_type, aggregate = %envelope.aggregate_id, %error,
                        "message goes to the dead letter topic"
                    );
                    error.to_string()
                }
            },
            Err(error) => {
                tracing::error!(group = self.config.group, topic = message.topic(), %error, "unreadable message");
                error.to_string()
            }
        };
        // Dead letters are rare, and a producer has threads and connections: this one lives for one message.
        bury(&client::producer(&self.kafka.brokers)?, message, &self.config.group, &reason).await
    }

    async fn apply(&self, envelope: &Envelope) -> Result<(), HandleError> {
        let mut tries = 1;
        let mut pause = BACKOFF;
        loop {
            match self.apply_once(envelope).await {
                Ok(()) => return Ok(()),
                Err(error @ HandleError::Poison(_)) => return Err(error),
                Err(error) => {
                    let transient = matches!(&error, HandleError::System(cause) if is_transient(cause));
                    if !transient && tries >= TRIES {
                        return Err(error);
                    }
                    tracing::warn!(
                        group = self.config.group, tries, transient, id = %envelope.id,
                        message_type = envelope.message_type, %error, "trying again"
                    );
                    tries += 1;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    async fn apply_once(&self, envelope: &Envelope) -> Result<(), HandleError> {
        self.db
            .transaction(|tx| async move {
                if inbox::first_time(&tx, &self.config.group, envelope.id).await? {
                    self.handler.handle(&tx, envelope).await?;
                }
                Ok(())
            })
            .await
    }
}

fn commit_offset(consumer: &StreamConsumer, message: &BorrowedMessage<'_>) -> Result<(), SystemError> {
    // The offset follows the transaction: a crash between the two replays the message, and the inbox drops the copy. In
    // the other order the same crash would lose it. Asynchronous, because a lost commit costs only such a replay.
    // It is also stored, for the commit that closing waits for.
    consumer.store_offset_from_message(message).map_err(KafkaError::from)?;
    consumer.commit_message(message, CommitMode::Async).map_err(KafkaError::from)?;
    Ok(())
}

async fn bury(
    producer: &FutureProducer,
    message: &BorrowedMessage<'_>,
    group: &str,
    reason: &str,
) -> Result<(), SystemError> {
    let topic = topics::dead_letter(message.topic());
    let mut headers =
        message.headers().map_or_else(OwnedHeaders::new, rdkafka::message::BorrowedHeaders::detach);
    let origin = format!("{}/{}/{}", message.topic(), message.partition(), message.offset());
    for (key, value) in
        [("deadLetterOrigin", origin.as_str()), ("deadLetterGroup", group), ("deadLetterReason", reason)]
    {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let record = FutureRecord::to(&topic)
        .key(message.key().unwrap_or_default())
        .payload(message.payload().unwrap_or_default())
        .headers(headers);
    producer.send(record, Timeout::Never).await.map_err(|(error, _)| KafkaError::from(error))?;
    Ok(())
}
