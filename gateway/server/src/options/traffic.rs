//! What requests in flight share.

/// What equal queries share while one of them is in flight. Mutations and subscriptions never share anything, nor do
/// requests that differ in a credential or in a forwarded header, nor queries between which a mutation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficSettings {
    /// Equal client queries are executed once.
    pub share_client_queries: bool,
    /// Equal subgraph queries are sent once.
    pub share_subgraph_queries: bool,
    /// Queries in flight that may be shared, on each of the two levels; those beyond it go alone.
    pub shared_in_flight_max: usize,
}

impl Default for TrafficSettings {
    fn default() -> Self {
        Self { share_client_queries: false, share_subgraph_queries: true, shared_in_flight_max: 10_000 }
    }
}
