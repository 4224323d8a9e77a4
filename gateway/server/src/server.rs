//! Builds a gateway from its options and runs it.
//!
//! In: [`Options`]. Out: a bound [`Server`], so that its address is known before it runs.
//! Always: everything that can be wrong with the options is found before the first request.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::HeaderName;
use kopitiam_engine::{Engine, EngineError, SupergraphInfo};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::{Authenticator, KeyError};
use crate::cache::{Cache, InvalidationListener, InvalidationSettings};
use crate::certificates::TlsError;
use crate::documents::{Documents, DocumentsError};
use crate::http::{App, Ending, Layers, Listeners, Paths, RateLimits, Tls, UnixSocket, run};
use crate::in_flight::InFlight;
use crate::options::{ClientAddress, ClientTls, ExposeSettings, HttpSettings, Options, TelemetrySettings};
use crate::plugins::Plugins;
use crate::streams::{Sockets, Streams};
use crate::subgraph_client::{
    BreakerState, HeaderRule, HeaderRules, InvalidSubgraphUrl, Transport, may_be_forwarded,
};
use crate::telemetry::{MetricsListener, Observed, Telemetry, TelemetryError};

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The supergraph cannot be served.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A subgraph cannot be reached at the URL given.
    #[error(transparent)]
    SubgraphUrl(#[from] InvalidSubgraphUrl),
    /// Persisted documents cannot be had.
    #[error(transparent)]
    Documents(#[from] DocumentsError),
    /// A rule about a header that is the connection's, the body's or the gateway's own.
    #[error("header `{0}`: no rule may touch it, and it cannot tell an address")]
    Header(HeaderName),
    /// A key set cannot be used.
    #[error("keys for access tokens: {0}")]
    Keys(#[from] KeyError),
    /// Telemetry cannot start.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// Certificates cannot be used.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// The socket in the file system cannot be had.
    #[error("cannot listen on `{}`: {source}", path.display())]
    UnixSocket {
        /// The path of the options.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The address is taken, or is not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address of the options.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// A gateway that listens but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
    address: SocketAddr,
    metrics: Option<MetricsListener>,
    invalidation: Option<InvalidationListener>,
    live: Arc<Live>,
}

/// What of a server can be replaced while it runs, and what cannot.
#[derive(Debug)]
struct Live {
    app: ArcSwap<App>,
    paths: Paths,
    fixed: Fixed,
    telemetry: Telemetry,
    ending: Ending,
    sockets: Sockets,
    /// One replacement at a time.
    replacing: Mutex<()>,
}

impl Live {
    /// The subgraphs that have a circuit breaker, and what it does.
    fn breakers(&self) -> Vec<(String, BreakerState)> {
        let states = self.app.load().engine.transport().states();
        states.into_iter().filter_map(|(subgraph, state)| Some((subgraph, state.breaker?))).collect()
    }

    /// Another app from other options. What clients ask most is planned on it already.
    async fn rebuild(&self, options: Options) -> Result<App, ServerError> {
        let (telemetry, ending, sockets) =
            (self.telemetry.clone(), self.ending.clone(), self.sockets.clone());
        let (current, hot) = (self.app.load_full(), options.engine.warm_up_operations);
        // Reading a large schema and planning take long enough to hold up requests on this thread.
        let built = tokio::task::spawn_blocking(move || {
            let app = build(options, &telemetry, ending, sockets, current.auth.as_ref())?;
            app.engine.warm_up_with(&current.engine.hottest(hot));
            Ok::<_, ServerError>(app)
        });
        let app = built.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?;
        open(&app).await?;
        Ok(app)
    }
}

/// Settings that hold from the start to the end of a server.
#[derive(Debug, Clone, PartialEq)]
struct Fixed {
    listen: SocketAddr,
    tls: Option<ClientTls>,
    unix_socket: Option<PathBuf>,
    http: HttpSettings,
    telemetry: TelemetrySettings,
    invalidation: Option<InvalidationSettings>,
}

impl Fixed {
    fn of(options: &Options) -> Self {
        // What clients may see is no matter of the start.
        let telemetry = TelemetrySettings { expose: ExposeSettings::default(), ..options.telemetry.clone() };
        Self {
            listen: options.listen,
            tls: options.tls.clone(),
            unix_socket: options.unix_socket.clone(),
            http: options.http,
            telemetry,
            invalidation: options.cache.invalidation.clone(),
        }
    }

    /// Which of them differ, by their names in the settings.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.listen != other.listen {
            names.push("listen");
        }
        if self.unix_socket != other.unix_socket {
            names.push("unix_socket");
        }
        if self.tls != other.tls {
            names.push("tls");
        }
        if connections(&self.http) != connections(&other.http) {
            names.push("http (bounds of connections)");
        }
        if self.telemetry != other.telemetry {
            names.push("telemetry");
        }
        if self.invalidation != other.invalidation {
            names.push("cache.invalidation");
        }
        names
    }
}

/// What the listener takes from the bounds of HTTP.
fn connections(http: &HttpSettings) -> (Duration, Duration, Duration, usize) {
    (http.header_timeout, http.drain_timeout, http.shutdown_delay, http.connections_max)
}

/// Gives a server another supergraph or other settings, also while it runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SchemaHandle(Arc<Live>);

impl SchemaHandle {
    /// Goes over to another supergraph: later requests see it, those in flight end on the old one. A subgraph whose place
    /// the options do not give is from now on reached at its URL in the new supergraph.
    ///
    /// # Errors
    /// [`ServerError`] when it cannot be served; the old one stays.
    pub fn replace(&self, supergraph_sdl: &str) -> Result<(), ServerError> {
        let _one = self.0.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let app = self.0.app.load_full();
        let engine = &app.engine;
        let replaced = engine.replace_after(supergraph_sdl, |supergraph| {
            if let Some(cache) = engine.transport().cache() {
                cache.learn(supergraph_sdl);
            }
            Ok(follow(engine.transport(), supergraph)?)
        });
        self.0.telemetry.schema_replaced(replaced.is_ok());
        replaced
    }

    /// Goes over to other options: later requests see them, those in flight end on the old ones. Open streams are cut and
    /// WebSockets closed (1012), so that clients connect anew and come under the new ones. Gives the names of settings that
    /// differ and hold from the start only: they stay as they were.
    ///
    /// # Errors
    /// [`ServerError`] when the options cannot be served; the old ones stay.
    pub async fn reconfigure(&self, options: Options) -> Result<Vec<&'static str>, ServerError> {
        let live = &*self.0;
        let unchanged = live.fixed.differences(&Fixed::of(&options));
        let (layers, routes) = (layers(&options), options.routes.clone());
        let built = live.rebuild(options).await;
        live.telemetry.settings_replaced(built.is_ok());
        let app = Arc::new(built?);
        let _one = live.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        live.paths.replace(Arc::clone(&app), routes, layers);
        let old = live.app.swap(app);
        // What stays open would follow neither the new settings nor a later supergraph, and keep the old engine.
        old.retired.cancel();
        Ok(unchanged)
    }

    /// A supergraph or settings could not even be read.
    pub(crate) fn unreadable(&self, what: Reloaded) {
        match what {
            Reloaded::Supergraph => self.0.telemetry.schema_replaced(false),
            Reloaded::Settings => self.0.telemetry.settings_replaced(false),
        }
    }
}

