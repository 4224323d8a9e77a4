//! `supergraph`: the composed schema, and what of it is on.
//!
//! Elsewhere: following its file (`reload.rs`).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::options::Options;

/// Where the composed schema is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SupergraphConfig {
    /// File, relative to this one.
    pub file: Option<PathBuf>,
    /// How often to look whether the file has changed; `0s`: only at SIGHUP. What can be served replaces the schema.
    pub poll_interval: HumanDuration,
    /// Labels of progressive overrides (`@override(label:)`) that are on. `percent(n)` is on for that share of the requests.
    pub override_labels: BTreeSet<String>,
}

impl Default for SupergraphConfig {
    fn default() -> Self {
        Self {
            file: None,
            poll_interval: HumanDuration(Duration::from_secs(1)),
            override_labels: BTreeSet::new(),
        }
    }
}

impl SupergraphConfig {
    pub(super) fn apply(self, options: &mut Options) {
        options.engine.override_labels = self.override_labels;
    }
}
