//! The gateway's HTTP side: paths, layers and the listener.
//!
//! - `app.rs`: what handlers share
//! - `handler.rs`: the GraphQL endpoint, step by step
//! - `negotiate.rs`: `Accept` → media type
//! - `csrf.rs`: refuses what a foreign page could send
//! - `request.rs`: GET parameters or POST body → one request, or a batch
//! - `batch.rs`: several operations in one request
//! - `plugged.rs`: the endpoint with plugins around it
//! - `operation.rs`: one operation, whatever it came by: checked, executed; `rate_limit.rs`: how much a client may ask
//! - `encode.rs`: outcome → status, code, headers; `error_ids.rs`: the request's ids in its errors
//! - `visitor.rs`: who is on the other end; `client_address.rs`: where a client is, also behind proxies
//! - `access_log.rs`: one line per request, correlation ids, panics
//! - `layers.rs`: cross-origin rules and compression
//! - `health.rs`: `/health`, `/ready`
//! - `graphiql.rs`: the bundled page
//! - `listen/`: connections, TLS, slow clients, draining
//!
//! Elsewhere: subscriptions' bodies (`streams/`), credentials (`auth/`), subgraphs (`subgraph_client/`).

mod access_log;
mod app;
mod batch;
mod client_address;
mod csrf;
mod encode;
mod error_ids;
mod graphiql;
mod handler;
mod health;
mod layers;
mod listen;
mod negotiate;
pub(crate) mod operation;
mod plugged;
mod rate_limit;
pub(crate) mod request;
mod responses;
mod visitor;

use std::convert::Infallible;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware;
use axum::routing::{any, get};
use http::{Request, Response};
use tower::ServiceExt;

pub(crate) use self::access_log::{Logged, socket_operation, socket_payloads};
pub(crate) use self::app::{App, Ending};
pub(crate) use self::encode::{Refusal, error_body};
pub(crate) use self::error_ids::Ids;
pub(crate) use self::layers::Layers;
pub(crate) use self::listen::{Listeners, Tls, UnixSocket, run};
pub(crate) use self::negotiate::{Carrier, NamedFormat, StreamType};
pub(crate) use self::rate_limit::{Client, RateLimits, network};
pub(crate) use self::visitor::Visitor;

const GRAPHQL: &str = "/graphql";

/// What answers requests, which can be replaced while it does. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Paths(Arc<ArcSwap<Answering>>);

#[derive(Debug)]
struct Answering {
    router: Router,
    layers: Layers,
    /// Where nothing stands between the log and the GraphQL endpoint its requests need no router, which costs a few
    /// microseconds each.
    direct: Arc<App>,
}

impl Answering {
    fn new(app: Arc<App>, routes: Router, layers: Layers) -> Self {
        Self { router: router(Arc::clone(&app), routes, &layers), direct: app, layers }
    }
}

impl Paths {
    /// All paths of a gateway, and those of the program it is embedded in.
    pub(crate) fn new(app: Arc<App>, routes: Router, layers: Layers) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Answering::new(app, routes, layers))))
    }

    /// Later requests are answered by these.
    pub(crate) fn replace(&self, app: Arc<App>, routes: Router, layers: Layers) {
        self.0.store(Arc::new(Answering::new(app, routes, layers)));
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        let answering = self.0.load_full();
        if request.uri().path() != GRAPHQL || answering.layers.concern(&request) {
            return answering.router.clone().oneshot(request).await;
        }
        let app = &answering.direct;
        let state = State(Arc::clone(app));
        // On the heap, since it would be copied from future to future up to the connection's.
        let answer = access_log::logged(&app.telemetry, app.error_ids, request, |request| {
            plugged::graphql(state, request)
        });
        Ok(Box::pin(answer).await)
    }
}

fn router(app: Arc<App>, routes: Router, layers: &Layers) -> Router {
    let dev = app.dev;
    let mut router = Router::new()
        .route(GRAPHQL, any(plugged::graphql))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .fallback(handler::not_found);
    if let Some(path) = app.streams.settings.websocket.path.clone().filter(|path| path != GRAPHQL) {
        router = router.route(&path, get(plugged::websocket));
    }
    if dev {
        router = router.route("/graphiql/{file}", get(graphiql::asset));
    }
    let router = router.with_state(Arc::clone(&app)).merge(routes);
    layers.around(router).layer(middleware::from_fn_with_state(app, access_log::log))
}
