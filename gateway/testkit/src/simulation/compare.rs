//! A gateway over strict subgraphs, and the verdict on its answers.
//!
//! Elsewhere: the oracle (`monolith.rs`), the subgraphs (`strict.rs`).

use std::fmt;
use std::sync::{Arc, Mutex};

use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use bytes::Bytes;
use futures::stream::BoxStream;
use kopitiam_engine::{
    DocumentLimits, Engine, EngineSettings, Request, SubgraphRequest, SubgraphTransport, TransportError,
    Variables,
};
use serde_json::{Value as Json, json};

use super::federation::Subgraph;
use super::monolith::{self, Expected};
use super::operations::RandomOperation;
use super::strict::{StrictSubgraph, overridden};
use super::universe::{Nature, Universe};

/// Strict subgraphs as a transport.
#[derive(Debug)]
struct Strict {
    subgraphs: Vec<StrictSubgraph>,
    requests: Mutex<Vec<String>>,
    answers: Mutex<Vec<Bytes>>,
}

impl SubgraphTransport for Strict {
    type Context = ();

    async fn send(&self, request: SubgraphRequest<'_>, (): &()) -> Result<Bytes, TransportError> {
        let found = self.subgraphs.iter().find(|one| one.subgraph.name == request.subgraph);
        let subgraph = found.ok_or(TransportError::Unreachable)?;
        let answer = subgraph.answer(&request.body);
        let line = format!(
            "{} <- {}\n     -> {}",
            request.subgraph,
            String::from_utf8_lossy(&request.body),
            String::from_utf8_lossy(&answer)
        );
        self.requests.lock().expect("nothing panics here").push(line);
        self.answers.lock().expect("nothing panics here").push(answer.clone());
        Ok(answer)
    }

    async fn subscribe(
        &self,
        _: SubgraphRequest<'_>,
        (): &(),
    ) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
        Err(TransportError::Unreachable)
    }
}

/// How an operation went.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// As the oracle says.
    Same,
    /// The operation is not valid, or its variables do not fit: nothing to compare.
    NotComparable,
    /// The gateway answers otherwise, refuses, or asks what no subgraph can answer.
    Different(Box<Difference>),
}

/// What is different.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// One word: `unsatisfiable`, `refused`, `request`, `data`, `errors`, `paths`, `order`.
    pub kind: &'static str,
    /// The operation.
    pub operation: RandomOperation,
    /// What the oracle gives.
    pub expected: String,
    /// What the gateway gives.
    pub got: String,
    /// What subgraphs refused.
    pub refusals: Vec<String>,
    /// Requests and answers, in order.
    pub requests: Vec<String>,
}

impl Difference {
    /// What differences of one cause have in common, roughly.
    pub fn class(&self) -> String {
        let words = [
            " requires ",
            "is external",
            "is overridden",
            "no entity has a key",
            "without __typename",
            "different types",
            "is no entity here",
            "requested type",
        ];
        let refusal = self.refusals.first();
        let word = refusal.and_then(|refusal| words.iter().find(|word| refusal.contains(**word)));
        format!("{} {}", self.kind, word.copied().unwrap_or_default())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[{}] {}", self.kind, self.operation.query)?;
        writeln!(f, "  variables {}", Json::Object(self.operation.variables.clone()))?;
        writeln!(f, "  expected {}", self.expected)?;
        writeln!(f, "  got      {}", self.got)?;
        for refusal in &self.refusals {
            writeln!(f, "  {refusal}")?;
        }
        for request in &self.requests {
            writeln!(f, "   {request}")?;
        }
        Ok(())
    }
}

/// A gateway over strict subgraphs with made-up data.
pub struct Simulation {
    engine: Engine<Strict>,
    universe: Arc<Universe>,
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").finish_non_exhaustive()
    }
}

impl Simulation {
    /// Over a supergraph and the SDLs of its subgraphs.
    ///
    /// # Errors
    /// Why the engine does not take the supergraph.
    pub fn new(supergraph_sdl: &str, subgraphs: &[(String, String)], nature: Nature) -> Result<Self, String> {
        let supergraph =
            kopitiam_supergraph::Supergraph::parse(supergraph_sdl).map_err(|error| error.to_string())?;
        let api: Valid<Schema> = Valid::clone(supergraph.api_schema());
        let read = || subgraphs.iter().map(|(name, sdl)| Subgraph::new(name, sdl)).collect::<Vec<_>>();
        let overridden = overridden(&read());
        let universe = Arc::new(Universe::new(supergraph_sdl, api, &read(), nature));
        let strict = |subgraph| StrictSubgraph::new(subgraph, Arc::clone(&universe), &overridden);
        let transport = Strict {
            subgraphs: read().into_iter().map(strict).collect(),
            requests: Mutex::default(),
            answers: Mutex::default(),
        };
        // Random operations are odd, not large: what limits would say of them is no finding.
        let limits = DocumentLimits {
            aliases_max: 10_000,
            root_fields_max: 10_000,
            directives_max: 10_000,
            variables_max: 10_000,
            ..DocumentLimits::default()
        };
        let engine =
            Engine::new(supergraph_sdl, transport, EngineSettings { limits, ..EngineSettings::default() })
                .map_err(|error| error.to_string())?;
        Ok(Self { engine, universe })
    }

