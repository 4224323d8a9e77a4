//! The gateway's settings as a YAML file.
//!
//! In: `gateway.yaml`. Out: a [`Config`], and from it the server's [`Options`].
//! Always: an unknown key is an error that names the nearest known one; every key is in the JSON Schema with its
//! documentation; what is absent has a default that is safe in production.
//!
//! One file for each section of the YAML file, with its keys, their defaults and `apply`, which carries them over to
//! the options. A new section is a file, a field of [`Config`] with its default, and a line in [`Config::into_options`].
//!
//! - `duration.rs`: `30s`
//! - `error.rs`: what is wrong, with file, line and column
//! - `expand.rs`: secrets from the environment and from files
//! - `supergraph_yaml.rs`: the other file, which names subgraphs for composition

mod authorization;
mod batching;
mod cache;
mod coprocessor;
mod cors;
mod documents;
mod duration;
mod error;
mod errors;
mod events;
mod expand;
mod headers;
mod http;
mod jwt;
mod limits;
mod rate_limits;
mod sources;
mod subgraphs;
mod subscriptions;
mod supergraph;
mod supergraph_yaml;
mod telemetry;
mod tls;
mod traffic;
mod uploads;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::authorization::AuthorizationConfig;
pub use self::batching::BatchingConfig;
pub use self::cache::{CacheConfig, InvalidationConfig, RedisConfig, SubgraphCacheConfig};
pub use self::coprocessor::CoprocessorConfig;
pub use self::cors::CorsConfig;
pub use self::documents::{AutomaticConfig, DocumentsConfig, PersistedConfig};
pub use self::duration::{HumanDuration, NotADuration};
pub use self::error::FileError;
pub use self::errors::{ErrorRuleConfig, ErrorsConfig};
pub use self::events::{EventFieldConfig, KafkaConfig};
pub use self::headers::HeadersConfig;
pub use self::http::HttpConfig;
pub use self::jwt::{IssuerConfig, JwksConfig, JwtConfig};
pub use self::limits::{CostConfig, LimitsConfig};
pub use self::rate_limits::{RateConfig, RateLimitsConfig};
pub use self::sources::SourceConfig;
pub use self::subgraphs::{SubgraphConfig, SubgraphsConfig};
pub use self::subscriptions::{SubscriptionsConfig, WebSocketConfig};
pub use self::supergraph::{HiveConfig, S3Config, SupergraphConfig, UplinkConfig, UrlConfig};
pub use self::supergraph_yaml::{LoadedSubgraph, load as load_subgraphs};
pub use self::telemetry::{ExposeConfig, LogFormat, MetricsConfig, OtlpConfig, TelemetryConfig};
pub use self::tls::TlsConfig;
pub use self::traffic::TrafficConfig;
pub use self::uploads::UploadsConfig;
use crate::options::Options;
use crate::subgraph_client::Transport;

