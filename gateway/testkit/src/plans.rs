//! Plans for tests: composed, planned, and proved.
//!
//! Elsewhere: planning (`planner`), the proof (`plan`).

use apollo_compiler::ExecutableDocument;
use kopitiam_composition::{Composed, Diagnostic, Subgraph};
use kopitiam_operation::FieldNode;
use kopitiam_plan::Plan;
use kopitiam_supergraph::{Supergraph, TypeSet};

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

/// Composes the subgraphs, plans the operation and proves the plan.
///
/// # Panics
/// When the subgraphs do not compose, or the operation has no plan that `plan::check` accepts.
pub fn plan_checked(subgraphs: &[(&str, &str)], query: &str) -> Plan {
    let supergraph = Supergraph::parse(&compose_or_panic(subgraphs)).expect("composition gives a supergraph");
    checked(&supergraph, query)
}

/// Plans an operation of a supergraph and proves the plan.
///
/// # Panics
/// When the operation is not valid or has no plan that `plan::check` accepts.
pub fn checked(supergraph: &Supergraph, query: &str) -> Plan {
    checked_without(supergraph, query, &mut |_| TypeSet::empty())
}

/// As [`checked`], without the fields that are refused on some types.
///
/// # Panics
/// As [`checked`].
pub fn checked_without(
    supergraph: &Supergraph,
    query: &str,
    refused_on: &mut impl FnMut(&FieldNode) -> TypeSet,
) -> Plan {
    let document = ExecutableDocument::parse_and_validate(supergraph.api_schema(), query, "query.graphql")
        .unwrap_or_else(|refused| panic!("{query} is not valid: {}", refused.errors));
    let mut operation =
        kopitiam_operation::normalise(supergraph, &document, None, &kopitiam_operation::Limits::default())
            .unwrap_or_else(|error| panic!("{query}: {error}"));
    kopitiam_operation::refuse_fields(&mut operation, refused_on);
    let plan = kopitiam_planner::plan(supergraph, &operation, &kopitiam_planner::Limits::default())
        .unwrap_or_else(|error| panic!("{query} has no plan: {error}"));
    if let Err(gaps) = kopitiam_plan::check(supergraph, &operation, &plan) {
        let gaps: Vec<_> = gaps.iter().map(ToString::to_string).collect();
        panic!("{query}\n{plan}\nis no answer:\n{}", gaps.join("\n"));
    }
    plan
}
