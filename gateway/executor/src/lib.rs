//! Runs a plan: sends its fetches, merges the answers, writes the client's response.
//!
//! In: a compiled plan, coerced variables, a transport. Out: the response's bytes.
//!
//! Elsewhere: what to fetch (`planner`), the plan as data (`plan`).

mod limits;
pub mod transport;

pub use limits::AnswerLimits;
