//! Applies messages: each once, in order per key, the offset committed after the transaction.
//!
//! In: a group, topics, a [`Handler`]. Always: the inbox row and the handler's writes are one transaction; a crash before
//! the offset is committed replays the message, and the inbox drops the copy. A message that cannot be applied is tried
//! five times and then parked, with a copy in `<topic>.dlq`; one behind a gap is parked at once. While database or broker
//! are away it is tried for ever. A message of a service that may not send it is never applied: it only goes to `<topic>.dlq`.
//! One that no key of ours proves to be its sender's is parked too: it may be signed by the key that we are given next.
//!
//! Elsewhere: what is parked, and in which order it leaves (`parked`).

use std::ops::Deref;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kopitiam_kafka::{Envelope, KafkaError, Topic, client, topics};
use rdkafka::Message as _;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use sea_orm::DbErr;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

use crate::config::KafkaConfig;
use crate::db::{Db, Tx};
use crate::errors::{Failure, SystemError, is_transient};
use crate::failpoint::Point;
use crate::parked::{self, NewParked, Parked};
use crate::senders::{Claim, NotBelieved};
use crate::{inbox, senders, time, trace};

const TRIES: u32 = 5;
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
const BROKER_BACKOFF: Duration = Duration::from_millis(500);
/// Between two lines of the log about a broker that is away.
const QUIET: Duration = Duration::from_secs(1);
const CLOSE_WITHIN: Duration = Duration::from_secs(3);
/// Between looks at what is parked.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// A parked message tried this often again is worth an alarm each time: about ten seconds after it was parked.
const ALARM_AFTER_TRIES: i64 = 3;

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
    /// An earlier message of the key is parked. The consumer's own; handlers do not return it.
    #[error("an earlier message of the key is parked")]
    Behind,
    /// No key of ours proves whose it is. The consumer's own; handlers do not return it.
    #[error("{0}")]
    Unproven(String),
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

    /// The same with the topic it came from: for handlers of several topics that must gate events of types they do not
    /// know, such as a newer producer sends. The consumer calls this one.
    async fn handle_from(&self, tx: &Tx, _topic: Topic, envelope: &Envelope) -> Result<(), HandleError> {
        self.handle(tx, envelope).await
    }
}

/// A consumer of a service, as the service declares it.
#[derive(Clone, Copy, Debug)]
pub struct Listens {
    /// The end of its group's name; empty for a service's first one.
    pub purpose: &'static str,
    /// Its topics.
    pub topics: &'static [Topic],
}

impl Listens {
    /// The same for the service of that name.
    pub fn of(self, service: &str) -> ConsumerConfig {
        ConsumerConfig { group: format!("{service}{}", self.purpose), topics: self.topics.to_vec() }
    }
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
    let worker =
        Worker { db, kafka, config, handler, closing: TaskTracker::new(), undertaker: OnceLock::new() };
    loop {
        let ended = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            () = worker.retry_parked() => Ok(()),
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
    /// Sends dead letters.
    undertaker: OnceLock<FutureProducer>,
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
        let mut quiet_until = None;
        while !shutdown.is_cancelled() {
            let message = match consumer.recv().await {
                Ok(message) => message,
                // Each vain try of the client is told here, several a second. What comes after the last of them waits behind
                // all of them, so they are passed over at once: the client itself pauses between its tries.
                Err(error) => {
                    if quiet_until.is_none_or(|until| Instant::now() >= until) {
                        tracing::warn!(group = self.config.group, %error, "waiting for the broker");
                        quiet_until = Some(Instant::now() + QUIET);
                    }
                    continue;
                }
            };
            self.apply_or_park(&message).await?;
            self.db.reach(Point::BeforeOffset).await;
            commit_offset(&consumer, &message)?;
        }
        Ok(())
    }

