//! The gateway as its clients see it: real HTTP on loopback, real subgraphs.
//!
//! One binary, so that it is linked once.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are outside test functions, where clippy allows it"
)]

mod attacks;
mod authorization;
mod caching;
mod caching_compared;
mod caps;
mod clients;
mod command_line;
mod common;
mod connections;
mod documents;
mod errors;
mod faults;
mod graphql_over_http;
mod headers;
mod incremental;
mod kafka;
mod limits;
mod listening;
mod manual;
mod plugins;
mod process;
mod readme;
mod reference;
mod refusals;
mod reliability;
mod reload;
mod serving;
mod shared_cache;
mod sharing;
mod sources;
mod stream_reloads;
mod streams;
mod telemetry;
mod tokens;
mod tools;
mod uploads;
mod websocket;
