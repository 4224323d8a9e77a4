//! The engine's way to the subgraphs: over HTTP, or in process without a socket.
//!
//! In: GraphQL requests of the executor. Out: GraphQL responses as bytes, or streams of them.
//! Always: every answer is bounded in time and in size; only headers of the request's context travel; what a client
//! may see of a failure ([`TransportError`]) names no host.
//!
//! - `context.rs`: which headers travel
//! - `http1/`: queries and mutations over HTTP
//! - `http.rs`: the client for everything else
//! - `sharing.rs`: which requests are the same request
//! - `sse_decoder.rs`: subscriptions, which arrive as server-sent events
//! - `fetch.rs`: the gateway's own small requests (a subgraph's SDL, key sets)

mod context;
pub(crate) mod fetch;
mod http;
mod http1;
mod sharing;
mod sse_decoder;

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use ::http::{Method, Request, Response, StatusCode, Uri};
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{self, BoxStream, StreamExt};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kopitiam_executor::transport::{SubgraphRequest, SubgraphTransport, TransportError};
use tower::ServiceExt;

pub use self::context::RequestContext;
pub(crate) use self::context::{REQUEST_ID, may_be_forwarded, request_id};
pub(crate) use self::http::HttpClient;
use self::http1::Origin;
pub(crate) use self::sharing::Age;
use self::sharing::{FetchKey, Mutations, Shared};
use self::sse_decoder::{Event, SseDecoder};

const ACCEPT_JSON: HeaderValue =
    HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9");
/// Alone: the protocol's reference server compares the whole value.
const ACCEPT_EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const CONTENT_TYPE_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Bounds on the answers of one subgraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubgraphLimits {
    /// From sending a request to the last byte of its answer; for a subscription, to the first byte.
    pub timeout: Duration,
    /// The largest answer, and the largest event of a subscription.
    pub response_bytes_max: usize,
}

impl Default for SubgraphLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), response_bytes_max: 32 * 1024 * 1024 }
    }
}

#[derive(Debug)]
enum Target {
    Http(Origin),
    InProcess(Router),
}

impl Target {
    fn http(uri: Uri) -> Self {
        Self::Http(Origin::new(uri, &ACCEPT_JSON))
    }
}

#[derive(Debug)]
struct Route {
    target: Target,
    /// Whether its URL is the supergraph's, so that another supergraph may replace it.
    of_supergraph: bool,
    limits: SubgraphLimits,
}

/// A subgraph's URL that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "subgraph `{subgraph}`: `{url}` is not an http:// URL with a host (https:// is not supported: put a proxy between)"
)]
pub struct InvalidSubgraphUrl {
    /// The subgraph's name in the supergraph.
    pub subgraph: String,
    /// What was given.
    pub url: String,
}

/// Where each subgraph is: an HTTP URL, or a router that is called in process.
///
/// The same subgraph code gives the same answers either way.
#[derive(Debug)]
pub struct Transport {
    /// Replaced whole when a supergraph brings further subgraphs, while requests go on.
    routes: ArcSwap<Routes>,
    default_limits: SubgraphLimits,
    limits: BTreeMap<String, SubgraphLimits>,
    client: HttpClient,
    mutations: Mutations,
    /// `None`: every request is sent.
    shared: Option<Shared>,
}

type Routes = BTreeMap<String, Arc<Route>>;

impl Default for Transport {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport {
    /// Knows no subgraph yet. The server adds each one that is missing with its URL in the supergraph.
    pub fn new() -> Self {
        Self {
            routes: ArcSwap::default(),
            default_limits: SubgraphLimits::default(),
            limits: BTreeMap::new(),
            client: HttpClient::new(),
            mutations: Mutations::default(),
            shared: None,
        }
    }

    /// From now on, equal queries in flight are sent once; queries beyond `in_flight_max` are not shared.
    pub(crate) fn share_queries(&mut self, in_flight_max: usize) {
        self.shared = Some(Shared::new(in_flight_max));
    }

    /// How many mutations went through and have ended.
    pub(crate) fn age(&self) -> Age {
        self.mutations.age()
    }

    /// Sets the limits of every subgraph that has none of its own; call it before adding subgraphs.
    #[must_use]
    pub fn with_default_limits(mut self, limits: SubgraphLimits) -> Self {
        self.default_limits = limits;
        self
    }

    /// Sets the limits of one subgraph; call it before adding that subgraph.
    #[must_use]
    pub fn with_limits(mut self, subgraph: impl Into<String>, limits: SubgraphLimits) -> Self {
        self.limits.insert(subgraph.into(), limits);
        self
    }

    /// Reaches a subgraph over HTTP.
    ///
    /// # Errors
    /// [`InvalidSubgraphUrl`] unless the URL is absolute, with scheme `http`.
    pub fn with_http(self, subgraph: impl Into<String>, url: &str) -> Result<Self, InvalidSubgraphUrl> {
        let subgraph = subgraph.into();
        let uri = subgraph_uri(&subgraph, url)?;
        self.insert(&subgraph, Target::http(uri), false);
        Ok(self)
    }

