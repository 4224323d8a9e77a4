//! The GraphQL endpoint, and the WebSockets' own path, with plugins around them.
//!
//! Elsewhere: the endpoint (`handler.rs`), plugins (`plugins/`).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::{Request, Response};

use super::access_log::Logged;
use super::app::App;
use super::handler;

/// Answers one request to the GraphQL path.
pub(super) async fn graphql(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    if app.plugins.is_empty() {
        return handler::graphql(State(app), request).await;
    }
    Box::pin(around(app, request, handler::graphql)).await
}

/// Answers one request to the WebSockets' own path.
pub(super) async fn websocket(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    if app.plugins.is_empty() {
        return handler::websocket(State(app), request).await;
    }
    Box::pin(around(app, request, handler::websocket)).await
}

async fn around<F: Future<Output = Response<Body>>>(
    app: Arc<App>,
    request: Request<Body>,
    endpoint: impl FnOnce(State<Arc<App>>, Request<Body>) -> F,
) -> Response<Body> {
    let plugins = app.plugins.clone();
    let (mut parts, body) = request.into_parts();
    let response = match plugins.request(&mut parts).await {
        Ok(()) => endpoint(State(app), Request::from_parts(parts, body)).await,
        Err(refusal) => {
            let mut response = refusal.into_http::<Body>();
            response.extensions_mut().insert(Logged { code: Some("PLUGIN_REFUSED"), ..Logged::default() });
            response
        }
    };
    let (mut parts, body) = response.into_parts();
    plugins.response(&mut parts).await;
    Response::from_parts(parts, body)
}
