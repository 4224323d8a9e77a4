//! An engine whose subgraphs answer what an input says.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Mutex;

use bytes::Bytes;
use kopitiam_engine::{
    Engine, EngineSettings, Prepared, Request, SubgraphRequest, SubgraphTransport, TransportError, Variables,
};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::corpus::worlds;

#[derive(Debug, Default)]
struct Answers(Mutex<VecDeque<Bytes>>);

impl SubgraphTransport for Answers {
    type Context = ();

    async fn send(&self, _: SubgraphRequest<'_>, (): &()) -> Result<Bytes, TransportError> {
        let next = self.0.lock().expect("nothing panics here").pop_front();
        next.ok_or(TransportError::Unreachable)
    }
}

/// One operation, prepared.
pub(crate) struct Replayed {
    engine: Engine<Answers>,
    request: Request,
    prepared: Prepared,
}

impl fmt::Debug for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replayed").field("query", &self.request.query).finish_non_exhaustive()
    }
}

impl Replayed {
    /// All operations of the corpus, in its order.
    pub(crate) fn all() -> Vec<Self> {
        let mut found = Vec::new();
        for world in worlds() {
            for operation in &world.operations {
                let engine = Engine::new(&world.supergraph, Answers::default(), EngineSettings::default())
                    .expect("composition gives a supergraph");
                let variables = Json::Object(operation.variables.clone()).to_string();
                let variables = Variables::from_json(&variables).expect("they are an object");
                let request = Request { query: operation.query.clone(), variables, ..Request::default() };
                let prepared = engine.prepare(&request).expect("the corpus is valid");
                found.push(Self { engine, request, prepared });
            }
        }
        found
    }

    /// Runs the operation with these answers.
    pub(crate) fn check(&self, input: &[u8]) {
        let answers = input.split(|byte| *byte == 0x1e).skip(1).map(Bytes::copy_from_slice).collect();
        *self.engine.transport().0.lock().expect("nothing panics here") = answers;
        let executed = self.engine.execute(&self.prepared, &self.request, &());
        let response = futures::executor::block_on(executed);
        // Numbers go through as they came, also such as no float can hold: they are not read here either.
        let parsed: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(&response.body).unwrap_or_else(|error| {
                panic!("{error}: {}", String::from_utf8_lossy(&response.body));
            });
        let text = |name: &str| parsed.get(name).map(|value| value.get());
        assert_ne!(text("errors"), Some("[]"), "an empty list of errors");
        let has_data = text("data").is_some_and(|data| data != "null");
        assert!(has_data || text("errors").is_some(), "neither data nor errors: {parsed:?}");
    }
}
