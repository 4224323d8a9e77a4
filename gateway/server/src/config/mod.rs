//! The gateway's settings as a YAML file.
//!
//! In: `gateway.yaml`. Out: a [`Config`], and from it the server's [`Options`].
//! Always: an unknown key is an error that names the nearest known one; every key is in the JSON Schema with its
//! documentation; what is absent has a default that is safe in production.
//!
//! - `duration.rs`: `30s`
//! - `error.rs`: what is wrong, with file, line and column
//! - `supergraph_yaml.rs`: the other file, which names subgraphs for composition

mod duration;
mod error;
mod supergraph_yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use kopitiam_engine::{AnswerLimits, DocumentLimits, EngineSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::duration::{HumanDuration, NotADuration};
pub use self::error::FileError;
pub use self::supergraph_yaml::{LoadedSubgraph, load as load_subgraphs};
use crate::auth::{JwtAlgorithm, JwtIssuer, KeySource};
use crate::options::{ClientAddress, HttpSettings, Options, TrafficSettings};
use crate::subgraph_client::{SubgraphLimits, Transport};

/// Settings of `gateway serve`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the composed schema is.
    pub supergraph: SupergraphConfig,
    /// Address and port to listen on.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// For a developer's machine: answers introspection and serves GraphiQL.
    pub dev: bool,
    /// Whether clients may ask for the schema.
    pub introspection: bool,
    /// Bounds of connections, requests and streams.
    pub http: HttpConfig,
    /// Bounds on operations.
    pub limits: LimitsConfig,
    /// What equal queries share while one of them is in flight.
    pub traffic: TrafficConfig,
    /// How subgraphs are reached.
    pub subgraphs: SubgraphsConfig,
    /// What travels to subgraphs.
    pub headers: HeadersConfig,
    /// Who may ask.
    pub jwt: JwtConfig,
    /// Which web pages may read answers.
    pub cors: CorsConfig,
    /// What is logged.
    pub telemetry: TelemetryConfig,
}

/// Where the composed schema is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SupergraphConfig {
    /// File, relative to this one.
    pub file: Option<PathBuf>,
    /// How often to look whether the file has changed; `0s`: only at SIGHUP. What can be served replaces the schema.
    pub poll_interval: HumanDuration,
    /// Labels of progressive overrides (`@override(label:)`) that are on. `percent(n)` is on for that share of the requests.
    pub override_labels: BTreeSet<String>,
}

/// Bounds of connections, requests and streams.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// From an idle connection to a complete request header.
    pub header_timeout: HumanDuration,
    /// From the end of the header to the end of the body.
    pub body_timeout: HumanDuration,
    /// From the end of the body to the answer. Streams are not bound by it.
    pub request_timeout: HumanDuration,
    /// How long requests in flight may go on after shutdown began.
    pub drain_timeout: HumanDuration,
    /// Connections open at once; further ones wait.
    pub connections_max: usize,
    /// How often an idle event stream gets a comment.
    pub stream_keep_alive: HumanDuration,
}

/// Bounds on operations, all checked before anything is fetched.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes of a document.
    pub document_bytes_max: usize,
    /// Tokens of a document.
    pub document_tokens_max: usize,
    /// Nesting of a document: selection sets, lists, input objects.
    pub document_recursion_max: usize,
    /// Fields of a document after each fragment spread is replaced by the fragment.
    pub expanded_selections_max: u64,
    /// Levels of fields of an operation, with its fragments in place.
    pub depth_max: u64,
    /// Aliases of an operation, with its fragments in place.
    pub aliases_max: u64,
    /// Root fields of an operation, with its fragments in place.
    pub root_fields_max: u64,
    /// Directives of a document, as written.
    pub directives_max: usize,
    /// Operations of a document.
    pub operations_max: usize,
    /// Variables that one operation declares.
    pub variables_max: usize,
    /// Nesting of a subgraph's answer.
    pub answer_depth_max: u32,
    /// Errors in one response; when there are more, a last one says so.
    pub errors_max: usize,
    /// How many operations' plans are kept.
    pub plan_cache_entries: usize,
}

