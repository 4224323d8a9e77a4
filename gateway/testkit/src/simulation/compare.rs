//! A gateway over strict subgraphs, and the verdict on its answers.
//!
//! Elsewhere: the oracle (`monolith.rs`), the subgraphs (`strict.rs`), what an outage may do (`degraded.rs`).

use std::fmt;
use std::sync::Arc;

use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use bytes::Bytes;
use futures::stream::StreamExt;
use kopitiam_engine::{
    DocumentLimits, Engine, EngineSettings, IncrementalFormat, Prepared, Request, Response, Variables,
};
use serde_json::{Value as Json, json};

use super::degraded;
use super::federation::Subgraph;
use super::monolith::{self, Expected};
use super::nature::Nature;
use super::operations::RandomOperation;
use super::strict::{StrictSubgraph, overridden};
use super::transport::{Outage, Strict};
use super::universe::Universe;
use crate::merge_payloads;

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
    /// One word: `unsatisfiable`, `refused`, `request`, `data`, `errors`, `paths`, `order`, `events`; with a subgraph out
    /// `lost`, `kept`, `blamed`, `unexplained`.
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
        let overridden = overridden(&read(), nature);
        let universe = Arc::new(Universe::new(supergraph_sdl, api, &read(), nature));
        let strict = |subgraph| StrictSubgraph::new(subgraph, Arc::clone(&universe), &overridden);
        let transport = Strict::new(read().into_iter().map(strict).collect());
        // Random operations are odd, not large: what limits would say of them is no finding.
        let limits = DocumentLimits {
            aliases_max: 10_000,
            root_fields_max: 10_000,
            directives_max: 10_000,
            variables_max: 10_000,
            deferred_max: 1_000,
            ..DocumentLimits::default()
        };
        let labels = supergraph.override_labels().iter().map(ToString::to_string);
        let override_labels = labels.filter(|label| nature.is_on(label)).collect();
        let settings = EngineSettings { limits, override_labels, ..EngineSettings::default() };
        let engine = Engine::new(supergraph_sdl, transport, settings).map_err(|error| error.to_string())?;
        Ok(Self { engine, universe })
    }

    /// The schema that operations are made for.
    pub fn api(&self) -> &Valid<Schema> {
        &self.universe.api
    }

    /// The subgraphs' names.
    pub fn subgraphs(&self) -> Vec<String> {
        self.engine.transport().names().map(str::to_owned).collect()
    }

    /// What the subgraphs answer when an operation is run, in order.
    pub async fn answers(&self, operation: &RandomOperation) -> Vec<Bytes> {
        self.check(operation).await;
        self.engine.transport().take_answers()
    }

    /// What the oracle says; nothing when the operation is not valid, or no data are right.
    fn expected(&self, operation: &RandomOperation) -> Option<Vec<Expected>> {
        if self.universe.is_contradictory {
            return None;
        }
        let document =
            ExecutableDocument::parse_and_validate(&self.universe.api, &operation.query, "query.graphql")
                .ok()?;
        let variables: JsonMap =
            serde_json::from_value(Json::Object(operation.variables.clone())).expect("JSON is JSON");
        monolith::run(&self.universe, &document, &variables).ok()
    }

    /// What the gateway says: one response, or one for each event; with the operation, unless it was refused.
    async fn run(&self, operation: &RandomOperation) -> (Option<Prepared>, Vec<String>) {
        let variables = Variables::from_json(&Json::Object(operation.variables.clone()).to_string())
            .expect("the variables are an object");
        let request = Request { query: operation.query.clone(), variables, ..Request::default() };
        let prepared = self.engine.prepare(&request);
        let responses = match &prepared {
            Ok(prepared) => match self.engine.subscribe(prepared, &request, &()).await {
                Ok(events) => events.collect().await,
                Err(refused) => vec![refused],
            },
            Err(refused) => vec![refused.clone()],
        };
        let text =
            |response: Response| String::from_utf8(response.body.to_vec()).expect("a response is UTF-8");
        (prepared.ok(), responses.into_iter().map(text).collect())
    }

    /// Runs an operation both ways.
    ///
    /// # Panics
    /// When the gateway writes something that is not JSON.
    pub async fn check(&self, operation: &RandomOperation) -> Verdict {
        let Some(expected) = self.expected(operation) else { return Verdict::NotComparable };
        self.engine.transport().begin(None);
        let (_, got) = self.run(operation).await;
        let refusals = self.engine.transport().refusals();
        let mut kinds =
            expected.iter().zip(&got).map(|(expected, got)| kind_of(operation, expected, got, &refusals));
        let kind = kinds.find_map(|kind| kind).or((expected.len() != got.len()).then_some("events"));
        self.verdict(operation, &expected, &got, kind)
    }

    /// Runs an operation with `@defer` or `@stream` for a client that takes several payloads: put together they are what
    /// the oracle says of the operation without. Where a null spreads it ends at the fragment, so that there the data may
    /// be more, and errors are compared only by there being some.
    ///
    /// # Panics
    /// When the gateway writes something that is not JSON.
    pub async fn check_deferred(
        &self,
        operation: &RandomOperation,
        plain: &RandomOperation,
        format: IncrementalFormat,
    ) -> Verdict {
        let Some(expected) = self.expected(plain) else { return Verdict::NotComparable };
        self.engine.transport().begin(None);
        let variables = Variables::from_json(&Json::Object(operation.variables.clone()).to_string())
            .expect("the variables are an object");
        let request = Request {
            query: operation.query.clone(),
            variables,
            incremental: Some(format),
            ..Request::default()
        };
        let prepared = match self.engine.prepare(&request) {
            Ok(prepared) => prepared,
            // Where fields of one key are merged, a list must be streamed the same way at all places.
            Err(refused) if text(&refused).contains("different @stream directives") => {
                return Verdict::NotComparable;
            }
            Err(refused) => return self.verdict(operation, &expected, &[text(&refused)], Some("refused")),
        };
        let response = self.engine.execute_incremental(&prepared, &request, &()).await;
        let mut got = vec![text(&response.first)];
        if let Some(rest) = response.rest {
            got.extend(rest.map(|payload| text(&payload)).collect::<Vec<_>>().await);
        }
        let payloads: Vec<Json> =
            got.iter().map(|payload| serde_json::from_str(payload).expect("a payload is JSON")).collect();
        let merged =
            if payloads.len() == 1 { Ok(payloads[0].clone()) } else { merge_payloads(&payloads, format) };
        let kind = match (&merged, &expected[..]) {
            (Err(problem), _) => {
                got.push(problem.clone());
                Some("payloads")
            }
            _ if !self.engine.transport().refusals().is_empty() => Some("request"),
            (Ok(merged), [expected]) => merged_kind(merged, expected),
            _ => Some("events"),
        };
        got.extend(merged.map(|merged| merged.to_string()));
        got.push(prepared.plan().to_string());
        self.verdict(operation, &expected, &got, kind)
    }

    /// Runs an operation while a subgraph is out: the response must lack what came from it, and nothing else.
    ///
    /// # Panics
    /// When the gateway writes something that is not JSON.
    pub async fn check_outage(&self, operation: &RandomOperation, subgraph: &str, outage: Outage) -> Verdict {
        let Some(expected) = self.expected(operation) else { return Verdict::NotComparable };
        self.engine.transport().begin(Some((subgraph.to_owned(), outage)));
        let (prepared, got) = self.run(operation).await;
        let Some(prepared) = prepared else { return Verdict::NotComparable };
        let affected = degraded::Affected::new(prepared.plan(), subgraph);
        let mut kinds = expected.iter().zip(&got).map(|(expected, got)| affected.kind_of(expected, got));
        let kind = kinds.find_map(|kind| kind);
        self.verdict(operation, &expected, &got, kind)
    }

    fn verdict(
        &self,
        operation: &RandomOperation,
        expected: &[Expected],
        got: &[String],
        kind: Option<&'static str>,
    ) -> Verdict {
        let Some(kind) = kind else { return Verdict::Same };
        let transport = self.engine.transport();
        let expected: Vec<String> = expected
            .iter()
            .map(|one| format!("{} errors {}", one.data, Json::Array(one.errors.clone())))
            .collect();
        Verdict::Different(Box::new(Difference {
            kind,
            operation: operation.clone(),
            expected: expected.join("\n           "),
            got: got.join("\n           "),
            refusals: transport.refusals(),
            requests: transport.requests(),
        }))
    }
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body.to_vec()).expect("a response is UTF-8")
}

/// What is wrong with payloads put together, if anything.
fn merged_kind(merged: &Json, expected: &Expected) -> Option<&'static str> {
    let wanted: Json = serde_json::from_str(&expected.data).expect("data is JSON");
    let has_errors = merged.get("errors").is_some();
    if expected.has_hidden {
        return None;
    }
    if expected.errors.is_empty() {
        return (merged["data"] != wanted || has_errors).then_some("data");
    }
    (!has_errors).then_some("errors").or((!agree(&merged["data"], &wanted)).then_some("data"))
}

/// Whether two values are the same wherever both are there.
fn agree(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Null, _) | (_, Json::Null) => true,
        (Json::Object(one), Json::Object(other)) => {
            one.iter().all(|(key, value)| other.get(key).is_none_or(|other| agree(value, other)))
        }
        (Json::Array(one), Json::Array(other)) => one.iter().zip(other).all(|(one, other)| agree(one, other)),
        (one, other) => one == other,
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
pub(super) fn null_of(data: &Json, path: &Json) -> Option<usize> {
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
