//! Streams of GraphQL responses to clients.
//!
//! - `sse.rs`: server-sent events, the distinct connections mode
//!
//! Elsewhere: streams from subgraphs (`subgraph_client/`), planning of a subscription (`kopitiam-planner`).

pub(crate) mod sse;
