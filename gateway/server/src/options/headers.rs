//! What subgraphs are told of a client.

use std::net::IpAddr;

use http::header::HeaderName;

/// How subgraphs are told where a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAddress {
    /// The header of subgraph requests. A client's header of this name never travels.
    pub header: HeaderName,
    /// Proxies in front of the gateway: what they append to `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
}
