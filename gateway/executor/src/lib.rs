//! Runs a plan: sends its fetches, merges the answers, writes the client's response.
//!
//! In: a compiled plan, coerced variables, a transport. Out: the response's bytes.
//! Always: subgraph answers are parsed once and their leaves never copied before they are written; no HTTP here.
//!
//! - `program.rs`: a plan compiled for execution, cached with it; `selection.rs`: what to take from answers;
//!   `sharing.rs`: where equal entities may be one object
//! - `run.rs`: the fetches in their order; `stream.rs`: subscriptions; `transport.rs`: the one trait
//! - `representations.rs`: what entity fetches send; `contexts.rs`: those with values from above their entities
//! - `json.rs`, `parse.rs`: from answer bytes to the tree; `tree.rs`: the response tree
//! - `merge.rs`: answers into the tree; `failure.rs`: errors into the tree; `starved.rs`: fetches they were in the way of
//! - `project.rs`, `nulls.rs`, `coerce.rs`: from the tree to response bytes; `errors.rs`: the response's errors
//! - `incremental/`: responses in several payloads (`@defer`, `@stream`); `waves.rs`: what first items of lists do not wait for
//! - `variables.rs`, `limits.rs`, `visibility.rs`: what else goes in
//!
//! Elsewhere: what to fetch (`planner`), the plan as data (`plan`).

mod coerce;
mod contexts;
mod errors;
mod failure;
mod incremental;
mod json;
mod limits;
mod merge;
mod nulls;
mod parse;
mod program;
mod project;
mod representations;
mod run;
mod selection;
mod sharing;
mod starved;
mod stream;
pub mod transport;
mod tree;
mod variables;
mod visibility;
mod waves;

pub use incremental::{IncrementalFormat, IncrementalRun, Payload};
pub use limits::AnswerLimits;
pub use program::Program;
pub use run::{Execution, run};
pub use stream::{Source, SourceRequest, Subscription};
pub use variables::Variables;
pub use visibility::{ErrorRule, ErrorVisibility};
