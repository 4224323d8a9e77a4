//! Where answers of subgraphs are kept.

use crate::cache::InvalidationSettings;

/// Where answers of subgraphs are kept. Which are, each subgraph's settings say ([`crate::SubgraphSettings::cache`]); by
/// default none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheStoreSettings {
    /// The most that is kept in this process, in bytes, keys included.
    pub memory_bytes_max: usize,
    /// Whether responses to queries are kept whole where everything in them is kept.
    pub responses: bool,
    /// Who may have entries removed before their time, and where. `None`: nobody.
    pub invalidation: Option<InvalidationSettings>,
}

impl Default for CacheStoreSettings {
    fn default() -> Self {
        Self { memory_bytes_max: 128 * 1024 * 1024, responses: false, invalidation: None }
    }
}
