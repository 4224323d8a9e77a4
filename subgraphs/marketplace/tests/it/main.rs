//! The integration tests of the whole marketplace in one program: `support` runs the real binary, `world` the services
//! inside this process, `simulated` plays them.

#![allow(clippy::unwrap_used, reason = "in a test it is a claim that fails the test")]

mod architecture;
mod auctions;
mod audit;
mod compose;
mod crowd;
mod degraded;
mod duplicates;
mod exchanges;
mod faults;
mod kills;
mod limits;
mod module;
mod postgres;
mod requirements;
mod retries;
mod routing;
mod sagas;
mod simulated;
mod simulation;
mod sql_counts;
mod sql_entities;
mod sql_mutations;
mod steps;
mod stories;
mod streams;
mod support;
mod system;
mod world;
