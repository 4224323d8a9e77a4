//! One request on its way to a subgraph, over HTTP or in process.
//!
//! In: a body and the context it belongs to. Out: the whole answer, its head, or a connection.
//! Always: the same headers either way; nothing outlives the deadline.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::{FutureExt, Stream, TryStreamExt, stream};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue,
};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kopitiam_executor::transport::TransportError;
use tokio::time::Instant;
use tower::ServiceExt;

use super::answer::{Whole, graphql, read_in_process};
use super::compression::{self, compress};
use super::headers::HeaderPlan;
use super::settings::SubgraphSettings;
use super::signature::SIGNATURE;
use super::upload_progress::Progress;
use super::wire::{self, BodyError, Outgoing, RequestBody};
use super::{RequestContext, Route, Target};
use crate::cache::READ;
use crate::uploads::Claimed;

static ACCEPT_JSON: HeaderValue =
    HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9");
static CONTENT_TYPE_JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Where a router of this process is asked.
const IN_PROCESS_PATH: &str = "/graphql";

/// One request on its way: everything it needs, so that it can outlive whoever asked first.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) route: Arc<Route>,
    pub(super) body: Bytes,
    pub(super) is_mutation: bool,
    pub(super) context: RequestContext,
    pub(super) plan: Arc<HeaderPlan>,
    /// Whether the headers of the answer are read that say how long it may be kept.
    pub(super) reads_freshness: bool,
}

/// What is sent, but for the connection's own headers.
struct Sent<'a> {
    call: &'a Call,
    body: Bytes,
    content_type: &'a HeaderValue,
    accept: &'a HeaderValue,
    takes_compressed: bool,
    encoding: Option<HeaderValue>,
    remaining: Option<(&'a HeaderName, HeaderValue)>,
    signature: Option<HeaderValue>,
}

impl Call {
    pub(super) fn settings(&self) -> &SubgraphSettings {
        &self.route.settings
    }

    /// When nobody waits any more.
    pub(super) fn deadline(&self) -> Instant {
        let own = Instant::now() + self.settings().timeout;
        self.context.deadline().map_or(own, |client| own.min(client.into()))
    }

    /// The whole answer, within the subgraph's limits and the context's deadline.
    pub(super) async fn answer(self) -> Result<Whole, TransportError> {
        let deadline = self.deadline();
        let traffic = &self.route.traffic;
        if let Some(files) = self.context.uploads().and_then(|uploads| uploads.claim(&self.body)) {
            let progress = Arc::new(Progress::default());
            // On the heap: the others need not have room for it.
            let call = Box::pin(self.with_files(files, deadline, Arc::clone(&progress)));
            traffic.once_judged(deadline, call, |error| progress.judge(error)).await
        } else if self.is_mutation {
            traffic.once(deadline, self.whole_answer(deadline)).await
        } else {
            traffic.repeatedly(deadline, || self.whole_answer(deadline)).await
        }
    }

    /// Work with the subgraph that is not a whole answer, within the same bounds.
    ///
    /// # Errors
    /// What the work says, or that it was not begun or not done in time.
    pub(super) async fn admitted<T>(
        &self,
        work: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        self.route.traffic.once(self.deadline(), work).await
    }

    /// Sends the request, with a connection for itself; the body is still to be read, and never comes compressed.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] for every failure below HTTP.
    pub(super) async fn open(&self, accept: &HeaderValue) -> Result<Response<Body>, TransportError> {
        let sent = self.prepare(accept, false, None);
        match &self.route.target {
            Target::Http(origin) => {
                let body = RequestBody::Whole(Full::new(sent.body.clone()));
                let answer = origin.stream(Method::POST, &|emit| sent.for_each_header(emit), body).await?;
                Ok(answer.map(Body::new))
            }
            Target::InProcess(router) => {
                call_in_process(router.clone(), sent.in_process().map(Body::from)).await
            }
        }
    }

    /// Connects to the subgraph; a router of this process cannot be connected to.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] for every failure.
    pub(super) async fn dial(&self) -> Result<wire::Stream, TransportError> {
        match &self.route.target {
            Target::Http(origin) => origin.dial().await,
            Target::InProcess(_) => Err(TransportError::Unreachable),
        }
    }

    async fn whole_answer(&self, deadline: Instant) -> Result<Whole, TransportError> {
        let bytes_max = self.settings().response_bytes_max;
        let sent = self.prepare(&ACCEPT_JSON, self.settings().compression.answers, Some(deadline));
        match &self.route.target {
            Target::Http(origin) => {
                let request = Outgoing {
                    method: Method::POST,
                    headers: &|emit| sent.for_each_header(emit),
                    body: sent.body.clone(),
                    is_repeatable: !self.is_mutation,
                };
                let wanted = self.wanted_headers();
                graphql(origin.ask(&request, &wanted, bytes_max).await?, bytes_max)
            }
            Target::InProcess(router) => {
                let answer = call_in_process(router.clone(), sent.in_process().map(Body::from)).await?;
                read_in_process(answer, bytes_max).await
            }
        }
    }

