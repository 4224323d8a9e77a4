//! `POST /webhooks/payments`: the payment provider's reports.
//!
//! Always: the signature is checked over the raw bytes before anything else is looked at; a report that cannot be believed
//! gets 400 and no reason; 200 means that it is in the database, so the provider may forget it.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use kopitiam_kit::time;

use crate::commands::Commands;

const BODY_BYTES_MAX: usize = 64 * 1024;
/// Where reports come in.
pub const PATH: &str = "/webhooks/payments";

/// The route; public, beside `/graphql`.
pub fn router(commands: Commands) -> Router {
    Router::new().route(PATH, post(report)).with_state(commands)
}

async fn report(State(commands): State<Commands>, headers: HeaderMap, body: Body) -> StatusCode {
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let report = match commands.payments.provider.read_report(signature, &body, time::now()) {
        Ok(report) => report,
        Err(error) => {
            tracing::warn!(%error, "a payment report was not believed");
            return StatusCode::BAD_REQUEST;
        }
    };
    match commands.hear(&report).await {
        Ok(heard) => {
            tracing::info!(report = report.id, ?heard, "payment report");
            StatusCode::OK
        }
        Err(error) => {
            tracing::error!(report = report.id, %error, "a payment report could not be applied");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
