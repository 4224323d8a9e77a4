//! Answers of subgraphs that are kept, each entity on its own.
//!
//! Always: off unless the settings say otherwise; only what its subgraph allows to be kept is kept, and what was asked with
//! a credential only for that credential, unless the subgraph says that it is everybody's; no answer outlives its
//! schema; mutations and subscriptions neither fill it nor read from it.
//!
//! - `freshness.rs`: what an answer's headers allow
//! - `key.rs`: under what it is kept
//! - `parts.rs`: a request taken apart, and its answer put together
//! - `store.rs`: where it is kept: `memory.rs`, or `redis/` for several gateways
//! - `pending.rs`: who is asking for what
//! - `tags.rs`: by what it can be invalidated; `invalidation.rs`: who may do that
//!
//! Elsewhere: asking the subgraph (`subgraph_client/cached.rs`), whole responses (`http/responses.rs`).

mod freshness;
mod invalidation;
mod key;
mod memory;
mod parts;
mod pending;
mod redis;
mod store;
mod tags;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use self::freshness::CacheSettings;
pub(crate) use self::freshness::{Asked, Freshness, Keeping, READ, keeping};
pub(crate) use self::invalidation::InvalidationListener;
pub use self::invalidation::{InvalidationSettings, SecretTooShort};
pub(crate) use self::key::{Key, ScopeWriter};
use self::memory::Memory;
pub(crate) use self::parts::Parts;
pub(crate) use self::pending::{Came, Claim, Part, Pending, arrival};
use self::redis::Redis;
pub(crate) use self::redis::Writes;
pub use self::redis::{RedisSettings, RedisSettingsError};
pub(crate) use self::store::{Epoch, Found, Kept, KeyPair, Labels, Store, Together};
pub(crate) use self::tags::Tags;
use crate::options::CacheStoreSettings;
use crate::telemetry::Telemetry;

/// Parts that may be waited for at once.
const PENDING_MAX: usize = 100_000;

/// Everything that is kept, and what is on its way.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) store: Store,
    pub(crate) pending: Pending,
    pub(crate) hasher: ahash::RandomState,
    pub(crate) telemetry: Telemetry,
    /// The tags of the supergraph that is served and of the one before, whose requests may be under way.
    tags: ArcSwap<Vec<(String, Arc<Tags>)>>,
}

impl Cache {
    /// `answers_depend_on`: what tells this gateway's answers from those of gateways with other settings. `writes`: what is
    /// still to be kept in a shared store, which the server's end waits for.
    pub(crate) fn new(
        settings: &CacheStoreSettings,
        answers_depend_on: &[u8],
        telemetry: Telemetry,
        writes: Writes,
    ) -> Self {
        let store = match &settings.redis {
            Some(redis) => {
                let settings = RedisSettings::clone(redis);
                Store::Redis(Redis::new(settings, answers_depend_on, telemetry.clone(), writes))
            }
            None => Store::Memory(Memory::new(settings.memory_bytes_max)),
        };
        Self {
            store,
            pending: Pending::new(PENDING_MAX),
            hasher: ahash::RandomState::new(),
            telemetry,
            tags: ArcSwap::default(),
        }
    }

    /// Connects to a shared store, for a bounded time.
    pub(crate) async fn open(&self) {
        if let Store::Redis(redis) = &self.store {
            // On the heap: without a shared store nobody need have room for it.
            Box::pin(redis.open()).await;
        }
    }

    /// Keeps parts of a subgraph's answers that were asked in `asked_in`. Nobody waits until a shared store has them.
    pub(crate) fn keep(&self, of: &str, parts: Vec<(Key, Arc<Kept>)>, asked_in: Epoch) {
        match &self.store {
            Store::Redis(redis) => redis.put(of, parts, asked_in),
            Store::Memory(memory) => {
                let (count, bytes) = (parts.len(), parts.iter().map(|(_, kept)| kept.bytes()).sum());
                memory.put(parts, asked_in);
                self.telemetry.cache_stores(of, count, bytes, memory.bytes());
            }
        }
    }

    /// Learns the tags of a supergraph that is about to be served.
    pub(crate) fn learn(&self, supergraph_sdl: &str) {
        let learned = (kopitiam_engine::schema_id(supergraph_sdl), Arc::new(Tags::read(supergraph_sdl)));
        let known = self.tags.load();
        self.tags.store(Arc::new(std::iter::once(learned).chain(known.first().cloned()).collect()));
    }

    /// The tags of a supergraph; `None` for one that is served no longer: nothing more of it is kept.
    pub(crate) fn tags_of(&self, schema: &str) -> Option<Arc<Tags>> {
        self.tags.load().iter().find(|(known, _)| known == schema).map(|(_, tags)| Arc::clone(tags))
    }

    /// The names of the subgraphs.
    pub(crate) fn subgraphs(&self) -> Vec<Box<str>> {
        self.tags.load().first().map(|(_, tags)| tags.subgraphs().to_vec()).unwrap_or_default()
    }
}
