//! Reads a GraphQL request from HTTP.
//!
//! In: the parameters of a GET URL, or the body of a POST. Out: an engine request.
//! Always: a body is bounded in size and in time before it is parsed.
//! Elsewhere: parsing and validating the document (`kopitiam-engine`).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::body::HttpBody;
use axum::extract::Query;
use bytes::{Bytes, BytesMut};
use http::Uri;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap};
use http_body_util::BodyExt;
use kopitiam_engine::{Request, Variables};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::encode::Refusal;
use crate::documents::ClientRequest;
use crate::subgraph_client::{Coding, compression};

/// How much of a body beyond the limit is still taken from the network before the connection is cut.
const DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The parameters of a GET request (GraphQL over HTTP, section 5.3).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    #[serde(default)]
    query: String,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
    #[serde(alias = "doc_id", alias = "id")]
    document_id: Option<String>,
}

/// A request in a body (GraphQL over HTTP, section 5.1; `documentId` of its appendix on persisted documents).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Variables>,
    #[serde(default)]
    extensions: Option<Map<String, Value>>,
    #[serde(default, alias = "doc_id", alias = "id")]
    document_id: Option<String>,
}

/// What a body asks.
#[derive(Debug)]
pub(crate) enum Payload {
    One(ClientRequest),
    Batch(Vec<ClientRequest>),
}

/// Reads the parameters of a GET URL.
///
/// # Errors
/// [`Refusal::BadRequest`] when a parameter is missing, given twice or malformed.
pub(crate) fn from_uri(uri: &Uri) -> Result<ClientRequest, Refusal> {
    let Query(parameters): Query<Parameters> =
        Query::try_from_uri(uri).map_err(|error| Refusal::BadRequest(error.body_text()))?;
    let variables = parameters
        .variables
        .filter(|text| !text.is_empty())
        .map_or(Ok(Variables::default()), |text| Variables::from_json(&text))
        .map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let extensions = parameters
        .extensions
        .filter(|text| !text.is_empty())
        .map_or(Ok(None), |text| serde_json::from_str(&text))
        .map_err(|_| Refusal::BadRequest("extensions must be a JSON object".to_owned()))?;
    let operation_name = parameters.operation_name.filter(|name| !name.is_empty());
    let request = Request {
        query: parameters.query,
        operation_name,
        variables,
        extensions: extensions.unwrap_or_default(),
        grants: Arc::default(),
        incremental: None,
    };
    complete(request, parameters.document_id)
}

/// Checks that a POST body is JSON in UTF-8.
///
/// # Errors
/// [`Refusal::UnsupportedMediaType`] otherwise.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let unsupported = Refusal::UnsupportedMediaType;
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(unsupported) };
    let value = value.to_str().map_err(|_| unsupported.clone())?;
    let mut parts = value.split(';').map(str::trim);
    if !parts.next().unwrap_or_default().eq_ignore_ascii_case("application/json") {
        return Err(unsupported);
    }
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    let is_utf8 = charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"));
    if is_utf8 { Ok(()) } else { Err(unsupported) }
}

/// How a body is compressed; `None` when it is not.
///
/// # Errors
/// [`Refusal::UnsupportedEncoding`] for anything but one coding that is known, and for any when they are off.
pub(crate) fn coding(headers: &HeaderMap, compressed: bool) -> Result<Option<Coding>, Refusal> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let is_alone = values.next().is_none();
    let name = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    match name.as_str() {
        "identity" if is_alone => Ok(None),
        "gzip" | "x-gzip" if is_alone && compressed => Ok(Some(Coding::Gzip)),
        "br" if is_alone && compressed => Ok(Some(Coding::Br)),
        "zstd" if is_alone && compressed => Ok(Some(Coding::Zstd)),
        _ => Err(Refusal::UnsupportedEncoding),
    }
}

