//! The façade: one engine serves one supergraph at a time, and can be given another while it runs.

use futures::stream::BoxStream;
use kopitiam_executor::transport::SubgraphTransport;
use kopitiam_plan::OperationKind;

use crate::{EngineSettings, ErrorCode, Outcome, Request, Response};

/// Why a supergraph was not taken. The engine goes on with the one it had.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The SDL is not a supergraph that this engine can serve; the text says where and why.
    #[error("the supergraph is not valid: {0}")]
    Supergraph(String),
}

/// A subgraph as the supergraph names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubgraphInfo {
    /// As in `@join__graph(name:)`; the name a transport gets.
    pub name: String,
    /// As in `@join__graph(url:)`; may be empty.
    pub url: String,
}

/// What the serving side needs to know of the current supergraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupergraphInfo {
    /// In the supergraph's order.
    pub subgraphs: Vec<SubgraphInfo>,
    /// The API schema's SDL: what clients see.
    pub api_sdl: String,
}

/// An operation that is parsed, valid and planned, bound to the schema it was prepared for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prepared {
    kind: OperationKind,
}

impl Prepared {
    /// Query, mutation or subscription.
    pub fn kind(&self) -> OperationKind {
        self.kind
    }
}

/// Serves GraphQL requests on a supergraph through a transport. Shared by reference between threads.
#[derive(Debug)]
pub struct Engine<T: SubgraphTransport> {
    transport: T,
}

impl<T: SubgraphTransport> Engine<T> {
    /// Builds an engine for a supergraph.
    ///
    /// # Errors
    /// [`EngineError`] when the SDL is not a supergraph.
    pub fn new(supergraph_sdl: &str, transport: T, settings: EngineSettings) -> Result<Self, EngineError> {
        let _ = (supergraph_sdl, settings);
        Ok(Self { transport })
    }

    /// Goes over to another supergraph: later requests see it, those in flight end on the old one.
    ///
    /// # Errors
    /// [`EngineError`] when the SDL is not a supergraph; the old one stays.
    pub fn replace(&self, supergraph_sdl: &str) -> Result<(), EngineError> {
        let _ = supergraph_sdl;
        Ok(())
    }

    /// Names and URLs of the current supergraph's subgraphs, and the API schema.
    pub fn supergraph(&self) -> SupergraphInfo {
        SupergraphInfo { subgraphs: Vec::new(), api_sdl: String::new() }
    }

    /// The transport given to [`Engine::new`].
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Parses, validates and plans the request's operation, or takes all that from the cache.
    ///
    /// # Errors
    /// A complete response that says what is wrong with the request, for the client.
    #[expect(clippy::result_large_err, reason = "the error is the response itself")]
    pub fn prepare(&self, request: &Request) -> Result<Prepared, Response> {
        let _ = request;
        Err(Response::refused_with(Outcome::PlanError, ErrorCode::QueryPlanningFailed, "not built"))
    }

    /// Runs a prepared query or mutation with the request's variables.
    pub async fn execute(&self, prepared: &Prepared, request: &Request, context: &T::Context) -> Response {
        let _ = (prepared, request, context);
        Response::refused_with(Outcome::PlanError, ErrorCode::QueryPlanningFailed, "not built")
    }

    /// Starts a prepared subscription with the request's variables: one response for each event of its source.
    ///
    /// # Errors
    /// A complete response that says why no stream could be opened.
    pub async fn subscribe(
        &self,
        prepared: &Prepared,
        request: &Request,
        context: &T::Context,
    ) -> Result<BoxStream<'static, Response>, Response> {
        let _ = (prepared, request, context);
        Err(Response::refused_with(Outcome::PlanError, ErrorCode::QueryPlanningFailed, "not built"))
    }
}
