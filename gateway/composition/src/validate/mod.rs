//! Federation's rules about one subgraph alone.
//!
//! In: the schemas as read. Out: the same schemas with field sets parsed and facts about fields filled in, and errors.
//! Modules: [`facts`] (what directives say about fields), [`field_sets`] (`@key`, `@requires`, `@provides`),
//! [`usage`] (where directives may stand), [`context`] (`@context`, `@fromContext`), [`cost`] (`@cost`, `@listSize`),
//! [`defaults`] (default values).
//! Elsewhere: rules that need several subgraphs (`merge`).

mod context;
mod cost;
mod defaults;
mod facts;
mod field_sets;
mod usage;

use crate::diagnostic::Diagnostic;
use crate::ingest::Problems;
use crate::model::SubgraphSchema;

/// Completes and checks one subgraph.
pub(crate) fn subgraph(schema: &mut SubgraphSchema) -> Vec<Diagnostic> {
    let name = schema.name.clone();
    let mut problems = Problems::new(&name);
    facts::mark_declared(schema);
    field_sets::keys(schema, &mut problems);
    facts::mark_keys(schema);
    field_sets::provides(schema, &mut problems);
    field_sets::requires(schema, &mut problems);
    facts::mark_uses(schema);
    context::resolve(schema, &mut problems);
    usage::check(schema, &mut problems);
    cost::check(schema, &mut problems);
    defaults::check(schema, &mut problems);
    problems.into_found()
}
