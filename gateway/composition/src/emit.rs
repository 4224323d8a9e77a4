//! Writes the merged schema as a supergraph document: join v0.5, the form Apollo's composer gives it.
//!
//! # Source
//! <https://specs.apollo.dev/join/v0.5> and <https://specs.apollo.dev/link/v1.0>.

mod join;
mod text;

use std::fmt::Write as _;

use crate::merge::Merged;
use crate::model::{Kind, SubgraphSchema};

/// The supergraph document. Types and directives come in alphabetical order, so that equal input gives equal text.
pub(crate) fn supergraph(merged: &Merged, schemas: &[SubgraphSchema]) -> String {
    let graphs = join::graph_names(schemas);
    let mut blocks: Vec<String> = vec![schema_block(merged)];
    blocks.extend(directive_blocks(merged));
    let mut types: Vec<(String, String)> = join::support_types(merged, schemas, &graphs);
    for ty in merged.types.values() {
        types.push((ty.name.to_string(), text::type_block(ty, &graphs)));
    }
    types.sort_by(|(left, _), (right, _)| (left.to_lowercase(), left).cmp(&(right.to_lowercase(), right)));
    blocks.extend(types.into_iter().map(|(_, block)| block));
    let mut document = blocks.join("\n\n");
    document.push('\n');
    document
}

fn schema_block(merged: &Merged) -> String {
    let mut block = String::new();
    text::write_description(&mut block, merged.schema_description.as_ref(), "");
    block.push_str(
        "schema\n  @link(url: \"https://specs.apollo.dev/link/v1.0\")\n  \
         @link(url: \"https://specs.apollo.dev/join/v0.5\", for: EXECUTION)\n",
    );
    for link in &merged.links {
        writeln!(block, "  {link}").expect("writing to a string does not fail");
    }
    for directive in &merged.schema_directives {
        writeln!(block, "  {}", text::directive(directive)).expect("writing to a string does not fail");
    }
    block.push_str("{\n");
    for (operation, name) in [("query", "Query"), ("mutation", "Mutation"), ("subscription", "Subscription")]
    {
        if merged.types.get(name).is_some_and(|ty| ty.kind == Kind::Object) {
            writeln!(block, "  {operation}: {name}").expect("writing to a string does not fail");
        }
    }
    block.push('}');
    block
}

fn directive_blocks(merged: &Merged) -> Vec<String> {
    let mut definitions: Vec<(String, String)> =
        join::DIRECTIVES.iter().map(|(name, rest)| ((*name).to_owned(), (*rest).to_owned())).collect();
    definitions.extend(merged.definitions.iter().map(|(name, rest)| (name.clone(), rest.clone())));
    definitions.sort_unstable();
    definitions
        .into_iter()
        .map(|(name, rest)| {
            let space = if rest.starts_with('(') || rest.starts_with(' ') { "" } else { " " };
            format!("directive @{name}{space}{rest}")
        })
        .collect()
}
