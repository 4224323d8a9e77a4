//! The gateway over HTTP: a library for programs that mount it, and the commands of the binary `gateway`.
//!
//! In: a supergraph, places of subgraphs, settings. Out: a listening server.
//! Always: safe without settings: introspection and GraphiQL off, bounds on, cross-site requests refused, no client
//! header forwarded that is not on a list.
//!
//! - `options.rs`, `server.rs`: [`Options`] in, [`Server`] out
//! - `http/`: requests and answers
//! - `streams/`: subscriptions to clients
//! - `subgraph_client/`: [`Transport`], the way to the subgraphs, over HTTP or in process
//! - `auth/`: access tokens
//! - `config/`: the settings as YAML
//! - `telemetry/`: log lines
//! - `commands/`: the command line
//!
//! Elsewhere: everything that is GraphQL (`kopitiam-engine`), composition (`kopitiam-composition`).

mod auth;
pub mod commands;
pub mod config;
mod http;
mod options;
mod server;
mod streams;
mod subgraph_client;
pub mod telemetry;

pub use auth::{JwtAlgorithm, JwtIssuer, KeyError, KeySource};
pub use options::{HttpSettings, Options};
pub use server::{Server, ServerError, serve};
pub use subgraph_client::fetch::FetchError;
pub use subgraph_client::{InvalidSubgraphUrl, RequestContext, SubgraphLimits, Transport};
