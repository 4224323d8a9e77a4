//! `subgraphs`: how each of them is reached.
//!
//! Always: what a subgraph does not say is as under `all`, key by key.
//! Elsewhere: reaching them (`subgraph_client/`).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use super::cache::SubgraphCacheConfig;
use super::sources::SourceConfig;
use crate::options::Options;
use crate::subgraph_client::{
    BreakerSettings, Coding, CompressionSettings, ConcurrencySettings, ConnectionSettings, HttpVersion,
    RateSettings, RetrySettings, SigningKey, SubgraphSettings, Tls, Transport,
};

/// How subgraphs are reached.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubgraphsConfig {
    /// Applies to every subgraph that says nothing else.
    pub all: SubgraphConfig,
    /// By the subgraph's name.
    pub by_name: BTreeMap<String, SubgraphConfig>,
}

/// How one subgraph is reached.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubgraphConfig {
    /// Replaces the URL of the supergraph: `http://host/path`, `https://host/path` or `unix:///socket?path=/path`. Has no
    /// meaning under `all`.
    pub url: Option<String>,
    /// From the moment the gateway wants to ask to the last byte of the answer, further tries and waiting included; for a
    /// subscription, to its opening. Default: 30s.
    pub timeout: Option<HumanDuration>,
    /// How long to wait for a connection. Default: 3s.
    pub connect_timeout: Option<HumanDuration>,
    /// After how long an idle connection is closed. Default: 4s, shorter than the limit of common servers.
    pub idle_timeout: Option<HumanDuration>,
    /// The largest answer, decompressed, in bytes. Default: 32 MiB.
    pub response_bytes_max: Option<usize>,
    /// The version of HTTP. Default: auto.
    pub http_version: Option<HttpVersion>,
    /// For `https://`: whom to trust, and who the gateway is.
    pub tls: Option<TlsConfig>,
    /// What travels compressed. By default nothing does.
    pub compression: Option<CompressionConfig>,
    /// Requests under way at once, and how many wait.
    pub concurrency: Option<ConcurrencyConfig>,
    /// Requests in a time. By default there is no bound.
    pub rate: Option<RateConfig>,
    /// Which failed queries are sent again. By default none, but where a connection breaks before an answer begins.
    pub retry: Option<RetryConfig>,
    /// When a failing subgraph is left alone for a while.
    pub circuit_breaker: Option<BreakerConfig>,
    /// Subscriptions.
    pub subscriptions: Option<SourceConfig>,
    /// The name of a header that tells the subgraph how many milliseconds its answer is waited for. Unset: it is not told.
    pub deadline_header: Option<String>,
    /// Keeps answers for as long as they allow it. By default none is kept.
    pub cache: Option<SubgraphCacheConfig>,
    /// Signs requests, so that the subgraph can refuse those of anyone else.
    pub signing: Option<SigningConfig>,
}

/// Whom to trust over TLS, and who the gateway is. Files are relative to this one.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "keys of the file say that a path is wanted")]
pub struct TlsConfig {
    /// Authorities that subgraphs' certificates come from, in PEM form. Unset: the public ones.
    pub ca_file: Option<PathBuf>,
    /// The gateway's certificate and those between it and the authority, in PEM form. With it goes `key_file`.
    pub certificate_file: Option<PathBuf>,
    /// The private key of the gateway's certificate, in PEM form.
    pub key_file: Option<PathBuf>,
}

/// What travels compressed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CompressionConfig {
    /// Asks for compressed answers: worth it when the subgraph is far away.
    pub answers: bool,
    /// How requests are compressed. Unset: they are not.
    pub requests: Option<Coding>,
    /// Smaller requests are not compressed, in bytes. Default: 2 KiB.
    pub request_bytes_min: Option<usize>,
}

/// Requests under way at once, and how many wait.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConcurrencyConfig {
    /// Requests under way; further ones wait.
    pub in_flight_max: usize,
    /// Requests that wait; further ones fail with `SUBREQUEST_OVERLOADED`.
    pub waiting_max: usize,
}

/// Requests in a time; those beyond it wait (`concurrency.waiting_max`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateConfig {
    /// So many requests, which may also come all at once,
    pub requests: NonZeroU32,
    /// in this time.
    pub per: HumanDuration,
}

