//! One log line for each request, and the correlation id that ties it to the subgraphs' lines.
//!
//! In: a request and its response. Out: the response with `x-request-id`, and one event on target `access`.
//! Always: never a variable, a token, a query string or a body; a panic below becomes status 500.
//! Elsewhere: the form of the lines (`telemetry/`).

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use futures::FutureExt;
use http::Response;
use http::header::HeaderValue;
use kopitiam_engine::OperationKind;

use super::encode::Refusal;
use super::negotiate::JsonType;
use crate::subgraph_client::{REQUEST_ID, request_id};

/// The correlation id of a request, in its extensions.
#[derive(Debug, Clone)]
pub(super) struct CorrelationId(pub(super) HeaderValue);

/// What the handler learnt of a request, in the response's extensions.
#[derive(Debug, Clone, Default)]
pub(super) struct Logged {
    pub(super) kind: Option<OperationKind>,
    pub(super) operation_name: Option<String>,
    pub(super) code: Option<&'static str>,
}

/// The outermost layer.
pub(super) async fn log(request: Request, next: Next) -> Response<Body> {
    logged(request, |request| next.run(request)).await
}

/// Answers a request by `answer`, and logs it.
pub(super) async fn logged<F>(mut request: Request, answer: impl FnOnce(Request) -> F) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    let started = Instant::now();
    let id = request_id(request.headers());
    request.extensions_mut().insert(CorrelationId(id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let answered = AssertUnwindSafe(answer(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| Refusal::Internal.into_response(JsonType::Json));
    let logged = response.extensions_mut().remove::<Logged>().unwrap_or_default();
    tracing::info!(
        target: "access",
        %method,
        path,
        status = response.status().as_u16(),
        duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        kind = logged.kind.map(kind_name),
        operation = logged.operation_name,
        code = logged.code,
        request_id = id.to_str().unwrap_or_default(),
        "request",
    );
    response.headers_mut().insert(REQUEST_ID, id);
    response
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
    use axum::Router;
    use axum::middleware;
    use axum::routing::get;
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_panic_becomes_an_internal_error_that_tells_nothing() {
        async fn panics() {
            panic!("a secret");
        }
        let router = Router::new().route("/", get(panics)).layer(middleware::from_fn(log));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        let expected =
            r#"{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#;
        assert_eq!(body, expected);
    }
}