    /// Reaches a subgraph by calling `POST /graphql` of a router in this process.
    #[must_use]
    pub fn with_in_process(self, subgraph: impl Into<String>, router: Router) -> Self {
        self.insert(&subgraph.into(), Target::InProcess(router), false);
        self
    }

    /// Reaches each subgraph at its URL in a supergraph, unless this transport was told where it is. Those of an earlier
    /// supergraph stay: requests in flight may still ask them.
    ///
    /// # Errors
    /// [`InvalidSubgraphUrl`] for the first one without a usable URL; then nothing has changed.
    pub(crate) fn follow<'a>(
        &self,
        subgraphs: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), InvalidSubgraphUrl> {
        let routes = self.routes.load();
        let own = |subgraph: &str| routes.get(subgraph).is_some_and(|route| !route.of_supergraph);
        let followed = subgraphs.filter(|(subgraph, _)| !own(subgraph));
        let uris: Vec<_> = followed
            .map(|(subgraph, url)| Ok((subgraph, subgraph_uri(subgraph, url)?)))
            .collect::<Result<_, _>>()?;
        for (subgraph, uri) in uris {
            // One that stays where it is keeps its connections.
            let is_same =
                |route: &Arc<Route>| matches!(&route.target, Target::Http(origin) if origin.uri == uri);
            if !routes.get(subgraph).is_some_and(is_same) {
                self.insert(subgraph, Target::http(uri), true);
            }
        }
        Ok(())
    }

    pub(crate) fn client(&self) -> &HttpClient {
        &self.client
    }

    fn insert(&self, subgraph: &str, target: Target, of_supergraph: bool) {
        let limits = self.limits.get(subgraph).copied().unwrap_or(self.default_limits);
        let route = Arc::new(Route { target, of_supergraph, limits });
        self.routes.rcu(|routes| {
            let mut routes = Routes::clone(routes);
            routes.insert(subgraph.to_owned(), Arc::clone(&route));
            routes
        });
    }

    fn call(&self, request: &SubgraphRequest<'_>, context: &RequestContext) -> Result<Call, TransportError> {
        let route = self.routes.load().get(request.subgraph).cloned().ok_or(TransportError::Unreachable)?;
        Ok(Call {
            client: self.client.clone(),
            route,
            body: request.body.clone(),
            is_mutation: request.is_mutation,
            context: context.clone(),
        })
    }
}

/// One request on its way: everything it needs, so that it can outlive whoever asked first.
struct Call {
    client: HttpClient,
    route: Arc<Route>,
    body: Bytes,
    is_mutation: bool,
    context: RequestContext,
}

impl Call {
    /// Sends the request in a form that also fits a router in this process.
    async fn open(self, accept: HeaderValue) -> Result<Response<Body>, TransportError> {
        let uri = match &self.route.target {
            Target::Http(origin) => origin.uri.clone(),
            Target::InProcess(_) => Uri::from_static("/graphql"),
        };
        let mut request = Request::new(self.body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.context.headers();
        request.headers_mut().insert(CONTENT_TYPE, CONTENT_TYPE_JSON);
        request.headers_mut().insert(ACCEPT, accept);
        match &self.route.target {
            Target::Http(_) => self.client.send(request, !self.is_mutation).await,
            Target::InProcess(router) => call_in_process(router.clone(), request).await,
        }
    }

    /// The whole answer, within the subgraph's limits and the context's deadline.
    async fn answer(self) -> Result<Bytes, TransportError> {
        let (limits, deadline) = (self.route.limits, self.context.deadline());
        within(limits.timeout, deadline, self.whole_answer()).await
    }

    async fn whole_answer(self) -> Result<Bytes, TransportError> {
        let bytes_max = self.route.limits.response_bytes_max;
        match &self.route.target {
            Target::Http(origin) => {
                let answer = origin.post(&self.context, &self.body, !self.is_mutation, bytes_max).await?;
                graphql_body(answer.status, answer.is_json, answer.body)
            }
            Target::InProcess(_) => read_graphql(self.open(ACCEPT_JSON).await?, bytes_max).await,
        }
    }
}

/// A panic of a subgraph must not reach the gateway's request, just as it could not through a socket.
async fn call_in_process(router: Router, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
    let answer = AssertUnwindSafe(router.oneshot(request.map(Body::from))).catch_unwind().await;
    match answer {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(impossible)) => match impossible {},
        Err(_) => {
            tracing::error!("a subgraph in this process panicked");
            Err(TransportError::Status(StatusCode::INTERNAL_SERVER_ERROR.as_u16()))
        }
    }
}