/// Which failed queries are sent again: where the subgraph could not be reached or answered with status 429, 500, 502, 503
/// or 504. Mutations and subscriptions never are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Further tries of one query; 0: none.
    pub retries_max: u32,
    /// The longest pause before the first further try; each next one may be twice as long. The pause is chosen at random.
    pub pause_first: HumanDuration,
    /// The longest pause of all.
    pub pause_max: HumanDuration,
    /// Tries of all queries together, as a share of the queries of the last ten seconds, in per cent, beside one a second.
    pub budget_percent: u32,
}

/// When a failing subgraph is left alone: its requests fail at once with `SUBREQUEST_CIRCUIT_OPEN`, until one that is let
/// through succeeds. Unreachable, too late, and status 500 and above without a GraphQL answer count as failures.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Off: a failing subgraph is asked all the same.
    pub enabled: bool,
    /// How far back requests count.
    pub window: HumanDuration,
    /// With fewer requests than this in the window the subgraph is never left alone.
    pub requests_min: u32,
    /// It is when at least this share of them failed, in per cent.
    pub failures_percent: u32,
    /// For how long.
    pub open_for: HumanDuration,
}

/// Signs requests: each has a header `x-gateway-signature` with an HMAC-SHA256 over time, method, path, body and
/// credential. Exactly one of `key_env` and `key_file`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SigningConfig {
    /// The environment variable that holds the key, at least 32 characters. Of several, separated by commas, the first
    /// signs: subgraphs accept the others while keys change.
    pub key_env: Option<String>,
    /// The file that holds it, relative to this one.
    pub key_file: Option<PathBuf>,
}

impl Default for ConcurrencyConfig {
    fn default() -> Self {
        let ConcurrencySettings { in_flight_max, waiting_max } = ConcurrencySettings::default();
        Self { in_flight_max, waiting_max }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        let RetrySettings { retries_max, pause_first, pause_max, budget_percent } = RetrySettings::default();
        let (pause_first, pause_max) = (HumanDuration(pause_first), HumanDuration(pause_max));
        Self { retries_max, pause_first, pause_max, budget_percent }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        let BreakerSettings { window, calls_min, failures_percent, open_for } = BreakerSettings::default();
        let (window, open_for) = (HumanDuration(window), HumanDuration(open_for));
        Self { enabled: true, window, requests_min: calls_min, failures_percent, open_for }
    }
}

impl SubgraphsConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        options.engine.answers.bytes_max = u32::try_from(self.answer_bytes_max()).unwrap_or(u32::MAX);
        options.transport = self.transport()?;
        Ok(())
    }

    /// Files are named relative to the file that names them.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for subgraph in self.by_name.values_mut().chain([&mut self.all]) {
            let tls = subgraph.tls.iter_mut().flat_map(TlsConfig::files);
            let keys = subgraph.signing.iter_mut().map(|signing| &mut signing.key_file);
            for file in tls.chain(keys).flatten() {
                *file = folder.join(&*file);
            }
        }
    }

    fn transport(&self) -> Result<Transport, String> {
        if self.all.url.is_some() {
            return Err("`subgraphs.all.url`: all subgraphs cannot share one URL".to_owned());
        }
        let settings = |subgraph: &SubgraphConfig, default, place: &str| {
            subgraph.settings(default).map_err(|error| format!("`subgraphs.{place}`: {error}"))
        };
        let default = settings(&self.all, SubgraphSettings::default(), "all")?;
        let mut transport = Transport::new().with_defaults(default.clone());
        for (name, subgraph) in &self.by_name {
            let own = settings(subgraph, default.clone(), &format!("by_name.{name}"))?;
            transport = transport.with_settings(name, own);
            if let Some(url) = &subgraph.url {
                transport = transport.with_http(name, url).map_err(|error| error.to_string())?;
            }
        }
        Ok(transport)
    }

    /// The largest answer that any subgraph may give; each one's own limit is the transport's affair.
    fn answer_bytes_max(&self) -> usize {
        let own = self.by_name.values().chain([&self.all]).filter_map(|subgraph| subgraph.response_bytes_max);
        own.max().unwrap_or(0).max(SubgraphSettings::default().response_bytes_max)
    }
}

