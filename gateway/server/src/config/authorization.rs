//! `authorization`: what becomes of fields that the schema keeps for some clients.
//!
//! Elsewhere: who a client is (`jwt.rs`), what the schema keeps (`kopitiam_engine`).

use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::Options;

/// What becomes of fields that the schema keeps for some clients (`@authenticated`, `@requiresScopes`, `@policy`).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthorizationConfig {
    /// Whether an operation that asks for one its client may not have is refused whole. Default: false, such fields are null,
    /// each with an error (`UNAUTHORIZED_FIELD_OR_TYPE`), no subgraph is asked for them, and the rest is answered.
    pub reject_unauthorized: bool,
}

impl AuthorizationConfig {
    pub(super) fn apply(&self, options: &mut Options) {
        options.engine.reject_unauthorized = self.reject_unauthorized;
    }
}
