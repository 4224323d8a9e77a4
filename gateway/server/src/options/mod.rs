//! What an embedding program chooses. The defaults are safe in production.
//!
//! One file for each group of settings.
//! Elsewhere: the same settings as a YAML file (`config/`).

mod cache;
mod cors;
mod documents;
mod errors;
mod headers;
mod http;
mod rate_limits;
mod subscriptions;
mod telemetry;
mod tls;
mod traffic;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use kopitiam_engine::{AnswerLimits, CostSettings, EngineSettings, ErrorVisibility};

pub use self::cache::CacheStoreSettings;
pub use self::cors::CorsSettings;
pub use self::documents::{DocumentSource, DocumentsSettings, UnlistedDocuments};
pub use self::errors::ErrorIds;
pub use self::headers::ClientAddress;
pub use self::http::{HttpSettings, Statuses};
pub use self::rate_limits::{FieldLimit, Rate, RateLimitSettings};
pub use self::subscriptions::{SubscriptionSettings, WebSocketSettings};
pub use self::telemetry::{ExposeSettings, LabelSettings, OtlpSettings, TelemetrySettings};
pub use self::tls::ClientTls;
pub use self::traffic::TrafficSettings;
use crate::auth::JwtIssuer;
use crate::plugins::Plugin;
use crate::subgraph_client::{AnswerHeaderRules, HeaderRules, Transport};
use crate::uploads::UploadSettings;

/// Everything one gateway needs.
#[derive(Debug)]
pub struct Options {
    /// The composed schema (join specification).
    pub supergraph_sdl: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS on `listen`; `None`: plain.
    pub tls: Option<ClientTls>,
    /// A socket in the file system to listen on as well, for a proxy on the same machine.
    pub unix_socket: Option<PathBuf>,
    /// Where the subgraphs are. Those it does not know are reached by their URL in the supergraph.
    pub transport: Transport,
    /// Issuers whose tokens are accepted. Without any, credentials are neither read nor forwarded.
    pub jwt: Vec<JwtIssuer>,
    /// For a developer's machine: answers introspection and serves GraphiQL.
    pub dev: bool,
    /// What becomes of headers on the way to subgraphs, beside the verified credential and the trace, which travel anyhow.
    /// Rules about headers of the connection and of the body's form are refused.
    pub headers: HeaderRules,
    /// Which headers of subgraphs' answers reach clients, and whether their `cache-control` does.
    pub answer_headers: AnswerHeaderRules,
    /// Tells subgraphs the client's address, for limits per address. `None`: they are not told.
    pub client_address: Option<ClientAddress>,
    /// Proxies in front of the gateway: whom they name in `X-Forwarded-For` is the client, for limits and the log.
    pub trusted_proxies: Vec<IpAddr>,
    /// Documents that clients name instead of sending them.
    pub documents: DocumentsSettings,
    /// How much one client may ask.
    pub rate_limits: RateLimitSettings,
    /// Which web pages may read answers. None by default.
    pub cors: CorsSettings,
    /// Further paths of the embedding program, served beside `/graphql` behind the same listener, log and CORS. They must
    /// not overlap with the gateway's own paths, nor have a fallback: the gateway's answers what nobody knows.
    pub routes: Router,
    /// Bounds of HTTP.
    pub http: HttpSettings,
    /// Files that clients upload; `None`: they are refused.
    pub uploads: Option<UploadSettings>,
    /// Code of the operator's own at the stages of a request, in this order.
    pub plugins: Vec<Arc<dyn Plugin>>,
    /// What it tells of itself, beside its log.
    pub telemetry: TelemetrySettings,
    /// Bounds of streams.
    pub subscriptions: SubscriptionSettings,
    /// What requests in flight share.
    pub traffic: TrafficSettings,
    /// Where answers of subgraphs are kept.
    pub cache: CacheStoreSettings,
    /// Which errors have the request's ids.
    pub error_ids: ErrorIds,
    /// Bounds of the engine, and what clients see of subgraphs' errors: their codes.
    pub engine: EngineSettings,
}

/// What an operation may cost unless the settings say otherwise: far more than pages of an application ask for, and far less
/// than lists in lists in lists come to.
pub(crate) const COST_MAX: u64 = 200_000;

impl Options {
    /// The defaults for a supergraph: loopback, port 4000, production.
    pub fn new(supergraph_sdl: impl Into<String>, transport: Transport) -> Self {
        let answers = AnswerLimits { errors: ErrorVisibility::hidden().into(), ..AnswerLimits::default() };
        let cost = CostSettings { operation_max: Some(COST_MAX), ..CostSettings::default() };
        Self {
            supergraph_sdl: supergraph_sdl.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
            tls: None,
            unix_socket: None,
            transport,
            jwt: Vec::new(),
            dev: false,
            headers: HeaderRules::default(),
            answer_headers: AnswerHeaderRules::default(),
            client_address: None,
            trusted_proxies: Vec::new(),
            documents: DocumentsSettings::default(),
            rate_limits: RateLimitSettings::default(),
            cors: CorsSettings::default(),
            routes: Router::new(),
            http: HttpSettings::default(),
            uploads: None,
            plugins: Vec::new(),
            telemetry: TelemetrySettings::default(),
            subscriptions: SubscriptionSettings::default(),
            traffic: TrafficSettings::default(),
            cache: CacheStoreSettings::default(),
            error_ids: ErrorIds::default(),
            engine: EngineSettings { answers, cost, ..EngineSettings::default() },
        }
    }
}