/// What is read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reloaded {
    Supergraph,
    Settings,
}

fn follow(transport: &Transport, supergraph: &SupergraphInfo) -> Result<(), InvalidSubgraphUrl> {
    let subgraphs = supergraph.subgraphs.iter();
    transport.follow(subgraphs.map(|subgraph| (subgraph.name.as_str(), subgraph.url.as_str())))
}

impl Server {
    /// Checks the options, loads the supergraph and binds the address.
    ///
    /// # Errors
    /// [`ServerError`] says which option is wrong.
    pub async fn bind(options: Options) -> Result<Self, ServerError> {
        let fixed = Fixed::of(&options);
        let ending = Ending::default();
        let (layers, routes) = (layers(&options), options.routes.clone());
        let telemetry = Telemetry::new(&options.telemetry, options.transport.client())?;
        let sockets = Sockets::default();
        let app = Arc::new(build(options, &telemetry, ending.clone(), sockets.clone(), None)?);
        open(&app).await?;
        let fail = |address| move |source| ServerError::Listen { address, source };
        let tls = fixed.tls.clone().map(|tls| Tls::load(tls, fixed.http.http2)).transpose()?;
        let tcp = TcpListener::bind(fixed.listen).await.map_err(fail(fixed.listen))?;
        let address = tcp.local_addr().map_err(fail(fixed.listen))?;
        let unix = match &fixed.unix_socket {
            Some(path) => {
                let fail = |source| ServerError::UnixSocket { path: path.clone(), source };
                Some(UnixSocket::bind(path).await.map_err(fail)?)
            }
            None => None,
        };
        let listeners = Listeners { tcp, tls, unix };
        let metrics = match (fixed.telemetry.metrics_listen, &telemetry.metrics) {
            (Some(listen), Some(metrics)) => {
                Some(MetricsListener::bind(listen, Arc::clone(metrics)).await.map_err(fail(listen))?)
            }
            _ => None,
        };
        let invalidation = match &fixed.invalidation {
            Some(settings) => {
                let bound = InvalidationListener::bind(settings.clone()).await;
                Some(bound.map_err(fail(settings.listen))?)
            }
            None => None,
        };
        let paths = Paths::new(Arc::clone(&app), routes, layers);
        let app = ArcSwap::from(app);
        let live = Live { app, paths, fixed, telemetry, ending, sockets, replacing: Mutex::new(()) };
        let live = Arc::new(live);
        let watched = Arc::downgrade(&live);
        live.telemetry
            .watch_breakers(move || watched.upgrade().map(|live| live.breakers()).unwrap_or_default());
        Ok(Self { listeners, address, metrics, invalidation, live })
    }

