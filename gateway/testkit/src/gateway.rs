//! A whole gateway in memory: composed, planned and executed by the real crates.
//!
//! Elsewhere: the subgraphs (`subgraph.rs`).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::channel::oneshot;
use futures::stream::{self, BoxStream, StreamExt};
use kopitiam_engine::{
    Engine, EngineSettings, IncrementalFormat, IncrementalResponse, Outcome, Prepared, Request, Response,
    SubgraphRequest, SubgraphTransport, TransportError, Variables,
};
use serde_json::{Value as Json, json};

use crate::plans::compose_or_panic;
use crate::subgraph::{Server, TestSubgraph};

/// The transport to subgraphs in memory; notes what each was asked.
#[derive(Debug)]
pub struct InMemory {
    servers: Vec<Server>,
    requests: Mutex<Vec<(String, Json)>>,
    stopped: Mutex<HashSet<String>>,
    /// Subgraphs whose answers wait until they are let go, when the request has this text in it.
    held: Mutex<HashMap<String, (String, Arc<Notify>)>>,
}

/// Lets those who wait for it go on, also those who come later.
#[derive(Debug, Default)]
struct Notify {
    is_open: Mutex<bool>,
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

impl Notify {
    fn wait(&self) -> Option<oneshot::Receiver<()>> {
        let is_open = self.is_open.lock().expect("no test panics here");
        (!*is_open).then(|| {
            let (sender, receiver) = oneshot::channel();
            self.waiting.lock().expect("no test panics here").push(sender);
            receiver
        })
    }

    fn open(&self) {
        *self.is_open.lock().expect("no test panics here") = true;
        for waiting in self.waiting.lock().expect("no test panics here").drain(..) {
            let _ = waiting.send(());
        }
    }
}

impl InMemory {
    fn server(&self, request: &SubgraphRequest<'_>) -> Result<&Server, TransportError> {
        let body = serde_json::from_slice(&request.body).expect("the gateway sends JSON");
        self.requests.lock().expect("no test panics here").push((request.subgraph.to_owned(), body));
        if self.stopped.lock().expect("no test panics here").contains(request.subgraph) {
            return Err(TransportError::Unreachable);
        }
        self.servers.iter().find(|server| server.name == request.subgraph).ok_or(TransportError::Unreachable)
    }
}

impl SubgraphTransport for InMemory {
    type Context = ();

    async fn send(&self, request: SubgraphRequest<'_>, (): &()) -> Result<Bytes, TransportError> {
        let server = self.server(&request)?;
        let held = self.held.lock().expect("no test panics here").get(request.subgraph).cloned();
        let body = String::from_utf8_lossy(&request.body);
        let held = held.filter(|(text, _)| body.contains(text));
        if let Some(waiting) = held.and_then(|(_, held)| held.wait()) {
            let _ = waiting.await;
        }
        Ok(server.answer(&request.body))
    }

    async fn subscribe(
        &self,
        request: SubgraphRequest<'_>,
        (): &(),
    ) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
        let events = self.server(&request)?.events(&request.body);
        Ok(stream::iter(events.into_iter().map(Ok)).boxed())
    }
}

/// An engine over subgraphs in memory.
#[derive(Debug)]
pub struct TestGateway {
    /// The engine itself, for what the shortcuts here do not cover.
    pub engine: Engine<InMemory>,
}

impl TestGateway {
    /// Composes the subgraphs and serves them, with introspection on.
    ///
    /// # Panics
    /// With the diagnostics, when the subgraphs do not compose.
    pub fn new(subgraphs: &[TestSubgraph]) -> Self {
        Self::with_settings(subgraphs, EngineSettings { introspection: true, ..EngineSettings::default() })
    }

    /// As [`TestGateway::new`], with other settings.
    pub fn with_settings(subgraphs: &[TestSubgraph], settings: EngineSettings) -> Self {
        let sdls: Vec<_> = subgraphs.iter().map(|one| (one.name.as_str(), one.sdl.as_str())).collect();
        Self::over(&compose_or_panic(&sdls), subgraphs, settings)
    }

