//! `cache`: where answers of subgraphs are kept; `subgraphs.….cache`: which are.
//!
//! Elsewhere: keeping them (`cache/`).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use super::subgraphs::TlsConfig as SubgraphTlsConfig;
use crate::cache::{CacheSettings, InvalidationSettings, RedisSettings};
use crate::options::{CacheStoreSettings, Options};

/// Where answers of subgraphs are kept. Which are kept, `subgraphs.all.cache` and `subgraphs.by_name.….cache` say; by default
/// none.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// The most that is kept in this process, in bytes, keys included. Nothing is with `redis`.
    pub memory_bytes_max: usize,
    /// A store that several gateways share: a server that speaks the Redis protocol. Unset: each gateway keeps its own.
    pub redis: Option<RedisConfig>,
    /// Whether responses to queries are kept whole, where everything in them is kept: for as long as the first of its parts,
    /// and for the credential it was asked with. Not with plugins or a coprocessor. Default: false.
    pub responses: bool,
    /// A listener on which entries are removed before their time: `POST /invalidation`. Unset: there is none.
    pub invalidation: Option<InvalidationConfig>,
}

/// A store that several gateways share: one server that speaks the Redis protocol (no cluster). While it is down or slow,
/// requests are answered as if nothing were kept. Exactly one of `url`, `url_env` and `url_file`, and one of `secret_env` and
/// `secret_file`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// Where it is: `redis://[user:password@]host[:port][/database]`, the same with `rediss` (TLS), or `unix:///socket`.
    pub url: Option<String>,
    /// The environment variable with the URL: for one that has a password.
    pub url_env: Option<String>,
    /// The file with it, relative to this one.
    pub url_file: Option<PathBuf>,
    /// The environment variable with a secret of at least 16 characters, the same for all gateways that share the server: who
    /// can read the server's keys cannot tell from them who asked.
    pub secret_env: Option<String>,
    /// The file with it, relative to this one.
    pub secret_file: Option<PathBuf>,
    /// Before every key in the server.
    pub key_prefix: String,
    /// How long a lookup may take.
    pub timeout: HumanDuration,
    /// How long connecting may take, keeping something, for which no answer waits, and an invalidation.
    pub connect_timeout: HumanDuration,
    /// How much may wait to be kept, in bytes; what is more is not kept.
    pub waiting_bytes_max: usize,
    /// Whom to trust with `rediss`. Default: the public authorities.
    pub tls: Option<SubgraphTlsConfig>,
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
        Self { memory_bytes_max, redis: None, responses: false, invalidation: None }
    }
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_env: None,
            url_file: None,
            secret_env: None,
            secret_file: None,
            key_prefix: RedisSettings::KEY_PREFIX.to_owned(),
            timeout: HumanDuration(RedisSettings::TIMEOUT),
            connect_timeout: HumanDuration(RedisSettings::CONNECT_TIMEOUT),
            waiting_bytes_max: RedisSettings::WAITING_BYTES_MAX,
            tls: None,
        }
    }
}

impl RedisConfig {
    fn settings(self) -> Result<RedisSettings, String> {
        let url = match (self.url, &self.url_env, &self.url_file) {
            (Some(url), None, None) => url,
            (None, variable, file) => super::secret(variable.as_deref(), file.as_deref(), "url")?,
            _ => return Err("needs exactly one of `url`, `url_env` and `url_file`".to_owned()),
        };
        let secret = super::secret(self.secret_env.as_deref(), self.secret_file.as_deref(), "secret")?;
        let mut settings = RedisSettings::new(&url, &secret).map_err(|error| error.to_string())?;
        settings.key_prefix = self.key_prefix;
        settings.timeout = self.timeout.0;
        settings.connect_timeout = self.connect_timeout.0;
        settings.waiting_bytes_max = self.waiting_bytes_max;
        if let Some(tls) = &self.tls {
            settings.tls = tls.load().map_err(|error| format!("tls: {error}"))?;
        }
        Ok(settings)
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
        let invalidation = self.invalidation.iter_mut().map(|own| &mut own.secret_file);
        let redis = self.redis.iter_mut().flat_map(|own| {
            let tls = own.tls.iter_mut().flat_map(SubgraphTlsConfig::files);
            [&mut own.url_file, &mut own.secret_file].into_iter().chain(tls)
        });
        for file in invalidation.chain(redis).flatten() {
            *file = folder.join(&*file);
        }
    }

    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        let invalidation = self.invalidation.map(|own| own.settings()).transpose();
        let redis = self.redis.map(RedisConfig::settings).transpose();
        options.cache = CacheStoreSettings {
            memory_bytes_max: self.memory_bytes_max,
            redis: redis.map_err(|error| format!("`cache.redis`: {error}"))?.map(Box::new),
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
