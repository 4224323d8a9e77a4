//! Makes a failing operation smaller as long as it still fails.
//!
//! Elsewhere: what failing means (the caller's), random operations (`operations.rs`).

use apollo_compiler::ast::{Definition, Document, Selection};
use apollo_compiler::{Node, ast};

use super::operations::RandomOperation;

/// The smallest operation found for which `fails` still holds.
pub fn shrink(
    operation: &RandomOperation,
    mut fails: impl FnMut(&RandomOperation) -> bool,
) -> RandomOperation {
    let mut best = operation.clone();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let Ok(document) = Document::parse(best.query.clone(), "query.graphql") else { return best };
        let mut smaller = None;
        let mut index = 0;
        loop {
            let mut edit = Edit { wanted: index, seen: 0, done: false };
            let mut candidate = document.clone();
            edit.document(&mut candidate);
            if !edit.done {
                break;
            }
            clean(&mut candidate);
            let query = candidate.serialize().no_indent().to_string();
            let mut tried = RandomOperation { query, variables: best.variables.clone() };
            tried.variables.retain(|name, _| tried.query.contains(&format!("${name}")));
            if tried.query.len() < best.query.len() && fails(&tried) {
                smaller = Some(tried);
                break;
            }
            index += 1;
        }
        match smaller {
            Some(found) if rounds < 400 => best = found,
            _ => return best,
        }
    }
}

/// Makes the one change that has the wanted number.
struct Edit {
    wanted: usize,
    seen: usize,
    done: bool,
}

impl Edit {
    fn is_due(&mut self) -> bool {
        let due = !self.done && self.seen == self.wanted;
        self.seen += 1;
        self.done |= due;
        due
    }

    fn document(&mut self, document: &mut Document) {
        for definition in &mut document.definitions {
            match definition {
                Definition::OperationDefinition(operation) => {
                    self.selections(&mut operation.make_mut().selection_set);
                }
                Definition::FragmentDefinition(fragment) => {
                    self.selections(&mut fragment.make_mut().selection_set);
                }
                _ => {}
            }
        }
    }

    fn selections(&mut self, selections: &mut Vec<Selection>) {
        // Large parts first: a whole selection, then what is in it.
        for index in 0..selections.len() {
            if selections.len() > 1 && self.is_due() {
                selections.remove(index);
                return;
            }
        }
        for index in 0..selections.len() {
            if let Selection::InlineFragment(fragment) = &selections[index]
                && self.is_due()
            {
                let inner = fragment.selection_set.clone();
                selections.splice(index..=index, inner);
                return;
            }
        }
        for selection in selections {
            match selection {
                Selection::Field(field) => self.field(field),
                Selection::InlineFragment(fragment) => {
                    let fragment = fragment.make_mut();
                    self.directives(&mut fragment.directives);
                    self.selections(&mut fragment.selection_set);
                }
                Selection::FragmentSpread(spread) => self.directives(&mut spread.make_mut().directives),
            }
            if self.done {
                return;
            }
        }
    }

    fn field(&mut self, field: &mut Node<ast::Field>) {
        let field = field.make_mut();
        if field.alias.is_some() && self.is_due() {
            field.alias = None;
            return;
        }
        for index in 0..field.arguments.len() {
            if self.is_due() {
                field.arguments.remove(index);
                return;
            }
        }
        self.directives(&mut field.directives);
        self.selections(&mut field.selection_set);
    }

    fn directives(&mut self, directives: &mut ast::DirectiveList) {
        for index in 0..directives.len() {
            if self.is_due() {
                directives.0.remove(index);
                return;
            }
        }
    }
}

/// Drops fragments and variables that nothing uses any more.
fn clean(document: &mut Document) {
    loop {
        let text = document.serialize().no_indent().to_string();
        let before = document.definitions.len();
        document.definitions.retain(|definition| match definition {
            Definition::FragmentDefinition(fragment) => text
                .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
                .any(|word| word.strip_prefix("...") == Some(fragment.name.as_str())),
            _ => true,
        });
        if document.definitions.len() == before {
            break;
        }
    }
    let text = document.serialize().no_indent().to_string();
    for definition in &mut document.definitions {
        if let Definition::OperationDefinition(operation) = definition {
            let uses = |name: &str| {
                let mark = format!("${name}");
                let found = text.match_indices(&mark);
                let whole = found.filter(|(at, _)| {
                    !text[at + mark.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
                });
                whole.count() > 1
            };
            operation.make_mut().variables.retain(|variable| uses(&variable.name));
        }
    }
}
