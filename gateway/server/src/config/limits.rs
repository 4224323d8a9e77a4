//! `limits`: bounds on operations and answers.

use kopitiam_engine::{AnswerLimits, CostSettings, DocumentLimits, EngineSettings};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::{COST_MAX, Options};

/// Bounds on operations, all checked before anything is fetched.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes of a document.
    pub document_bytes_max: usize,
    /// Tokens of a document.
    pub document_tokens_max: usize,
    /// Nesting of a document: selection sets, lists, input objects.
    pub document_recursion_max: usize,
    /// Fields of a document after each fragment spread is replaced by the fragment.
    pub expanded_selections_max: u64,
    /// Levels of fields of an operation, with its fragments in place.
    pub depth_max: u64,
    /// Aliases of an operation, with its fragments in place.
    pub aliases_max: u64,
    /// Root fields of an operation, with its fragments in place.
    pub root_fields_max: u64,
    /// Directives of a document, as written.
    pub directives_max: usize,
    /// Operations of a document.
    pub operations_max: usize,
    /// Variables that one operation declares.
    pub variables_max: usize,
    /// Fragments with `@defer` and lists with `@stream` of an operation, with its fragments in place.
    pub deferred_max: usize,
    /// What an operation may cost (see `cost`); `null`: no bound.
    pub cost_max: Option<u64>,
    /// How costs are estimated.
    pub cost: CostConfig,
    /// Nesting of a subgraph's answer.
    pub answer_depth_max: u32,
    /// Errors in one response; when there are more, a last one says so.
    pub errors_max: usize,
    /// How many operations' plans are kept.
    pub plan_cache_entries: usize,
}

/// How costs are estimated: an object costs 1, a leaf nothing, a root field of a mutation 10, unless the schema says
/// otherwise by `@cost`; what is in a list as often as the list is expected to be long; each entity fetched by key and
/// each subgraph request 1 more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CostConfig {
    /// The length of a list of which neither `@listSize` nor an argument says anything.
    pub list_size: u64,
    /// Integer arguments that say how long a list is, or the `edges` and `nodes` of a connection, where `@listSize` says
    /// nothing.
    pub paging_arguments: Vec<String>,
}

impl Default for CostConfig {
    fn default() -> Self {
        let CostSettings { list_size, paging_arguments, .. } = CostSettings::default();
        Self { list_size, paging_arguments }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let engine = EngineSettings::default();
        Self {
            document_bytes_max: engine.limits.bytes_max,
            document_tokens_max: engine.limits.tokens_max,
            document_recursion_max: engine.limits.recursion_max,
            expanded_selections_max: engine.limits.expanded_selections_max,
            depth_max: engine.limits.depth_max,
            aliases_max: engine.limits.aliases_max,
            root_fields_max: engine.limits.root_fields_max,
            directives_max: engine.limits.directives_max,
            operations_max: engine.limits.operations_max,
            variables_max: engine.limits.variables_max,
            deferred_max: engine.limits.deferred_max,
            cost_max: Some(COST_MAX),
            cost: CostConfig::default(),
            answer_depth_max: engine.answers.depth_max,
            errors_max: engine.answers.errors_max,
            plan_cache_entries: engine.plan_cache_entries,
        }
    }
}

impl LimitsConfig {
    pub(super) fn apply(self, options: &mut Options) {
        let engine = &mut options.engine;
        engine.plan_cache_entries = self.plan_cache_entries;
        engine.cost = CostSettings {
            operation_max: self.cost_max,
            list_size: self.cost.list_size,
            paging_arguments: self.cost.paging_arguments,
        };
        engine.limits = DocumentLimits {
            bytes_max: self.document_bytes_max,
            tokens_max: self.document_tokens_max,
            recursion_max: self.document_recursion_max,
            expanded_selections_max: self.expanded_selections_max,
            depth_max: self.depth_max,
            aliases_max: self.aliases_max,
            root_fields_max: self.root_fields_max,
            directives_max: self.directives_max,
            operations_max: self.operations_max,
            variables_max: self.variables_max,
            deferred_max: self.deferred_max,
        };
        // How long an answer may be is said with the subgraphs.
        let (bytes_max, errors) = (engine.answers.bytes_max, std::mem::take(&mut engine.answers.errors));
        engine.answers = AnswerLimits {
            bytes_max,
            depth_max: self.answer_depth_max,
            errors_max: self.errors_max,
            errors,
            ..AnswerLimits::default()
        };
    }
}
