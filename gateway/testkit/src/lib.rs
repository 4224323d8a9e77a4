//! What the gateway's tests share: subgraphs in memory, a gateway over them, and plans with their proof.
//!
//! In: subgraph SDLs and their data as JSON. Out: client responses, and what each subgraph was asked.
//! Always: a subgraph validates every document it is sent against its own schema, as a real one does.
//!
//! - `subgraph.rs`: one subgraph: SDL and JSON in, GraphQL answers out
//! - `data.rs`: how JSON stands for objects, arguments, errors and entities
//! - `gateway.rs`: [`TestGateway`]: compose, plan, execute
//! - `incremental.rs`: [`merge_payloads`]: a response in several payloads as one
//! - `plans.rs`: [`plan_checked`]: a plan of an operation
//! - `simulation/`: [`simulation::Simulation`]: any supergraph over made-up data, strict subgraphs, compared with an oracle
//! - `oracle.rs`: [`Oracle`]: what an operation must give; `random.rs`: [`Operations`] to try
//! - `generate.rs`: [`generated`]: subgraphs of any number of types, for measuring
//!
//! A dev-dependency only: nothing here is part of the gateway.

mod data;
mod gateway;
mod generate;
mod incremental;
mod oracle;
mod plans;
mod random;
pub mod simulation;
mod subgraph;

pub use gateway::{InMemory, TestGateway};
pub use generate::generated;
pub use incremental::merge_payloads;
pub use oracle::Oracle;
pub use plans::{checked, checked_without, compose, plan_checked};
pub use random::{Operations, VARIABLES};
pub use subgraph::TestSubgraph;