    /// Serves a supergraph that was composed elsewhere.
    pub fn over(supergraph_sdl: &str, subgraphs: &[TestSubgraph], settings: EngineSettings) -> Self {
        let transport = InMemory {
            servers: subgraphs.iter().map(Server::new).collect(),
            requests: Mutex::default(),
            stopped: Mutex::default(),
            held: Mutex::default(),
        };
        let engine = Engine::new(supergraph_sdl, transport, settings)
            .unwrap_or_else(|error| panic!("{error}\n{supergraph_sdl}"));
        Self { engine }
    }

    /// From now on this subgraph cannot be reached.
    pub fn stop(&self, subgraph: &str) {
        self.engine.transport().stopped.lock().expect("no test panics here").insert(subgraph.to_owned());
    }

    /// From now on this subgraph's answers wait for [`TestGateway::release`].
    pub fn hold(&self, subgraph: &str) {
        self.hold_where(subgraph, "");
    }

    /// From now on this subgraph's answers to requests with this text wait for [`TestGateway::release`].
    pub fn hold_where(&self, subgraph: &str, text: &str) {
        let held = (text.to_owned(), Arc::default());
        self.engine.transport().held.lock().expect("no test panics here").insert(subgraph.to_owned(), held);
    }

    /// Lets a subgraph's answers go that wait.
    pub fn release(&self, subgraph: &str) {
        let held = self.engine.transport().held.lock().expect("no test panics here").remove(subgraph);
        if let Some((_, held)) = held {
            held.open();
        }
    }

    /// Runs an operation for a client that takes several payloads; gives them as they come.
    pub async fn payloads(
        &self,
        query: &str,
        variables: &str,
        format: IncrementalFormat,
    ) -> BoxStream<'static, Json> {
        let request = Request { incremental: Some(format), ..request(query, variables) };
        let parse = |response: Response| serde_json::from_str(&text(&response)).expect("a response is JSON");
        match self.engine.prepare(&request) {
            Ok(prepared) => {
                let response = self.engine.execute_incremental(&prepared, &request, &()).await;
                let IncrementalResponse { first, rest, .. } = response;
                let rest = rest.unwrap_or_else(|| stream::empty().boxed());
                stream::iter([first]).chain(rest).map(parse).boxed()
            }
            Err(refused) => stream::iter([parse(refused)]).boxed(),
        }
    }

    /// Runs an operation without variables; gives the response's JSON.
    pub async fn query(&self, query: &str) -> Json {
        self.query_with(query, json!({})).await
    }

    /// Runs an operation; gives the response's JSON.
    pub async fn query_with(&self, query: &str, variables: Json) -> Json {
        serde_json::from_str(&self.text(query, &variables.to_string()).await.0).expect("a response is JSON")
    }

    /// Runs an operation; gives the response as it is written, and how far it got.
    pub async fn text(&self, query: &str, variables: &str) -> (String, Outcome) {
        let request = request(query, variables);
        let response = match self.engine.prepare(&request) {
            Ok(prepared) => self.engine.execute(&prepared, &request, &()).await,
            Err(refused) => refused,
        };
        (text(&response), response.outcome)
    }

    /// Runs a subscription to its end; gives the responses, or the refusal.
    ///
    /// # Errors
    /// The refusal's JSON.
    pub async fn events(&self, query: &str, variables: &str) -> Result<Vec<Json>, Json> {
        let request = request(query, variables);
        let parse = |response: Response| serde_json::from_str(&text(&response)).expect("a response is JSON");
        let prepared: Prepared = self.engine.prepare(&request).map_err(parse)?;
        let stream = self.engine.subscribe(&prepared, &request, &()).await.map_err(parse)?;
        Ok(stream.map(parse).collect().await)
    }

    /// What the subgraphs were asked so far: name and body, in the order of sending.
    pub fn requests(&self) -> Vec<(String, Json)> {
        self.engine.transport().requests.lock().expect("no test panics here").clone()
    }
}

fn request(query: &str, variables: &str) -> Request {
    let variables = Variables::from_json(variables).expect("test variables are a JSON object");
    Request { query: query.to_owned(), variables, ..Request::default() }
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body.to_vec()).expect("a response is UTF-8")
}
