//! The engine's way to the subgraphs: over HTTP, or in process without a socket.
//!
//! In: GraphQL requests of the executor. Out: GraphQL responses as bytes, or streams of them.
//! Always: every answer is bounded in time and in size; only headers of the request's context travel; what a client
//! may see of a failure ([`TransportError`]) names no host.
//!
//! - `settings.rs`: how one subgraph is reached
//! - `context.rs`: what all requests on behalf of one client share
//! - `headers.rs`: which headers travel; `answered.rs`: which come back
//! - `call.rs`: one request; `cached.rs`: one whose answer may be known
//! - `upload_progress.rs`: whose fault it is when a request with files fails
//! - `traffic/`: how many at once, which are tried again, and when a subgraph is left alone
//! - `sharing.rs`: which requests are the same request
//! - `wire/`: connections
//! - `answer.rs`, `compression.rs`: from bytes to a GraphQL response
//! - `signature.rs`: how a subgraph knows that it is the gateway that asks
//! - `streams/`: subscriptions
//! - `fetch.rs`: the gateway's own small requests (a subgraph's SDL, key sets)

mod answer;
mod answered;
mod cached;
mod call;
pub(crate) mod compression;
mod context;
pub(crate) mod fetch;
mod headers;
mod settings;
mod sharing;
mod signature;
mod streams;
mod traffic;
mod upload_progress;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::BoxStream;
use kopitiam_executor::transport::{Cacheable, SubgraphRequest, SubgraphTransport, TransportError};

use self::answer::Whole;
pub(crate) use self::answered::Answered;
pub use self::answered::{AnswerHeaderRule, AnswerHeaderRules, Combine};
use self::cached::CachedCall;
use self::call::Call;
pub use self::compression::Coding;
pub use self::context::RequestContext;
pub(crate) use self::context::{REQUEST_ID, may_be_forwarded, request_id};
pub(crate) use self::fetch::HttpClient;
use self::headers::HeaderPlans;
pub use self::headers::{HeaderRule, HeaderRules};
pub use self::settings::{CompressionSettings, SubgraphSettings};
pub(crate) use self::sharing::Age;
use self::sharing::{FetchKey, Mutations, Shared};
pub use self::signature::{KeyTooShort, SigningKey};
use self::streams::Sockets;
pub use self::streams::{SourceProtocol, SourceSettings};
use self::traffic::Traffic;
pub use self::traffic::{
    BreakerSettings, BreakerState, ConcurrencySettings, RateSettings, RetrySettings, TrafficState,
};
use self::wire::{Address, Origin};
pub use self::wire::{ConnectionSettings, HttpVersion, InvalidUrl, Tls};
use crate::cache::{Cache, CacheSettings, ScopeWriter};
use crate::events::{Ask, EventSettings, Events};
use crate::telemetry::Telemetry;

#[derive(Debug)]
enum Target {
    Http(Box<Origin>),
    InProcess(Router),
}

#[derive(Debug)]
struct Route {
    target: Target,
    /// Whether its URL is the supergraph's, so that another supergraph may replace it.
    of_supergraph: bool,
    settings: SubgraphSettings,
    traffic: Traffic,
    /// WebSockets for subscriptions.
    sockets: Sockets,
}

/// A subgraph's URL that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("subgraph `{subgraph}`: {url}")]
pub struct InvalidSubgraphUrl {
    /// The subgraph's name in the supergraph.
    pub subgraph: String,
    /// What was given.
    #[source]
    pub url: InvalidUrl,
}

/// Where each subgraph is: an HTTP URL, or a router that is called in process.
///
/// The same subgraph code gives the same answers either way.
#[derive(Debug)]
pub struct Transport {
    /// Replaced whole when a supergraph brings further subgraphs, while requests go on.
    routes: Arc<ArcSwap<Routes>>,
    defaults: SubgraphSettings,
    settings: BTreeMap<String, SubgraphSettings>,
    headers: HeaderPlans,
    client: HttpClient,
    mutations: Mutations,
    /// `None`: every request is sent.
    shared: Option<Shared>,
    /// Answers that are kept; `None`: none is.
    cache: Option<Arc<Cache>>,
    /// Subscriptions that are fed from topics instead of by their subgraph.
    events: Option<Events>,
}