    /// Where it listens; the true port when the options asked for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` answers, when the options ask for that.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
    }

    /// Where entries of the cache can be removed before their time, when the options ask for that.
    pub fn invalidation_addr(&self) -> Option<SocketAddr> {
        self.invalidation.as_ref()?.local_addr().ok()
    }

    /// Replaces the supergraph, or the settings.
    pub fn schema(&self) -> SchemaHandle {
        SchemaHandle(Arc::clone(&self.live))
    }

    /// Answers requests until `shutdown`, then drains: in-flight requests may end within the drain timeout, streams are
    /// cut so that clients connect anew elsewhere.
    pub async fn run(self, shutdown: CancellationToken) {
        let ended = CancellationToken::new();
        let metrics = self.metrics.map(|listener| tokio::spawn(listener.run(ended.clone())));
        let live = &self.live;
        let watched = Arc::downgrade(live);
        let cache = Arc::new(move || watched.upgrade()?.app.load().engine.transport().cache().cloned());
        let invalidation = self.invalidation.map(|listener| tokio::spawn(listener.run(cache, ended.clone())));
        let (paths, ending) = (live.paths.clone(), live.ending.clone());
        run(self.listeners, paths, live.fixed.http, &live.telemetry, ending, shutdown).await;
        if tokio::time::timeout(live.fixed.http.drain_timeout, live.sockets.closed()).await.is_err() {
            tracing::warn!("WebSockets were still open after the drain timeout and are cut");
        }
        live.ending.writes.written().await;
        live.telemetry.close().await;
        ended.cancel();
        for listener in [metrics, invalidation].into_iter().flatten() {
            // It has logged what went wrong.
            let _ = listener.await;
        }
    }
}