impl SubgraphConfig {
    fn settings(&self, default: SubgraphSettings) -> Result<SubgraphSettings, String> {
        let deadline_header = match &self.deadline_header {
            Some(name) => {
                Some(name.parse().map_err(|_| format!("deadline_header: `{name}` is not a header name"))?)
            }
            None => default.deadline_header,
        };
        Ok(SubgraphSettings {
            timeout: self.timeout.map_or(default.timeout, |timeout| timeout.0),
            response_bytes_max: self.response_bytes_max.unwrap_or(default.response_bytes_max),
            connection: self.connection(default.connection)?,
            compression: self.compression.as_ref().map_or(default.compression, CompressionConfig::settings),
            concurrency: self.concurrency.as_ref().map_or(default.concurrency, |concurrency| {
                let ConcurrencyConfig { in_flight_max, waiting_max } = *concurrency;
                ConcurrencySettings { in_flight_max, waiting_max }
            }),
            rate: match &self.rate {
                Some(rate) => Some(rate.settings()?),
                None => default.rate,
            },
            retry: self.retry.as_ref().map_or(default.retry, RetryConfig::settings),
            breaker: self.circuit_breaker.as_ref().map_or(default.breaker, BreakerConfig::settings),
            subscriptions: self.subscriptions.as_ref().map_or(default.subscriptions, SourceConfig::settings),
            deadline_header,
            cache: self.cache.as_ref().map_or(default.cache, SubgraphCacheConfig::settings),
            signing: match &self.signing {
                Some(signing) => Some(signing.key().map_err(|error| format!("signing: {error}"))?),
                None => default.signing,
            },
        })
    }

    fn connection(&self, default: ConnectionSettings) -> Result<ConnectionSettings, String> {
        Ok(ConnectionSettings {
            connect_timeout: self.connect_timeout.map_or(default.connect_timeout, |timeout| timeout.0),
            idle_timeout: self.idle_timeout.map_or(default.idle_timeout, |timeout| timeout.0),
            version: self.http_version.unwrap_or(default.version),
            tls: match &self.tls {
                Some(tls) => tls.load().map_err(|error| format!("tls: {error}"))?,
                None => default.tls,
            },
            ..default
        })
    }
}

impl TlsConfig {
    /// Files are named relative to the file that names them.
    pub(super) fn files(&mut self) -> [&mut Option<PathBuf>; 3] {
        [&mut self.ca_file, &mut self.certificate_file, &mut self.key_file]
    }

    pub(super) fn load(&self) -> Result<Tls, String> {
        let identity = match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => Some((&**certificate, &**key)),
            (None, None) => None,
            _ => return Err("`certificate_file` and `key_file` belong together".to_owned()),
        };
        Tls::load(self.ca_file.as_deref(), identity).map_err(|error| error.to_string())
    }
}

impl CompressionConfig {
    fn settings(&self) -> CompressionSettings {
        let default = CompressionSettings::default();
        CompressionSettings {
            answers: self.answers,
            requests: self.requests,
            request_bytes_min: self.request_bytes_min.unwrap_or(default.request_bytes_min),
        }
    }
}

impl RateConfig {
    fn settings(&self) -> Result<RateSettings, String> {
        let settings = RateSettings { calls: self.requests, per: self.per.0 };
        if (settings.per / settings.calls.get()).is_zero() {
            return Err("rate: more than a request in a nanosecond".to_owned());
        }
        Ok(settings)
    }
}

impl RetryConfig {
    fn settings(&self) -> RetrySettings {
        RetrySettings {
            retries_max: self.retries_max,
            pause_first: self.pause_first.0,
            pause_max: self.pause_max.0,
            budget_percent: self.budget_percent,
        }
    }
}

impl BreakerConfig {
    fn settings(&self) -> Option<BreakerSettings> {
        self.enabled.then_some(BreakerSettings {
            window: self.window.0,
            calls_min: self.requests_min,
            failures_percent: self.failures_percent,
            open_for: self.open_for.0,
        })
    }
}

impl SigningConfig {
    fn key(&self) -> Result<SigningKey, String> {
        let keys = match (&self.key_env, &self.key_file) {
            (Some(variable), None) => std::env::var(variable)
                .map_err(|error| format!("environment variable `{variable}`: {error}"))?,
            (None, Some(file)) => {
                std::fs::read_to_string(file).map_err(|error| format!("`{}`: {error}", file.display()))?
            }
            _ => return Err("needs either `key_env` or `key_file`".to_owned()),
        };
        let key = keys.split(',').next().unwrap_or_default().trim();
        SigningKey::new(key).map_err(|error| error.to_string())
    }
}
