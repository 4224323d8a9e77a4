//! Whether the process lives (`/health`) and whether it wants requests (`/ready`).
//!
//! Always: neither asks a subgraph: one that is down must not take the whole gateway out of rotation.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;

use super::app::App;

/// Alive: the process answers.
pub(super) async fn health() -> (StatusCode, &'static str) {
    (StatusCode::OK, "alive\n")
}

/// Ready: a schema is loaded and shutdown has not begun.
pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.ending.leaving.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}
