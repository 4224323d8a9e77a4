//! Merges checked subgraph schemas into one.
//!
//! In: schemas in order of subgraph name. Out: [`Merged`], errors and hints.
//! Modules: [`model`] (the result), [`types`] (which types, of which kind), [`fields`] and [`arguments`] (objects and
//! interfaces), [`values`] (enums, inputs, unions), [`overrides`], [`sharing`], [`external`], [`references`] (type
//! references), [`directives`] (applications), [`definitions`] (directive definitions), [`rules`] (after the merge).
//! Elsewhere: visibility (`post`), reachability (`satisfiability`), text (`emit`).

mod arguments;
mod definitions;
mod directives;
mod external;
mod fields;
mod interface_objects;
pub(crate) mod model;
mod overrides;
mod references;
mod rules;
mod sharing;
mod types;
mod values;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use apollo_compiler::Name;

pub(crate) use self::model::Merged;
use crate::diagnostic::{Diagnostic, Location};
use crate::model::{Place, SubgraphSchema};

/// A merge under way.
pub(crate) struct Merger<'a> {
    pub(crate) schemas: &'a [SubgraphSchema],
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) hints: Vec<Diagnostic>,
    /// Abstract types of any subgraph with the object and interface types below them.
    subtypes: HashMap<Name, HashSet<Name>>,
    overrides: Rc<overrides::Overrides>,
    names: directives::Names,
}

/// Merges everything; look at `errors` before using the result.
pub(crate) fn merge(schemas: &[SubgraphSchema]) -> (Merged, Vec<Diagnostic>, Vec<Diagnostic>) {
    let mut merger = Merger {
        schemas,
        errors: Vec::new(),
        hints: Vec::new(),
        subtypes: references::subtypes(schemas),
        overrides: Rc::default(),
        names: directives::Names::default(),
    };
    merger.names = directives::collect_names(&mut merger);
    merger.overrides = Rc::new(overrides::collect(&mut merger));
    let mut merged = types::merge_types(&mut merger);
    interface_objects::add_fields(&mut merger, &mut merged);
    values::merge_enums(&mut merger, &mut merged);
    definitions::merge_definitions(&mut merger, &mut merged);
    rules::check(&mut merger, &merged);
    (merged, merger.errors, merger.hints)
}

/// A description, how often it is given, and where.
type Described<'a> = (&'a String, usize, Vec<(usize, Place)>);

impl Merger<'_> {
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        at: impl IntoIterator<Item = (usize, Place)>,
    ) {
        let locations = self.locations(at);
        self.errors.push(Diagnostic::error(code, message.into()).at(locations));
    }

    pub(crate) fn hint(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        at: impl IntoIterator<Item = (usize, Place)>,
    ) {
        let locations = self.locations(at);
        self.hints.push(Diagnostic::error(code, message.into()).at(locations));
    }

    fn locations(&self, at: impl IntoIterator<Item = (usize, Place)>) -> Vec<Location> {
        at.into_iter()
            .filter(|(_, place)| place.line > 0)
            .map(|(index, place)| self.schemas[index].location(place))
            .collect()
    }

    /// Subgraph names for a message: `subgraph "a"` or `subgraphs "a" and "b"`.
    pub(crate) fn named(&self, subgraphs: impl IntoIterator<Item = usize>) -> String {
        let names: Vec<String> =
            subgraphs.into_iter().map(|index| format!("\"{}\"", self.schemas[index].name)).collect();
        match names.as_slice() {
            [one] => format!("subgraph {one}"),
            [head @ .., last] => format!("subgraphs {} and {last}", head.join(", ")),
            [] => "no subgraph".to_owned(),
        }
    }

    /// `"X" in subgraph "a" and "Y" in subgraph "b"`, grouped by value in order of appearance.
    pub(crate) fn by_value<T: ToString>(&self, values: impl IntoIterator<Item = (usize, T)>) -> String {
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for (index, value) in values {
            let value = value.to_string();
            match groups.iter_mut().find(|(known, _)| *known == value) {
                Some((_, members)) => members.push(index),
                None => groups.push((value, vec![index])),
            }
        }
        let parts: Vec<String> = groups
            .into_iter()
            .map(|(value, members)| format!("\"{value}\" in {}", self.named(members)))
            .collect();
        parts.join(" and ")
    }

    /// The most common description; the first of equals.
    pub(crate) fn description<'d>(
        &mut self,
        coordinate: &str,
        sources: impl IntoIterator<Item = (usize, Option<&'d String>, Place)>,
    ) -> Option<String> {
        let mut counts: Vec<Described<'_>> = Vec::new();
        for (index, description, place) in sources {
            let Some(text) = description.filter(|text| !text.trim().is_empty()) else { continue };
            match counts.iter_mut().find(|(known, _, _)| *known == text) {
                Some((_, count, places)) => {
                    *count += 1;
                    places.push((index, place));
                }
                None => counts.push((text, 1, vec![(index, place)])),
            }
        }
        let most = counts.iter().map(|(_, count, _)| *count).max()?;
        let chosen = counts.iter().find(|(_, count, _)| *count == most).map(|(text, _, _)| (*text).clone());
        if counts.len() > 1 {
            let places: Vec<_> = counts.into_iter().flat_map(|(_, _, places)| places).collect();
            let message =
                format!("{coordinate} has several descriptions; the most common one, or the first, is kept");
            self.hint("INCONSISTENT_DESCRIPTION", message, places);
        }
        chosen
    }
}
