//! Streams from a subgraph, and the gateway's own small requests, over HTTP/1.1.
//!
//! In: a request without host. Out: the response, its body not yet read. Never follows a redirect, keeps no cookie and
//! reads no proxy variable: a subgraph's address is what the operator wrote and nothing else.
//! Elsewhere: queries and mutations (`http1/`), time limits and size limits (`mod.rs`).

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kopitiam_executor::transport::TransportError;

/// How long to wait for a TCP connection: a subgraph in the same network answers in milliseconds, and a dead one must
/// not hold a client for the whole request timeout.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Shorter than the idle limit of common servers (Node.js: 5 s), so that a request rarely meets a closing connection.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The connection pool of one gateway.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl HttpClient {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_keepalive(Some(Duration::from_secs(30)));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Self { client }
    }

    /// Sends a request to an absolute `http://` URI.
    ///
    /// A `repeatable` request whose connection breaks before an answer begins is sent once more: a subgraph that
    /// restarts or closes an idle connection looks like that, and its next connection may well work. A mutation is
    /// never repeatable: it may have been executed.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] for every failure below HTTP; the reason goes to the log, never to a client.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
        repeatable: bool,
    ) -> Result<Response<Body>, TransportError> {
        let uri = request.uri().clone();
        let copy = repeatable.then(|| request.clone());
        let mut result = self.client.request(request.map(Full::new)).await;
        if let (Err(error), Some(copy)) = (&result, copy)
            && !error.is_connect()
        {
            tracing::debug!(%uri, error = %with_causes(error), "connection broke, sending again");
            result = self.client.request(copy.map(Full::new)).await;
        }
        match result {
            Ok(response) => Ok(response.map(Body::new)),
            Err(error) => {
                tracing::warn!(%uri, error = %with_causes(&error), "request failed");
                Err(TransportError::Unreachable)
            }
        }
    }
}

/// An error and what caused it in one line; the outer text alone ("client error (Connect)") does not help an operator.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
