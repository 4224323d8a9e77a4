//! Where a supergraph comes from: a file, a URL, Apollo Uplink, an S3-compatible store.
//!
//! Always: a source is asked whether there is anything new, and says so without sending it again where it can (`ETag`).
//! Elsewhere: naming it in the settings (`config/supergraph.rs`).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use http::{Request, Response, StatusCode, Uri};

use super::file::WatchedFile;
use super::s3::S3Source;
use super::uplink::{Uplink, UplinkSource};
use crate::subgraph_client::{HttpClient, fetch};

/// From asking a source to its whole answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// No supergraph is larger.
pub(super) const SDL_BYTES_MAX: usize = 128 * 1024 * 1024;

/// See the module's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SupergraphSource {
    File(PathBuf),
    Url(UrlSource),
    Uplink(UplinkSource),
    S3(S3Source),
}

/// A document at a URL, Hive's CDN for instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlSource {
    pub(crate) url: Uri,
    /// Sent with each request; a key among them is marked as sensitive and printed nowhere.
    pub(crate) headers: HeaderMap,
}

/// Reads a source, again and again.
#[derive(Debug)]
pub(crate) struct Reader {
    source: SupergraphSource,
    client: HttpClient,
    state: State,
}

#[derive(Debug)]
enum State {
    File(WatchedFile),
    /// The `ETag` of what was read last.
    Tagged(Option<HeaderValue>),
    Uplink(Uplink),
}

impl fmt::Display for Reader {
    /// For log lines: no key, no header.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            SupergraphSource::File(file) => write!(formatter, "{}", file.display()),
            SupergraphSource::Url(source) => write!(formatter, "{}", source.url),
            SupergraphSource::Uplink(source) => write!(formatter, "Apollo Uplink, {}", source.graph_ref),
            SupergraphSource::S3(source) => write!(formatter, "{}", source.url()),
        }
    }
}

impl Reader {
    pub(crate) fn new(source: SupergraphSource, client: HttpClient) -> Self {
        let state = match &source {
            SupergraphSource::File(file) => State::File(WatchedFile::new(file.clone())),
            SupergraphSource::Url(_) | SupergraphSource::S3(_) => State::Tagged(None),
            SupergraphSource::Uplink(source) => State::Uplink(Uplink::new(source.clone())),
        };
        Self { source, client, state }
    }

    pub(crate) fn source(&self) -> &SupergraphSource {
        &self.source
    }

    /// The supergraph, or why it cannot be had; `None`: it has not changed. A file is also read when somebody `asked`.
    pub(crate) async fn read(&mut self, asked: bool) -> Option<Result<String, String>> {
        match &mut self.state {
            State::File(file) => file.read(asked).await,
            State::Uplink(uplink) => uplink.read(&self.client).await.transpose(),
            State::Tagged(tag) => {
                let request = match &self.source {
                    SupergraphSource::S3(source) => source.request(tag.as_ref()),
                    SupergraphSource::Url(source) => source.request(tag.as_ref()),
                    SupergraphSource::File(_) | SupergraphSource::Uplink(_) => return None,
                };
                let read = tagged(&self.client, request, tag).await;
                read.transpose()
            }
        }
    }

    /// The first reading, which has to give something.
    pub(crate) async fn first(&mut self) -> Result<String, String> {
        self.read(true).await.unwrap_or_else(|| Err("the source says that nothing has changed".to_owned()))
    }
}

impl UrlSource {
    fn request(&self, tag: Option<&HeaderValue>) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.url.clone();
        request.headers_mut().extend(self.headers.clone());
        if let Some(tag) = tag {
            request.headers_mut().insert(IF_NONE_MATCH, tag.clone());
        }
        request
    }

    /// Adds a header that holds a key.
    pub(crate) fn with_key(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }
}

/// RFC 9110, sections 13.1.2 and 15.4.5.
async fn tagged(
    client: &HttpClient,
    request: Request<Bytes>,
    tag: &mut Option<HeaderValue>,
) -> Result<Option<String>, String> {
    let answer =
        fetch::exchange(client, request, TIMEOUT, SDL_BYTES_MAX).await.map_err(|error| error.to_string())?;
    if answer.status() == StatusCode::NOT_MODIFIED && tag.is_some() {
        return Ok(None);
    }
    let seen = answer.headers().get(ETAG).cloned();
    let sdl = text(answer)?;
    *tag = seen;
    Ok(Some(sdl))
}

/// The body of a success.
pub(super) fn text(answer: Response<Bytes>) -> Result<String, String> {
    if answer.status() != StatusCode::OK {
        return Err(format!("status {}", answer.status()));
    }
    String::from_utf8(answer.into_body().into()).map_err(|_| "what came is not UTF-8".to_owned())
}
