//! All fields that apply at one place, in document order, each with its runtime types and conditions.

use std::collections::HashSet;

use apollo_compiler::{Name, Node, ast, executable};
use kopitiam_supergraph::{TypeId, TypeSet};

use super::deferral::condition;
use super::{NormaliseError, Run, merge::Part};
use crate::{Booleans, Conditions, FragmentId};

/// One field as written, and when it applies.
pub(super) struct Collected<'a> {
    pub(super) field: &'a Node<executable::Field>,
    pub(super) parent: TypeId,
    pub(super) on: TypeSet,
    pub(super) conditions: Conditions,
    /// The innermost deferred fragment around it.
    pub(super) fragment: Option<FragmentId>,
}

/// Where the walk stands.
struct Place {
    parent: TypeId,
    on: TypeSet,
    conditions: Conditions,
    fragment: Option<FragmentId>,
}

/// Fragments spread at a place: for which types, when, and whether they are deferred there.
type Visited = HashSet<(Name, TypeSet, Conditions, bool)>;

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
            let place = Place {
                parent,
                on: on.clone(),
                conditions: part.conditions.clone(),
                fragment: part.fragment,
            };
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
            let booleans = self.deferral.as_ref().map(|deferral| deferral.booleans);
            let narrowed = narrowed(&place.conditions, selection.directives(), booleans);
            let Some(conditions) = narrowed else { continue };
            match selection {
                executable::Selection::Field(field) => {
                    found.push(Collected {
                        field,
                        parent: place.parent,
                        on: place.on.clone(),
                        conditions,
                        fragment: place.fragment,
                    });
                }
                executable::Selection::InlineFragment(fragment) => {
                    let place = self.enter(place, fragment.type_condition.as_ref(), conditions);
                    if !place.on.is_empty() {
                        let own = self.defer(&fragment.directives, place.fragment)?;
                        let place = Place { fragment: own.or(place.fragment), ..place };
                        self.walk(&fragment.selection_set.selections, &place, visited, found)?;
                    }
                }
                executable::Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.document.fragments.get(&spread.fragment_name) else { continue };
                    let place = self.enter(place, Some(fragment.type_condition()), conditions);
                    // A second spread of a fragment for the same types and conditions adds nothing; without this
                    // a chain of fragments that each spread the next one twice would take exponential time.
                    let is_deferred = self.is_deferred(&spread.directives);
                    let key = |is_deferred| {
                        (
                            spread.fragment_name.clone(),
                            place.on.clone(),
                            place.conditions.clone(),
                            is_deferred,
                        )
                    };
                    // What is there at once is not deferred as well.
                    if is_deferred && visited.contains(&key(false)) {
                        continue;
                    }
                    if !place.on.is_empty() && visited.insert(key(is_deferred)) {
                        let own = self.defer(&spread.directives, place.fragment)?;
                        let place = Place { fragment: own.or(place.fragment), ..place };
                        self.walk(&fragment.selection_set.selections, &place, visited, found)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn enter(&self, place: &Place, condition: Option<&Name>, conditions: Conditions) -> Place {
        let condition = condition.and_then(|name| self.supergraph.type_id(name)).unwrap_or(place.parent);
        Place {
            parent: condition,
            on: place.on.and(&self.visible(condition)),
            conditions,
            fragment: place.fragment,
        }
    }
}

/// Adds a selection's own `@skip` and `@include`; `None` when it can never apply. Variables are conditions, unless their
/// values are known.
fn narrowed(
    outer: &Conditions,
    directives: &ast::DirectiveList,
    booleans: Option<Booleans<'_>>,
) -> Option<Conditions> {
    let mut all = outer.clone();
    for (name, expected) in [("include", true), ("skip", false)] {
        let Some(value) = condition(directives, name) else { continue };
        match (value, booleans) {
            (ast::Value::Boolean(constant), _) if *constant != expected => return None,
            (ast::Value::Variable(variable), Some(booleans)) if booleans(variable) != expected => {
                return None;
            }
            (ast::Value::Variable(variable), None) => {
                all = all.and(&Conditions::literal(variable, expected))?;
            }
            _ => {}
        }
    }
    Some(all)
}
