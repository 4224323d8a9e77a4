//! Any supergraph, run over made-up data by strict subgraphs, and compared with one server that has everything.
//!
//! In: subgraph SDLs, and a supergraph or the wish to compose them. Out: for an operation, whether the gateway answers as
//! the oracle does and asks subgraphs only what they can answer.
//!
//! - `federation.rs`: what subgraph SDL means; `universe.rs`: the data, `nature.rs`: what it is like, `missing.rs`: what
//!   of it a subgraph need not know; `rng.rs`: chance from a seed
//! - `strict.rs`: a subgraph that refuses what it could not answer; `transport.rs`: all of them, and their outages
//! - `monolith.rs`: the oracle; `contexts.rs`: what fields take from above
//! - `operations.rs`, `inputs.rs`: random operations; `arguments.rs`: what arguments make of a value; `deferral.rs`: deferred ones; `shrink.rs`: smaller ones
//! - `schemas/`: random subgraphs; `compare.rs`: the verdict; `degraded.rs`: the verdict when a
//!   subgraph is out; `trial.rs`: one of these ways to try an operation

mod arguments;
mod compare;
mod contexts;
mod deferral;
mod degraded;
mod federation;
mod inputs;
mod missing;
mod monolith;
mod nature;
mod operations;
mod rng;
mod schemas;
mod shrink;
mod strict;
mod transport;
mod trial;
mod universe;

pub use compare::{Difference, Simulation, Verdict};
pub use deferral::deferred;
pub use nature::Nature;
pub use operations::{RandomOperation, random_operation};
pub use rng::Rng;
pub use schemas::{random_subgraphs, reduce};
pub use shrink::shrink;
pub use transport::Outage;
pub use trial::Trial;
