//! Whose tokens are refused although they are valid: banned people, within two seconds, in every process.
//!
//! In: `user.events.v1`, read by each process for itself (no group: all of them must hear of every ban), and the user
//! service's own word directly after its commit. Always: a token issued before the last ban or lift of its user is
//! refused; entries live as long as a token can, and bans as long as they last. Elsewhere: refusing new tokens to banned
//! people (the user service).

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::user::UserEvent;
use kopitiam_kafka::{Envelope, KafkaError, Topic, client, topics};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Identity;
use crate::config::KafkaConfig;
use crate::time;

/// No token lives longer: older bans are known to whoever issues tokens.
const TOKEN_AGE_MAX: TimeDelta = TimeDelta::minutes(20);
const ASK_WITHIN: Duration = Duration::from_secs(10);
const BACKOFF: Duration = Duration::from_millis(500);

/// Whose tokens are refused. Clones share.
#[derive(Clone, Debug, Default)]
pub struct Denylist(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    entries: RwLock<HashMap<Uuid, Entry>>,
    changed: watch::Sender<()>,
    followed: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// When the ban, or its lift, was.
    at: DateTime<Utc>,
    banned: bool,
}

impl Denylist {
    /// The user is banned since `at`.
    pub fn deny(&self, user_id: Uuid, at: DateTime<Utc>) {
        self.set(user_id, Entry { at, banned: true });
    }

    /// The ban was lifted at `at`: tokens issued since are good.
    pub fn allow(&self, user_id: Uuid, at: DateTime<Utc>) {
        self.set(user_id, Entry { at, banned: false });
    }

    /// Whether the caller's token is refused.
    pub fn is_denied(&self, identity: &Identity) -> bool {
        let entries = self.0.entries.read().expect("no code panics while it holds this lock");
        entries.get(&identity.user_id).is_some_and(|entry| {
            // Tokens tell their age in whole seconds.
            let issued_since =
                identity.issued_at.is_some_and(|issued_at| issued_at.timestamp() > entry.at.timestamp());
            entry.banned || !issued_since
        })
    }