/// Settings of `gateway serve`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the composed schema is.
    pub supergraph: SupergraphConfig,
    /// Address and port to listen on.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// A socket in the file system to listen on as well, for a proxy on the same machine; relative to this file.
    pub unix_socket: Option<PathBuf>,
    /// TLS on `listen`. Unset: connections are plain.
    pub tls: Option<TlsConfig>,
    /// For a developer's machine: answers introspection and serves GraphiQL.
    pub dev: bool,
    /// Whether clients may ask for the schema.
    pub introspection: bool,
    /// Whether clients may take responses in several payloads, by `@defer` and `@stream`.
    pub incremental_delivery: bool,
    /// Bounds of connections, requests and streams.
    pub http: HttpConfig,
    /// Bounds on operations.
    pub limits: LimitsConfig,
    /// What clients see of errors that come from subgraphs.
    pub errors: ErrorsConfig,
    /// How much one client may ask.
    pub rate_limits: RateLimitsConfig,
    /// Several operations in one request.
    pub batching: BatchingConfig,
    /// Files that clients upload.
    pub uploads: UploadsConfig,
    /// Documents that clients name instead of sending them.
    pub documents: DocumentsConfig,
    /// What equal queries share while one of them is in flight.
    pub traffic: TrafficConfig,
    /// Where answers of subgraphs are kept.
    pub cache: CacheConfig,
    /// How clients listen.
    pub subscriptions: SubscriptionsConfig,
    /// How subgraphs are reached.
    pub subgraphs: SubgraphsConfig,
    /// What travels to subgraphs.
    pub headers: HeadersConfig,
    /// Who may ask.
    pub jwt: JwtConfig,
    /// What becomes of fields that the schema keeps for some clients.
    pub authorization: AuthorizationConfig,
    /// Which web pages may read answers.
    pub cors: CorsConfig,
    /// A program that is asked at the stages of a request. Unset: none is.
    pub coprocessor: Option<CoprocessorConfig>,
    /// What the gateway tells of itself: log lines, metrics, traces.
    pub telemetry: TelemetryConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            supergraph: SupergraphConfig::default(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
            unix_socket: None,
            tls: None,
            dev: false,
            introspection: false,
            incremental_delivery: true,
            http: HttpConfig::default(),
            limits: LimitsConfig::default(),
            errors: ErrorsConfig::default(),
            rate_limits: RateLimitsConfig::default(),
            batching: BatchingConfig::default(),
            uploads: UploadsConfig::default(),
            documents: DocumentsConfig::default(),
            traffic: TrafficConfig::default(),
            cache: CacheConfig::default(),
            subscriptions: SubscriptionsConfig::default(),
            subgraphs: SubgraphsConfig::default(),
            headers: HeadersConfig::default(),
            jwt: JwtConfig::default(),
            authorization: AuthorizationConfig::default(),
            cors: CorsConfig::default(),
            coprocessor: None,
            telemetry: TelemetryConfig::default(),
        }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`FileError`] when it cannot be read, is not YAML, or has a key or a value that it should not have.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|error| FileError::unreadable(path, &error))?;
        Self::read(path, &text)
    }

    /// Reads what a file says, with `${env.NAME}` and `${file.PATH}` replaced.
    ///
    /// # Errors
    /// [`FileError`] when it is not YAML, or has a key or a value that it should not have.
    pub fn read(path: &Path, text: &str) -> Result<Self, FileError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let text = expand::expand(text, |kind, name| expand::of_process(folder, kind, name));
        let text = text.map_err(|missing| FileError {
            place: Some((missing.line, 1)),
            ..FileError::new(path, "CONFIG_INVALID", missing.message)
        })?;
        // An empty file, or one of comments, is a file of defaults.
        let config: Option<Self> =
            serde_yaml_ng::from_str(&text).map_err(|error| FileError::from_yaml(path, &error))?;
        let mut config = config.unwrap_or_default();
        config.resolve_paths(folder);
        Ok(config)
    }

    /// Checks what a file would say, without the values of the environment and of files.
    pub(crate) fn check(path: &Path, text: &str) -> Result<(), FileError> {
        let config: Option<Self> =
            serde_yaml_ng::from_str(text).map_err(|error| FileError::from_yaml(path, &error))?;
        config.map_or(Ok(()), |config| config.into_options(path, String::new()).map(|_| ()))
    }

    /// Files are named relative to the file that names them.
    fn resolve_paths(&mut self, folder: &Path) {
        self.supergraph.resolve_paths(folder);
        self.jwt.resolve_paths(folder);
        self.subgraphs.resolve_paths(folder);
        self.documents.resolve_paths(folder);
        self.cache.resolve_paths(folder);
        if let Some(socket) = &mut self.unix_socket {
            *socket = folder.join(&*socket);
        }
        if let Some(tls) = &mut self.tls {
            tls.resolve_paths(folder);
        }
    }

    /// The server's options for a supergraph.
    ///
    /// # Errors
    /// [`FileError`] of `file` for a value that has the right form and no meaning.
    pub fn into_options(self, file: &Path, supergraph_sdl: String) -> Result<Options, FileError> {
        self.options(supergraph_sdl).map_err(|message| FileError::new(file, "CONFIG_INVALID", message))
    }

    fn options(self, supergraph_sdl: String) -> Result<Options, String> {
        let mut options = Options::new(supergraph_sdl, Transport::new());
        options.listen = self.listen;
        options.unix_socket = self.unix_socket;
        if let Some(tls) = self.tls {
            tls.apply(&mut options);
        }
        options.dev = self.dev;
        options.engine.introspection = self.introspection;
        options.engine.incremental = self.incremental_delivery;
        self.supergraph.apply(&mut options);
        self.http.apply(&mut options);
        self.limits.apply(&mut options);
        self.errors.apply(self.dev, &mut options);
        self.rate_limits.apply(&mut options)?;
        self.batching.apply(&mut options);
        self.uploads.apply(&mut options);
        self.documents.apply(&mut options)?;
        self.traffic.apply(&mut options);
        self.cache.apply(&mut options)?;
        self.subscriptions.apply(&mut options)?;
        self.subgraphs.apply(&mut options)?;
        self.headers.apply(&mut options)?;
        self.jwt.apply(&mut options)?;
        self.authorization.apply(&mut options);
        self.cors.apply(&mut options)?;
        if let Some(coprocessor) = self.coprocessor {
            coprocessor.apply(&mut options)?;
        }
        self.telemetry.apply(&mut options)?;
        Ok(options)
    }
}

/// A secret from an environment variable or a file, of which exactly one is named.
fn secret(variable: Option<&str>, file: Option<&Path>, key: &str) -> Result<String, String> {
    let secret = match (variable, file) {
        (Some(variable), None) => {
            std::env::var(variable).map_err(|error| format!("environment variable `{variable}`: {error}"))?
        }
        (None, Some(file)) => {
            std::fs::read_to_string(file).map_err(|error| format!("`{}`: {error}", file.display()))?
        }
        _ => return Err(format!("needs either `{key}_env` or `{key}_file`")),
    };
    Ok(secret.trim().to_owned())
}
