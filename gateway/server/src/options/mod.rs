//! What an embedding program chooses. The defaults are safe in production.
//!
//! One file for each group of settings.
//! Elsewhere: the same settings as a YAML file (`config/`).

mod headers;
mod http;
mod telemetry;
mod traffic;

use std::net::{Ipv4Addr, SocketAddr};

use ::http::header::{HeaderName, HeaderValue};
use axum::Router;
use kopitiam_engine::EngineSettings;

pub use self::headers::ClientAddress;
pub use self::http::HttpSettings;
pub use self::telemetry::{ExposeSettings, LabelSettings, OtlpSettings, TelemetrySettings};
pub use self::traffic::TrafficSettings;
use crate::auth::JwtIssuer;
use crate::subgraph_client::Transport;

/// Everything one gateway needs.
#[derive(Debug)]
pub struct Options {
    /// The composed schema (join specification).
    pub supergraph_sdl: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the subgraphs are. Those it does not know are reached by their URL in the supergraph.
    pub transport: Transport,
    /// Issuers whose tokens are accepted. Without any, credentials are neither read nor forwarded.
    pub jwt: Vec<JwtIssuer>,
    /// For a developer's machine: answers introspection and serves GraphiQL.
    pub dev: bool,
    /// Request headers forwarded to subgraphs beside the verified credential and the trace. Those of the connection and of
    /// the body's form are never forwarded.
    pub forward_headers: Vec<HeaderName>,
    /// Tells subgraphs the client's address, for limits per address. `None`: they are not told.
    pub client_address: Option<ClientAddress>,
    /// Origins whose pages may read answers, compared exactly. None by default.
    pub cors_origins: Vec<HeaderValue>,
    /// Further paths of the embedding program, served beside `/graphql` behind the same listener, log and CORS. They must
    /// not overlap with the gateway's own paths, nor have a fallback: the gateway's answers what nobody knows.
    pub routes: Router,
    /// Bounds of HTTP.
    pub http: HttpSettings,
    /// What it tells of itself, beside its log.
    pub telemetry: TelemetrySettings,
    /// What requests in flight share.
    pub traffic: TrafficSettings,
    /// Bounds of the engine.
    pub engine: EngineSettings,
}

impl Options {
    /// The defaults for a supergraph: loopback, port 4000, production.
    pub fn new(supergraph_sdl: impl Into<String>, transport: Transport) -> Self {
        Self {
            supergraph_sdl: supergraph_sdl.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
            transport,
            jwt: Vec::new(),
            dev: false,
            forward_headers: Vec::new(),
            client_address: None,
            cors_origins: Vec::new(),
            routes: Router::new(),
            http: HttpSettings::default(),
            telemetry: TelemetrySettings::default(),
            traffic: TrafficSettings::default(),
            engine: EngineSettings::default(),
        }
    }
}