/// What equal queries share while one of them is in flight. Mutations and subscriptions never share anything, nor do
/// requests that differ in a credential or in a forwarded header, nor queries between which a mutation ended.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrafficConfig {
    /// Equal client queries (document, operation, variables, credential, forwarded headers) are executed once, and all
    /// get that answer. Off by default: subgraphs then see one request id and one trace for several clients.
    pub share_client_queries: bool,
    /// Equal subgraph queries (subgraph, body, credential, forwarded headers) are sent once.
    pub share_subgraph_queries: bool,
    /// Queries in flight that may be shared, on each of the two levels; those beyond it go alone.
    pub shared_in_flight_max: usize,
}

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
    /// Replaces the URL of the supergraph. Has no meaning under `all`.
    pub url: Option<String>,
    /// From sending a request to the last byte of its answer; for a subscription, to the first. Default: 30s.
    pub timeout: Option<HumanDuration>,
    /// The largest answer, in bytes. Default: 32 MiB.
    pub response_bytes_max: Option<usize>,
}

/// What travels to subgraphs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeadersConfig {
    /// Request headers forwarded beside the verified credential and the trace headers. Name no header by which a
    /// subgraph recognises a user unless something in front of the gateway sets it.
    pub forward: Vec<String>,
    /// The name of a header that tells subgraphs the client's address, such as `x-client-address`. Unset: they are not told.
    pub client_address: Option<String>,
    /// Proxies in front of the gateway, by address: the client is whom they name in `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpAddr>,
}

/// Who may ask.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JwtConfig {
    /// Issuers whose tokens are accepted. Without any, credentials are neither read nor forwarded.
    pub issuers: Vec<IssuerConfig>,
}

/// One issuer of access tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` claim, compared exactly.
    pub issuer: String,
    /// At least one of these must be in the `aud` claim.
    pub audiences: Vec<String>,
    /// Algorithms its keys may be used with.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Where its keys are: exactly one of `url` and `file`.
    pub jwks: JwksConfig,
    /// By how much clocks may differ. Default: 60s.
    pub leeway: Option<HumanDuration>,
}

/// Where a JSON Web Key Set is: exactly one of the keys.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JwksConfig {
    /// Fetched by HTTP, again when an unknown key id appears (at most every 30 s) and every five minutes.
    pub url: Option<String>,
    /// Read from a file, relative to this one.
    pub file: Option<PathBuf>,
}

/// Which web pages may read answers.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CorsConfig {
    /// Exact origins, such as `https://shop.example`.
    pub origins: Vec<String>,
}

/// What is logged, on stderr.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// Levels by target, such as `info` or `warn,access=info`.
    pub filter: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// For people.
    Text,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            supergraph: SupergraphConfig::default(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
            dev: false,
            introspection: false,
            http: HttpConfig::default(),
            limits: LimitsConfig::default(),
            traffic: TrafficConfig::default(),
            subgraphs: SubgraphsConfig::default(),
            headers: HeadersConfig::default(),
            jwt: JwtConfig::default(),
            cors: CorsConfig::default(),
            telemetry: TelemetryConfig::default(),
        }
    }
}

