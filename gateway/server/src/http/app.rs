//! What every request handler shares.
//!
//! Always: immutable after the start, but for what its parts own (the engine's schema, the keys).
//! Elsewhere: building it from options (`server.rs`).

use std::time::SystemTime;

use http::header::HeaderName;
use kopitiam_engine::Engine;
use tokio_util::sync::CancellationToken;

use crate::auth::Authenticator;
use crate::options::HttpSettings;
use crate::streams::sse::Ends;
use crate::subgraph_client::Transport;

/// One gateway.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) engine: Engine<Transport>,
    pub(crate) auth: Option<Authenticator>,
    pub(crate) dev: bool,
    pub(crate) forward_headers: Vec<HeaderName>,
    pub(crate) http: HttpSettings,
    /// Cancelled when shutdown begins: readiness turns to "no" and streams end.
    pub(crate) draining: CancellationToken,
}

impl App {
    /// When a stream opened now ends at the latest.
    pub(crate) fn stream_ends(&self, credential: Option<SystemTime>) -> Ends {
        Ends { draining: self.draining.clone(), credential }
    }
}
