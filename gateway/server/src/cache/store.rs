//! Where parts of answers are kept.
//!
//! Always: what has expired is never given out; what was asked before an invalidation is not kept after it.
//! Elsewhere: how long and for whom (`freshness.rs`), under which key (`key.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::freshness::Keeping;
use super::key::Key;
use super::memory::Memory;

/// A part of an answer.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Its JSON.
    pub(crate) value: Bytes,
    pub(crate) is_private: bool,
    pub(crate) stored: Instant,
    pub(crate) expires: Instant,
    /// Until when a client may be told that it is fresh.
    pub(crate) told_until: Instant,
    /// By what it can be invalidated.
    pub(crate) labels: Labels,
}

/// By what something can be invalidated: `subgraph:reviews`, `type:Product`, `tag:product-1`.
pub(crate) type Labels = Arc<[Box<str>]>;

impl Kept {
    pub(crate) fn new(value: Bytes, keeping: Keeping, labels: Labels) -> Self {
        let stored = Instant::now();
        Self {
            value,
            is_private: keeping.is_private,
            stored,
            expires: stored + keeping.ttl,
            told_until: stored + keeping.told,
            labels,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.value.len() + self.labels.iter().map(|label| label.len() + 24).sum::<usize>()
    }

    /// For how much longer a client may be told that it is fresh.
    pub(crate) fn told(&self) -> Duration {
        self.told_until.saturating_duration_since(Instant::now())
    }
}

/// Labels of one response; with more it is not kept.
const LABELS_MAX: usize = 10_000;

/// How long, and for whom, what is made of several parts may be kept.
#[derive(Debug, Clone)]
pub(crate) struct Together {
    expires: Instant,
    told_until: Instant,
    is_private: bool,
    labels: Vec<Labels>,
}

impl Together {
    pub(crate) fn of(kept: &Kept) -> Self {
        Self {
            expires: kept.expires,
            told_until: kept.told_until,
            is_private: kept.is_private,
            labels: vec![Labels::clone(&kept.labels)],
        }
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.labels.extend(other.labels);
        Self {
            expires: self.expires.min(other.expires),
            told_until: self.told_until.min(other.told_until),
            is_private: self.is_private || other.is_private,
            labels: self.labels,
        }
    }

    /// What was made, for everybody or for the credential in play. `None`: it has too many labels.
    pub(crate) fn keep(self, value: Bytes, has_credential: bool) -> Option<Kept> {
        let labels: BTreeSet<&str> =
            self.labels.iter().flat_map(|labels| labels.iter().map(|label| &**label)).collect();
        (labels.len() <= LABELS_MAX).then(|| Kept {
            value,
            is_private: self.is_private || has_credential,
            stored: Instant::now(),
            expires: self.expires,
            told_until: self.told_until,
            labels: labels.into_iter().map(Into::into).collect(),
        })
    }
}

/// A key that holds for everybody, and the one for the credential in play.
#[derive(Debug, Clone)]
pub(crate) struct KeyPair {
    pub(crate) shared: Key,
    pub(crate) own: Option<Key>,
}

impl KeyPair {
    /// Under what such a part is kept.
    pub(crate) fn of(&self, is_private: bool) -> Option<&Key> {
        if is_private { self.own.as_ref() } else { Some(&self.shared) }
    }

    /// What tells those apart that may not share an answer before it is known whose it is.
    pub(crate) fn narrowest(&self) -> &Key {
        self.own.as_ref().unwrap_or(&self.shared)
    }
}

/// How many invalidations there had been at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Store {
    memory: Memory,
    epoch: AtomicU64,
}

