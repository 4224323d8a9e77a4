//! Who to wake when something changed: one watch per key, fed after commit, read by subscriptions.
//!
//! It carries no data: a woken subscription reads the current row, so a slow reader skips to the newest state and never
//! sees an uncommitted one. A hub is of one process; [`follow`] and [`follow_versions`] wake it also for what other
//! processes over the same database changed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::Stream;
use kopitiam_kafka::Topic;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::{Db, Tx};
use crate::errors::SystemError;
use crate::outbox;

/// The watches of one kind of thing. Cheap to clone; clones share.
#[derive(Debug)]
pub struct Hub<K> {
    watches: Arc<Mutex<HashMap<K, watch::Sender<()>>>>,
}

impl<K> Clone for Hub<K> {
    fn clone(&self) -> Self {
        Self { watches: Arc::clone(&self.watches) }
    }
}

impl<K> Default for Hub<K> {
    fn default() -> Self {
        Self { watches: Arc::new(Mutex::new(HashMap::new())) }
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Hub<K> {
    /// One item at once, and one after each change (several changes may be one item).
    pub fn changes(&self, key: K) -> impl Stream<Item = ()> + Send + use<K> {
        let mut watches = self.watches.lock().expect("no code panics while it holds this lock");
        watches.retain(|_, sender| sender.receiver_count() > 0);
        let receiver = watches.entry(key).or_insert_with(|| watch::channel(()).0).subscribe();
        WatchStream::new(receiver)
    }

    /// Wakes the key's readers. Call it through [`Self::changed_by`] unless the change is already committed.
    pub fn changed(&self, key: &K) {
        let watches = self.watches.lock().expect("no code panics while it holds this lock");
        if let Some(sender) = watches.get(key) {
            sender.send_replace(());
        }
    }

    /// The keys that have readers now.
    pub fn watched(&self) -> Vec<K> {
        let watches = self.watches.lock().expect("no code panics while it holds this lock");
        let read = watches.iter().filter(|(_, sender)| sender.receiver_count() > 0);
        read.map(|(key, _)| key.clone()).collect()
    }

    /// Wakes the key's readers once `tx` has committed.
    pub fn changed_by(&self, tx: &Tx, key: K) {
        let hub = self.clone();
        tx.after_commit(move || hub.changed(&key));
    }
}

/// Wakes readers of aggregates that any process over this database published an event about, until `shutdown`: every
/// `pause` it compares the versions of the watched ones, in one query, and does nothing while nobody watches.
///
/// A reader may be woken once more than there were changes; it skips what it has shown already.
pub async fn follow(
    hub: Hub<Uuid>,
    db: Db,
    topic: Topic,
    aggregate_type: &'static str,
    pause: Duration,
    shutdown: CancellationToken,
) {
    let versions = |watched: Vec<Uuid>| {
        let db = db.clone();
        async move { outbox::versions(&db, topic, aggregate_type, &watched).await }
    };
    follow_versions(hub, aggregate_type, versions, pause, shutdown).await;
}

/// Like [`follow`], for rows that also change without an event: `versions` reads those of the rows with these ids.
pub async fn follow_versions<R>(
    hub: Hub<Uuid>,
    what: &'static str,
    versions: impl Fn(Vec<Uuid>) -> R + Send,
    pause: Duration,
    shutdown: CancellationToken,
) where
    R: Future<Output = Result<Vec<(Uuid, i64)>, SystemError>> + Send,
{
    let mut seen = HashMap::<Uuid, i64>::new();
    while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        let watched = hub.watched();
        seen.retain(|key, _| watched.contains(key));
        if watched.is_empty() {
            continue;
        }
        match versions(watched).await {
            Ok(versions) => {
                for (key, version) in versions {
                    if seen.insert(key, version) != Some(version) {
                        hub.changed(&key);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, what, "cannot look for changes of other processes");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_reader_is_woken_by_its_own_key_only() {
        let hub = Hub::<u32>::default();
        let mut one = Box::pin(hub.changes(1));
        one.next().await.unwrap();
        hub.changed(&2);
        assert!(futures::poll!(one.next()).is_pending());
        hub.changed(&1);
        one.next().await.unwrap();
    }

    #[tokio::test]
    async fn a_key_without_readers_costs_nothing() {
        let hub = Hub::<u32>::default();
        drop(hub.changes(1));
        let _other = hub.changes(2);
        assert_eq!(hub.watches.lock().unwrap().len(), 1);
    }
}