fn subgraph_uri(subgraph: &str, url: &str) -> Result<Uri, InvalidSubgraphUrl> {
    http_uri(url).ok_or_else(|| InvalidSubgraphUrl { subgraph: subgraph.to_owned(), url: url.to_owned() })
}

fn http_uri(url: &str) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    (uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

impl SubgraphTransport for Transport {
    type Context = RequestContext;

    async fn send(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<Bytes, TransportError> {
        let call = self.call(&request, context)?;
        if call.is_mutation {
            let _running = self.mutations.begin();
            return call.answer().await;
        }
        let Some(shared) = &self.shared else { return call.answer().await };
        let key = FetchKey {
            route: Arc::clone(&call.route),
            body: call.body.clone(),
            relevant: Arc::clone(context.relevant()),
            age: self.age(),
        };
        let alone = Call { context: context.without_deadline(), ..call };
        match context.deadline() {
            Some(deadline) => {
                let answer = shared.run(key, move || alone.answer());
                tokio::time::timeout_at(deadline.into(), answer).await.unwrap_or(Err(TransportError::Timeout))
            }
            None => shared.run(key, move || alone.answer()).await,
        }
    }

    async fn subscribe(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
        let call = self.call(&request, context)?;
        let limits = call.route.limits;
        let bytes_max = limits.response_bytes_max;
        let opened = async {
            let response = call.open(ACCEPT_EVENTS).await?;
            if is_event_stream(response.headers()) && response.status().is_success() {
                return Ok(events(response.into_body(), bytes_max));
            }
            // A subgraph that refuses the operation may say why in a plain GraphQL response.
            let refusal = read_graphql(response, bytes_max).await?;
            Ok(stream::iter([Ok(refusal)]).boxed())
        };
        within(limits.timeout, context.deadline(), opened).await
    }
}

/// Bounds `work` by the subgraph's timeout and by the moment the client's request gives up.
async fn within<T>(
    timeout: Duration,
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    let own = Instant::now() + timeout;
    let deadline = deadline.map_or(own, |client| client.min(own));
    match tokio::time::timeout_at(deadline.into(), work).await {
        Ok(result) => result,
        Err(_) => Err(TransportError::Timeout),
    }
}

async fn read_graphql(response: Response<Body>, bytes_max: usize) -> Result<Bytes, TransportError> {
    let (status, is_json) = (response.status(), is_json(response.headers()));
    graphql_body(status, is_json, read_bounded(response.into_body(), bytes_max).await?)
}

/// The body when it can be a GraphQL response: any body of a success, a GraphQL error document of a failure.
fn graphql_body(status: StatusCode, is_json: bool, body: Bytes) -> Result<Bytes, TransportError> {
    if status.is_success() || (is_json && is_graphql_response(&body)) {
        Ok(body)
    } else {
        Err(TransportError::Status(status.as_u16()))
    }
}

/// Reads a whole body.
///
/// # Errors
/// [`TransportError::TooLarge`] beyond the limit, [`TransportError::Unreachable`] when the connection broke.
pub(crate) async fn read_bounded(body: Body, bytes_max: usize) -> Result<Bytes, TransportError> {
    match AssertUnwindSafe(Limited::new(body, bytes_max).collect()).catch_unwind().await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(TransportError::TooLarge),
        Ok(Err(_)) | Err(_) => Err(TransportError::Unreachable),
    }
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json")
            || kind.eq_ignore_ascii_case("application/graphql-response+json")
    })
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
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

/// The `next` events of a body; a body that ends without `complete` was cut, and its last item says so.
fn events(body: Body, event_bytes_max: usize) -> BoxStream<'static, Result<Bytes, TransportError>> {
    struct Reading {
        body: axum::body::BodyDataStream,
        decoder: SseDecoder,
        ready: VecDeque<Result<Bytes, TransportError>>,
        ended: bool,
    }
    impl Reading {
        fn end_with(&mut self, error: TransportError) {
            self.ended = true;
            self.ready.push_back(Err(error));
        }

        fn decode(&mut self) {
            while !self.ended {
                match self.decoder.next_event() {
                    Ok(Some(Event::Next(data))) => self.ready.push_back(Ok(data)),
                    Ok(Some(Event::Complete)) => self.ended = true,
                    Ok(None) => return,
                    Err(_) => self.end_with(TransportError::TooLarge),
                }
            }
        }
    }
    let reading = Reading {
        body: body.into_data_stream(),
        decoder: SseDecoder::new(event_bytes_max),
        ready: VecDeque::new(),
        ended: false,
    };
    stream::unfold(reading, |mut reading| async move {
        loop {
            if let Some(item) = reading.ready.pop_front() {
                return Some((item, reading));
            }
            if reading.ended {
                return None;
            }
            match reading.body.next().await {
                Some(Ok(chunk)) => {
                    reading.decoder.push(&chunk);
                    reading.decode();
                }
                Some(Err(_)) | None => reading.end_with(TransportError::Unreachable),
            }
        }
    })
    .boxed()
}
