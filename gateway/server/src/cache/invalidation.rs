//! The listener on which entries of the cache are removed before their time.
//!
//! In: `POST /invalidation` with the secret and a list of what is to go. Out: how many entries of this process went; of a
//! shared store, where it is so for all gateways, of how many subgraphs, types and tags something went.
//! Always: a listener of its own, which no client needs to reach; nothing is read before the secret is compared, in time
//! that does not depend on it; bodies and lists are bounded.
//! Elsewhere: removing (`store.rs`).

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Cache, tags};

/// The largest body in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Selections of one request.
const SELECTIONS_MAX: usize = 1_000;
/// The shortest secret in bytes.
const SECRET_BYTES_MIN: usize = 16;

/// A secret is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret must have at least 16 characters")]
pub struct SecretTooShort;

/// Who may invalidate, and where.
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidationSettings {
    /// Where to listen: never where clients come from.
    pub listen: SocketAddr,
    secret: Box<[u8]>,
}

impl InvalidationSettings {
    /// Listens at an address, for whoever has the secret.
    ///
    /// # Errors
    /// [`SecretTooShort`].
    pub fn new(listen: SocketAddr, secret: &str) -> Result<Self, SecretTooShort> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SecretTooShort);
        }
        Ok(Self { listen, secret: secret.as_bytes().into() })
    }

    fn accepts(&self, headers: &HeaderMap) -> bool {
        let Some(given) = headers.get(AUTHORIZATION) else { return false };
        let given = given.as_bytes();
        let given = given.strip_prefix(b"Bearer ").unwrap_or(given);
        // What is compared depends on the whole secret, and is compared in constant time.
        let of = |message: &[u8]| {
            Hmac::<Sha256>::new_from_slice(&self.secret).expect("any length is a key").chain_update(message)
        };
        let expected = of(&self.secret).finalize().into_bytes();
        of(given).verify(&expected).is_ok()
    }
}

impl fmt::Debug for InvalidationSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("InvalidationSettings").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// What is to go.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Selection {
    /// Everything from a subgraph.
    Subgraph { subgraph: Box<str> },
    /// The entities of a type; `Query`: root fields.
    Type { subgraph: Option<Box<str>>, r#type: Box<str> },
    /// Everything with a tag.
    CacheTag { subgraphs: Option<Vec<Box<str>>>, cache_tag: Box<str> },
}

impl Selection {
    fn kind(&self) -> &'static str {
        match self {
            Self::Subgraph { .. } => "subgraph",
            Self::Type { .. } => "type",
            Self::CacheTag { .. } => "cache_tag",
        }
    }

    fn labels(self, all: &[Box<str>]) -> Vec<Box<str>> {
        match self {
            Self::Subgraph { subgraph } => vec![tags::of_subgraph(&subgraph)],
            Self::Type { subgraph: Some(subgraph), r#type } => vec![tags::of_type(&subgraph, &r#type)],
            Self::Type { subgraph: None, r#type } => {
                all.iter().map(|subgraph| tags::of_type(subgraph, &r#type)).collect()
            }
            Self::CacheTag { subgraphs, cache_tag } => {
                let of = subgraphs.as_deref().unwrap_or(all);
                of.iter().map(|subgraph| tags::of_tag(subgraph, &cache_tag)).collect()
            }
        }
    }
}

/// Gives the cache that is in use.
pub(crate) type Current = Arc<dyn Fn() -> Option<Arc<Cache>> + Send + Sync>;

/// A bound listener that does not answer yet.
#[derive(Debug)]
pub(crate) struct InvalidationListener {
    listener: TcpListener,
    settings: InvalidationSettings,
}

#[derive(Clone)]
struct Endpoint {
    settings: Arc<InvalidationSettings>,
    current: Current,
}

impl InvalidationListener {
    pub(crate) async fn bind(settings: InvalidationSettings) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(settings.listen).await?, settings })
    }

    pub(crate) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `ended`.
    pub(crate) async fn run(self, current: Current, ended: CancellationToken) {
        let endpoint = Endpoint { settings: Arc::new(self.settings), current };
        let router = Router::new()
            .route("/invalidation", post(invalidate))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(endpoint);
        let serving = axum::serve(self.listener, router).into_future();
        tokio::select! {
            () = ended.cancelled() => {}
            result = serving => if let Err(error) = result {
                tracing::error!(%error, "invalidations are no longer taken");
            }
        }
    }
}

async fn invalidate(State(endpoint): State<Endpoint>, request: Request) -> Response {
    if !endpoint.settings.accepts(request.headers()) {
        return refusal(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "the secret is missing or wrong");
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "the body is too large");
    };
    let selections: Vec<Selection> = match serde_json::from_slice(&body) {
        Ok(selections) => selections,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, "BAD_REQUEST", &error.to_string()),
    };
    if selections.len() > SELECTIONS_MAX {
        return refusal(StatusCode::BAD_REQUEST, "BAD_REQUEST", "too many selections");
    }
    let Some(cache) = (endpoint.current)() else {
        return answer(StatusCode::ACCEPTED, &json!({ "count": 0 }));
    };
    let mut count = 0;
    let all = cache.subgraphs();
    for selection in selections {
        let kind = selection.kind();
        let Ok(gone) = cache.store.invalidate(&selection.labels(&all)).await else {
            let message = "the shared store cannot be reached: try again";
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "STORE_UNAVAILABLE", message);
        };
        cache.telemetry.cache_invalidations(kind, gone, cache.store.bytes());
        count += gone;
    }
    answer(StatusCode::ACCEPTED, &json!({ "count": count }))
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    answer(status, &json!({ "errors": [{ "message": message, "extensions": { "code": code } }] }))
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}
