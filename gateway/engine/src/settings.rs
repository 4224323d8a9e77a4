//! What the embedding program may choose. The defaults are safe in production.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cost::CostSettings;

/// Settings of an [`Engine`](crate::Engine).
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Whether `__schema` and `__type` are answered. Off by default.
    pub introspection: bool,
    /// Whether the schema has `@defer` and `@stream`. On by default; they do something only in requests that say in which
    /// form they take several payloads.
    pub incremental: bool,
    /// Whether an operation that asks for anything its client may not have is refused whole. Off by default: such fields are
    /// null, each with an error, and the rest is answered.
    pub reject_unauthorized: bool,
    /// How many operations' plans one schema generation keeps; the least used ones leave first.
    pub plan_cache_entries: usize,
    /// How many of the most frequent operations are planned for another supergraph before it is served.
    pub warm_up_operations: usize,
    /// After this, the rest of them is left to the requests that ask for them.
    pub warm_up_time_max: Duration,
    /// Labels of progressive overrides (`@override(label:)`) that are on. `percent(n)` needs none: it is on for that share of
    /// the requests.
    pub override_labels: BTreeSet<String>,
    /// Bounds on client documents.
    pub limits: DocumentLimits,
    /// What operations may cost.
    pub cost: CostSettings,
    /// Bounds on what subgraphs answer.
    pub answers: kopitiam_executor::AnswerLimits,
}

/// Bounds on a client's document, all checked in time linear in its length.
#[derive(Debug, Clone)]
pub struct DocumentLimits {
    /// Bytes of the document.
    pub bytes_max: usize,
    /// Lexical tokens of the document.
    pub tokens_max: usize,
    /// Nesting of its grammar: selection sets, lists, input objects.
    pub recursion_max: usize,
    /// Fields and fragments after each fragment spread is replaced by the fragment.
    pub expanded_selections_max: u64,
    /// Levels of fields of an operation, with its fragments in place.
    pub depth_max: u64,
    /// Aliases of an operation, with its fragments in place.
    pub aliases_max: u64,
    /// Root fields of an operation, with its fragments in place.
    pub root_fields_max: u64,
    /// Directives of the document, as written.
    pub directives_max: usize,
    /// Operations of the document.
    pub operations_max: usize,
    /// Variables that one operation declares.
    pub variables_max: usize,
    /// Deferred fragments and streamed lists of an operation, with its fragments in place.
    pub deferred_max: usize,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            introspection: false,
            incremental: true,
            reject_unauthorized: false,
            plan_cache_entries: 1_000,
            warm_up_operations: 100,
            warm_up_time_max: Duration::from_secs(10),
            override_labels: BTreeSet::new(),
            limits: DocumentLimits::default(),
            cost: CostSettings::default(),
            answers: kopitiam_executor::AnswerLimits::default(),
        }
    }
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            bytes_max: 512 * 1024,
            tokens_max: 15_000,
            recursion_max: 200,
            expanded_selections_max: 10_000,
            depth_max: 20,
            aliases_max: 100,
            root_fields_max: 200,
            directives_max: 500,
            operations_max: 50,
            variables_max: 500,
            deferred_max: 64,
        }
    }
}
