//! What clients see of the errors that come from subgraphs.
//!
//! In: the operator's rules, and an error. Out: what of it is written.
//! Always: a code remains, whatever else is taken away.
//! Elsewhere: the errors themselves (`errors.rs`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use crate::errors::ErrorCode;

/// What clients see of subgraphs' errors. By default everything: what is safe, the embedding program knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorVisibility {
    /// For subgraphs without a rule of their own.
    pub all: ErrorRule,
    /// By the subgraph's name.
    pub by_subgraph: BTreeMap<String, ErrorRule>,
    /// What stands in place of a message that is not shown.
    pub hidden_message: String,
}

/// What clients see of the errors of one subgraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRule {
    /// Whether its own messages are shown. Those of the gateway about it are anyhow: they say nothing of its inside.
    pub messages: bool,
    /// Which members of its `extensions` are shown; `None`: all of them.
    pub extensions: Option<BTreeSet<String>>,
    /// Whether errors name the subgraph (`extensions.service`).
    pub subgraph_name: bool,
}

impl Default for ErrorRule {
    fn default() -> Self {
        Self { messages: true, extensions: None, subgraph_name: true }
    }
}

impl ErrorRule {
    /// Only the code, by which programs tell errors apart.
    pub fn hidden() -> Self {
        Self { messages: false, extensions: Some(["code".to_owned()].into()), subgraph_name: false }
    }
}

impl ErrorVisibility {
    /// As public endpoints have it: codes and no messages.
    pub fn hidden() -> Self {
        let hidden_message = "a part of the answer could not be had".to_owned();
        Self { all: ErrorRule::hidden(), by_subgraph: BTreeMap::new(), hidden_message }
    }

    fn of(&self, subgraph: &str) -> &ErrorRule {
        self.by_subgraph.get(subgraph).unwrap_or(&self.all)
    }

    /// The message of an error, of the subgraph's own making or of ours.
    pub(crate) fn message<'a>(&'a self, message: &'a str, subgraph: &str, is_own: bool) -> &'a str {
        if is_own && !self.of(subgraph).messages { &self.hidden_message } else { message }
    }

    /// The `extensions` of an error, `given` with a code: of the subgraph's own making or of ours.
    pub(crate) fn extensions(
        &self,
        given: &Map<String, Json>,
        subgraph: &str,
        is_own: bool,
    ) -> Map<String, Json> {
        let rule = self.of(subgraph);
        let mut shown = match &rule.extensions {
            Some(names) if is_own => {
                let named = given.iter().filter(|(name, _)| names.contains(*name));
                named.map(|(name, value)| (name.clone(), value.clone())).collect()
            }
            _ => given.clone(),
        };
        shown.entry("code").or_insert_with(|| ErrorCode::DownstreamServiceError.as_str().into());
        if rule.subgraph_name {
            shown.entry("service").or_insert_with(|| subgraph.into());
        }
        shown
    }
}
