//! Bounds what a document holds, and what it comes to when its fragments are put in place, before anything walks it that way.
//!
//! A document of 900 bytes can stand for 2^24 fields: fragments that each spread the next one twice. Here each fragment is
//! measured once, and its measure is multiplied by its uses, so the refusal costs no more than reading the document.
//! Elsewhere: what else makes a document invalid (apollo-compiler), bounds on its text (`prepare.rs`).

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, DirectiveList, Document, FragmentDefinition, Selection};

use crate::ErrorCode;
use crate::settings::DocumentLimits;

/// A document beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Excess {
    #[error("The operation selects too many fields once its fragments are in place: at most {0}.")]
    Selections(u64),
    #[error("The document nests too deeply once its fragments are in place: at most {0} levels.")]
    Nesting(usize),
    #[error("The operation nests fields too deeply once its fragments are in place: at most {0} levels.")]
    Depth(u64),
    #[error("The operation has too many aliases once its fragments are in place: at most {0}.")]
    Aliases(u64),
    #[error("The operation has too many root fields once its fragments are in place: at most {0}.")]
    RootFields(u64),
    #[error("The document has too many directives: at most {0}.")]
    Directives(usize),
    #[error("The document has too many operations: at most {0}.")]
    Operations(usize),
    #[error("The operation declares too many variables: at most {0}.")]
    Variables(usize),
}

impl Excess {
    /// The code for the client.
    pub(crate) const fn code(self) -> ErrorCode {
        match self {
            Self::Selections(_) => ErrorCode::OperationTooComplex,
            Self::Nesting(_) | Self::Depth(_) => ErrorCode::OperationTooDeep,
            Self::Aliases(_) => ErrorCode::TooManyAliases,
            Self::RootFields(_) => ErrorCode::TooManyRootFields,
            Self::Directives(_) => ErrorCode::TooManyDirectives,
            Self::Operations(_) => ErrorCode::TooManyOperations,
            Self::Variables(_) => ErrorCode::TooManyVariables,
        }
    }
}

/// Checks every operation and every fragment of the document; of fragments with one name, which validation refuses, the
/// first. A cycle of fragments counts as nothing: validation
/// refuses it.
pub(crate) fn check(document: &Document, limits: &DocumentLimits) -> Result<(), Excess> {
    let mut fragments: HashMap<&str, &FragmentDefinition> = HashMap::default();
    for definition in &document.definitions {
        if let Definition::FragmentDefinition(fragment) = definition {
            fragments.entry(&fragment.name).or_insert(fragment);
        }
    }
    let mut meter = Meter {
        fragments,
        measures: HashMap::default(),
        directives: 0,
        levels_left: limits.recursion_max,
        limits,
    };
    let mut operations: usize = 0;
    for definition in &document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => {
                operations += 1;
                within(operations, limits.operations_max, Excess::Operations)?;
                within(operation.variables.len(), limits.variables_max, Excess::Variables)?;
                meter.directives(&operation.directives)?;
                for variable in &operation.variables {
                    meter.directives(&variable.directives)?;
                }
                let measure = meter.selections(&operation.selection_set)?;
                within(measure.fields_here, limits.root_fields_max, Excess::RootFields)?;
                measure.check(limits)?;
            }
            Definition::FragmentDefinition(fragment) => meter.definition(fragment)?.check(limits)?,
            _ => {}
        }
    }
    Ok(())
}

fn within<N: PartialOrd + Copy>(count: N, max: N, excess: impl FnOnce(N) -> Excess) -> Result<(), Excess> {
    if count > max { Err(excess(max)) } else { Ok(()) }
}

/// What a selection set comes to with its fragments in place.
#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    /// Fields and fragments, at all levels.
    selections: u64,
    /// Aliased fields, at all levels.
    aliases: u64,
    /// Fields of the set itself, not of those below.
    fields_here: u64,
    /// Levels of fields.
    depth: u64,
    /// Levels of selection sets, those of fragments too.
    nesting: u64,
}

impl Measure {
    fn check(&self, limits: &DocumentLimits) -> Result<(), Excess> {
        let levels_max = u64::try_from(limits.recursion_max).unwrap_or(u64::MAX);
        within(self.nesting, levels_max, |_| Excess::Nesting(limits.recursion_max))?;
        within(self.depth, limits.depth_max, Excess::Depth)?;
        within(self.aliases, limits.aliases_max, Excess::Aliases)?;
        within(self.selections, limits.expanded_selections_max, Excess::Selections)
    }
}

struct Meter<'a> {
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    /// Finished measures; `None` for a fragment that is being measured.
    measures: HashMap<&'a str, Option<Measure>>,
    /// Directives so far, as written: each fragment's once.
    directives: usize,
    /// How much deeper this may recurse: the stack is finite.
    levels_left: usize,
    limits: &'a DocumentLimits,
}

impl<'a> Meter<'a> {
    fn directives(&mut self, directives: &DirectiveList) -> Result<(), Excess> {
        self.directives += directives.len();
        within(self.directives, self.limits.directives_max, Excess::Directives)
    }