impl Store {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { memory: Memory::new(bytes_max), epoch: AtomicU64::new(0) }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::SeqCst))
    }

    /// What is kept under each pair of keys.
    pub(crate) fn find(&self, pairs: &[&KeyPair], now: Instant) -> Vec<Option<Arc<Kept>>> {
        let find = |pair: &&KeyPair| {
            let own = pair.own.as_ref().and_then(|own| self.memory.get(own, now));
            // What is somebody's own never stands under a shared key; looked at again, since it would be the worst error.
            own.or_else(|| self.memory.get(&pair.shared, now).filter(|kept| !kept.is_private))
        };
        pairs.iter().map(find).collect()
    }

    /// Keeps parts, unless something was invalidated since `asked_in`.
    pub(crate) fn put(&self, parts: Vec<(Key, Arc<Kept>)>, asked_in: Epoch) {
        for (key, kept) in parts {
            self.memory.insert(key.clone(), kept);
            // After the insertion: an invalidation that is later than this look finds the entry itself.
            if self.epoch() != asked_in {
                self.memory.remove(&key);
            }
        }
    }

    /// Removes everything with a label; gives how many entries that were.
    pub(crate) fn invalidate(&self, label: &str) -> u64 {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.memory.invalidate(label)
    }

    /// How much is kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.memory.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::ScopeWriter;
    use super::*;

    fn pair(part: &str, credential: Option<&str>) -> KeyPair {
        let hasher = ahash::RandomState::with_seed(1);
        let (shared, own) = ScopeWriter::default().finish(credential.map(str::as_bytes), &hasher);
        let part: Arc<[u8]> = part.as_bytes().into();
        KeyPair { shared: Key::new(&shared, &part), own: own.map(|own| Key::new(&own, &part)) }
    }

    fn kept(value: &'static str, seconds: u64, is_private: bool) -> Arc<Kept> {
        let ttl = Duration::from_secs(seconds);
        let labels: Labels = ["type:Product".into(), format!("tag:{value}").into()].into();
        Kept::new(Bytes::from_static(value.as_bytes()), Keeping { ttl, told: ttl, is_private }, labels).into()
    }

    fn put(store: &Store, pair: &KeyPair, kept: Arc<Kept>) {
        store.put(vec![(pair.of(kept.is_private).unwrap().clone(), kept)], store.epoch());
    }

    fn found_at(store: &Store, pair: &KeyPair, now: Instant) -> Option<Bytes> {
        store.find(&[pair], now).remove(0).map(|kept| kept.value.clone())
    }

    fn found(store: &Store, pair: &KeyPair) -> Option<Bytes> {
        found_at(store, pair, Instant::now())
    }

    #[tokio::test]
    async fn what_has_expired_is_not_given_out() {
        let (store, one) = (Store::new(1 << 20), pair("one", None));
        let kept = kept("1", 60, false);
        put(&store, &one, Arc::clone(&kept));
        assert_eq!(found_at(&store, &one, kept.expires - Duration::from_millis(1)).unwrap(), "1");
        assert_eq!((found_at(&store, &one, kept.expires), store.bytes()), (None, 0));
    }

    #[tokio::test]
    async fn what_is_private_is_found_by_its_credential_alone() {
        let store = Store::new(1 << 20);
        let [ann, ben, nobody] = [Some("ann"), Some("ben"), None].map(|credential| pair("one", credential));
        put(&store, &ann, kept("ann's", 60, true));
        assert_eq!(found(&store, &ann).unwrap(), "ann's");
        assert_eq!((found(&store, &ben), found(&store, &nobody)), (None, None));
        put(&store, &ben, kept("all's", 60, false));
        assert_eq!(found(&store, &nobody).unwrap(), "all's");
    }

    #[tokio::test]
    async fn an_invalidation_removes_what_has_the_label_and_keeps_what_was_asked_before_it_out() {
        let store = Store::new(1 << 20);
        let (one, two) = (pair("one", None), pair("two", None));
        put(&store, &one, kept("1", 60, false));
        put(&store, &two, kept("2", 60, false));
        let before = store.epoch();
        assert_eq!(store.invalidate("tag:1"), 1);
        assert_eq!((found(&store, &one), found(&store, &two).unwrap()), (None, "2".into()));
        store.put(vec![(one.shared.clone(), kept("old", 60, false))], before);
        assert_eq!(found(&store, &one), None);
        assert_eq!(store.invalidate("type:Product"), 1);
        assert_eq!(found(&store, &two), None);
    }

    #[tokio::test]
    async fn the_bytes_that_are_kept_have_a_bound() {
        let store = Store::new(64 * 1024);
        for number in 0..2_000 {
            put(&store, &pair(&number.to_string(), None), kept("some value of some length", 60, false));
        }
        assert!((1..=64 * 1024).contains(&store.bytes()), "{}", store.bytes());
    }
}
