//! Who to wake when something changed: one watch per key, fed after commit, read by subscriptions.
//!
//! It carries no data: a woken subscription reads the current row, so a slow reader skips to the newest state and never
//! sees an uncommitted one. Within one process; across processes the change arrives as an event.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use futures::Stream;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use crate::db::Tx;

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

    /// Wakes the key's readers once `tx` has committed.
    pub fn changed_by(&self, tx: &Tx, key: K) {
        let hub = self.clone();
        tx.after_commit(move || hub.changed(&key));
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
