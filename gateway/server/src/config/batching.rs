//! `batching`: several operations in one request.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::Options;

/// Several operations in one request, as an array.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchingConfig {
    /// Whether batches are accepted.
    pub enabled: bool,
    /// Operations of one batch. Each counts as one operation in every limit.
    pub operations_max: usize,
}

impl Default for BatchingConfig {
    fn default() -> Self {
        Self { enabled: false, operations_max: 10 }
    }
}

impl BatchingConfig {
    pub(super) fn apply(self, options: &mut Options) {
        options.http.batch_operations_max = self.enabled.then_some(self.operations_max);
    }
}
