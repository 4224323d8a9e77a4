//! The gateway's HTTP side: paths, layers and the listener.
//!
//! - `app.rs`: what handlers share
//! - `handler.rs`: the GraphQL endpoint, step by step
//! - `negotiate.rs`: `Accept` → media type
//! - `csrf.rs`: refuses what a foreign page could send
//! - `request.rs`: GET parameters or POST body → engine request
//! - `encode.rs`: outcome → status, code, headers
//! - `client_address.rs`: where a client is, also behind proxies
//! - `access_log.rs`: one line per request, correlation ids, panics
//! - `health.rs`: `/health`, `/ready`
//! - `graphiql.rs`: the bundled page
//! - `listen.rs`: connections, slow clients, draining
//!
//! Elsewhere: subscriptions' bodies (`streams/`), credentials (`auth/`), subgraphs (`subgraph_client/`).

mod access_log;
mod app;
mod client_address;
mod csrf;
mod encode;
mod graphiql;
mod handler;
mod health;
mod listen;
mod negotiate;
mod request;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware;
use axum::routing::{any, get};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use tower::ServiceExt;
use tower_http::cors::CorsLayer;

pub(crate) use self::app::App;
pub(crate) use self::encode::error_body;
pub(crate) use self::listen::run;

const GRAPHQL: &str = "/graphql";

/// What answers requests, which can be replaced while it does. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Paths(Arc<ArcSwap<Answering>>);

#[derive(Debug)]
struct Answering {
    router: Router,
    /// Set when nothing stands between the log and the GraphQL endpoint: its requests then need no router, which costs a
    /// few microseconds each.
    direct: Option<Arc<App>>,
}

impl Answering {
    fn new(app: Arc<App>, routes: Router, cors_origins: Vec<HeaderValue>) -> Self {
        let direct = cors_origins.is_empty().then(|| Arc::clone(&app));
        Self { router: router(app, routes, cors_origins), direct }
    }
}

impl Paths {
    /// All paths of a gateway, and those of the program it is embedded in.
    pub(crate) fn new(app: Arc<App>, routes: Router, cors_origins: Vec<HeaderValue>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Answering::new(app, routes, cors_origins))))
    }

    /// Later requests are answered by these.
    pub(crate) fn replace(&self, app: Arc<App>, routes: Router, cors_origins: Vec<HeaderValue>) {
        self.0.store(Arc::new(Answering::new(app, routes, cors_origins)));
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let answering = self.0.load_full();
        match &answering.direct {
            Some(app) if request.uri().path() == GRAPHQL => {
                let state = State(Arc::clone(app));
                Ok(access_log::logged(&app.telemetry, request, |request| handler::graphql(state, request))
                    .await)
            }
            _ => answering.router.clone().oneshot(request).await,
        }
    }
}

fn router(app: Arc<App>, routes: Router, cors_origins: Vec<HeaderValue>) -> Router {
    let dev = app.dev;
    let mut router = Router::new()
        .route(GRAPHQL, any(handler::graphql))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .fallback(handler::not_found);
    if dev {
        router = router.route("/graphiql/{file}", get(graphiql::asset));
    }
    let mut router = router.with_state(Arc::clone(&app)).merge(routes);
    if !cors_origins.is_empty() {
        router = router.layer(cors(cors_origins));
    }
    router.layer(middleware::from_fn_with_state(app, access_log::log))
}

/// Exact origins only, and without cookies: credentials travel in `Authorization`.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            ACCEPT,
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("graphql-require-preflight"),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(Duration::from_hours(1))
}
