//! Answers `__schema` and `__type` from the API schema (GraphQL specification, section 4 "Introspection").
//!
//! In: a prepared operation that asks them. Out: JSON for each such root field.
//! Elsewhere: refusing them when they are switched off (`prepare.rs`), root `__typename` (the plan's shape).

use apollo_compiler::introspection::partial_execute;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use kopitiam_operation::variables::CoercedVariable;

use crate::generation::Generation;
use crate::prepare::Operation;

/// Response keys and JSON of the operation's introspection fields.
pub(crate) fn answer(
    generation: &Generation,
    operation: &Operation,
    variables: &[CoercedVariable],
) -> Vec<(Box<str>, Box<str>)> {
    if !operation.has_introspection {
        return Vec::new();
    }
    let executed = partial_execute(
        generation.api_schema(),
        generation.implementers(),
        &operation.document,
        operation.definition(),
        &Valid::assume_valid(json_map(variables)),
    );
    // Only a coercion that went wrong ends here, and coercion came first: the fields are then null.
    let data = executed.ok().and_then(|response| response.data).unwrap_or_default();
    data.into_iter()
        .filter_map(|(key, value)| Some((key.as_str().into(), serde_json::to_string(&value).ok()?.into())))
        .collect()
}

fn json_map(variables: &[CoercedVariable]) -> JsonMap {
    variables
        .iter()
        .filter_map(|variable| Some((&*variable.name, serde_json::from_str(&variable.json).ok()?)))
        .map(|(name, value): (&str, apollo_compiler::response::JsonValue)| (name.into(), value))
        .collect()
}
