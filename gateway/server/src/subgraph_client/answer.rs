//! From an HTTP answer to a GraphQL response.
//!
//! Always: bounded; an answer comes out in one piece of memory.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use kopitiam_executor::transport::TransportError;

use super::compression;
use super::wire::Answer;
use crate::cache::Together;

/// A length that an answer announces is not believed further than this before the bytes are there.
const RESERVE_MAX: usize = 1024 * 1024;

/// A GraphQL response and the headers that came with it.
#[derive(Debug, Clone)]
pub(super) struct Whole {
    pub(super) body: Bytes,
    pub(super) headers: Arc<HeaderMap>,
    /// Whether no subgraph was asked for it.
    pub(super) is_cached: bool,
    /// How long what is made of it may be kept; `None`: not at all.
    pub(super) together: Option<Together>,
}

/// The GraphQL response of a whole answer.
///
/// # Errors
/// As [`read_graphql`].
pub(super) fn graphql(answer: Answer, bytes_max: usize) -> Result<Whole, TransportError> {
    let body = compression::decompress(&answer.headers, answer.body, bytes_max)?;
    let body = graphql_body(answer.status, &answer.headers, body)?;
    Ok(Whole { body, headers: Arc::new(answer.headers), is_cached: false, together: None })
}

/// Reads a whole answer, which must be a GraphQL response.
///
/// # Errors
/// [`TransportError::TooLarge`] beyond `bytes_max`, [`TransportError::Status`] for a failure without a GraphQL response,
/// [`TransportError::Unreachable`] when the connection broke.
pub(super) async fn read_graphql<B>(response: Response<B>, bytes_max: usize) -> Result<Whole, TransportError>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    let (head, body) = response.into_parts();
    let body = read_bounded(body, bytes_max).await?;
    graphql(Answer { status: head.status, headers: head.headers, body }, bytes_max)
}

/// As [`read_graphql`] for an answer of this process, which may panic on the way.
///
/// # Errors
/// As [`read_graphql`].
pub(super) async fn read_in_process(
    response: Response<Body>,
    bytes_max: usize,
) -> Result<Whole, TransportError> {
    let read = AssertUnwindSafe(read_graphql(response, bytes_max)).catch_unwind().await;
    read.unwrap_or(Err(TransportError::Unreachable))
}

/// The body when it can be a GraphQL response: any body of a success, a GraphQL error document of a failure.
fn graphql_body(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Result<Bytes, TransportError> {
    if status.is_success() || (is_json(headers) && is_graphql_response(&body)) {
        Ok(body)
    } else {
        Err(TransportError::Status(status.as_u16()))
    }
}

/// Reads a whole body.
///
/// # Errors
/// [`TransportError::TooLarge`] beyond the limit, [`TransportError::Unreachable`] when the connection broke.
pub(crate) async fn read_bounded<B>(mut body: B, bytes_max: usize) -> Result<Bytes, TransportError>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    let announced = body.size_hint().lower();
    if announced > bytes_max as u64 {
        return Err(TransportError::TooLarge);
    }
    let announced = usize::try_from(announced).unwrap_or(RESERVE_MAX).min(RESERVE_MAX);
    // The first piece is often the only one: then nothing is copied.
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| TransportError::Unreachable)?.into_data() else { continue };
        let length = first.len() + all.len() + data.len();
        if length > bytes_max {
            return Err(TransportError::TooLarge);
        }
        if length == data.len() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.reserve(announced.max(length));
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

/// The media type without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json")
            || kind.eq_ignore_ascii_case("application/graphql-response+json")
    })
}

/// Whether JSON has the top level of a GraphQL response (GraphQL specification, section 7.1).
fn is_graphql_response(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct TopLevel<'a> {
        #[serde(borrow)]
        data: Option<&'a serde_json::value::RawValue>,
        #[serde(borrow)]
        errors: Option<&'a serde_json::value::RawValue>,
    }
    serde_json::from_slice::<TopLevel<'_>>(body).is_ok_and(|top| top.data.is_some() || top.errors.is_some())
}
