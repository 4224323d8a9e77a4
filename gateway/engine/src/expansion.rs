//! Bounds what a document comes to when its fragments are put in place, before anything walks it that way.
//!
//! A document of 900 bytes can stand for 2^24 fields: fragments that each spread the next one twice. Here each fragment is
//! counted once, and its count is multiplied by its uses, so the refusal costs no more than reading the document.
//! Elsewhere: what else makes a document invalid (apollo-compiler), bounds on its text (`prepare.rs`).

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, Document, FragmentDefinition, Selection};

use crate::settings::DocumentLimits;

/// A document that is too large when expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expansion {
    TooWide,
    TooDeep,
}

/// Checks every operation of the document. A cycle of fragments counts as nothing: validation refuses it.
pub(crate) fn check(document: &Document, limits: &DocumentLimits) -> Result<(), Expansion> {
    let fragments = document.definitions.iter().filter_map(|definition| match definition {
        Definition::FragmentDefinition(fragment) => Some((fragment.name.as_str(), &**fragment)),
        _ => None,
    });
    let mut counter = Counter {
        fragments: fragments.collect(),
        counts: HashMap::default(),
        depth_left: limits.recursion_max,
    };
    for definition in &document.definitions {
        let selections = match definition {
            Definition::OperationDefinition(operation) => &operation.selection_set,
            Definition::FragmentDefinition(fragment) => &fragment.selection_set,
            _ => continue,
        };
        if counter.selections(selections)? > limits.expanded_selections_max {
            return Err(Expansion::TooWide);
        }
    }
    Ok(())
}

struct Counter<'a> {
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    /// Finished counts; `None` for a fragment that is being counted.
    counts: HashMap<&'a str, Option<u64>>,
    depth_left: usize,
}

impl<'a> Counter<'a> {
    fn selections(&mut self, selections: &'a [Selection]) -> Result<u64, Expansion> {
        self.depth_left = self.depth_left.checked_sub(1).ok_or(Expansion::TooDeep)?;
        let mut count: u64 = 0;
        for selection in selections {
            let below = match selection {
                Selection::Field(field) => self.selections(&field.selection_set)?,
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name)?,
            };
            count = count.saturating_add(below).saturating_add(1);
        }
        self.depth_left += 1;
        Ok(count)
    }

    fn fragment(&mut self, name: &str) -> Result<u64, Expansion> {
        let Some((&name, &fragment)) = self.fragments.get_key_value(name) else { return Ok(0) };
        if let Some(count) = self.counts.get(name) {
            return Ok(count.unwrap_or(0));
        }
        self.counts.insert(name, None);
        let count = self.selections(&fragment.selection_set)?;
        self.counts.insert(name, Some(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn checked(document: &str) -> Result<(), Expansion> {
        let document = Document::parse(document, "query.graphql").unwrap();
        check(&document, &DocumentLimits::default())
    }

    #[test]
    fn a_chain_of_doubling_fragments_is_refused_by_count() {
        let mut bomb = "{ ...F0 }".to_owned();
        for index in 0..24 {
            write!(bomb, " fragment F{index} on Query {{ ...F{} ...F{} }}", index + 1, index + 1).unwrap();
        }
        bomb.push_str(" fragment F24 on Query { a }");
        assert_eq!(checked(&bomb), Err(Expansion::TooWide));
    }

    #[test]
    fn a_cycle_ends_and_a_long_chain_is_too_deep() {
        assert_eq!(checked("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A a }"), Ok(()));
        let mut chain = "{ ...F0 }".to_owned();
        for index in 0..3_000 {
            write!(chain, " fragment F{index} on Query {{ ...F{} }}", index + 1).unwrap();
        }
        assert_eq!(checked(&chain), Err(Expansion::TooDeep));
    }

    #[test]
    fn fragments_used_often_but_small_are_welcome() {
        let uses: Vec<_> = (0..100).map(|index| format!("a{index}: a {{ ...F }}")).collect();
        let uses = uses.join(" ");
        assert_eq!(checked(&format!("{{ {uses} }} fragment F on A {{ b c d }}")), Ok(()));
    }
}