    /// As [`Call::whole_answer`], with files: sent once, since a client's body can be read once.
    async fn with_files(
        &self,
        files: Claimed,
        deadline: Instant,
        progress: Arc<Progress>,
    ) -> Result<Whole, TransportError> {
        let bytes_max = self.settings().response_bytes_max;
        let content_type = files.content_type();
        let mut files = Box::pin(files.body());
        let body = stream::poll_fn(move |context| {
            let polled = files.as_mut().poll_next(context);
            progress.note(&polled);
            polled
        });
        let body = body.map_ok(Frame::data).map_err(|error| {
            tracing::warn!(%error, "an upload was not sent on");
            BodyError::from(error)
        });
        let mut body = UnsyncBoxBody::new(StreamBody::new(body));
        let signed = self.settings().signing.is_some();
        let mut sent = self.prepare(&ACCEPT_JSON, false, Some(deadline));
        sent.encoding = None;
        sent.content_type = &content_type;
        if signed {
            // A signature is of the whole body, so the whole of it must be there.
            let whole = body.collect().await.map_err(|_| TransportError::Unreachable)?.to_bytes();
            sent.signature = self.signature(&whole);
            body = UnsyncBoxBody::new(Full::new(whole).map_err(|never| match never {}));
        }
        let answer = match &self.route.target {
            Target::Http(origin) => {
                let headers = |emit: &mut dyn FnMut(&HeaderName, &HeaderValue)| sent.for_each_header(emit);
                origin.stream(Method::POST, &headers, RequestBody::Stream(body)).await?.map(Body::new)
            }
            Target::InProcess(router) => {
                call_in_process(router.clone(), sent.in_process().map(|_| Body::new(body))).await?
            }
        };
        read_in_process(answer, bytes_max).await
    }

    /// The headers of the answer that are to be read.
    fn wanted_headers(&self) -> Cow<'_, [HeaderName]> {
        let wanted = self.context.wanted_headers();
        if self.reads_freshness { [wanted, &READ].concat().into() } else { wanted.into() }
    }

    fn signature(&self, body: &Bytes) -> Option<HeaderValue> {
        let path = match &self.route.target {
            Target::Http(origin) => origin.address.target(),
            Target::InProcess(_) => IN_PROCESS_PATH,
        };
        let key = self.settings().signing.as_ref()?;
        Some(key.sign("POST", path, self.credential().as_ref(), body))
    }

    /// The credential that the subgraph gets.
    pub(super) fn credential(&self) -> Option<HeaderValue> {
        let mut credential = None;
        self.context.for_each_header(&self.plan, &mut |name, value| {
            if *name == AUTHORIZATION {
                credential = Some(value.clone());
            }
        });
        credential
    }

    fn prepare<'a>(
        &'a self,
        accept: &'a HeaderValue,
        takes_compressed: bool,
        deadline: Option<Instant>,
    ) -> Sent<'a> {
        let settings = self.settings();
        let coding = settings
            .compression
            .requests
            .filter(|_| self.body.len() >= settings.compression.request_bytes_min);
        let (encoding, body) = match coding {
            Some(coding) => {
                let (encoding, body) = compress(coding, &self.body);
                (Some(encoding), body)
            }
            None => (None, self.body.clone()),
        };
        let remaining = settings.deadline_header.as_ref().zip(deadline).map(|(name, deadline)| {
            let left = deadline.saturating_duration_since(Instant::now()).as_millis();
            (name, HeaderValue::from(u64::try_from(left).unwrap_or(u64::MAX)))
        });
        let signature = self.signature(&body);
        let content_type = &CONTENT_TYPE_JSON;
        Sent { call: self, body, content_type, accept, takes_compressed, encoding, remaining, signature }
    }
}

impl Sent<'_> {
    fn for_each_header(&self, emit: &mut dyn FnMut(&HeaderName, &HeaderValue)) {
        emit(&CONTENT_TYPE, self.content_type);
        emit(&ACCEPT, self.accept);
        if self.takes_compressed {
            emit(&ACCEPT_ENCODING, &compression::ACCEPTED);
        }
        if let Some(encoding) = &self.encoding {
            emit(&CONTENT_ENCODING, encoding);
        }
        self.call.context.for_each_header(&self.call.plan, emit);
        if let Some((name, value)) = &self.remaining {
            emit(name, value);
        }
        if let Some(signature) = &self.signature {
            emit(&SIGNATURE, signature);
        }
    }

    fn in_process(&self) -> Request<Bytes> {
        let mut headers = HeaderMap::with_capacity(16);
        self.for_each_header(&mut |name, value| {
            headers.append(name.clone(), value.clone());
        });
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(IN_PROCESS_PATH);
        *request.headers_mut() = headers;
        request
    }
}

/// A panic of a subgraph must not reach the gateway's request, just as it could not through a socket.
async fn call_in_process(
    router: axum::Router,
    request: Request<Body>,
) -> Result<Response<Body>, TransportError> {
    let answer = AssertUnwindSafe(router.oneshot(request)).catch_unwind().await;
    match answer {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(impossible)) => match impossible {},
        Err(_) => {
            tracing::error!("a subgraph in this process panicked");
            Err(TransportError::Status(StatusCode::INTERNAL_SERVER_ERROR.as_u16()))
        }
    }
}
