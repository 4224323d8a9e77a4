//! HTTP in front of a schema: `POST /graphql` (JSON in, JSON or server-sent events out), `/health/live`,
//! `/health/ready`; in debug builds that are told to, faults on demand (`faults`).
//!
//! Always: mutations only by POST with a JSON content type (a browser cannot send that across sites unasked); bodies end at
//! 1 MiB; a client that does not finish its headers is dropped; shutdown lets requests in flight finish; with
//! `GATEWAY_SIGNING_KEYS` only what the gateway signed is answered, and the SDL to service tokens with `schema:read`.
//! The wire form of subscriptions is the distinct-connections mode of the GraphQL-over-SSE protocol.

pub(crate) mod faults;
mod handler;
mod listener;

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::{ObjectType, Request, Schema, SubscriptionType};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::auth::Verifier;
use crate::db::Db;
use crate::errors::SystemError;
use crate::{outbox, parked};

pub use listener::serve;

/// Header by which the gateway tells where a request came from. It replaces one that the client sent.
pub const CLIENT_ADDRESS: &str = "x-client-address";

/// Where the request came from, as the gateway saw it; in every request's data, for limits per address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

/// A schema with what its requests need.
pub struct Endpoint<Q, M, S> {
    schema: Schema<Q, M, S>,
    verifier: Arc<Verifier>,
    db: Db,
    shutdown: CancellationToken,
    attach: Arc<dyn Fn(Request) -> Request + Send + Sync>,
}

impl<Q, M, S> Endpoint<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    /// `verifier` turns tokens into viewers; `db` answers `/health/ready`; streams end when `shutdown` is cancelled.
    pub fn new(
        schema: Schema<Q, M, S>,
        verifier: Arc<Verifier>,
        db: Db,
        shutdown: CancellationToken,
    ) -> Self {
        Self { schema, verifier, db, shutdown, attach: Arc::new(|request| request) }
    }

    /// Adds data to every request: the place for `DataLoader`s, which must not outlive a request (a shared one would
    /// show one user's rows to another). The viewer is attached already.
    #[must_use]
    pub fn per_request(mut self, attach: impl Fn(Request) -> Request + Send + Sync + 'static) -> Self {
        self.attach = Arc::new(attach);
        self
    }

    /// The routes. A service merges its own beside them.
    pub fn router(self) -> Router {
        let db = self.db.clone();
        let live = get(|| async { "ok" });
        let ready = get(move || ready(db));
        let endpoint = Arc::new(self);
        Router::new()
            .route("/graphql", post(move |request| handler::graphql(endpoint, request)))
            .route("/health/live", live.clone())
            .route("/health/ready", ready.clone())
            // As earlier releases called them: probes outside of this repository may still do.
            .route("/health", live)
            .route("/ready", ready)
    }
}

/// Ready as long as the database is there: what is written while the broker is away goes out when it is back. How much waits
/// for it, since when, and what is parked, is told for whoever watches.
async fn ready(db: Db) -> (StatusCode, Json<Value>) {
    match lag(&db).await {
        Ok(lag) => (StatusCode::OK, Json(lag)),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false })))
        }
    }
}

async fn lag(db: &Db) -> Result<Value, SystemError> {
    let (waiting, since) = (outbox::backlog(db).await?, outbox::waits_since(db).await?);
    let unpublished = json!({ "messages": waiting, "since": since });
    Ok(json!({ "ready": true, "unpublished": unpublished, "parked": parked::count(db).await? }))
}