    /// The schema that operations are made for.
    pub fn api(&self) -> &Valid<Schema> {
        &self.universe.api
    }

    /// What the subgraphs answer when an operation is run, in order.
    pub async fn answers(&self, operation: &RandomOperation) -> Vec<Bytes> {
        let answers = &self.engine.transport().answers;
        answers.lock().expect("nothing panics here").clear();
        self.check(operation).await;
        std::mem::take(&mut answers.lock().expect("nothing panics here"))
    }

    /// What the oracle says; nothing when the operation is not valid.
    fn expected(&self, operation: &RandomOperation) -> Option<Expected> {
        let document =
            ExecutableDocument::parse_and_validate(&self.universe.api, &operation.query, "query.graphql")
                .ok()?;
        let variables: JsonMap =
            serde_json::from_value(Json::Object(operation.variables.clone())).expect("JSON is JSON");
        monolith::run(&self.universe, &document, &variables).ok()
    }

    /// Runs an operation both ways.
    ///
    /// # Panics
    /// When the gateway writes something that is not JSON.
    pub async fn check(&self, operation: &RandomOperation) -> Verdict {
        let Some(expected) = self.expected(operation) else { return Verdict::NotComparable };
        let transport = self.engine.transport();
        transport.requests.lock().expect("nothing panics here").clear();
        transport.answers.lock().expect("nothing panics here").clear();
        for subgraph in &transport.subgraphs {
            subgraph.refusals.lock().expect("nothing panics here").clear();
        }
        let variables = Variables::from_json(&Json::Object(operation.variables.clone()).to_string())
            .expect("the variables are an object");
        let request = Request { query: operation.query.clone(), variables, ..Request::default() };
        let response = match self.engine.prepare(&request) {
            Ok(prepared) => self.engine.execute(&prepared, &request, &()).await,
            Err(refused) => refused,
        };
        let got = String::from_utf8(response.body.to_vec()).expect("a response is UTF-8");
        let refusals: Vec<String> = transport
            .subgraphs
            .iter()
            .flat_map(|subgraph| subgraph.refusals.lock().expect("nothing panics here").clone())
            .collect();
        match kind_of(operation, &expected, &got, &refusals) {
            None => Verdict::Same,
            Some(kind) => Verdict::Different(Box::new(Difference {
                kind,
                operation: operation.clone(),
                expected: format!("{} errors {}", expected.data, Json::Array(expected.errors)),
                got,
                refusals,
                requests: transport.requests.lock().expect("nothing panics here").clone(),
            })),
        }
    }
}

/// What is wrong with an answer, if anything.
fn kind_of(
    operation: &RandomOperation,
    expected: &Expected,
    got: &str,
    refusals: &[String],
) -> Option<&'static str> {
    let parsed: Json = serde_json::from_str(got).expect("a response is JSON");
    let errors = parsed["errors"].as_array().cloned().unwrap_or_default();
    if parsed.get("data").is_none() && !errors.is_empty() {
        let unsatisfiable =
            errors.iter().any(|error| error["extensions"]["code"] == "QUERY_PLAN_UNSATISFIABLE");
        return Some(if unsatisfiable { "unsatisfiable" } else { "refused" });
    }
    if !refusals.is_empty() {
        return Some("request");
    }
    let wanted: Json = serde_json::from_str(&expected.data).expect("data is JSON");
    if parsed["data"] != wanted {
        return Some("data");
    }
    // Where a field stands among others may depend on conditions, of variables or types.
    let is_plain = !operation.query.contains('@') && !operation.query.contains("...");
    if is_plain && expected.errors.is_empty() && !got.starts_with(&format!("{{\"data\":{}", expected.data)) {
        return Some("order");
    }
    if expected.has_hidden {
        return None;
    }
    let paths: Vec<Json> =
        errors.iter().map(|error| error.get("path").cloned().unwrap_or(json!([]))).collect();
    if expected.errors.is_empty() != paths.is_empty() {
        return Some("errors");
    }
    // Of errors below one null, one is enough.
    let is_told = |path: &Json| paths.iter().any(|told| told == path || same_null(&wanted, told, path));
    let all_told = expected.errors.iter().all(is_told);
    let all_true = paths.iter().all(|path| null_of(&wanted, path).is_some());
    (!all_told || !all_true).then_some("paths")
}

/// How many steps of a path lead to null; nothing when it leads to a value.
fn null_of(data: &Json, path: &Json) -> Option<usize> {
    let mut here = data;
    for (depth, step) in path.as_array()?.iter().enumerate() {
        if here.is_null() {
            return Some(depth);
        }
        here = match step {
            Json::String(key) => here.get(key)?,
            index => here.get(usize::try_from(index.as_u64()?).ok()?)?,
        };
    }
    here.is_null().then(|| path.as_array().map_or(0, Vec::len))
}

/// Whether two paths end in the same null.
fn same_null(data: &Json, one: &Json, other: &Json) -> bool {
    let (Some(depth), Some(same)) = (null_of(data, one), null_of(data, other)) else { return false };
    let steps = |path: &Json| path.as_array().map(|steps| steps[..depth].to_vec());
    depth == same && steps(one) == steps(other)
}