/// Undoes a body's compression. Small enough to be done in place: neither what goes in nor what comes out is larger than a
/// body may be.
///
/// # Errors
/// [`Refusal::BodyTooLarge`] for what is larger once it is unpacked, [`Refusal::BadRequest`] for what is not packed so.
pub(crate) fn unpack(coding: Option<Coding>, body: Bytes, bytes_max: usize) -> Result<Bytes, Refusal> {
    let Some(coding) = coding else { return Ok(body) };
    match compression::decode(coding.name(), body, bytes_max) {
        Ok(Some(body)) => Ok(body),
        Ok(None) => Err(Refusal::BodyTooLarge { bytes_max }),
        Err(_) => {
            Err(Refusal::BadRequest("the request body is not what its Content-Encoding says".to_owned()))
        }
    }
}

/// Reads a whole body.
///
/// # Errors
/// [`Refusal::BodyTooLarge`], [`Refusal::BodyTimeout`], or [`Refusal::BadRequest`] when the connection broke.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, Refusal> {
    // The client waits to be asked for the body: it is not.
    if headers.contains_key(EXPECT) && body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX)
    {
        return Err(Refusal::BodyTooLarge { bytes_max });
    }
    tokio::time::timeout(timeout, collect(body, bytes_max)).await.map_err(|_| Refusal::BodyTimeout)?
}

/// What exceeds the limit is read on and dropped, within bounds: many clients read the answer only after they have
/// sent everything, and would see a broken connection instead of it.
async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let mut kept = BytesMut::new();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::BadRequest("the request body ended early".to_owned()))?;
        let Ok(data) = frame.into_data() else { continue };
        total += data.len();
        if total <= bytes_max {
            kept.extend_from_slice(&data);
        } else if total > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if total > bytes_max { Err(Refusal::BodyTooLarge { bytes_max }) } else { Ok(kept.freeze()) }
}

/// Reads one operation.
///
/// # Errors
/// [`Refusal::BadRequest`] when it is not the JSON object of GraphQL over HTTP, section 5.1.
pub(crate) fn one(json: &[u8]) -> Result<ClientRequest, Refusal> {
    read::<Wire>(json)?.complete()
}

/// Reads a JSON body.
///
/// # Errors
/// [`Refusal::BadRequest`] when it is not the JSON object of GraphQL over HTTP, section 5.1;
/// [`Refusal::BatchingNotAllowed`] and [`Refusal::BatchTooLarge`] for an array of them.
pub(crate) fn from_json(body: &[u8], batch_max: Option<usize>) -> Result<Payload, Refusal> {
    if body.trim_ascii_start().first() != Some(&b'[') {
        return Ok(Payload::One(one(body)?));
    }
    let operations_max = batch_max.ok_or(Refusal::BatchingNotAllowed)?;
    let operations: Vec<Wire> = read(body)?;
    if operations.len() > operations_max {
        return Err(Refusal::BatchTooLarge { operations_max });
    }
    if operations.is_empty() {
        return Err(Refusal::BadRequest("the batch is empty".to_owned()));
    }
    Ok(Payload::Batch(operations.into_iter().map(Wire::complete).collect::<Result<_, _>>()?))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::BadRequest(format!("the body is not a GraphQL request: {error}")))
}

impl Wire {
    fn complete(self) -> Result<ClientRequest, Refusal> {
        let request = Request {
            query: self.query.unwrap_or_default(),
            operation_name: self.operation_name,
            variables: self.variables.unwrap_or_default(),
            extensions: self.extensions.unwrap_or_default(),
            grants: Arc::default(),
            incremental: None,
        };
        complete(request, self.document_id)
    }
}

fn complete(request: Request, document_id: Option<String>) -> Result<ClientRequest, Refusal> {
    let document_id = document_id.filter(|id| !id.is_empty());
    let named = document_id.is_some() || request.extensions.contains_key("persistedQuery");
    if request.query.is_empty() && !named {
        return Err(Refusal::BadRequest("the parameter `query` is missing".to_owned()));
    }
    Ok(ClientRequest { request, document_id })
}
