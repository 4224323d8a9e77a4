//! Whose tokens are refused although they are valid: of banned people, and from before a change of roles or password; within
//! two seconds, in every process.
//!
//! In: `user.events.v1`, read by each process for itself (no group: all of them must hear of every ban), and the user
//! service's own word directly after its commit. Always: a token issued before the last ban or lift of its user is
//! refused, and one of a lower version (`ver`) than the last change left; entries live as long as a token can, and bans as
//! long as they last. Elsewhere: refusing new tokens to banned people (the user service).

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
use crate::{senders, time};

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

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    ban: Option<Ban>,
    /// Tokens of lower versions are good no more, since then.
    ended: Option<(i64, DateTime<Utc>)>,
}

#[derive(Clone, Copy, Debug)]
struct Ban {
    /// When the ban, or its lift, was.
    at: DateTime<Utc>,
    banned: bool,
}

impl Entry {
    /// Whether no token is left that it could refuse.
    fn is_over(&self, oldest: DateTime<Utc>) -> bool {
        self.ban.is_none_or(|ban| !ban.banned && ban.at <= oldest)
            && self.ended.is_none_or(|(_, since)| since <= oldest)
    }

    fn refuses(&self, identity: &Identity) -> bool {
        let by_ban = self.ban.is_some_and(|ban| {
            // Tokens tell their age in whole seconds.
            let issued_since =
                identity.issued_at.is_some_and(|issued_at| issued_at.timestamp() > ban.at.timestamp());
            ban.banned || !issued_since
        });
        by_ban || self.ended.is_some_and(|(version, _)| identity.version.is_none_or(|own| own < version))
    }
}

impl Denylist {
    /// The user is banned since `at`.
    pub fn deny(&self, user_id: Uuid, at: DateTime<Utc>) {
        self.set_ban(user_id, Ban { at, banned: true });
    }

    /// The ban was lifted at `at`: tokens issued since are good.
    pub fn allow(&self, user_id: Uuid, at: DateTime<Utc>) {
        self.set_ban(user_id, Ban { at, banned: false });
    }

    /// Tokens of the user of versions below `version` are good no more, since `at`.
    pub fn end(&self, user_id: Uuid, version: i64, at: DateTime<Utc>) {
        self.change(user_id, |entry| {
            if entry.ended.is_none_or(|(known, _)| version > known) {
                entry.ended = Some((version, at));
            }
        });
    }

    /// Whether the caller's token is refused.
    pub fn is_denied(&self, identity: &Identity) -> bool {
        let entries = self.0.entries.read().expect("no code panics while it holds this lock");
        entries.get(&identity.user_id).is_some_and(|entry| entry.refuses(identity))
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

    fn set_ban(&self, user_id: Uuid, ban: Ban) {
        self.change(user_id, |entry| {
            // An older event may arrive after the direct word of a newer one.
            if entry.ban.is_none_or(|known| ban.at >= known.at) {
                entry.ban = Some(ban);
            }
        });
    }

    fn change(&self, user_id: Uuid, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.0.entries.write().expect("no code panics while it holds this lock");
        let oldest = time::now() - TOKEN_AGE_MAX;
        entries.retain(|_, entry| !entry.is_over(oldest));
        change(entries.entry(user_id).or_default());
        drop(entries);
        self.0.changed.send_replace(());
    }

    fn apply(&self, envelope: &Envelope) {
        match UserEvent::decode(envelope) {
            Ok(Some(UserEvent::UserBanned(_))) => self.deny(envelope.aggregate_id, envelope.occurred_at),
            Ok(Some(UserEvent::UserUnbanned(_))) => self.allow(envelope.aggregate_id, envelope.occurred_at),
            Ok(Some(UserEvent::TokensEnded(ended))) => {
                self.end(envelope.aggregate_id, ended.token_version, envelope.occurred_at);
            }
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
                    Ok(envelope) => match senders::check(kafka, Topic::UserEvents, &record, &envelope) {
                        Ok(()) => self.apply(&envelope),
                        Err(reason) => tracing::error!(id = %envelope.id, %reason, "user event refused"),
                    },
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

    #[tokio::test]
    async fn a_change_of_roles_or_password_refuses_tokens_of_lower_versions_only() {
        let list = Denylist::default();
        let (user, now) = (Uuid::now_v7(), time::now());
        let of = |version| Identity { version, ..identity(user, now) };
        let stream = list.denied(of(Some(2)));
        list.end(user, 3, now);
        tokio::time::timeout(ASK_WITHIN, stream).await.expect("a stream hears of it");
        assert!(list.is_denied(&of(Some(2))) && list.is_denied(&of(None)));
        assert!(!list.is_denied(&of(Some(3))), "of the same second, but issued after the change");
        list.end(user, 2, now);
        assert!(list.is_denied(&of(Some(2))), "an old event changes nothing");
        list.deny(user, now);
        list.allow(user, now - TimeDelta::minutes(1));
        assert!(list.is_denied(&of(Some(3))), "a ban is a thing of its own");
    }

    #[test]
    fn entries_are_forgotten_when_no_token_is_so_old() {
        let list = Denylist::default();
        let long_ago = time::now() - TOKEN_AGE_MAX - TimeDelta::seconds(1);
        let (changed, lifted, banned) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        list.end(changed, 2, long_ago);
        list.allow(lifted, long_ago);
        list.deny(banned, long_ago);
        list.deny(Uuid::now_v7(), time::now());
        let entries = list.0.entries.read().unwrap();
        assert!(
            !entries.contains_key(&changed)
                && !entries.contains_key(&lifted)
                && entries.contains_key(&banned)
        );
    }
}
