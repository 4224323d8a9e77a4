//! From a normalised operation to a plan.
//!
//! In: [`Supergraph`] and [`NormalisedOperation`]. Out: [`Plan`].
//! Elsewhere: the plan's data types (`plan`), running it (`executor`).

mod error;

pub use error::{Limits, PlanError};
use kopitiam_operation::NormalisedOperation;
use kopitiam_plan::Plan;
use kopitiam_supergraph::Supergraph;

/// Plans one operation.
///
/// # Errors
/// [`PlanError`] when no sequence of subgraph requests can answer a field, or the limits do not suffice.
pub fn plan(
    supergraph: &Supergraph,
    operation: &NormalisedOperation,
    limits: &Limits,
) -> Result<Plan, PlanError> {
    let _ = (supergraph, limits);
    Err(PlanError::Unreachable { place: format!("{:?}", operation.kind) })
}
