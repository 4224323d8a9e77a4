//! Where answers of subgraphs are kept.

use crate::cache::{InvalidationSettings, RedisSettings};

/// Where answers of subgraphs are kept. Which are, each subgraph's settings say ([`crate::SubgraphSettings::cache`]); by
/// default none.
#[derive(Debug, Clone)]
pub struct CacheStoreSettings {
    /// The most that is kept in this process, in bytes, keys included.
    pub memory_bytes_max: usize,
    /// A store that several gateways share, instead of this process's memory.
    pub redis: Option<Box<RedisSettings>>,
    /// Whether responses to queries are kept whole where everything in them is kept.
    pub responses: bool,
    /// Who may have entries removed before their time, and where. `None`: nobody.
    pub invalidation: Option<InvalidationSettings>,
}

impl Default for CacheStoreSettings {
    fn default() -> Self {
        Self { memory_bytes_max: 128 * 1024 * 1024, redis: None, responses: false, invalidation: None }
    }
}
