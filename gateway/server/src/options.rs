//! What an embedding program chooses. The defaults are safe in production.
//!
//! Elsewhere: the same settings as a YAML file (`config/`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use http::header::{HeaderName, HeaderValue};
use kopitiam_engine::EngineSettings;

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
    /// What requests in flight share.
    pub traffic: TrafficSettings,
    /// Bounds of the engine.
    pub engine: EngineSettings,
}

/// What equal queries share while one of them is in flight. Mutations and subscriptions never share anything, nor do
/// requests that differ in a credential or in a forwarded header, nor queries between which a mutation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficSettings {
    /// Equal client queries are executed once.
    pub share_client_queries: bool,
    /// Equal subgraph queries are sent once.
    pub share_subgraph_queries: bool,
    /// Queries in flight that may be shared, on each of the two levels; those beyond it go alone.
    pub shared_in_flight_max: usize,
}

impl Default for TrafficSettings {
    fn default() -> Self {
        Self { share_client_queries: false, share_subgraph_queries: true, shared_in_flight_max: 10_000 }
    }
}

/// How subgraphs are told where a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress {
    /// The header of subgraph requests. A client's header of this name never travels.
    pub header: HeaderName,
    /// Proxies in front of the gateway: what they append to `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// Bounds on connections, requests and streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpSettings {
    /// The largest request body.
    pub body_bytes_max: usize,
    /// From an idle connection to a complete request header.
    pub header_timeout: Duration,
    /// From the end of the header to the end of the body.
    pub body_timeout: Duration,
    /// From the end of the body to the answer; streams are not bound by it.
    pub request_timeout: Duration,
    /// How long requests in flight may go on after shutdown began.
    pub drain_timeout: Duration,
    /// Connections open at once; further ones wait in the listener's queue.
    pub connections_max: usize,
    /// How often an idle event stream gets a comment, so that nothing between us closes it.
    pub stream_keep_alive: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(20),
            connections_max: 10_000,
            stream_keep_alive: Duration::from_secs(12),
        }
    }
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
            traffic: TrafficSettings::default(),
            engine: EngineSettings::default(),
        }
    }
}
