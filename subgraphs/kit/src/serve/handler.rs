//! One GraphQL request over HTTP.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{OperationType, Selection};
use async_graphql::{ObjectType, Request, SubscriptionType};
use axum::http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use serde_json::json;

use super::{CLIENT_ADDRESS, ClientAddress, Endpoint};
use crate::auth::{TokenError, Viewer};
use crate::signing::{GATEWAY_SIGNATURE, SignedCall, SigningKeys};
use crate::{time, trace};

const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Scope of service tokens with which the schema may be read without the gateway, as composition does.
const SCHEMA_SCOPE: &str = "schema:read";
const KEEP_ALIVE: Duration = Duration::from_secs(12);

pub(super) async fn graphql<Q, M, S>(
    endpoint: Arc<Endpoint<Q, M, S>>,
    request: axum::extract::Request,
) -> Response
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    if !is_json(headers) {
        return refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            "send application/json",
        );
    }
    let Ok(bytes) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "request body exceeds 1 MiB");
    };
    let is_signed = is_signed(endpoint.verifier.gateway(), &parts, &bytes);
    let viewer = match viewer(&endpoint, headers).await {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let request = match parse(&bytes) {
        Ok(request) => request,
        Err(reason) => return refusal(StatusCode::BAD_REQUEST, "BAD_REQUEST", &reason),
    };
    let may_ask = is_signed || viewer.has_scope(SCHEMA_SCOPE) && asks_for_the_schema_only(&request.query);
    if !may_ask {
        return refusal(StatusCode::FORBIDDEN, "FORBIDDEN", "only the gateway may ask");
    }
    let (end, trace) = (end_of_stream(&endpoint, &viewer), trace::of(headers));
    let request = (endpoint.attach)(request.data(viewer).data(client_address(headers)));
    if accepts(headers, "text/event-stream") {
        let responses = endpoint.schema.execute_stream(request);
        let events = events(responses).take_until(end);
        return Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    }
    let response = trace::within(trace, endpoint.schema.execute(request)).await;
    let media_type = if accepts(headers, "application/graphql-response+json") {
        "application/graphql-response+json"
    } else {
        "application/json"
    };
    match serde_json::to_vec(&response) {
        Ok(body) => {
            let types = [(CONTENT_TYPE, HeaderValue::from_static(media_type)), (CACHE_CONTROL, NO_STORE)];
            (types, body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "response is not JSON");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", "internal error")
        }
    }
}

/// Whether the gateway sent this; everything is its own where it has no key.
fn is_signed(keys: &SigningKeys, parts: &Parts, body: &[u8]) -> bool {
    if keys.is_empty() {
        return true;
    }
    let path_and_query = parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    let call = SignedCall {
        method: parts.method.as_str(),
        path_and_query,
        body,
        authorization: parts.headers.get(AUTHORIZATION).map_or(&[], HeaderValue::as_bytes),
    };
    let header = parts.headers.get(GATEWAY_SIGNATURE).and_then(|value| value.to_str().ok());
    header.is_some_and(|header| call.verify(keys, header, time::now()))
}

/// Whether the document is queries for the service's SDL and nothing else.
fn asks_for_the_schema_only(document: &str) -> bool {
    let Ok(document) = parse_query(document) else { return false };
    document.operations.iter().all(|(_, operation)| {
        let selected = &operation.node.selection_set.node.items;
        let is_schema = |selection: &Selection| match selection {
            Selection::Field(field) => matches!(field.node.name.node.as_str(), "_service" | "__typename"),
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
        };
        operation.node.ty == OperationType::Query
            && selected.iter().all(|selection| is_schema(&selection.node))
    })
}

/// Streams end at shutdown, when the token they were asked for with ends, and when its owner is banned.
fn end_of_stream<Q, M, S>(
    endpoint: &Endpoint<Q, M, S>,
    viewer: &Viewer,
) -> impl Future<Output = ()> + Send + 'static {
    let shutdown = endpoint.shutdown.clone();
    let identity = viewer.identity().cloned();
    let denylist = endpoint.verifier.denylist().clone();
    async move {
        let no_more_valid = async {
            let Some(identity) = identity else { return std::future::pending().await };
            let expiry = identity.expires_at.map(|at| (at - time::now()).to_std().unwrap_or_default());
            let expired = async {
                match expiry {
                    Some(left) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = expired => {}
                () = denylist.denied(identity) => {}
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = no_more_valid => {}
        }
    }
}

/// The gateway's word on where the request came from.
fn client_address(headers: &HeaderMap) -> ClientAddress {
    let address = headers.get(CLIENT_ADDRESS).and_then(|value| value.to_str().ok());
    ClientAddress(address.and_then(|address| address.trim().parse().ok()))
}

fn parse(body: &[u8]) -> Result<Request, String> {
    // serde reads a struct from a JSON array too; that would be a batch, which we do not take.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err("a GraphQL request is one JSON object".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| format!("not a GraphQL request: {error}"))
}

/// Answers depend on the viewer, so no cache may keep them.
const NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");

/// `next` for each response and `complete` at the end. A stream cut by shutdown has no `complete`: the other side is to
/// connect anew.
fn events(
    responses: impl Stream<Item = async_graphql::Response> + Send + 'static,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let next = responses.map(|response| {
        Event::default().event("next").json_data(&response).unwrap_or_else(|error| {
            tracing::error!(%error, "stream response is not JSON");
            Event::default().event("next").data(r#"{"errors":[{"message":"internal error"}]}"#)
        })
    });
    next.chain(futures::stream::once(async { Event::default().event("complete").data("") })).map(Ok)
}

async fn viewer<Q, M, S>(endpoint: &Endpoint<Q, M, S>, headers: &HeaderMap) -> Result<Viewer, Response> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(Viewer::anonymous()) };
    let not_valid = || refusal(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "the access token is not valid");
    let token = header
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(not_valid)?;
    match endpoint.verifier.verify(token).await {
        Ok(identity) => Ok(Viewer::known(identity)),
        Err(error @ TokenError::NoKeys(_)) => {
            tracing::error!(%error, "cannot verify tokens");
            Err(refusal(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", "cannot verify tokens now"))
        }
        Err(error) => {
            tracing::debug!(%error, "token refused");
            Err(not_valid())
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
    })
}

fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            range.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(media_type))
        })
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": code } }] });
    (status, axum::Json(body)).into_response()
}