impl Default for SupergraphConfig {
    fn default() -> Self {
        Self {
            file: None,
            poll_interval: HumanDuration(Duration::from_secs(1)),
            override_labels: BTreeSet::new(),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        let settings = HttpSettings::default();
        Self {
            body_bytes_max: settings.body_bytes_max,
            header_timeout: HumanDuration(settings.header_timeout),
            body_timeout: HumanDuration(settings.body_timeout),
            request_timeout: HumanDuration(settings.request_timeout),
            drain_timeout: HumanDuration(settings.drain_timeout),
            connections_max: settings.connections_max,
            stream_keep_alive: HumanDuration(settings.stream_keep_alive),
        }
    }
}

impl Default for TrafficConfig {
    fn default() -> Self {
        let TrafficSettings { share_client_queries, share_subgraph_queries, shared_in_flight_max } =
            TrafficSettings::default();
        Self { share_client_queries, share_subgraph_queries, shared_in_flight_max }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let engine = EngineSettings::default();
        Self {
            document_bytes_max: engine.limits.bytes_max,
            document_tokens_max: engine.limits.tokens_max,
            document_recursion_max: engine.limits.recursion_max,
            expanded_selections_max: engine.limits.expanded_selections_max,
            depth_max: engine.limits.depth_max,
            aliases_max: engine.limits.aliases_max,
            root_fields_max: engine.limits.root_fields_max,
            directives_max: engine.limits.directives_max,
            operations_max: engine.limits.operations_max,
            variables_max: engine.limits.variables_max,
            answer_depth_max: engine.answers.depth_max,
            errors_max: engine.answers.errors_max,
            plan_cache_entries: engine.plan_cache_entries,
        }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { format: LogFormat::Json, filter: "info".to_owned() }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`FileError`] when it cannot be read, is not YAML, or has a key or a value that it should not have.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|error| FileError::unreadable(path, &error))?;
        // An empty file, or one of comments, is a file of defaults.
        let config: Option<Self> =
            serde_yaml_ng::from_str(&text).map_err(|error| FileError::from_yaml(path, &error))?;
        let mut config = config.unwrap_or_default();
        config.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let issuers = self.jwt.issuers.iter_mut().map(|issuer| &mut issuer.jwks.file);
        for file in issuers.chain([&mut self.supergraph.file]).flatten() {
            *file = folder.join(&*file);
        }
    }

    /// The server's options for a supergraph.
    ///
    /// # Errors
    /// [`FileError`] of `file` for a value that has the right form and no meaning.
    pub fn into_options(self, file: &Path, supergraph_sdl: String) -> Result<Options, FileError> {
        let invalid = |message: String| FileError::new(file, "CONFIG_INVALID", message);
        let mut options = Options::new(supergraph_sdl, self.transport().map_err(invalid)?);
        options.listen = self.listen;
        options.dev = self.dev;
        options.http = self.http.settings();
        options.traffic = TrafficSettings {
            share_client_queries: self.traffic.share_client_queries,
            share_subgraph_queries: self.traffic.share_subgraph_queries,
            shared_in_flight_max: self.traffic.shared_in_flight_max,
        };
        options.engine = self.limits.settings(self.introspection, self.subgraphs.answer_bytes_max());
        options.engine.override_labels.clone_from(&self.supergraph.override_labels);
        options.jwt = self
            .jwt
            .issuers
            .into_iter()
            .map(IssuerConfig::issuer)
            .collect::<Result<_, _>>()
            .map_err(invalid)?;
        options.forward_headers = header_names(&self.headers.forward).map_err(invalid)?;
        options.client_address = self.headers.client_address().map_err(invalid)?;
        options.cors_origins = origins(&self.cors.origins).map_err(invalid)?;
        Ok(options)
    }

    fn transport(&self) -> Result<Transport, String> {
        if self.subgraphs.all.url.is_some() {
            return Err("`subgraphs.all.url`: all subgraphs cannot share one URL".to_owned());
        }
        let default = self.subgraphs.all.limits(SubgraphLimits::default());
        let mut transport = Transport::new().with_default_limits(default);
        for (name, subgraph) in &self.subgraphs.by_name {
            transport = transport.with_limits(name, subgraph.limits(default));
            if let Some(url) = &subgraph.url {
                transport = transport.with_http(name, url).map_err(|error| error.to_string())?;
            }
        }
        Ok(transport)
    }
}

