//! What every request handler shares.
//!
//! Always: immutable after the start, but for what its parts own (the engine's schema, the keys).
//! Elsewhere: building it from options (`server.rs`).

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderMap;
use http::header::HeaderName;
use kopitiam_engine::{Engine, Prepared, Response};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::rate_limit::RateLimits;
use crate::auth::Authenticator;
use crate::cache::Writes;
use crate::documents::Documents;
use crate::in_flight::InFlight;
use crate::options::{ClientAddress, ErrorIds, ExposeSettings, HttpSettings};
use crate::plugins::Plugins;
use crate::streams::{Ends, Streams};
use crate::subgraph_client::{Age, AnswerHeaderRules, Answered};
use crate::telemetry::{Observed, Telemetry};
use crate::uploads::UploadSettings;

/// One gateway.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) engine: Engine<Observed>,
    pub(crate) telemetry: Telemetry,
    pub(crate) plugins: Plugins,
    /// What clients may see of their own requests.
    pub(crate) expose: ExposeSettings,
    pub(crate) error_ids: ErrorIds,
    pub(crate) auth: Option<Authenticator>,
    pub(crate) dev: bool,
    pub(crate) forward_headers: Vec<HeaderName>,
    /// Which headers of subgraphs' answers reach clients; `None`: none.
    pub(crate) answer_headers: Option<Arc<AnswerHeaderRules>>,
    pub(crate) client_address: Option<ClientAddress>,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) http: HttpSettings,
    pub(crate) uploads: Option<UploadSettings>,
    pub(crate) documents: Documents,
    pub(crate) rate_limits: RateLimits,
    /// One permit for each operation that may be executed at once; streams hold none.
    pub(crate) room: Semaphore,
    /// Whether whole responses are kept.
    pub(crate) keeps_responses: bool,
    /// Client queries in flight; `None`: every one is executed.
    pub(crate) shared: Option<InFlight<QueryKey, SharedResponse>>,
    pub(crate) streams: Streams,
    /// How the process ends.
    pub(crate) ending: Ending,
    /// Cancelled when other settings take over and when shutdown begins: streams end, so that clients connect anew.
    pub(crate) retired: CancellationToken,
}

/// How a process ends, in two steps. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending {
    /// Cancelled when shutdown begins: readiness turns to "no".
    pub(crate) leaving: CancellationToken,
    /// Cancelled when no further requests are taken.
    pub(crate) draining: CancellationToken,
    /// What a shared store is still to be given, waited for at the very end.
    pub(crate) writes: Writes,
}

/// A response, and what the answers behind it said to clients.
pub(crate) type SharedResponse = (Response, Option<Arc<Answered>>);

/// What makes two client queries one: they get the same bytes whatever happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryKey {
    /// Document, operation name and schema.
    pub(crate) prepared: Prepared,
    /// As the client wrote them.
    pub(crate) variables: Box<str>,
    /// What may travel on to subgraphs, the credential included.
    pub(crate) relevant: Arc<HeaderMap>,
    pub(crate) age: Age,
}

impl Hash for QueryKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.prepared.hash(state);
        self.variables.hash(state);
    }
}

impl App {
    /// When a stream opened now ends at the latest.
    pub(crate) fn stream_ends(&self, credential: Option<SystemTime>) -> Ends {
        Ends { draining: self.retired.clone(), credential }
    }
}
