//! GraphQL requests to one subgraph over HTTP/1.1, each on a connection that it has for itself meanwhile.
//!
//! In: a body and headers. Out: the whole answer, bounded. A request runs in the task that asks for it: there is no task
//! and no queue for each connection, so an answer wakes nobody but who waits for it.
//! Always: what is not well-formed HTTP is an error and ends the connection; a connection is used again only when request
//! and answer are both complete and nothing follows. Never follows a redirect, keeps no cookie, reads no proxy variable.
//!
//! - `exchange.rs`: one request and its answer on a connection
//! - `pool.rs`: idle connections
//!
//! Elsewhere: time limits (`mod.rs` above), streams and the gateway's own small requests (`http.rs`).

mod exchange;
mod pool;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use kopitiam_executor::transport::TransportError;
use tower::ServiceExt;

use self::exchange::{Broken, Connection};
use self::pool::Pool;
use super::RequestContext;
use super::http::{CONNECT_TIMEOUT, with_causes};

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Whether its media type is one of JSON.
    pub(super) is_json: bool,
    pub(super) body: Bytes,
}

/// A subgraph's address and the connections to it.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) uri: Uri,
    /// From the request line to the headers that are the same each time.
    head: Box<[u8]>,
    connector: HttpConnector,
    pool: Arc<Pool>,
}

impl Origin {
    /// `uri` is absolute, with scheme `http` and a host.
    pub(super) fn new(uri: Uri, accept: &HeaderValue) -> Self {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = uri.host().unwrap_or_default();
        let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}{port}\r\ncontent-type: application/json\r\naccept: "
        )
        .into_bytes();
        head.extend_from_slice(accept.as_bytes());
        head.extend_from_slice(b"\r\n");
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_keepalive(Some(Duration::from_secs(30)));
        Self { uri, head: head.into(), connector, pool: Arc::default() }
    }

    /// Sends a GraphQL request and reads its answer.
    ///
    /// A `repeatable` request whose connection breaks before an answer begins is sent once more, on a new connection: a
    /// subgraph that restarts or closes an idle connection looks like that. A mutation is never repeatable: it may have
    /// been executed.
    ///
    /// # Errors
    /// [`TransportError::TooLarge`] for a body beyond `bytes_max`, [`TransportError::Unreachable`] for every failure
    /// below HTTP; the reason goes to the log, never to a client.
    pub(super) async fn post(
        &self,
        context: &RequestContext,
        body: &[u8],
        repeatable: bool,
        bytes_max: usize,
    ) -> Result<Answer, TransportError> {
        let request = self.request(context, body);
        let mut connection = match self.pool.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let mut again = repeatable;
        loop {
            match connection.exchange(&request, bytes_max).await {
                Ok((answer, connection)) => {
                    if let Some(connection) = connection {
                        self.pool.put(connection);
                    }
                    return Ok(answer);
                }
                Err(Broken::TooLarge) => return Err(TransportError::TooLarge),
                Err(Broken::BeforeAnswer(error)) if again => {
                    tracing::debug!(uri = %self.uri, %error, "connection broke, sending again");
                    again = false;
                    connection = self.connect().await?;
                }
                Err(Broken::BeforeAnswer(error) | Broken::InAnswer(error)) => {
                    tracing::warn!(uri = %self.uri, %error, "request failed");
                    return Err(TransportError::Unreachable);
                }
            }
        }
    }

    fn request(&self, context: &RequestContext, body: &[u8]) -> Vec<u8> {
        let mut request = Vec::with_capacity(self.head.len() + body.len() + 512);
        request.extend_from_slice(&self.head);
        context.write_headers(&mut request);
        request.extend_from_slice(b"content-length: ");
        request.extend_from_slice(body.len().to_string().as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(body);
        request
    }

    async fn connect(&self) -> Result<Connection, TransportError> {
        match self.connector.clone().oneshot(self.uri.clone()).await {
            Ok(stream) => Ok(Connection::new(stream.into_inner())),
            Err(error) => {
                tracing::warn!(uri = %self.uri, error = %with_causes(&error), "request failed");
                Err(TransportError::Unreachable)
            }
        }
    }
}
