//! All fields that apply at one place, in document order, each with its runtime types and conditions.

use std::collections::HashSet;

use apollo_compiler::{Name, Node, ast, executable};
use kopitiam_supergraph::{TypeId, TypeSet};

use super::{NormaliseError, Run, merge::Part};
use crate::Conditions;

/// One field as written, and when it applies.
pub(super) struct Collected<'a> {
    pub(super) field: &'a Node<executable::Field>,
    pub(super) parent: TypeId,
    pub(super) on: TypeSet,
    pub(super) conditions: Conditions,
}

/// Where the walk stands.
struct Place {
    parent: TypeId,
    on: TypeSet,
    conditions: Conditions,
}

type Visited = HashSet<(Name, TypeSet, Conditions)>;

impl<'a> Run<'a> {
    pub(super) fn collect(
        &mut self,
        parts: &[Part<'a>],
        parent: TypeId,
        on: &TypeSet,
    ) -> Result<Vec<Collected<'a>>, NormaliseError> {
        let mut found = Vec::new();
        let mut visited = Visited::new();
        for part in parts {
            let place = Place { parent, on: on.clone(), conditions: part.conditions.clone() };
            self.walk(part.selections, &place, &mut visited, &mut found)?;
        }
        Ok(found)
    }

    fn walk(
        &mut self,
        selections: &'a [executable::Selection],
        place: &Place,
        visited: &mut Visited,
        found: &mut Vec<Collected<'a>>,
    ) -> Result<(), NormaliseError> {
        for selection in selections {
            self.visit()?;
            let Some(conditions) = narrowed(&place.conditions, selection.directives()) else { continue };
            match selection {
                executable::Selection::Field(field) => {
                    found.push(Collected { field, parent: place.parent, on: place.on.clone(), conditions });
                }
                executable::Selection::InlineFragment(fragment) => {
                    let place = self.enter(place, fragment.type_condition.as_ref(), conditions);
                    if !place.on.is_empty() {
                        self.walk(&fragment.selection_set.selections, &place, visited, found)?;
                    }
                }
                executable::Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.document.fragments.get(&spread.fragment_name) else { continue };
                    let place = self.enter(place, Some(fragment.type_condition()), conditions);
                    // A second spread of a fragment for the same types and conditions adds nothing; without this
                    // a chain of fragments that each spread the next one twice would take exponential time.
                    let key = (spread.fragment_name.clone(), place.on.clone(), place.conditions.clone());
                    if !place.on.is_empty() && visited.insert(key) {
                        self.walk(&fragment.selection_set.selections, &place, visited, found)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn enter(&self, place: &Place, condition: Option<&Name>, conditions: Conditions) -> Place {
        let condition = condition.and_then(|name| self.supergraph.type_id(name)).unwrap_or(place.parent);
        Place { parent: condition, on: place.on.and(&self.visible(condition)), conditions }
    }
}

/// Adds a selection's own `@skip` and `@include`; `None` when it can never apply.
fn narrowed(outer: &Conditions, directives: &ast::DirectiveList) -> Option<Conditions> {
    let mut all = outer.clone();
    for (name, expected) in [("include", true), ("skip", false)] {
        let Some(value) = directives.get(name).and_then(|found| found.specified_argument_by_name("if"))
        else {
            continue;
        };
        match value.as_ref() {
            ast::Value::Boolean(constant) if *constant != expected => return None,
            ast::Value::Variable(variable) => all = all.and(&Conditions::literal(variable, expected))?,
            _ => {}
        }
    }
    Some(all)
}
