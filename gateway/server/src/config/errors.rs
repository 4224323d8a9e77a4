//! `errors`: what clients see of errors that come from subgraphs.

use std::collections::BTreeMap;
use std::sync::Arc;

use kopitiam_engine::{ErrorRule, ErrorVisibility};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::{ErrorIds, Options};

/// What clients see of errors that come from subgraphs. Every error has a code whatever is said here.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorsConfig {
    /// For subgraphs without a rule of their own. With `dev` everything is shown unless this says otherwise.
    pub all: Option<ErrorRuleConfig>,
    /// By the subgraph's name.
    pub by_subgraph: BTreeMap<String, ErrorRuleConfig>,
    /// What stands in place of a subgraph's message that is not shown.
    pub hidden_message: String,
    /// Which errors have `extensions.requestId` and `extensions.traceId`, by which log lines and traces are found.
    pub ids: ErrorIds,
}

/// What clients see of the errors of one subgraph.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorRuleConfig {
    /// Whether its messages are shown.
    pub messages: bool,
    /// Which members of its `extensions` are shown; `*` for all. Where its own code is not, a common one stands.
    pub extensions: Vec<String>,
    /// Whether errors name the subgraph, as `extensions.service`.
    pub subgraph_name: bool,
}

impl Default for ErrorsConfig {
    fn default() -> Self {
        let hidden_message = ErrorVisibility::hidden().hidden_message;
        Self { all: None, by_subgraph: BTreeMap::new(), hidden_message, ids: ErrorIds::default() }
    }
}

impl Default for ErrorRuleConfig {
    fn default() -> Self {
        Self { messages: false, extensions: vec!["code".to_owned()], subgraph_name: false }
    }
}

impl ErrorsConfig {
    pub(super) fn apply(self, dev: bool, options: &mut Options) {
        let otherwise = if dev { ErrorRule::default() } else { ErrorRule::hidden() };
        let by_subgraph = self.by_subgraph.into_iter();
        let visibility = ErrorVisibility {
            all: self.all.map_or(otherwise, ErrorRuleConfig::rule),
            by_subgraph: by_subgraph.map(|(name, rule)| (name, rule.rule())).collect(),
            hidden_message: self.hidden_message,
        };
        options.engine.answers.errors = Arc::new(visibility);
        options.error_ids = self.ids;
    }
}

impl ErrorRuleConfig {
    fn rule(self) -> ErrorRule {
        let is_all = self.extensions.iter().any(|name| name == "*");
        ErrorRule {
            messages: self.messages,
            extensions: (!is_all).then(|| self.extensions.into_iter().collect()),
            subgraph_name: self.subgraph_name,
        }
    }
}
