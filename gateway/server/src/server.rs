//! Builds a gateway from its options and runs it.
//!
//! In: [`Options`]. Out: a bound [`Server`], so that its address is known before it runs.
//! Always: everything that can be wrong with the options is found before the first request.

use std::net::SocketAddr;
use std::sync::Arc;

use kopitiam_engine::{Engine, EngineError, SupergraphInfo};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::auth::{Authenticator, KeyError};
use crate::http::{App, Paths, run};
use crate::in_flight::InFlight;
use crate::options::{HttpSettings, Options};
use crate::subgraph_client::{InvalidSubgraphUrl, Transport, may_be_forwarded};

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
    app: Arc<App>,
    paths: Paths,
    http: HttpSettings,
    draining: CancellationToken,
}

/// Gives a server another supergraph, also while it runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SchemaHandle(Arc<App>);

impl SchemaHandle {
    /// Goes over to another supergraph: later requests see it, those in flight end on the old one. A subgraph whose place
    /// the options do not give is from now on reached at its URL in the new supergraph.
    ///
    /// # Errors
    /// [`ServerError`] when it cannot be served; the old one stays.
    pub fn replace(&self, supergraph_sdl: &str) -> Result<(), ServerError> {
        let engine = &self.0.engine;
        engine.replace_after(supergraph_sdl, |supergraph| Ok(follow(engine.transport(), supergraph)?))
    }
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
        let listen = options.listen;
        let http = options.http;
        let draining = CancellationToken::new();
        let (cors_origins, routes) = (options.cors_origins.clone(), options.routes.clone());
        let app = Arc::new(build(options, draining.clone())?);
        let fail = |source| ServerError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let paths = Paths::new(Arc::clone(&app), routes, cors_origins);
        Ok(Self { listener, address, app, paths, http, draining })
    }

    /// Where it listens; the true port when the options asked for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the supergraph.
    pub fn schema(&self) -> SchemaHandle {
        SchemaHandle(Arc::clone(&self.app))
    }

    /// Answers requests until `shutdown`, then drains: in-flight requests may end within the drain timeout, streams are
    /// cut so that clients connect anew elsewhere.
    pub async fn run(self, shutdown: CancellationToken) {
        run(self.listener, self.paths, self.http, self.draining, shutdown).await;
    }
}

fn build(options: Options, draining: CancellationToken) -> Result<App, ServerError> {
    let mut settings = options.engine;
    settings.introspection |= options.dev;
    let (mut transport, traffic) = (options.transport, options.traffic);
    if traffic.share_subgraph_queries {
        transport.share_queries(traffic.shared_in_flight_max);
    }
    let client = transport.client().clone();
    let engine = Engine::new(&options.supergraph_sdl, transport, settings)?;
    follow(engine.transport(), &engine.supergraph())?;
    let auth = if options.jwt.is_empty() { None } else { Some(Authenticator::new(options.jwt, &client)?) };
    Ok(App {
        engine,
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
