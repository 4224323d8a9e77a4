//! `headers`: what travels to subgraphs.
//!
//! Elsewhere: what never travels, whatever this says (`subgraph_client/context.rs`).

use std::net::IpAddr;

use ::http::header::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::{ClientAddress, Options};

/// What travels to subgraphs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeadersConfig {
    /// Request headers forwarded beside the verified credential and the trace headers. Name no header by which a
    /// subgraph recognises a user unless something in front of the gateway sets it.
    pub forward: Vec<String>,
    /// The name of a header that tells subgraphs the client's address, such as `x-client-address`. Unset: they are not told.
    pub client_address: Option<String>,
    /// Proxies in front of the gateway, by address: the client is whom they name in `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpAddr>,
}

impl HeadersConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        options.forward_headers = header_names(&self.forward)?;
        options.client_address = self.client_address()?;
        Ok(())
    }

    fn client_address(&self) -> Result<Option<ClientAddress>, String> {
        let Some(name) = &self.client_address else { return Ok(None) };
        let header =
            name.parse().map_err(|_| format!("`headers.client_address`: `{name}` is not a header name"))?;
        Ok(Some(ClientAddress { header, trusted_proxies: self.trusted_proxies.clone() }))
    }
}

fn header_names(names: &[String]) -> Result<Vec<HeaderName>, String> {
    names
        .iter()
        .map(|name| name.parse().map_err(|_| format!("`headers.forward`: `{name}` is not a header name")))
        .collect()
}
