//! `POST /oauth/token`: tokens for programs.
//!
//! # Source
//! RFC 6749, section 4.4 (client credentials) and 2.3.1 (HTTP Basic); section 5 for the answers.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kopitiam_kit::{Failure, time};
use serde_json::{Value, json};

use crate::commands::Commands;
use crate::domain::refusal::Refusal;

/// Where programs ask. For the private network: no public listener mounts it.
pub const PATH: &str = "/oauth/token";

/// The route.
pub fn router(commands: Commands) -> Router {
    Router::new().route(PATH, post(token)).with_state(commands)
}

async fn token(State(commands): State<Commands>, headers: HeaderMap, body: Bytes) -> Response {
    let grant = reqwest::Url::parse(&format!("http://form/?{}", String::from_utf8_lossy(&body)))
        .ok()
        .and_then(|form| {
            form.query_pairs().find(|(name, _)| name == "grant_type").map(|(_, value)| value.into_owned())
        });
    match grant.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return answer(StatusCode::BAD_REQUEST, &json!({ "error": "unsupported_grant_type" })),
        None => return answer(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_request" })),
    }
    let Some((name, secret)) = credentials(&headers) else { return refused() };
    match commands.service_token(&name, &secret).await {
        Ok(token) => {
            let seconds = (token.expires_at - time::now()).num_seconds();
            let granted =
                json!({ "access_token": token.token, "token_type": "Bearer", "expires_in": seconds });
            answer(StatusCode::OK, &granted)
        }
        Err(Failure::Refused(refusals)) => {
            if refusals.iter().any(|refusal| refusal.code == Refusal::TooManyAttempts.code()) {
                return answer(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": "invalid_client" }));
            }
            refused()
        }
        Err(error) => {
            tracing::error!(%error, "no service token");
            answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": "temporarily_unavailable" }))
        }
    }
}

/// Name and secret of an HTTP Basic header.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (name.to_owned(), secret.to_owned()))
}

fn refused() -> Response {
    let mut response = answer(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_client" }));
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    response
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}