    fn selections(&mut self, selections: &'a [Selection]) -> Result<Measure, Excess> {
        let excess = Excess::Nesting(self.limits.recursion_max);
        self.levels_left = self.levels_left.checked_sub(1).ok_or(excess)?;
        let mut total = Measure::default();
        for selection in selections {
            self.directives(match selection {
                Selection::Field(field) => &field.directives,
                Selection::InlineFragment(fragment) => &fragment.directives,
                Selection::FragmentSpread(spread) => &spread.directives,
            })?;
            let (below, is_field) = match selection {
                Selection::Field(field) => {
                    total.aliases = total.aliases.saturating_add(u64::from(field.alias.is_some()));
                    (self.selections(&field.selection_set)?, true)
                }
                Selection::InlineFragment(fragment) => (self.selections(&fragment.selection_set)?, false),
                Selection::FragmentSpread(spread) => (self.fragment(&spread.fragment_name)?, false),
            };
            let fields_here = if is_field { 1 } else { below.fields_here };
            total.fields_here = total.fields_here.saturating_add(fields_here);
            total.selections = total.selections.saturating_add(below.selections).saturating_add(1);
            total.aliases = total.aliases.saturating_add(below.aliases);
            total.depth = total.depth.max(below.depth + u64::from(is_field));
            total.nesting = total.nesting.max(below.nesting + 1);
        }
        self.levels_left += 1;
        Ok(total)
    }

    fn fragment(&mut self, name: &str) -> Result<Measure, Excess> {
        let fragment = self.fragments.get(name).copied();
        fragment.map_or_else(|| Ok(Measure::default()), |fragment| self.definition(fragment))
    }

    fn definition(&mut self, fragment: &'a FragmentDefinition) -> Result<Measure, Excess> {
        let name = fragment.name.as_str();
        if let Some(measure) = self.measures.get(name) {
            return Ok(measure.unwrap_or_default());
        }
        self.measures.insert(name, None);
        self.directives(&fragment.directives)?;
        let measure = self.selections(&fragment.selection_set)?;
        self.measures.insert(name, Some(measure));
        Ok(measure)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// A document with a number of something.
    type Documents<'a> = &'a dyn Fn(u64) -> String;

    fn checked(document: &str) -> Result<(), Excess> {
        let limits = DocumentLimits::default();
        let mut parser = apollo_compiler::parser::Parser::new().recursion_limit(limits.recursion_max);
        check(&parser.parse_ast(document, "query.graphql").unwrap(), &limits)
    }

    /// `prefix0 prefix1 …`, one for each number below `count`.
    fn repeated(count: u64, each: impl Fn(u64) -> String) -> String {
        (0..count).map(each).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_chain_of_doubling_fragments_is_refused_by_count() {
        let mut bomb = "{ a { ...F0 } }".to_owned();
        for index in 0..24 {
            write!(bomb, " fragment F{index} on A {{ ...F{} ...F{} }}", index + 1, index + 1).unwrap();
        }
        bomb.push_str(" fragment F24 on A { b }");
        assert_eq!(checked(&bomb), Err(Excess::Selections(10_000)));
    }

    #[test]
    fn a_cycle_ends_and_a_long_chain_is_too_deep_in_either_order() {
        assert_eq!(checked("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A a }"), Ok(()));
        let link = |index| format!("fragment F{index} on Query {{ ...F{} }}", index + 1);
        let forwards = repeated(3_000, link);
        let backwards = repeated(3_000, |index| link(2_999 - index));
        for chain in [forwards, backwards] {
            assert_eq!(checked(&format!("{chain} {{ ...F0 }}")), Err(Excess::Nesting(200)));
        }
    }

    #[test]
    fn fragments_used_often_but_small_are_welcome() {
        let uses = repeated(50, |index| format!("a{index}: a {{ ...F }}"));
        assert_eq!(checked(&format!("{{ {uses} }} fragment F on A {{ b c d }}")), Ok(()));
    }

    #[test]
    fn each_limit_allows_its_number_and_not_one_more() {
        let limits = DocumentLimits::default();
        let deep = |levels: u64| {
            let levels = usize::try_from(levels).unwrap();
            format!(
                "{}a{}",
                "{ ...on A { a ".repeat(levels - 1) + "{ ",
                " }".to_owned() + &"} }".repeat(levels - 1)
            )
        };
        let aliases = |count| format!("{{ a {{ {} }} }}", repeated(count, |index| format!("a{index}: b")));
        let roots = |count: u64| {
            format!(
                "{{ a ...F }} fragment F on Query {{ {} }}",
                "a ".repeat(usize::try_from(count - 1).unwrap())
            )
        };
        let directives = |count: u64| format!("{{ a {{ {} }} }}", repeated(count, |_| "b @x".to_owned()));
        let operations = |count| repeated(count, |index| format!("query Q{index} {{ a }}"));
        let variables =
            |count| format!("query({}) {{ a }}", repeated(count, |index| format!("$v{index}: Int")));
        let size = |count: usize| u64::try_from(count).unwrap();
        let cases: [(Documents<'_>, u64, Excess); 6] = [
            (&deep, limits.depth_max, Excess::Depth(limits.depth_max)),
            (&aliases, limits.aliases_max, Excess::Aliases(limits.aliases_max)),
            (&roots, limits.root_fields_max, Excess::RootFields(limits.root_fields_max)),
            (&directives, size(limits.directives_max), Excess::Directives(limits.directives_max)),
            (&operations, size(limits.operations_max), Excess::Operations(limits.operations_max)),
            (&variables, size(limits.variables_max), Excess::Variables(limits.variables_max)),
        ];
        for (document, max, excess) in cases {
            assert_eq!(checked(&document(max)), Ok(()), "{excess}");
            assert_eq!(checked(&document(max + 1)), Err(excess));
        }
    }

    #[test]
    fn aliases_count_as_often_as_their_fragment_is_used() {
        let uses = repeated(60, |_| "a { ...F }".to_owned());
        let document = format!("{{ x {{ {uses} }} }} fragment F on A {{ p: b q: b }}");
        assert_eq!(checked(&document), Err(Excess::Aliases(100)));
    }
}
