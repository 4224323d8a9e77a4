//! The gateway's own small requests: a subgraph's SDL, a key set.
//!
//! In: a URL from the configuration. Out: the body, bounded in time and size.
//! Elsewhere: requests on behalf of clients (`mod.rs`).

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use kopitiam_executor::transport::TransportError;
use serde::Deserialize;

use super::answer::read_bounded;
use super::wire::{Address, AnswerBody, ConnectionSettings, InvalidUrl, Origin, RequestBody};

/// Why a document could not be had. Meant for operators: it may name the URL.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not a URL of the known forms.
    #[error(transparent)]
    InvalidUrl(#[from] InvalidUrl),
    /// No complete answer.
    #[error("`{url}`: {reason}")]
    Transport {
        /// What was asked.
        url: String,
        /// What happened.
        reason: TransportError,
    },
    /// An answer that is not what was asked for.
    #[error("`{url}` answered with {reason}")]
    Unusable {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// What all of these requests share.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpClient {
    settings: ConnectionSettings,
}

impl HttpClient {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sends a request to an absolute URI, on a connection for itself.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] for every failure; the reason goes to the log.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<AnswerBody>, TransportError> {
        let address = Address::parse(&request.uri().to_string()).map_err(|error| {
            tracing::warn!(%error, "request failed");
            TransportError::Unreachable
        })?;
        self.send_to(address, request).await
    }

    async fn send_to(
        &self,
        address: Address,
        request: Request<Bytes>,
    ) -> Result<Response<AnswerBody>, TransportError> {
        let (head, body) = request.into_parts();
        let headers = |emit: &mut dyn FnMut(&HeaderName, &HeaderValue)| {
            for (name, value) in &head.headers {
                emit(name, value);
            }
        };
        let body = RequestBody::Whole(Full::new(body));
        Origin::new(address, &self.settings).stream(head.method, &headers, body).await
    }
}

/// Gets a document.
///
/// # Errors
/// [`FetchError`] unless the answer is a success within `timeout` and `bytes_max`.
pub(crate) async fn get(
    client: &HttpClient,
    url: &str,
    timeout: Duration,
    bytes_max: usize,
) -> Result<Bytes, FetchError> {
    fetch(client, Method::GET, url, Bytes::new(), timeout, bytes_max).await
}

/// Sends a request of the gateway's own to an absolute URI; gives the whole answer, whatever its status.
///
/// # Errors
/// [`FetchError`] unless an answer came within `timeout` and `bytes_max`.
pub(crate) async fn exchange(
    client: &HttpClient,
    request: Request<Bytes>,
    timeout: Duration,
    bytes_max: usize,
) -> Result<Response<Bytes>, FetchError> {
    let url = request.uri().to_string();
    let answer = async {
        let (head, body) = client.send(request).await?.into_parts();
        Ok(Response::from_parts(head, read_bounded(body, bytes_max).await?))
    };
    let answered = tokio::time::timeout(timeout, answer).await.unwrap_or(Err(TransportError::Timeout));
    answered.map_err(|reason| FetchError::Transport { url, reason })
}

/// Asks a subgraph for its SDL.
///
/// # Errors
/// [`FetchError`] when there is no SDL in the answer.
///
/// # Source
/// Apollo Federation subgraph specification, "Enhanced introspection": `Query._service.sdl`.
pub(crate) async fn subgraph_sdl(client: &HttpClient, url: &str) -> Result<String, FetchError> {
    #[derive(Deserialize)]
    struct Answer {
        data: Option<Data>,
    }
    #[derive(Deserialize)]
    struct Data {
        #[serde(rename = "_service")]
        service: Service,
    }
    #[derive(Deserialize)]
    struct Service {
        sdl: String,
    }
    let query = Bytes::from_static(br#"{"query":"query SubgraphSdl { _service { sdl } }"}"#);
    let body = fetch(client, Method::POST, url, query, Duration::from_secs(10), 16 * 1024 * 1024).await?;
    let unusable = |reason: String| FetchError::Unusable { url: url.to_owned(), reason };
    let answer: Answer =
        serde_json::from_slice(&body).map_err(|error| unusable(format!("no SDL ({error})")))?;
    answer.data.map(|data| data.service.sdl).ok_or_else(|| unusable("no SDL".to_owned()))
}

async fn fetch(
    client: &HttpClient,
    method: Method,
    url: &str,
    body: Bytes,
    timeout: Duration,
    bytes_max: usize,
) -> Result<Bytes, FetchError> {
    let address = Address::parse(url)?;
    let mut request = Request::new(body);
    if method == Method::POST {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    *request.method_mut() = method;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let transport = |reason| FetchError::Transport { url: url.to_owned(), reason };
    let answer = async {
        let response = client.send_to(address, request).await?;
        let status = response.status();
        Ok((status, read_bounded(response.into_body(), bytes_max).await?))
    };
    let (status, body) = tokio::time::timeout(timeout, answer)
        .await
        .map_err(|_| transport(TransportError::Timeout))?
        .map_err(transport)?;
    if status == StatusCode::OK {
        Ok(body)
    } else {
        Err(FetchError::Unusable { url: url.to_owned(), reason: format!("status {status}") })
    }
}
