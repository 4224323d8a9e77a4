//! Where parts of answers are kept: in this process, or in a store that several gateways share.
//!
//! Always: what has expired is never given out; what was asked before an invalidation is not given out after it; a store
//! that fails costs a bounded time and is then one that has nothing; no answer waits until it is kept.
//! Elsewhere: how long and for whom (`freshness.rs`), under which key (`key.rs`), the two stores (`memory.rs`, `redis/`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::freshness::Keeping;
use super::key::Key;
use super::memory::Memory;
use super::redis::Redis;

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
pub(crate) struct Epoch(pub(super) u64);

/// What a store had.
#[derive(Debug)]
pub(crate) struct Found {
    /// For each pair of keys.
    pub(crate) kept: Vec<Option<Arc<Kept>>>,
    /// What is asked from now on is kept as of this moment; `None`: the store takes nothing now.
    pub(crate) epoch: Option<Epoch>,
}

/// A shared store did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared store of the cache cannot be reached")]
pub(crate) struct StoreDown;

/// See the module's header.
#[derive(Debug)]
pub(crate) enum Store {
    /// In this process.
    Memory(Memory),
    /// In one that several gateways share.
    Redis(Redis),
}

impl Store {
    /// What is kept under each pair of keys.
    pub(crate) async fn find(&self, pairs: &[&KeyPair]) -> Found {
        match self {
            Self::Memory(memory) => memory.find(pairs, Instant::now()),
            Self::Redis(redis) => redis.find(pairs).await,
        }
    }

    /// Nothing with one of these labels is given out from now on. Gives how many entries of this process went, or how many
    /// labels of a shared store had any.
    ///
    /// # Errors
    /// [`StoreDown`]: it is not known whether that is so.
    pub(crate) async fn invalidate(&self, labels: &[Box<str>]) -> Result<u64, StoreDown> {
        match self {
            Self::Memory(memory) => Ok(memory.invalidate(labels)),
            Self::Redis(redis) => redis.invalidate(labels).await,
        }
    }

    /// How much is kept in this process.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Memory(memory) => memory.bytes(),
            Self::Redis(_) => 0,
        }
    }
}
