//! From what became of a request to an HTTP response: the one place where statuses and codes of HTTP are chosen.
//!
//! In: an engine response, or a refusal. Out: status, headers and body.
//! Always: an error body is a GraphQL response whose errors have a code; no answer may be stored by a cache.
//! Elsewhere: codes of documents and plans (`kopitiam-engine`), of fetches (`kopitiam-executor`).

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use kopitiam_engine::Outcome;
use serde_json::json;

use super::negotiate::JsonType;
use crate::auth::AuthError;

/// Why HTTP refuses a request that the engine never saw, or whose answer it could not wait for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "no acceptable media type: application/graphql-response+json, application/json or text/event-stream"
    )]
    NotAcceptable,
    #[error("a subscription is answered as text/event-stream only")]
    SubscriptionNeedsEventStream,
    #[error("the Content-Type must be application/json, in UTF-8 and not compressed")]
    UnsupportedMediaType,
    #[error("only GET and POST are allowed here")]
    MethodNotAllowed,
    #[error("a mutation must be sent by POST")]
    MutationByGet,
    #[error(
        "this request could have been made by a foreign page: send Content-Type: application/json, or a header such as \
         graphql-require-preflight: 1"
    )]
    CsrfPrevented,
    #[error("the request body is larger than {bytes_max} bytes")]
    BodyTooLarge { bytes_max: usize },
    #[error("the request body did not arrive in time")]
    BodyTimeout,
    #[error("{0}")]
    BadRequest(String),
    #[error("batches of operations are not accepted")]
    BatchingNotAllowed,
    #[error("the Authorization header must be a single bearer token")]
    Unauthenticated,
    #[error("the access token is not valid")]
    InvalidToken,
    #[error("access tokens cannot be checked at the moment")]
    KeysUnavailable,
    #[error("no answer within the time limit")]
    RequestTimeout,
    #[error("internal error")]
    Internal,
}

impl Refusal {
    /// The status, and the stable code for programs.
    pub(crate) fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE"),
            Self::SubscriptionNeedsEventStream => {
                (StatusCode::NOT_ACCEPTABLE, "SUBSCRIPTION_NEEDS_EVENT_STREAM")
            }
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            Self::MutationByGet => (StatusCode::METHOD_NOT_ALLOWED, "MUTATION_BY_GET"),
            Self::CsrfPrevented => (StatusCode::BAD_REQUEST, "CSRF_PREVENTED"),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
            Self::BatchingNotAllowed => (StatusCode::BAD_REQUEST, "BATCHING_NOT_ALLOWED"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "INVALID_TOKEN"),
            Self::KeysUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "KEYS_UNAVAILABLE"),
            Self::RequestTimeout => (StatusCode::GATEWAY_TIMEOUT, "REQUEST_TIMEOUT"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR"),
        }
    }

    /// A further header that the status calls for (RFC 9110, sections 15.5.2 and 15.5.6).
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::MethodNotAllowed => Some((ALLOW, "GET, POST")),
            Self::MutationByGet => Some((ALLOW, "POST")),
            Self::Unauthenticated => Some((WWW_AUTHENTICATE, "Bearer")),
            Self::InvalidToken => Some((WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")),
            _ => None,
        }
    }

    /// The body: a GraphQL response without data.
    pub(crate) fn body(&self) -> Bytes {
        let (_, code) = self.status_and_code();
        error_body(&self.to_string(), code)
    }

    /// The response in the media type the client takes.
    pub(crate) fn into_response(self, json: JsonType) -> Response<Body> {
        let (status, _) = self.status_and_code();
        let mut response = json_response(status, json, self.body());
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::NotBearer => Self::Unauthenticated,
            AuthError::InvalidToken(_) => Self::InvalidToken,
            AuthError::KeysUnavailable => Self::KeysUnavailable,
        }
    }
}

/// A GraphQL response of one error.
pub(crate) fn error_body(message: &str, code: &str) -> Bytes {
    json!({ "errors": [{ "message": message, "extensions": { "code": code } }] }).to_string().into()
}

/// The engine's answer as an HTTP response.
///
/// # Source
/// GraphQL over HTTP, section 6.4 "Status Codes": `application/json` answers every well-formed request with 200;
/// `application/graphql-response+json` tells by the status whether execution began.
pub(crate) fn answer(outcome: Outcome, json: JsonType, body: Bytes) -> Response<Body> {
    json_response(status_of(outcome, json), json, body)
}

fn status_of(outcome: Outcome, json: JsonType) -> StatusCode {
    match (json, outcome) {
        (JsonType::Json, _) | (JsonType::GraphqlResponse, Outcome::Executed) => StatusCode::OK,
        (
            JsonType::GraphqlResponse,
            Outcome::ParseError | Outcome::ValidationError | Outcome::VariableError | Outcome::PlanError,
        ) => StatusCode::BAD_REQUEST,
    }
}

fn json_response(status: StatusCode, json: JsonType, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(json.content_type()));
    // What one client may see, another may not: nothing between us may keep it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
