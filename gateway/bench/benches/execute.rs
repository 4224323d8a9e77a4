//! The engine alone, without any socket: `cargo bench -p kopitiam-bench`.
//!
//! Subgraph answers are recorded once and replayed, so what is measured is preparing from the cache, representations,
//! parsing, merging and writing the 88 kB answer.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use divan::Bencher;
use kopitiam_bench::operation;
use kopitiam_bench::subgraphs::{self, Subgraphs};
use kopitiam_composition::Subgraph;
use kopitiam_engine::{
    Engine, EngineSettings, Request, Response, SubgraphRequest, SubgraphTransport, TransportError,
};

fn main() {
    divan::main();
}

/// Answers each request as the subgraphs answered it the first time.
#[derive(Debug, Default)]
struct Replay {
    subgraphs: Subgraphs,
    answers: Mutex<HashMap<Bytes, Bytes>>,
}

impl SubgraphTransport for Replay {
    type Context = ();

    async fn send(&self, request: SubgraphRequest<'_>, (): &()) -> Result<Bytes, TransportError> {
        let known = self.answers.lock().expect("nothing panics with it").get(&request.body).cloned();
        if let Some(answer) = known {
            return Ok(answer);
        }
        let answer = self.subgraphs.answer(request.subgraph, &request.body).await;
        let answer = answer.ok_or(TransportError::Unreachable)?;
        self.answers.lock().expect("nothing panics with it").insert(request.body, answer.clone());
        Ok(answer)
    }
}

#[divan::bench]
fn whole_operation(bencher: Bencher<'_, '_>) {
    let subgraphs = subgraphs::NAMES.map(|name| Subgraph {
        name: name.to_owned(),
        url: format!("http://127.0.0.1/{name}"),
        sdl: subgraphs::sdl(name),
    });
    let sdl = kopitiam_composition::compose(&subgraphs).expect("the subgraphs compose").supergraph_sdl;
    let engine = Engine::new(&sdl, Replay::default(), EngineSettings::default()).expect("a supergraph");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let request = Request { query: operation::DOCUMENT.to_owned(), ..Request::default() };
    let execute = || -> Response {
        let prepared = engine.prepare(&request).expect("the operation is valid");
        runtime.block_on(engine.execute(&prepared, &request, &()))
    };
    let answer: serde_json::Value = serde_json::from_slice(&execute().body).expect("JSON");
    assert_eq!(answer, operation::expected());
    bencher.bench_local(execute);
}
