//! `subgraphs`: how each of them is reached.
//!
//! Elsewhere: reaching them (`subgraph_client/`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::options::Options;
use crate::subgraph_client::{SubgraphLimits, Transport};

/// How subgraphs are reached.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubgraphsConfig {
    /// Applies to every subgraph that says nothing else.
    pub all: SubgraphConfig,
    /// By the subgraph's name.
    pub by_name: BTreeMap<String, SubgraphConfig>,
}

/// How one subgraph is reached.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubgraphConfig {
    /// Replaces the URL of the supergraph. Has no meaning under `all`.
    pub url: Option<String>,
    /// From sending a request to the last byte of its answer; for a subscription, to the first. Default: 30s.
    pub timeout: Option<HumanDuration>,
    /// The largest answer, in bytes. Default: 32 MiB.
    pub response_bytes_max: Option<usize>,
}

impl SubgraphsConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        options.engine.answers.bytes_max = u32::try_from(self.answer_bytes_max()).unwrap_or(u32::MAX);
        options.transport = self.transport()?;
        Ok(())
    }

    fn transport(&self) -> Result<Transport, String> {
        if self.all.url.is_some() {
            return Err("`subgraphs.all.url`: all subgraphs cannot share one URL".to_owned());
        }
        let default = self.all.limits(SubgraphLimits::default());
        let mut transport = Transport::new().with_default_limits(default);
        for (name, subgraph) in &self.by_name {
            transport = transport.with_limits(name, subgraph.limits(default));
            if let Some(url) = &subgraph.url {
                transport = transport.with_http(name, url).map_err(|error| error.to_string())?;
            }
        }
        Ok(transport)
    }

    /// The largest answer that any subgraph may give; each one's own limit is the transport's affair.
    fn answer_bytes_max(&self) -> usize {
        let own = self.by_name.values().chain([&self.all]).filter_map(|subgraph| subgraph.response_bytes_max);
        own.max().unwrap_or(0).max(SubgraphLimits::default().response_bytes_max)
    }
}

impl SubgraphConfig {
    fn limits(&self, default: SubgraphLimits) -> SubgraphLimits {
        SubgraphLimits {
            timeout: self.timeout.map_or(default.timeout, |timeout| timeout.0),
            response_bytes_max: self.response_bytes_max.unwrap_or(default.response_bytes_max),
        }
    }
}
