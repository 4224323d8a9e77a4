//! From a normalised operation to a plan.
//!
//! In: [`Supergraph`] and [`NormalisedOperation`]. Out: [`Plan`].
//! Always: deterministic; a plan is complete (every field has a subgraph) or there is a [`PlanError`] and no plan.
//!
//! - `search.rs`: tries alternatives within the limits, keeps the best
//! - `attempt.rs`: one attempt, from the root down; `choose.rs` picks subgraphs, `place.rs` asks them,
//!   `inputs.rs` enters them by key, `contexts.rs` with values from above, `isolation.rs` says when an input must stand apart from what the client asks,
//!   `touch.rs` keeps conditions and `__typename` complete
//! - `apart.rs`: parts of the response that are delivered later
//! - `reach.rs`: which subgraph can be asked where; `facts.rs`: what the supergraph alone says of that
//! - `draft.rs`: the plan under construction; `item.rs`: what is wanted; `conditions.rs`: when;
//!   `index.rs`: finding things by key
//! - `pack.rs`: fetches into requests; `document.rs`: their documents, `minify.rs`: short ones; `shape.rs`: the response;
//!   `emit.rs`: the plan
//!
//! Elsewhere: the plan's data types (`plan`), running it (`executor`).

mod apart;
mod attempt;
mod choose;
mod conditions;
mod contexts;
mod document;
mod draft;
mod emit;
mod error;
mod facts;
mod index;
mod inputs;
mod isolation;
mod item;
mod minify;
mod pack;
mod place;
mod reach;
mod search;
mod shape;
mod touch;

pub use error::{Limits, PlanError};
use kopitiam_operation::NormalisedOperation;
use kopitiam_plan::Plan;
use kopitiam_supergraph::Supergraph;

/// A field as a document asks for it: where the tree keeps it, its name and arguments.
type FieldKey<'a> = (
    kopitiam_plan::Key,
    &'a apollo_compiler::Name,
    &'a [apollo_compiler::Node<apollo_compiler::ast::Argument>],
);

/// Plans one operation.
///
/// # Errors
/// [`PlanError`] when no sequence of subgraph requests can answer a field, or the limits do not suffice.
pub fn plan(
    supergraph: &Supergraph,
    operation: &NormalisedOperation,
    limits: &Limits,
) -> Result<Plan, PlanError> {
    plan_counted(supergraph, operation, limits).0
}

/// As [`plan`], and how many steps it took: what a clock would say, but the same on every machine.
pub fn plan_counted(
    supergraph: &Supergraph,
    operation: &NormalisedOperation,
    limits: &Limits,
) -> (Result<Plan, PlanError>, usize) {
    search::best_plan(supergraph, operation, limits)
}
