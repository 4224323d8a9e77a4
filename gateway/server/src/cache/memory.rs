//! The store in this process.
//!
//! Always: bounded in bytes, keys included; what has expired is never given out; keys are compared in full; what was asked
//! before an invalidation is not kept after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::key::Key;
use super::store::{Epoch, Found, Kept, KeyPair};

/// What an entry is assumed to take beside its key, its value and its tags.
const ENTRY_BYTES: usize = 200;

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Kept>> for ByBytes {
    fn weight(&self, key: &Key, kept: &Arc<Kept>) -> u64 {
        (ENTRY_BYTES + key.bytes() + kept.bytes()) as u64
    }
}

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Memory {
    entries: Cache<Key, Arc<Kept>, ByBytes, ahash::RandomState>,
    epoch: AtomicU64,
}

impl Memory {
    pub(super) fn new(bytes_max: usize) -> Self {
        let entries = (bytes_max / (4 * ENTRY_BYTES)).clamp(16, 1 << 20);
        let (hasher, lifecycle) = (ahash::RandomState::new(), quick_cache::sync::DefaultLifecycle::default());
        let entries = Cache::with(entries, bytes_max as u64, ByBytes, hasher, lifecycle);
        Self { entries, epoch: AtomicU64::new(0) }
    }

    fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::SeqCst))
    }

    pub(super) fn find(&self, pairs: &[&KeyPair], now: Instant) -> Found {
        let epoch = Some(self.epoch());
        let find = |pair: &&KeyPair| {
            let own = pair.own.as_ref().and_then(|own| self.get(own, now));
            // What is somebody's own never stands under a shared key; looked at again, since it would be the worst error.
            own.or_else(|| self.get(&pair.shared, now).filter(|kept| !kept.is_private))
        };
        Found { kept: pairs.iter().map(find).collect(), epoch }
    }

    fn get(&self, key: &Key, now: Instant) -> Option<Arc<Kept>> {
        let kept = self.entries.get(key)?;
        if kept.expires > now {
            return Some(kept);
        }
        // Unless another one has come meanwhile.
        self.entries.remove_if(key, |there| Arc::ptr_eq(there, &kept));
        None
    }

    pub(super) fn put(&self, parts: Vec<(Key, Arc<Kept>)>, asked_in: Epoch) {
        for (key, kept) in parts {
            self.entries.insert(key.clone(), kept);
            // After the insertion: an invalidation that is later than this look finds the entry itself.
            if self.epoch() != asked_in {
                self.entries.remove(&key);
            }
        }
    }

    /// Gives how many entries went.
    pub(super) fn invalidate(&self, labels: &[Box<str>]) -> u64 {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        let removed = AtomicU64::new(0);
        self.entries.retain(|_, kept| {
            let goes = kept.labels.iter().any(|own| labels.contains(own));
            removed.fetch_add(u64::from(goes), Ordering::Relaxed);
            !goes
        });
        removed.into_inner()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.entries.weight()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::super::freshness::Keeping;
    use super::super::key::ScopeWriter;
    use super::super::store::Labels;
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

    fn put(store: &Memory, pair: &KeyPair, kept: Arc<Kept>) {
        store.put(vec![(pair.of(kept.is_private).unwrap().clone(), kept)], store.epoch());
    }

    fn found_at(store: &Memory, pair: &KeyPair, now: Instant) -> Option<Bytes> {
        store.find(&[pair], now).kept.remove(0).map(|kept| kept.value.clone())
    }

    fn found(store: &Memory, pair: &KeyPair) -> Option<Bytes> {
        found_at(store, pair, Instant::now())
    }

    #[tokio::test]
    async fn what_has_expired_is_not_given_out() {
        let (store, one) = (Memory::new(1 << 20), pair("one", None));
        let kept = kept("1", 60, false);
        put(&store, &one, Arc::clone(&kept));
        assert_eq!(found_at(&store, &one, kept.expires - Duration::from_millis(1)).unwrap(), "1");
        assert_eq!((found_at(&store, &one, kept.expires), store.bytes()), (None, 0));
    }

    #[tokio::test]
    async fn what_is_private_is_found_by_its_credential_alone() {
        let store = Memory::new(1 << 20);
        let [ann, ben, nobody] = [Some("ann"), Some("ben"), None].map(|credential| pair("one", credential));
        put(&store, &ann, kept("ann's", 60, true));
        assert_eq!(found(&store, &ann).unwrap(), "ann's");
        assert_eq!((found(&store, &ben), found(&store, &nobody)), (None, None));
        put(&store, &ben, kept("all's", 60, false));
        assert_eq!(found(&store, &nobody).unwrap(), "all's");
    }

    #[tokio::test]
    async fn an_invalidation_removes_what_has_the_label_and_keeps_what_was_asked_before_it_out() {
        let store = Memory::new(1 << 20);
        let (one, two) = (pair("one", None), pair("two", None));
        put(&store, &one, kept("1", 60, false));
        put(&store, &two, kept("2", 60, false));
        let before = store.epoch();
        assert_eq!(store.invalidate(&["tag:1".into()]), 1);
        assert_eq!((found(&store, &one), found(&store, &two).unwrap()), (None, "2".into()));
        store.put(vec![(one.shared.clone(), kept("old", 60, false))], before);
        assert_eq!(found(&store, &one), None);
        assert_eq!(store.invalidate(&["type:Product".into()]), 1);
        assert_eq!(found(&store, &two), None);
    }

    #[tokio::test]
    async fn the_bytes_that_are_kept_have_a_bound() {
        let store = Memory::new(64 * 1024);
        for number in 0..2_000 {
            put(&store, &pair(&number.to_string(), None), kept("some value of some length", 60, false));
        }
        assert!((1..=64 * 1024).contains(&store.bytes()), "{}", store.bytes());
    }
}
