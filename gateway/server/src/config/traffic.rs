//! `traffic`: what equal queries share.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::{Options, TrafficSettings};

/// What equal queries share while one of them is in flight. Mutations and subscriptions never share anything, nor do
/// requests that differ in a credential or in a forwarded header, nor queries between which a mutation ended.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrafficConfig {
    /// Equal client queries (document, operation, variables, credential, forwarded headers) are executed once, and all
    /// get that answer. Off by default: subgraphs then see one request id and one trace for several clients.
    pub share_client_queries: bool,
    /// Equal subgraph queries (subgraph, body, credential, forwarded headers) are sent once.
    pub share_subgraph_queries: bool,
    /// Queries in flight that may be shared, on each of the two levels; those beyond it go alone.
    pub shared_in_flight_max: usize,
}

impl Default for TrafficConfig {
    fn default() -> Self {
        let TrafficSettings { share_client_queries, share_subgraph_queries, shared_in_flight_max } =
            TrafficSettings::default();
        Self { share_client_queries, share_subgraph_queries, shared_in_flight_max }
    }
}

impl TrafficConfig {
    pub(super) fn apply(self, options: &mut Options) {
        options.traffic = TrafficSettings {
            share_client_queries: self.share_client_queries,
            share_subgraph_queries: self.share_subgraph_queries,
            shared_in_flight_max: self.shared_in_flight_max,
        };
    }
}
