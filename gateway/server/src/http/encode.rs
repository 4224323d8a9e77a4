//! From what became of a request to an HTTP response: the one place where statuses and codes of HTTP are chosen.
//!
//! In: an engine response, or a refusal. Out: status, headers and body.
//! Always: an error body is a GraphQL response whose errors have a code; no answer may be stored by a cache.
//! Elsewhere: codes of documents and plans (`kopitiam-engine`), of fetches (`kopitiam-executor`).

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use kopitiam_engine::{Outcome, Response as GraphqlResponse};
use serde_json::json;

use super::error_ids::Ids;
use super::negotiate::JsonType;
use crate::auth::AuthError;
use crate::documents::DocumentRefusal;
use crate::options::{ErrorIds, Statuses};

/// "Partial Success" of the newer draft: data and errors in one response.
const PARTIAL_SUCCESS: u16 = 294;

/// Why HTTP refuses a request that the engine never saw, or whose answer it could not wait for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "no acceptable media type: application/graphql-response+json, application/json or text/event-stream"
    )]
    NotAcceptable,
    #[error("a subscription is answered as text/event-stream only")]
    SubscriptionNeedsEventStream,
    #[error("the Content-Type must be application/json, in UTF-8")]
    UnsupportedMediaType,
    #[error("the Content-Encoding of a body must be one that is accepted")]
    UnsupportedEncoding,
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
    #[error("a batch may have at most {operations_max} operations")]
    BatchTooLarge { operations_max: usize },
    #[error(transparent)]
    Document(#[from] DocumentRefusal),
    #[error("too many operations: try again later")]
    RateLimited { wait: Duration },
    #[error("the server has more to do than it can: try again later")]
    Overloaded,
    #[error("the Authorization header must be a single bearer token")]
    Unauthenticated,
    #[error("the access token is not valid")]
    InvalidToken,
    #[error("access tokens cannot be checked at the moment")]
    KeysUnavailable,
    #[error("a page of this origin may not open a WebSocket")]
    ForeignOrigin,
    #[error("too many WebSockets are open: try again later")]
    TooManySockets,
    #[error("too many subscriptions are open: end some of them, or try again later")]
    TooManyStreams,
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
            Self::UnsupportedEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_ENCODING"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            Self::MutationByGet => (StatusCode::METHOD_NOT_ALLOWED, "MUTATION_BY_GET"),
            Self::CsrfPrevented => (StatusCode::BAD_REQUEST, "CSRF_PREVENTED"),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
            Self::BatchingNotAllowed => (StatusCode::BAD_REQUEST, "BATCHING_NOT_ALLOWED"),
            Self::BatchTooLarge { .. } => (StatusCode::BAD_REQUEST, "BATCH_TOO_LARGE"),
            Self::Document(refusal) => (StatusCode::BAD_REQUEST, document_code(*refusal)),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "INVALID_TOKEN"),
            Self::KeysUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "KEYS_UNAVAILABLE"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "FOREIGN_ORIGIN"),
            Self::TooManySockets => (StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_CONNECTIONS"),
            Self::TooManyStreams => (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_STREAMS"),
            Self::RequestTimeout => (StatusCode::GATEWAY_TIMEOUT, "REQUEST_TIMEOUT"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR"),
        }
    }

    /// A further header that the status calls for (RFC 9110, sections 10.2.3, 15.5.2 and 15.5.6).
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let (name, value) = match self {
            Self::MethodNotAllowed => (ALLOW, "GET, POST"),
            Self::MutationByGet => (ALLOW, "POST"),
            Self::Unauthenticated => (WWW_AUTHENTICATE, "Bearer"),
            Self::InvalidToken => (WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""),
            Self::Overloaded | Self::TooManySockets => (RETRY_AFTER, "1"),
            // Whole seconds, rounded up: a client that comes back in time must not be refused again.
            Self::RateLimited { wait } => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                return Some((RETRY_AFTER, seconds.max(1).into()));
            }
            _ => return None,
        };
        Some((name, HeaderValue::from_static(value)))
    }

    /// The body: a GraphQL response without data, with the request's ids where the settings say so.
    pub(crate) fn body(&self, settings: ErrorIds, ids: Ids<'_>) -> Bytes {
        let (status, code) = self.status_and_code();
        let body = error_body(&self.to_string(), code);
        if settings.are_in(status.is_server_error()) { ids.add_to(body) } else { body }
    }

    /// The response in the media type the client takes.
    pub(crate) fn into_response(self, json: JsonType, settings: ErrorIds, ids: Ids<'_>) -> Response<Body> {
        let (mut status, _) = self.status_and_code();
        // Part of a conversation and no mistake of the client; some only read it from a success.
        let expected =
            matches!(self, Self::Document(DocumentRefusal::NotRegistered | DocumentRefusal::RegistrationOff));
        if expected && json == JsonType::Json {
            status = StatusCode::OK;
        }
        let mut response = json_response(status, json, self.body(settings, ids));
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, value);
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

/// The codes that clients of persisted documents know from other gateways.
fn document_code(refusal: DocumentRefusal) -> &'static str {
    match refusal {
        DocumentRefusal::NotRegistered => "PERSISTED_QUERY_NOT_FOUND",
        DocumentRefusal::RegistrationOff => "PERSISTED_QUERY_NOT_SUPPORTED",
        DocumentRefusal::HashMismatch => "PERSISTED_QUERY_HASH_MISMATCH",
        DocumentRefusal::Malformed => "PERSISTED_QUERY_MALFORMED",
        DocumentRefusal::UnknownId => "PERSISTED_QUERY_NOT_IN_LIST",
        DocumentRefusal::IdAndDocument => "CANNOT_SEND_PQ_ID_AND_BODY",
        DocumentRefusal::IdRequired => "PERSISTED_QUERY_ID_REQUIRED",
        DocumentRefusal::NotListed => "QUERY_NOT_IN_SAFELIST",
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
pub(crate) fn answer(response: GraphqlResponse, json: JsonType, statuses: Statuses) -> Response<Body> {
    json_response(status_of(&response, json, statuses), json, response.body)
}

fn status_of(response: &GraphqlResponse, json: JsonType, statuses: Statuses) -> StatusCode {
    match (json, response.outcome, statuses) {
        (JsonType::GraphqlResponse, Outcome::Executed, Statuses::Draft) if response.has_errors() => {
            StatusCode::from_u16(PARTIAL_SUCCESS).expect("it has three digits")
        }
        (JsonType::Json, _, _) | (JsonType::GraphqlResponse, Outcome::Executed, _) => StatusCode::OK,
        (JsonType::GraphqlResponse, Outcome::ParseError, _) => StatusCode::BAD_REQUEST,
        (
            JsonType::GraphqlResponse,
            Outcome::ValidationError | Outcome::VariableError | Outcome::PlanError,
            statuses,
        ) => match statuses {
            Statuses::Stable => StatusCode::BAD_REQUEST,
            Statuses::Draft => StatusCode::UNPROCESSABLE_ENTITY,
        },
    }
}

/// The responses of a batch, in its order.
pub(crate) fn answer_batch(bodies: &[Bytes]) -> Response<Body> {
    let mut joined = Vec::with_capacity(bodies.iter().map(|body| body.len() + 1).sum::<usize>() + 1);
    for (index, body) in bodies.iter().enumerate() {
        joined.push(if index == 0 { b'[' } else { b',' });
        joined.extend_from_slice(body);
    }
    joined.push(b']');
    json_response(StatusCode::OK, JsonType::Json, joined.into())
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