    /// Returns once the caller's token is refused.
    pub fn denied(&self, identity: Identity) -> impl Future<Output = ()> + Send + 'static {
        let list = self.clone();
        async move {
            let mut changes = list.0.changed.subscribe();
            while !list.is_denied(&identity) {
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    fn set(&self, user_id: Uuid, entry: Entry) {
        let mut entries = self.0.entries.write().expect("no code panics while it holds this lock");
        let oldest = time::now() - TOKEN_AGE_MAX;
        entries.retain(|_, entry| entry.banned || entry.at > oldest);
        let known = entries.entry(user_id).or_insert(entry);
        // An older event may arrive after the direct word of a newer one.
        if entry.at >= known.at {
            *known = entry;
        }
        drop(entries);
        self.0.changed.send_replace(());
    }

    fn apply(&self, envelope: &Envelope) {
        match UserEvent::decode(envelope) {
            Ok(Some(UserEvent::UserBanned(_))) => self.deny(envelope.aggregate_id, envelope.occurred_at),
            Ok(Some(UserEvent::UserUnbanned(_))) => self.allow(envelope.aggregate_id, envelope.occurred_at),
            Ok(_) => {}
            Err(error) => tracing::error!(id = %envelope.id, %error, "unreadable user event"),
        }
    }

    /// Reads bans from the topic until `shutdown`, from twenty minutes back on. The second call of a process waits only:
    /// services in one process share the list and its reader.
    pub async fn follow(self, kafka: KafkaConfig, shutdown: CancellationToken) {
        if self.0.followed.swap(true, Ordering::SeqCst) {
            shutdown.cancelled().await;
            return;
        }
        let read = async {
            loop {
                if let Err(error) = self.read(&kafka).await {
                    tracing::warn!(%error, "bans are not heard of, trying again");
                }
                tokio::time::sleep(BACKOFF).await;
            }
        };
        let _: Option<()> = shutdown.run_until_cancelled(read).await;
        self.0.followed.store(false, Ordering::SeqCst);
    }

    async fn read(&self, kafka: &KafkaConfig) -> Result<(), KafkaError> {
        topics::ensure(&kafka.brokers, &kafka.layout).await?;
        let group = format!("{}denylist-{}", kafka.layout.prefix, Uuid::now_v7().simple());
        let consumer: StreamConsumer = client::consumer_config(&kafka.brokers, &group).create()?;
        let consumer = Arc::new(consumer);
        let (asked, name) = (Arc::clone(&consumer), kafka.layout.name(Topic::UserEvents));
        let since = time::now() - TOKEN_AGE_MAX;
        // The client waits for its answers on the thread that asks.
        let assigned = tokio::task::spawn_blocking(move || assign(&asked, &name, since)).await;
        assigned.map_err(|error| KafkaError::Envelope(error.to_string()))??;
        loop {
            match consumer.recv().await {
                Ok(record) => match Envelope::from_record(&record) {
                    Ok(envelope) => self.apply(&envelope),
                    Err(error) => tracing::error!(%error, "unreadable record among the user events"),
                },
                Err(error) => {
                    tracing::debug!(%error, "waiting for the broker");
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
    }
}

/// All partitions, each from its first record at or after `since`.
fn assign(consumer: &StreamConsumer, topic: &str, since: DateTime<Utc>) -> Result<(), KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ASK_WITHIN)?;
    let mut times = TopicPartitionList::new();
    let mut ends = HashMap::new();
    let partitions = metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
    for partition in partitions {
        // Asked before the times: a record that comes in between is read twice rather than never.
        ends.insert(partition.id(), consumer.fetch_watermarks(topic, partition.id(), ASK_WITHIN)?.1);
        times.add_partition_offset(topic, partition.id(), Offset::Offset(since.timestamp_millis()))?;
    }
    let starts = consumer.offsets_for_times(times, ASK_WITHIN)?;
    let mut assignment = TopicPartitionList::new();
    for start in starts.elements_for_topic(topic) {
        let first = match (start.error(), start.offset()) {
            (Ok(()), Offset::Offset(offset)) => Offset::Offset(offset),
            // Nothing is so young.
            (Ok(()), Offset::End) => {
                ends.get(&start.partition()).map_or(Offset::Beginning, |end| Offset::Offset(*end))
            }
            // A broker that cannot tell by time is read from the beginning.
            _ => Offset::Beginning,
        };
        assignment.add_partition_offset(topic, start.partition(), first)?;
    }
    consumer.assign(&assignment)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(user_id: Uuid, issued_at: DateTime<Utc>) -> Identity {
        Identity {
            user_id,
            roles: Vec::new(),
            scopes: Vec::new(),
            session_id: None,
            version: None,
            issued_at: Some(issued_at),
            expires_at: None,
        }
    }

    #[tokio::test]
    async fn ban_refuses_every_token_and_its_lift_only_older_ones() {
        let list = Denylist::default();
        let (user, other, now) = (Uuid::now_v7(), Uuid::now_v7(), time::now());
        let minutes = |minutes| now + TimeDelta::minutes(minutes);
        let old = identity(user, minutes(-5));
        let denied = list.denied(old.clone());
        list.deny(user, now);
        tokio::time::timeout(ASK_WITHIN, denied).await.expect("a stream hears of the ban");
        assert!(list.is_denied(&old) && list.is_denied(&identity(user, minutes(1))));
        assert!(!list.is_denied(&identity(other, minutes(-5))));
        list.allow(user, minutes(2));
        assert!(list.is_denied(&old), "from before the ban");
        assert!(!list.is_denied(&identity(user, minutes(3))));
        list.deny(user, now);
        assert!(!list.is_denied(&identity(user, minutes(3))), "an old event changes nothing");
    }
}
