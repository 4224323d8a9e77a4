//! One log line for each request, and the correlation id that ties it to the subgraphs' lines.
//!
//! In: a request and its response. Out: the response with `x-request-id`, one event on target `access`, the metrics and
//! the span of the request.
//! Always: a response in several payloads has its line when the last one is out, or its client has left; never a variable, a token, a query string or a body; a panic below becomes status 500.
//! Elsewhere: the form of the lines (`telemetry/`).

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use futures::FutureExt;
use http::Response;
use http::header::HeaderValue;
use http_body_util::BodyExt;
use kopitiam_engine::OperationKind;

use super::app::App;
use super::encode::Refusal;
use super::error_ids::Ids;
use super::negotiate::JsonType;
use crate::options::ErrorIds;
use crate::subgraph_client::{REQUEST_ID, request_id};
use crate::telemetry::{RequestOutcome, Telemetry};

/// The correlation id of a request, in its extensions.
#[derive(Debug, Clone)]
pub(super) struct CorrelationId(pub(super) HeaderValue);

impl CorrelationId {
    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// What the handler learnt of a request, in the response's extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logged {
    pub(crate) kind: Option<OperationKind>,
    pub(crate) operation_name: Option<String>,
    /// How long planning took; `None`: the plan was in the cache, or it never came to that.
    pub(crate) planned_in: Option<Duration>,
    /// Whether an executed operation has errors.
    pub(crate) has_errors: bool,
    pub(crate) code: Option<&'static str>,
    /// Of a response in several payloads.
    pub(crate) progress: Option<Progress>,
}

/// The outermost layer.
pub(super) async fn log(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    logged(&app.telemetry, app.error_ids, request, |request| next.run(request)).await
}

/// Answers a request by `answer`, logs and counts it.
pub(super) async fn logged<F>(
    telemetry: &Telemetry,
    error_ids: ErrorIds,
    mut request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    let watched = telemetry.request(request.headers(), request.method().as_str());
    let id = request_id(request.headers());
    request.extensions_mut().insert(CorrelationId(id.clone()));
    request.extensions_mut().insert(watched.trace.clone());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let answered = AssertUnwindSafe(answer(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        let ids = Ids { request: id.to_str().unwrap_or_default(), trace: watched.trace.trace_id() };
        Refusal::Internal.into_response(JsonType::Json, error_ids, ids)
    });
    let logged = response.extensions_mut().remove::<Logged>();
    let graphql = logged.is_some();
    let logged = logged.unwrap_or_default();
    let (status, duration) = (response.status().as_u16(), watched.elapsed());
    let (kind, code) = (logged.kind.map(kind_name), logged.code);
    let operation = logged.operation_name.as_deref();
    if graphql {
        telemetry.operation(&RequestOutcome {
            kind: kind.unwrap_or("none"),
            operation: kind.and(operation),
            is_known: kind.is_some(),
            status,
            outcome: code.unwrap_or(if logged.has_errors { "partial" } else { "ok" }),
            duration,
        });
    }
    let trace_id = watched.trace.trace_id().to_owned();
    watched.end(kind, operation, status, code);
    response.headers_mut().insert(REQUEST_ID, id.clone());
    let begun = Instant::now().checked_sub(duration);
    let write = move |logged: &Logged, progress: Option<Progress>| {
        let progress = progress.as_ref().map(Progress::read);
        tracing::info!(
            target: "access",
            %method,
            path,
            status,
            duration_us = micros(duration),
            parts = progress.map(|(parts, _)| parts),
            last_part_us = progress.zip(begun).map(|((_, last), begun)| micros(last.duration_since(begun).max(duration))),
            kind,
            operation = logged.operation_name,
            planned_us = logged.planned_in.map(micros),
            errors = logged.has_errors.then_some(true),
            code,
            request_id = id.to_str().unwrap_or_default(),
            trace_id,
            "request",
        );
    };
    match logged.progress.clone() {
        None => write(&logged, None),
        Some(progress) => {
            let line = AtEnd::new(move || write(&logged, Some(progress)));
            response = response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _line = &line;
                    frame
                }))
            });
        }
    }
    response
}

/// Logs and counts an operation of a WebSocket when it has ended; a subscription when it is open.
pub(crate) fn socket_operation(telemetry: &Telemetry, logged: &Logged, begun: Instant) {
    let (kind, operation) = (logged.kind.map(kind_name), logged.operation_name.as_deref());
    let duration = begun.elapsed();
    telemetry.operation(&RequestOutcome {
        kind: kind.unwrap_or("none"),
        operation: kind.and(operation),
        is_known: kind.is_some(),
        status: 200,
        outcome: logged.code.unwrap_or(if logged.has_errors { "partial" } else { "ok" }),
        duration,
    });
    if logged.progress.is_none() {
        socket_line(logged, duration, begun);
    }
}

/// Logs a response in several payloads when it has ended on a WebSocket, or its client has left: when what this gives is
/// dropped.
pub(crate) fn socket_payloads(logged: Logged, begun: Instant) -> impl Sized + Send {
    let duration = begun.elapsed();
    AtEnd::new(move || socket_line(&logged, duration, begun))
}

fn socket_line(logged: &Logged, duration: Duration, begun: Instant) {
    let progress = logged.progress.as_ref().map(Progress::read);
    tracing::info!(
        target: "access",
        protocol = "websocket",
        duration_us = micros(duration),
        parts = progress.map(|(parts, _)| parts),
        last_part_us = progress.map(|(_, last)| micros(last.duration_since(begun).max(duration))),
        kind = logged.kind.map(kind_name),
        operation = logged.operation_name,
        errors = logged.has_errors.then_some(true),
        code = logged.code,
        "operation",
    );
}

/// How far a response in several payloads has come: how many are out, and since when.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<(u32, Instant)>>);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new((0, Instant::now()))))
    }

    /// Another payload goes out.
    pub(crate) fn part(&self) {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *own = (own.0.saturating_add(1), Instant::now());
    }

    fn read(&self) -> (u32, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does something when it is dropped.
struct AtEnd<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> AtEnd<F> {
    fn new(end: F) -> Self {
        Self(Some(end))
    }
}

impl<F: FnOnce()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn kind_name(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Query => "query",
        OperationKind::Mutation => "mutation",
        OperationKind::Subscription => "subscription",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_internal_error_that_tells_nothing() {
        let request = Request::new(Body::empty());
        let never = ErrorIds::Never;
        let response = logged(&Telemetry::default(), never, request, async |_| panic!("a secret")).await;
        assert_eq!(response.status(), 500);
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        let expected =
            r#"{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#;
        assert_eq!(body, expected);
    }
}
