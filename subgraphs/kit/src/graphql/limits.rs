//! Refuses operations by their expanded size, counted without expanding.
//!
//! async-graphql's own limits walk the expanded tree before they refuse: 24 fragments that each spread the next one twice
//! keep it busy for many seconds. Here each fragment is visited once and its size remembered.
//! Also gives every error that has no code one, so that clients can rely on `extensions.code`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextRequest, NextValidation,
};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{
    ErrorExtensionValues, Name, Positioned, Response, ServerError, ServerResult, ValidationResult, Variables,
};

/// Most selections of one document, fragments expanded.
const EXPANDED_MAX: u64 = 10_000;
const ERRORS_MAX: usize = 10;

pub(super) struct ExpandedSize;

impl ExtensionFactory for ExpandedSize {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for ExpandedSize {
    async fn request(&self, context: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let mut response = next.run(context).await;
        response.errors.truncate(ERRORS_MAX);
        with_code(&mut response.errors, "GRAPHQL_VALIDATION_FAILED");
        response
    }

    async fn parse_query(
        &self,
        context: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(context, query, variables).await?;
        match expanded_size(&document) {
            Some(size) if size <= EXPANDED_MAX => Ok(document),
            _ => Err(ServerError::new(format!("operation selects more than {EXPANDED_MAX} fields"), None)),
        }
    }

    async fn validation(
        &self,
        context: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        next.run(context).await.map_err(|mut errors| {
            with_code(&mut errors, "GRAPHQL_VALIDATION_FAILED");
            errors
        })
    }

    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut response = next.run(context, operation_name).await;
        with_code(&mut response.errors, "BAD_USER_INPUT");
        response
    }
}

fn with_code(errors: &mut [ServerError], code: &str) {
    for error in errors {
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        if extensions.get("code").is_none() {
            extensions.set("code", code);
        }
    }
}

/// Selections of all operations with fragments expanded; `None` when fragments form a cycle.
fn expanded_size(document: &ExecutableDocument) -> Option<u64> {
    let mut sizes = HashMap::new();
    document.operations.iter().try_fold(0_u64, |total, (_, operation)| {
        let size = selection_size(&operation.node.selection_set.node, document, &mut sizes)?;
        Some(total.saturating_add(size))
    })
}

fn selection_size<'document>(
    selections: &'document SelectionSet,
    document: &'document ExecutableDocument,
    sizes: &mut HashMap<&'document Name, Option<u64>>,
) -> Option<u64> {
    let mut total = 0_u64;
    for Positioned { node, .. } in &selections.items {
        let size = match node {
            Selection::Field(field) => {
                selection_size(&field.node.selection_set.node, document, sizes)?.saturating_add(1)
            }
            Selection::InlineFragment(inline) => {
                selection_size(&inline.node.selection_set.node, document, sizes)?.saturating_add(1)
            }
            Selection::FragmentSpread(spread) => {
                fragment_size(&spread.node.fragment_name.node, document, sizes)?.saturating_add(1)
            }
        };
        total = total.saturating_add(size);
    }
    Some(total)
}

fn fragment_size<'document>(
    name: &'document Name,
    document: &'document ExecutableDocument,
    sizes: &mut HashMap<&'document Name, Option<u64>>,
) -> Option<u64> {
    if let Some(known) = sizes.get(name) {
        // `None` while the fragment is being counted: it contains itself.
        return *known;
    }
    let Some(fragment) = document.fragments.get(name) else { return Some(0) };
    sizes.insert(name, None);
    let size = selection_size(&fragment.node.selection_set.node, document, sizes)?;
    sizes.insert(name, Some(size));
    Some(size)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use async_graphql::parser::parse_query;

    use super::*;

    fn chain(fragments: usize) -> String {
        let mut query = "{ ...F0 }".to_owned();
        for level in 0..fragments {
            let next = level + 1;
            write!(query, " fragment F{level} on Query {{ ...F{next} ...F{next} }}").unwrap();
        }
        write!(query, " fragment F{fragments} on Query {{ __typename }}").unwrap();
        query
    }

    #[test]
    fn doubling_fragments_are_counted_expanded() {
        let size = expanded_size(&parse_query(chain(24)).unwrap()).unwrap();
        assert!(size > 1 << 24, "{size}");
        assert_eq!(
            expanded_size(&parse_query("{ a { b c } ...F } fragment F on Query { d }").unwrap()),
            Some(5)
        );
    }

    #[test]
    fn sixty_levels_do_not_overflow() {
        assert!(expanded_size(&parse_query(chain(60)).unwrap()).unwrap() > 1 << 60);
        assert_eq!(expanded_size(&parse_query(chain(70)).unwrap()), Some(u64::MAX));
    }

    #[test]
    fn a_fragment_within_itself_has_no_size() {
        let document =
            parse_query("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }").unwrap();
        assert_eq!(expanded_size(&document), None);
    }
}
