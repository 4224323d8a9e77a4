//! `cache`: where answers of subgraphs are kept; `subgraphs.….cache`: which are.
//!
//! Elsewhere: keeping them (`cache/`).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::cache::{CacheSettings, InvalidationSettings};
use crate::options::{CacheStoreSettings, Options};

/// Where answers of subgraphs are kept. Which are kept, `subgraphs.all.cache` and `subgraphs.by_name.….cache` say; by default
/// none.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// The most that is kept in this process, in bytes, keys included.
    pub memory_bytes_max: usize,
    /// Whether responses to queries are kept whole, where everything in them is kept: for as long as the first of its parts,
    /// and for the credential it was asked with. Not with plugins or a coprocessor. Default: false.
    pub responses: bool,
    /// A listener on which entries are removed before their time: `POST /invalidation`. Unset: there is none.
    pub invalidation: Option<InvalidationConfig>,
}

/// A listener on which entries are removed before their time, by subgraph, type or tag. Exactly one of `secret_env` and
/// `secret_file`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InvalidationConfig {
    /// Address and port to listen on: one that no client reaches.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The environment variable with the secret that requests have in `authorization`, at least 16 characters.
    pub secret_env: Option<String>,
    /// The file with it, relative to this one.
    pub secret_file: Option<PathBuf>,
}

/// Keeps a subgraph's answers for as long as their `cache-control` allows it, each entity on its own. What was asked with a
/// credential is kept for that credential only, unless the answer says `public` or `s-maxage`. Answers with errors are
/// never kept; mutations and subscriptions neither fill the cache nor read from it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubgraphCacheConfig {
    /// Off: nothing is kept.
    pub enabled: bool,
    /// The longest that anything is kept, whatever the subgraph says.
    pub ttl_max: HumanDuration,
    /// How long an answer is kept that has no `cache-control`. Unset: it is not kept.
    pub default_ttl: Option<HumanDuration>,
}

impl Default for CacheConfig {
    fn default() -> Self {
        let CacheStoreSettings { memory_bytes_max, .. } = CacheStoreSettings::default();
        Self { memory_bytes_max, responses: false, invalidation: None }
    }
}

impl Default for InvalidationConfig {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, 4100).into(), secret_env: None, secret_file: None }
    }
}

impl InvalidationConfig {
    fn settings(&self) -> Result<InvalidationSettings, String> {
        let secret = super::secret(self.secret_env.as_deref(), self.secret_file.as_deref(), "secret")?;
        InvalidationSettings::new(self.listen, &secret).map_err(|error| error.to_string())
    }
}

impl Default for SubgraphCacheConfig {
    fn default() -> Self {
        let CacheSettings { ttl_max, default_ttl } = CacheSettings::default();
        Self { enabled: true, ttl_max: HumanDuration(ttl_max), default_ttl: default_ttl.map(HumanDuration) }
    }
}

impl CacheConfig {
    /// Files are named relative to the file that names them.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        if let Some(file) = self.invalidation.as_mut().and_then(|own| own.secret_file.as_mut()) {
            *file = folder.join(&*file);
        }
    }

    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        let invalidation = self.invalidation.map(|own| own.settings()).transpose();
        options.cache = CacheStoreSettings {
            memory_bytes_max: self.memory_bytes_max,
            responses: self.responses,
            invalidation: invalidation.map_err(|error| format!("`cache.invalidation`: {error}"))?,
        };
        Ok(())
    }
}

impl SubgraphCacheConfig {
    pub(super) fn settings(&self) -> Option<CacheSettings> {
        self.enabled.then(|| CacheSettings {
            ttl_max: self.ttl_max.0,
            default_ttl: self.default_ttl.map(|ttl| ttl.0),
        })
    }
}