/// A subgraph's answer.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) body: Bytes,
    /// Whether no subgraph was asked for it.
    pub(crate) is_cached: bool,
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
            routes: Arc::default(),
            defaults: SubgraphSettings::default(),
            settings: BTreeMap::new(),
            headers: HeaderPlans::default(),
            client: HttpClient::new(),
            mutations: Mutations::default(),
            shared: None,
            cache: None,
            events: None,
        }
    }

    /// From now on, equal queries in flight are sent once; queries beyond `in_flight_max` are not shared.
    pub(crate) fn share_queries(&mut self, in_flight_max: usize) {
        self.shared = Some(Shared::new(in_flight_max));
    }

    /// Whether answers of any subgraph may be kept.
    pub(crate) fn keeps_answers(&self) -> bool {
        self.settings.values().chain([&self.defaults]).any(|settings| settings.cache.is_some())
    }

    /// What answers depend on beside the request and the supergraph: where the settings say that subgraphs are, and which
    /// headers they get. Two gateways with equal bytes may share answers.
    pub(crate) fn answers_depend_on(&self, headers: &HeaderRules) -> Vec<u8> {
        let mut all = ScopeWriter::default();
        for (subgraph, route) in &**self.routes.load() {
            let place = match &route.target {
                Target::Http(_) if route.of_supergraph => continue,
                Target::Http(origin) => origin.address.text(),
                Target::InProcess(_) => "",
            };
            all.item(subgraph.as_bytes());
            all.item(place.as_bytes());
        }
        headers.write(&mut all);
        all.into_bytes()
    }

    /// Answers that are kept.
    pub(crate) fn cache(&self) -> Option<&Arc<Cache>> {
        self.cache.as_ref()
    }

    /// From now on, answers are kept as each subgraph's settings say.
    pub(crate) fn keep_answers(&mut self, cache: Arc<Cache>) {
        self.cache = Some(cache);
    }

    /// From now on, subgraphs get these headers.
    pub(crate) fn set_headers(&mut self, rules: &HeaderRules) {
        self.headers = HeaderPlans::new(rules);
    }

    /// From now on, these subscriptions are fed from topics.
    pub(crate) fn feed(&mut self, settings: EventSettings, telemetry: Telemetry) {
        self.events = Some(Events::new(settings, telemetry));
    }

    /// How many mutations went through and have ended.
    pub(crate) fn age(&self) -> Age {
        self.mutations.age()
    }

    /// What is going on with each subgraph.
    pub fn states(&self) -> Vec<(String, TrafficState)> {
        let routes = self.routes.load();
        routes.iter().map(|(subgraph, route)| (subgraph.clone(), route.traffic.state())).collect()
    }

    /// Sets how every subgraph is reached that has no settings of its own; call it before adding subgraphs.
    #[must_use]
    pub fn with_defaults(mut self, settings: SubgraphSettings) -> Self {
        self.defaults = settings;
        self
    }

    /// Sets how one subgraph is reached; call it before adding that subgraph.
    #[must_use]
    pub fn with_settings(mut self, subgraph: impl Into<String>, settings: SubgraphSettings) -> Self {
        self.settings.insert(subgraph.into(), settings);
        self
    }

    /// Reaches a subgraph over HTTP: `http://`, `https://` or `unix:///socket?path=/graphql`.
    ///
    /// # Errors
    /// [`InvalidSubgraphUrl`] unless the URL is absolute and of one of these forms.
    pub fn with_http(self, subgraph: impl Into<String>, url: &str) -> Result<Self, InvalidSubgraphUrl> {
        let subgraph = subgraph.into();
        self.insert(&subgraph, self.http(&subgraph, address(&subgraph, url)?), false);
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
        let addresses: Vec<_> = followed
            .map(|(subgraph, url)| Ok((subgraph, address(subgraph, url)?)))
            .collect::<Result<_, _>>()?;
        for (subgraph, address) in addresses {
            // One that stays where it is keeps its connections.
            let is_same = |route: &Arc<Route>| matches!(&route.target, Target::Http(origin) if origin.address == address);
            if !routes.get(subgraph).is_some_and(is_same) {
                self.insert(subgraph, self.http(subgraph, address), true);
            }
        }
        Ok(())
    }

    pub(crate) fn client(&self) -> &HttpClient {
        &self.client
    }

    fn settings_of(&self, subgraph: &str) -> &SubgraphSettings {
        self.settings.get(subgraph).unwrap_or(&self.defaults)
    }

    fn http(&self, subgraph: &str, address: Address) -> Target {
        Target::Http(Box::new(Origin::new(address, &self.settings_of(subgraph).connection)))
    }

    fn insert(&self, subgraph: &str, target: Target, of_supergraph: bool) {
        let settings = self.settings_of(subgraph).clone();
        let traffic = Traffic::new(&settings);
        let sockets = Sockets::default();
        let route = Arc::new(Route { target, of_supergraph, settings, traffic, sockets });
        self.routes.rcu(|routes| {
            let mut routes = Routes::clone(routes);
            routes.insert(subgraph.to_owned(), Arc::clone(&route));
            routes
        });
    }

    fn call(&self, request: &SubgraphRequest<'_>, context: &RequestContext) -> Result<Call, TransportError> {
        let route = self.routes.load().get(request.subgraph).cloned().ok_or(TransportError::Unreachable)?;
        Ok(Call {
            route,
            body: request.body.clone(),
            is_mutation: request.is_mutation,
            context: context.clone(),
            plan: self.headers.of(request.subgraph),
            reads_freshness: false,
        })
    }

    /// Asks the subscription's subgraph something else.
    fn ask(&self, request: &SubgraphRequest<'_>, context: &RequestContext) -> Ask {
        let source = self.source(request, context);
        Box::new(move |body| {
            let call = source();
            async move { Ok(Call { body, ..call? }.answer().await?.body) }.boxed()
        })
    }

    /// As `send`, and says where the answer came from.
    ///
    /// # Errors
    /// As `send`.
    pub(crate) async fn answer(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<Sent, TransportError> {
        let is_mutation = request.is_mutation;
        let Whole { body, headers, is_cached, together } = self.whole(request, context).await?;
        if let Some(answered) = context.answered() {
            answered.note(headers, is_mutation);
            answered.made_of(together);
        }
        Ok(Sent { body, is_cached })
    }

    async fn whole(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<Whole, TransportError> {
        let call = self.call(&request, context)?;
        if call.is_mutation {
            let _running = self.mutations.begin();
            return call.answer().await;
        }
        if let (Some(cache), Some(cacheable)) = (&self.cache, request.cacheable)
            && let Some(settings) = call.settings().cache
            && context.uploads().is_none()
        {
            // On the heap: the others need not have room for it.
            return Box::pin(self.cached(cache, settings, call, request.subgraph, cacheable)).await;
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

    async fn cached(
        &self,
        cache: &Cache,
        settings: CacheSettings,
        call: Call,
        subgraph: &str,
        cacheable: &Cacheable,
    ) -> Result<Whole, TransportError> {
        let (age, shares) = (self.age(), self.shared.is_some());
        let tags = cache.tags_of(&cacheable.schema);
        CachedCall { cache, settings, subgraph, call, age, tags, shares }.answer(cacheable).await
    }

    /// Makes the call of a subscription as often as its stream has to be opened.
    fn source(&self, request: &SubgraphRequest<'_>, context: &RequestContext) -> streams::Source {
        let routes = Arc::clone(&self.routes);
        let (subgraph, body) = (request.subgraph.to_owned(), request.body.clone());
        let (context, plan) = (context.clone(), self.headers.of(request.subgraph));
        Box::new(move || {
            let route = routes.load().get(&subgraph).cloned().ok_or(TransportError::Unreachable)?;
            Ok(Call {
                route,
                body: body.clone(),
                is_mutation: false,
                context: context.clone(),
                plan: Arc::clone(&plan),
                reads_freshness: false,
            })
        })
    }

    /// The events of a subscription that is fed from a topic; `None`: it is the subgraph's.
    async fn heard(
        &self,
        request: &SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Option<Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError>> {
        let listening = self.events.as_ref()?.find(&request.body)?;
        Some(listening.open(self.ask(request, context)).await)
    }
}

fn address(subgraph: &str, url: &str) -> Result<Address, InvalidSubgraphUrl> {
    Address::parse(url).map_err(|url| InvalidSubgraphUrl { subgraph: subgraph.to_owned(), url })
}

impl SubgraphTransport for Transport {
    type Context = RequestContext;

    async fn send(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<Bytes, TransportError> {
        Ok(self.answer(request, context).await?.body)
    }

    async fn subscribe(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
        match self.heard(&request, context).await {
            Some(heard) => heard,
            None => streams::source(self.source(&request, context)).await,
        }
    }

    async fn resubscribe(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
        match self.heard(&request, context).await {
            Some(heard) => heard,
            None => streams::again(self.source(&request, context)).await,
        }
    }
}