impl HttpConfig {
    fn settings(&self) -> HttpSettings {
        HttpSettings {
            body_bytes_max: self.body_bytes_max,
            header_timeout: self.header_timeout.0,
            body_timeout: self.body_timeout.0,
            request_timeout: self.request_timeout.0,
            drain_timeout: self.drain_timeout.0,
            connections_max: self.connections_max,
            stream_keep_alive: self.stream_keep_alive.0,
        }
    }
}

impl LimitsConfig {
    fn settings(&self, introspection: bool, answer_bytes_max: usize) -> EngineSettings {
        EngineSettings {
            introspection,
            plan_cache_entries: self.plan_cache_entries,
            limits: DocumentLimits {
                bytes_max: self.document_bytes_max,
                tokens_max: self.document_tokens_max,
                recursion_max: self.document_recursion_max,
                expanded_selections_max: self.expanded_selections_max,
                depth_max: self.depth_max,
                aliases_max: self.aliases_max,
                root_fields_max: self.root_fields_max,
                directives_max: self.directives_max,
                operations_max: self.operations_max,
                variables_max: self.variables_max,
            },
            answers: AnswerLimits {
                bytes_max: u32::try_from(answer_bytes_max).unwrap_or(u32::MAX),
                depth_max: self.answer_depth_max,
                errors_max: self.errors_max,
                ..AnswerLimits::default()
            },
            ..EngineSettings::default()
        }
    }
}

impl SubgraphsConfig {
    /// The largest answer that any subgraph may give; each one's own limit is the transport's affair.
    fn answer_bytes_max(&self) -> usize {
        let own = self.by_name.values().chain([&self.all]).filter_map(|subgraph| subgraph.response_bytes_max);
        own.max().unwrap_or(0).max(SubgraphLimits::default().response_bytes_max)
    }
}

impl SubgraphConfig {
    fn limits(&self, default: SubgraphLimits) -> SubgraphLimits {
        SubgraphLimits {
            timeout: self.timeout.map_or(default.timeout, |timeout| timeout.0),
            response_bytes_max: self.response_bytes_max.unwrap_or(default.response_bytes_max),
        }
    }
}

impl IssuerConfig {
    fn issuer(self) -> Result<JwtIssuer, String> {
        let keys = match (self.jwks.url, self.jwks.file) {
            (Some(url), None) => KeySource::Url(url),
            (None, Some(file)) => KeySource::File(file),
            _ => return Err(format!("issuer `{}`: `jwks` needs either `url` or `file`", self.issuer)),
        };
        if self.audiences.is_empty() || self.algorithms.is_empty() {
            return Err(format!("issuer `{}`: `audiences` and `algorithms` must not be empty", self.issuer));
        }
        Ok(JwtIssuer {
            issuer: self.issuer,
            audiences: self.audiences,
            algorithms: self.algorithms,
            keys,
            leeway: self.leeway.map_or(JwtIssuer::DEFAULT_LEEWAY, |leeway| leeway.0),
        })
    }
}

impl HeadersConfig {
    fn client_address(&self) -> Result<Option<ClientAddress>, String> {
        let Some(name) = &self.client_address else { return Ok(None) };
        let header =
            name.parse().map_err(|_| format!("`headers.client_address`: `{name}` is not a header name"))?;
        Ok(Some(ClientAddress { header, trusted_proxies: self.trusted_proxies.clone() }))
    }
}

fn header_names(names: &[String]) -> Result<Vec<HeaderName>, String> {
    names
        .iter()
        .map(|name| name.parse().map_err(|_| format!("`headers.forward`: `{name}` is not a header name")))
        .collect()
}

fn origins(origins: &[String]) -> Result<Vec<HeaderValue>, String> {
    let is_origin = |origin: &str| {
        origin.split_once("://").is_some_and(|(scheme, host)| {
            matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains('/')
        })
    };
    origins
        .iter()
        .map(|origin| {
            let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin(origin));
            value.ok_or_else(|| {
                format!("`cors.origins`: `{origin}` is not an origin such as https://shop.example")
            })
        })
        .collect()
}