/// What has to be asked for before the first request.
async fn open(app: &App) -> Result<(), ServerError> {
    if let Some(cache) = app.engine.transport().cache() {
        cache.open().await;
    }
    Ok(app.documents.first_reading().await?)
}

fn layers(options: &Options) -> Layers {
    Layers { cors: options.cors.clone(), compression_bytes_min: options.http.compression_bytes_min }
}

fn build(
    options: Options,
    telemetry: &Telemetry,
    ending: Ending,
    sockets: Sockets,
    known: Option<&Authenticator>,
) -> Result<App, ServerError> {
    let mut settings = options.engine;
    settings.introspection |= options.dev;
    let (mut transport, traffic) = (options.transport, options.traffic);
    if let Some(name) = unusable_header(&options.headers, options.client_address.as_ref()) {
        return Err(ServerError::Header(name));
    }
    if let Some(name) = options.answer_headers.unusable() {
        return Err(ServerError::Header(name));
    }
    transport.set_headers(&options.headers);
    if traffic.share_subgraph_queries {
        transport.share_queries(traffic.shared_in_flight_max);
    }
    if transport.keeps_answers() {
        let depend_on = transport.answers_depend_on(&options.headers);
        let cache = Cache::new(&options.cache, &depend_on, telemetry.clone(), ending.writes.clone());
        cache.learn(&options.supergraph_sdl);
        transport.keep_answers(Arc::new(cache));
    }
    let mut subscriptions = options.subscriptions;
    if let Some(events) = subscriptions.events.take() {
        transport.feed(events, telemetry.clone());
    }
    let client = transport.client().clone();
    let plugins = Plugins::new(options.plugins);
    let observed = Observed::new(transport, telemetry.clone(), plugins.clone());
    let engine = Engine::new(&options.supergraph_sdl, observed, settings)?;
    follow(engine.transport(), &engine.supergraph())?;
    let auth =
        if options.jwt.is_empty() { None } else { Some(Authenticator::new(options.jwt, &client, known)?) };
    let documents = Documents::new(&options.documents, &client)?;
    let streams = Streams { settings: subscriptions, origins: options.cors.origins, sockets };
    Ok(App {
        engine,
        streams,
        documents,
        rate_limits: RateLimits::new(&options.rate_limits),
        room: Semaphore::new(options.http.operations_in_flight_max.min(Semaphore::MAX_PERMITS)),
        trusted_proxies: options.trusted_proxies,
        telemetry: telemetry.clone(),
        plugins,
        expose: options.telemetry.expose,
        error_ids: options.error_ids,
        auth,
        dev: options.dev,
        client_address: options.client_address,
        forward_headers: options.headers.forwarded(),
        answer_headers: (!options.answer_headers.is_empty()).then(|| Arc::new(options.answer_headers)),
        http: options.http,
        keeps_responses: options.cache.responses,
        uploads: options.uploads,
        shared: traffic.share_client_queries.then(|| InFlight::new(traffic.shared_in_flight_max)),
        retired: ending.draining.child_token(),
        ending,
    })
}

/// A header that the options name and that no rule may touch.
fn unusable_header(rules: &HeaderRules, address: Option<&ClientAddress>) -> Option<HeaderName> {
    let all = rules.all.iter().chain(rules.by_subgraph.values().flatten());
    let named = all.map(HeaderRule::name).chain(address.map(|address| &address.header));
    named.chain(&rules.forwarded()).find(|name| !may_be_forwarded(name)).cloned()
}

/// Binds and runs a gateway until `shutdown`.
///
/// # Errors
/// [`ServerError`] when it cannot start.
pub async fn serve(options: Options, shutdown: CancellationToken) -> Result<(), ServerError> {
    let server = Server::bind(options).await?;
    tracing::info!(address = %server.local_addr(), "listening");
    server.run(shutdown).await;
    Ok(())
}
