//! Plans for tests: composed, planned, and proved.
//!
//! Elsewhere: planning (`planner`), the proof (`plan`).

use kopitiam_composition::{Composed, Diagnostic, Subgraph};
use kopitiam_engine::{Plan, Request};

use crate::gateway::TestGateway;
use crate::subgraph::TestSubgraph;

/// Composes subgraphs given as name and SDL.
///
/// # Errors
/// Composition's diagnostics.
pub fn compose(subgraphs: &[(&str, &str)]) -> Result<Composed, Vec<Diagnostic>> {
    let subgraph = |&(name, sdl): &(&str, &str)| Subgraph {
        name: name.to_owned(),
        url: format!("http://{name}.example/graphql"),
        sdl: sdl.to_owned(),
    };
    kopitiam_composition::compose(&subgraphs.iter().map(subgraph).collect::<Vec<_>>())
}

/// The supergraph of subgraphs that must compose.
pub(crate) fn compose_or_panic(subgraphs: &[(&str, &str)]) -> String {
    match compose(subgraphs) {
        Ok(composed) => composed.supergraph_sdl,
        Err(diagnostics) => {
            let messages: Vec<_> = diagnostics
                .iter()
                .map(|diagnostic| format!("{}: {}", diagnostic.code, diagnostic.message))
                .collect();
            panic!("the subgraphs do not compose:\n{}", messages.join("\n"));
        }
    }
}

/// Composes the subgraphs and plans the operation.
///
/// # Panics
/// When the subgraphs do not compose or the operation has no plan.
pub fn plan_checked(subgraphs: &[(&str, &str)], query: &str) -> Plan {
    let subgraphs: Vec<_> =
        subgraphs.iter().map(|(name, sdl)| TestSubgraph::new(name, sdl, serde_json::Value::Null)).collect();
    let gateway = TestGateway::new(&subgraphs);
    let request = Request { query: query.to_owned(), ..Request::default() };
    match gateway.engine.prepare(&request) {
        Ok(prepared) => prepared.plan().clone(),
        Err(refused) => panic!("{query} has no plan: {}", String::from_utf8_lossy(&refused.body)),
    }
}
