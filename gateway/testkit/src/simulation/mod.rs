//! Any supergraph, run over made-up data by strict subgraphs, and compared with one server that has everything.
//!
//! In: subgraph SDLs, and a supergraph or the wish to compose them. Out: for an operation, whether the gateway answers as
//! the oracle does and asks subgraphs only what they can answer.
//!
//! - `federation.rs`: what subgraph SDL means; `universe.rs`: the data; `rng.rs`: chance from a seed
//! - `strict.rs`: a subgraph that refuses what it could not answer; `monolith.rs`: the oracle
//! - `operations.rs`, `inputs.rs`: random operations; `shrink.rs`: smaller ones
//! - `schemas/`: random subgraphs; `compare.rs`: the verdict

mod compare;
mod federation;
mod inputs;
mod monolith;
mod operations;
mod rng;
mod schemas;
mod shrink;
mod strict;
mod universe;

pub use compare::{Difference, Simulation, Verdict};
pub use operations::{RandomOperation, random_operation};
pub use rng::Rng;
pub use schemas::{random_subgraphs, reduce};
pub use shrink::shrink;
pub use universe::Nature;