    /// Returns once the message is applied, dropped as a copy, or safe among the parked ones.
    async fn apply_or_park(&self, message: &BorrowedMessage<'_>) -> Result<(), SystemError> {
        let prefix = self.kafka.layout.prefix.as_str();
        let topic = message.topic().strip_prefix(prefix).unwrap_or(message.topic());
        let key = parked::storable(&String::from_utf8_lossy(message.key().unwrap_or_default()));
        let envelope = match Envelope::from_record(message) {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::error!(group = self.config.group, topic, %error, "unreadable message, parked");
                let payload = message.payload().unwrap_or_default();
                let parked = NewParked {
                    consumer: &self.config.group,
                    topic,
                    key: &key,
                    blocks: false,
                    event_id: id_of_bytes(topic, &[payload]),
                    envelope: None,
                    claim: None,
                    body: &String::from_utf8_lossy(payload),
                    reason: &error.to_string(),
                };
                self.park(&parked).await?;
                return self.bury(message, &error.to_string()).await;
            }
        };
        if let Some(known) = Topic::from_name(topic)
            && let Err(reason) = senders::check(&self.kafka, known, message, &envelope)
        {
            return self.refuse(message, known, &key, &envelope, &reason).await;
        }
        let error = match self.apply(&envelope, topic, &key).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let reason = error.to_string();
        let body = serde_json::to_string(&envelope)?;
        let parked = NewParked {
            consumer: &self.config.group,
            topic,
            key: &key,
            blocks: !Topic::from_name(topic).is_some_and(Topic::is_command),
            event_id: envelope.id,
            envelope: Some(&envelope),
            claim: None,
            body: &body,
            reason: &reason,
        };
        self.park(&parked).await?;
        match error {
            // It may be the one that the others wait for.
            HandleError::Behind => self.free(topic, &key).await,
            HandleError::Gap { .. } => {
                tracing::warn!(group = self.config.group, topic, aggregate = %envelope.aggregate_id, %error,
                    "event is early, parked");
                Ok(())
            }
            _ => {
                tracing::error!(
                    group = self.config.group, topic, id = %envelope.id, message_type = envelope.message_type,
                    aggregate = %envelope.aggregate_id, saga_id = %envelope.correlation_id, %error,
                    "message cannot be applied, parked"
                );
                self.bury(message, &reason).await
            }
        }
    }

    /// Keeps what a key may prove later, as it came; the rest is only a dead letter, so that it is never applied.
    async fn refuse(
        &self,
        message: &BorrowedMessage<'_>,
        topic: Topic,
        key: &str,
        envelope: &Envelope,
        reason: &NotBelieved,
    ) -> Result<(), SystemError> {
        let kept = reason.is_for_want_of_a_key();
        tracing::error!(
            group = self.config.group, topic = topic.name(), id = %envelope.id, kept, %reason, "message refused"
        );
        let why = reason.to_string();
        if kept {
            let claim = Claim::of(message);
            let payload = message.payload().unwrap_or_default();
            let parked = NewParked {
                consumer: &self.config.group,
                topic: topic.name(),
                key,
                blocks: !topic.is_command(),
                // Not the id it has: a forged one must not stand in the way of the genuine one.
                event_id: id_of_bytes(topic.name(), &[payload, &serde_json::to_vec(&claim)?]),
                envelope: Some(envelope),
                claim: Some(&claim),
                body: &String::from_utf8_lossy(payload),
                reason: &why,
            };
            self.park(&parked).await?;
        }
        self.bury(message, &why).await
    }

    async fn park(&self, parked: &NewParked<'_>) -> Result<(), SystemError> {
        self.db.transaction(|tx| async move { parked::add(&tx, parked, time::now()).await }).await
    }

    async fn bury(&self, message: &BorrowedMessage<'_>, reason: &str) -> Result<(), SystemError> {
        // Made for the first one, as dead letters are rare; kept, because a producer has threads and connections and
        // strangers may send many of them.
        let producer = if let Some(producer) = self.undertaker.get() {
            producer
        } else {
            let made = client::producer(&self.kafka.brokers)?;
            self.undertaker.get_or_init(|| made)
        };
        bury(producer, message, &self.config.group, reason).await
    }

    /// Applies what is parked under the key, in order, as far as it goes.
    async fn free(&self, topic: &str, key: &str) -> Result<(), SystemError> {
        let waiting = parked::of_key(&self.db, &self.config.group, topic, key).await?;
        let mut freed = 0;
        for parked in &waiting {
            match self.apply_parked(parked).await {
                Ok(()) => freed += 1,
                Err(error) if is_transient(&error) => {
                    tracing::warn!(group = self.config.group, topic, key, %error, "parked message waits on");
                    break;
                }
                Err(error @ HandleError::Unproven(_)) => {
                    tracing::warn!(group = self.config.group, topic, key, id = %parked.event_id, %error,
                        "parked message is still not proved");
                    parked::failed(&self.db, parked, &error.to_string(), time::now()).await?;
                    // Whoever forged it must not stop the others: the versions tell whether they can go without it.
                }
                Err(error) => {
                    if parked.tries >= ALARM_AFTER_TRIES {
                        tracing::error!(
                            group = self.config.group, topic, key, id = %parked.event_id, tries = parked.tries,
                            parked = waiting.len(), %error, "key is parked: nothing of it is applied"
                        );
                    }
                    parked::failed(&self.db, parked, &error.to_string(), time::now()).await?;
                    // Later events wait for this one; commands and unreadable records wait for nobody.
                    if Topic::from_name(topic).is_some_and(Topic::is_command)
                        || parked.message_type.is_empty()
                    {
                        continue;
                    }
                    break;
                }
            }
        }
        if freed > 0 {
            tracing::info!(group = self.config.group, topic, key, freed, "parked messages applied");
        }
        Ok(())
    }

    async fn apply_parked(&self, parked: &Parked) -> Result<(), HandleError> {
        let envelope: Envelope =
            serde_json::from_str(&parked.body).map_err(|error| HandleError::Poison(error.to_string()))?;
        let (envelope, doubt) = (&envelope, &self.doubt(parked, &envelope)?);
        let applied = self.db.transaction(|tx| async move {
                let taken = parked::take(&tx, parked.seq).await?;
                if let Some(reason @ NotBelieved::NotAllowed { .. }) = doubt {
                    // Its sender is known by now. The dead letter is there; no trace of it may be in the inbox.
                    tracing::error!(group = self.config.group, id = %envelope.id, %reason, "parked message refused");
                    return Ok(());
                }
                if taken && inbox::first_time(&tx, &self.config.group, envelope.id).await? {
                    if let Some(reason) = doubt {
                        return Err(HandleError::Unproven(reason.to_string()));
                    }
                    self.hand_over(&tx, &parked.topic, envelope).await?;
                }
                Ok(())
            });
        trace::within(envelope.traceparent.clone(), applied).await
    }

    /// Why a message that nobody had proved to be its sender's is not to be believed with the keys of now.
    fn doubt(&self, parked: &Parked, envelope: &Envelope) -> Result<Option<NotBelieved>, SystemError> {
        let (Some(claim), Some(topic)) = (&parked.claim, Topic::from_name(&parked.topic)) else {
            return Ok(None);
        };
        let claim: Claim = serde_json::from_str(claim)?;
        let message = (parked.key.as_bytes(), parked.body.as_bytes());
        Ok(claim.check(&self.kafka, topic, message, envelope).err())
    }

    /// Tries parked keys again when their time has come. Never ends.
    async fn retry_parked(&self) {
        loop {
            tokio::time::sleep(RETRY_EVERY).await;
            if let Err(error) = self.retry_due().await {
                tracing::warn!(group = self.config.group, %error, "parked messages could not be tried");
            }
        }
    }

    async fn retry_due(&self) -> Result<(), SystemError> {
        for (topic, key) in parked::due(&self.db, &self.config.group, time::now()).await? {
            self.free(&topic, &key).await?;
        }
        Ok(())
    }

    async fn apply(&self, envelope: &Envelope, topic: &str, key: &str) -> Result<(), HandleError> {
        let mut tries = 1;
        let mut pause = BACKOFF;
        loop {
            let applied = trace::within(envelope.traceparent.clone(), self.apply_once(envelope, topic, key));
            match applied.await {
                Ok(()) => return Ok(()),
                // What is missing comes later in the same partition, if at all: waiting here would only hold it up.
                Err(
                    error @ (HandleError::Poison(_)
                    | HandleError::Gap { .. }
                    | HandleError::Behind
                    | HandleError::Unproven(_)),
                ) => {
                    return Err(error);
                }
                Err(error) => {
                    let transient = is_transient(&error);
                    if !transient && tries >= TRIES {
                        return Err(error);
                    }
                    tracing::warn!(
                        group = self.config.group, tries, transient, id = %envelope.id,
                        message_type = envelope.message_type, saga_id = %envelope.correlation_id, %error,
                        "trying again"
                    );
                    tries += 1;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    async fn hand_over(&self, tx: &Tx, topic: &str, envelope: &Envelope) -> Result<(), HandleError> {
        match Topic::from_name(topic) {
            Some(topic) => self.handler.handle_from(tx, topic, envelope).await,
            None => self.handler.handle(tx, envelope).await,
        }
    }

    async fn apply_once(&self, envelope: &Envelope, topic: &str, key: &str) -> Result<(), HandleError> {
        self.db
            .transaction(|tx| async move {
                if !inbox::first_time(&tx, &self.config.group, envelope.id).await? {
                    return Ok(());
                }
                if parked::holds(&tx, &self.config.group, topic, key).await? {
                    return Err(HandleError::Behind);
                }
                self.hand_over(&tx, topic, envelope).await
            })
            .await
    }
}

/// Names a record by what came: a copy of it gets the same id.
fn id_of_bytes(topic: &str, parts: &[&[u8]]) -> Uuid {
    let digest = parts.iter().fold(Sha256::new().chain_update(topic.as_bytes()), Sha256::chain_update);
    let digest = digest.finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
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
