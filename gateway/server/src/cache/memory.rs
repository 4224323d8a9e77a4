//! The store in this process.
//!
//! Always: bounded in bytes, keys included; what has expired is never given out; keys are compared in full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::key::Key;
use super::store::Kept;

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
pub(super) struct Memory(Cache<Key, Arc<Kept>, ByBytes, ahash::RandomState>);

impl Memory {
    pub(super) fn new(bytes_max: usize) -> Self {
        let entries = (bytes_max / (4 * ENTRY_BYTES)).clamp(16, 1 << 20);
        let (hasher, lifecycle) = (ahash::RandomState::new(), quick_cache::sync::DefaultLifecycle::default());
        Self(Cache::with(entries, bytes_max as u64, ByBytes, hasher, lifecycle))
    }

    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Arc<Kept>> {
        let kept = self.0.get(key)?;
        if kept.expires > now {
            return Some(kept);
        }
        // Unless another one has come meanwhile.
        self.0.remove_if(key, |there| Arc::ptr_eq(there, &kept));
        None
    }

    pub(super) fn insert(&self, key: Key, kept: Arc<Kept>) {
        self.0.insert(key, kept);
    }

    pub(super) fn remove(&self, key: &Key) {
        self.0.remove(key);
    }

    /// Removes everything with a label; gives how many entries that were.
    pub(super) fn invalidate(&self, label: &str) -> u64 {
        let removed = AtomicU64::new(0);
        self.0.retain(|_, kept| {
            let goes = kept.labels.iter().any(|own| **own == *label);
            removed.fetch_add(u64::from(goes), Ordering::Relaxed);
            !goes
        });
        removed.into_inner()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.weight()
    }
}
