//! Builds a gateway from its options and runs it.
//!
//! In: [`Options`]. Out: a bound [`Server`], so that its address is known before it runs.
//! Always: everything that can be wrong with the options is found before the first request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use kopitiam_engine::{Engine, EngineError, SupergraphInfo};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::auth::{Authenticator, KeyError};
use crate::http::{App, Paths, run};
use crate::in_flight::InFlight;
use crate::options::{ExposeSettings, HttpSettings, Options, TelemetrySettings};
use crate::subgraph_client::{InvalidSubgraphUrl, Transport, may_be_forwarded};
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
    /// A key set cannot be used.
    #[error("keys for access tokens: {0}")]
    Keys(#[from] KeyError),
    /// Telemetry cannot start.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
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
    listener: TcpListener,
    address: SocketAddr,
    metrics: Option<MetricsListener>,
    live: Arc<Live>,
}

/// What of a server can be replaced while it runs, and what cannot.
#[derive(Debug)]
struct Live {
    app: ArcSwap<App>,
    paths: Paths,
    fixed: Fixed,
    telemetry: Telemetry,
    draining: CancellationToken,
    /// One replacement at a time.
    replacing: Mutex<()>,
}

impl Live {
    /// Another app from other options. What clients ask most is planned on it already.
    async fn rebuild(&self, options: Options) -> Result<App, ServerError> {
        let (telemetry, draining) = (self.telemetry.clone(), self.draining.clone());
        let (current, hot) = (self.app.load_full(), options.engine.warm_up_operations);
        // Reading a large schema and planning take long enough to hold up requests on this thread.
        let built = tokio::task::spawn_blocking(move || {
            let app = build(options, &telemetry, draining)?;
            app.engine.warm_up_with(&current.engine.hottest(hot));
            Ok(app)
        });
        built.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }
}

/// Settings that hold from the start to the end of a server.
#[derive(Debug, Clone, PartialEq)]
struct Fixed {
    listen: SocketAddr,
    http: HttpSettings,
    telemetry: TelemetrySettings,
}

impl Fixed {
    fn of(options: &Options) -> Self {
        // What clients may see is no matter of the start.
        let telemetry = TelemetrySettings { expose: ExposeSettings::default(), ..options.telemetry.clone() };
        Self { listen: options.listen, http: options.http, telemetry }
    }

    /// Which of them differ, by their names in the settings.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.listen != other.listen {
            names.push("listen");
        }
        if connections(&self.http) != connections(&other.http) {
            names.push("http (bounds of connections)");
        }
        if self.telemetry != other.telemetry {
            names.push("telemetry");
        }
        names
    }
}

/// What the listener takes from the bounds of HTTP.
fn connections(http: &HttpSettings) -> (Duration, Duration, usize) {
    (http.header_timeout, http.drain_timeout, http.connections_max)
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
        let replaced =
            engine.replace_after(supergraph_sdl, |supergraph| Ok(follow(engine.transport(), supergraph)?));
        self.0.telemetry.schema_replaced(replaced.is_ok());
        replaced
    }

    /// Goes over to other options: later requests see them, those in flight and open streams end on the old ones. Gives
    /// the names of settings that differ and hold from the start only: they stay as they were.
    ///
    /// # Errors
    /// [`ServerError`] when the options cannot be served; the old ones stay.
    pub async fn reconfigure(&self, options: Options) -> Result<Vec<&'static str>, ServerError> {
        let live = &*self.0;
        let unchanged = live.fixed.differences(&Fixed::of(&options));
        let (cors_origins, routes) = (options.cors_origins.clone(), options.routes.clone());
        let built = live.rebuild(options).await;
        live.telemetry.settings_replaced(built.is_ok());
        let app = Arc::new(built?);
        let _one = live.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        live.paths.replace(Arc::clone(&app), routes, cors_origins);
        live.app.store(app);
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
        let draining = CancellationToken::new();
        let (cors_origins, routes) = (options.cors_origins.clone(), options.routes.clone());
        let telemetry = Telemetry::new(&options.telemetry, options.transport.client())?;
        let app = Arc::new(build(options, &telemetry, draining.clone())?);
        let fail = |address| move |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(fixed.listen).await.map_err(fail(fixed.listen))?;
        let address = listener.local_addr().map_err(fail(fixed.listen))?;
        let metrics = match (fixed.telemetry.metrics_listen, &telemetry.metrics) {
            (Some(listen), Some(metrics)) => {
                Some(MetricsListener::bind(listen, Arc::clone(metrics)).await.map_err(fail(listen))?)
            }
            _ => None,
        };
        let paths = Paths::new(Arc::clone(&app), routes, cors_origins);
        let app = ArcSwap::from(app);
        let live = Live { app, paths, fixed, telemetry, draining, replacing: Mutex::new(()) };
        Ok(Self { listener, address, metrics, live: Arc::new(live) })
    }

    /// Where it listens; the true port when the options asked for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` answers, when the options ask for that.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.local_addr().ok()
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
        let (paths, draining) = (live.paths.clone(), live.draining.clone());
        run(self.listener, paths, live.fixed.http, &live.telemetry, draining, shutdown).await;
        live.telemetry.close().await;
        ended.cancel();
        if let Some(metrics) = metrics {
            // It has logged what went wrong.
            let _ = metrics.await;
        }
    }
}

fn build(options: Options, telemetry: &Telemetry, draining: CancellationToken) -> Result<App, ServerError> {
    let mut settings = options.engine;
    settings.introspection |= options.dev;
    let (mut transport, traffic) = (options.transport, options.traffic);
    if traffic.share_subgraph_queries {
        transport.share_queries(traffic.shared_in_flight_max);
    }
    let client = transport.client().clone();
    let observed = Observed::new(transport, telemetry.clone());
    let engine = Engine::new(&options.supergraph_sdl, observed, settings)?;
    follow(engine.transport(), &engine.supergraph())?;
    let auth = if options.jwt.is_empty() { None } else { Some(Authenticator::new(options.jwt, &client)?) };
    Ok(App {
        engine,
        telemetry: telemetry.clone(),
        expose: options.telemetry.expose,
        auth,
        dev: options.dev,
        client_address: options.client_address,
        forward_headers: options.forward_headers.into_iter().filter(may_be_forwarded).collect(),
        http: options.http,
        shared: traffic.share_client_queries.then(|| InFlight::new(traffic.shared_in_flight_max)),
        draining,
    })
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
