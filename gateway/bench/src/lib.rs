//! The gateway benchmark: four subgraphs, one nested query, and what measures a gateway that serves it.
//!
//! In: programs to compare. Out: gateway CPU per request, throughput, latency, memory, subgraph requests.
//! Always: every answer is checked; nothing in here asserts a time. The shape (four subgraphs, the query, the volume of
//! the answer) is that of the public graphql-gateways-benchmark, so that figures of other gateways mean the same.
//!
//! - `subgraphs/`: accounts, inventory, products, reviews; their data and SDL
//! - `operation.graphql`, [`operation`]: the query, and what its answer must be
//! - `load.rs`: closed-loop HTTP clients; `process.rs`: CPU and memory of a process tree
//! - `contender.rs`: starting a gateway; `report.rs`: tables and JSON
//! - `bin/subgraphs.rs`, `bin/gateways.rs`: the programs of `make bench`
//!
//! Elsewhere: benchmarks of parts (`benches/` of each crate).

pub mod contender;
pub mod load;
pub mod operation;
pub mod process;
pub mod report;
pub mod subgraphs;
