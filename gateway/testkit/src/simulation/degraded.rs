//! What a response must be while one subgraph is out.
//!
//! Always: judged by the plan that ran. A place of the response is affected when a fetch fills it that goes to the subgraph
//! or waits for one that does. Then
//! - whatever else is there is as it would be (`lost` otherwise),
//! - what only the subgraph could give is not there (`kept`),
//! - every null has an error that leads to it, or to an affected place below it (`unexplained`),
//! - every error is the subgraph's, at an affected place that is null, or one that would be there anyway (`blamed`).
//!
//! Elsewhere: how a subgraph is out (`transport.rs`).

use std::collections::HashMap;

use kopitiam_plan::{
    FetchKind, FetchSelection, Key, OperationKind, PathStep, Plan, ShapeField, ShapeSource, ShapeValue,
};
use serde_json::Value as Json;

use super::compare::null_of;
use super::monolith::Expected;

/// Who fills a place of the response tree.
#[derive(Debug, Clone, Copy, Default)]
struct Filled {
    /// A fetch that goes to the subgraph, or waits for it.
    by_affected: bool,
    /// A fetch to another subgraph.
    by_others: bool,
}

/// Which places of a response are affected by an outage.
#[derive(Debug)]
pub(crate) struct Affected<'p> {
    plan: &'p Plan,
    subgraph: &'p str,
    places: HashMap<Vec<Key>, Filled>,
    is_source: bool,
}

impl<'p> Affected<'p> {
    pub(crate) fn new(plan: &'p Plan, subgraph: &'p str) -> Self {
        let mut found = Self { plan, subgraph, places: HashMap::new(), is_source: false };
        let mut affected = vec![false; plan.fetches.len()];
        for (index, fetch) in plan.fetches.iter().enumerate() {
            let is_out = *fetch.subgraph == *subgraph;
            affected[index] = is_out || fetch.depends_on.iter().any(|id| affected[id.0 as usize]);
            found.is_source |= index == 0 && is_out && plan.kind == OperationKind::Subscription;
            let filled = Filled { by_affected: affected[index], by_others: !is_out };
            match &fetch.kind {
                FetchKind::Root { at, selection } => {
                    let root = at.is_empty().then(Vec::new);
                    for mut path in at.iter().map(|path| keys(&path.0)).chain(root) {
                        found.fill(&mut path, selection, filled);
                    }
                }
                FetchKind::Entities { groups } => {
                    for group in groups {
                        for target in &group.targets {
                            found.fill(&mut keys(&target.0), &group.selection, filled);
                        }
                    }
                }
            }
        }
        found
    }

    fn fill(&mut self, path: &mut Vec<Key>, selection: &FetchSelection, filled: Filled) {
        for field in &selection.fields {
            path.push(field.key);
            let place = self.places.entry(path.clone()).or_default();
            place.by_affected |= filled.by_affected;
            place.by_others |= filled.by_others;
            if let Some(below) = &field.selection {
                self.fill(path, below, filled);
            }
            path.pop();
        }
    }

    /// What is wrong with an answer, if anything.
    pub(crate) fn kind_of(&self, expected: &Expected, got: &str) -> Option<&'static str> {
        let got: Json = serde_json::from_str(got).expect("a response is JSON");
        let errors = got["errors"].as_array().cloned().unwrap_or_default();
        if self.is_source {
            // No stream, or an event that nobody can read.
            return errors.is_empty().then_some("unexplained");
        }
        let wanted: Json = serde_json::from_str(&expected.data).expect("data is JSON");
        let roots = vec![(Vec::new(), self.plan.shape.fields.as_slice())];
        let mut nulls = Vec::new();
        if let Some(kind) = self.compare(&wanted, &got["data"], &roots, &mut Vec::new(), &mut nulls) {
            return Some(kind);
        }
        let is_left_out = errors.iter().any(|error| error["extensions"]["code"] == "TOO_MANY_ERRORS");
        let explains = |null: &Vec<Json>, error: &Json| {
            error["path"].as_array().is_some_and(|path| path.starts_with(null))
        };
        let is_explained = |null: &Vec<Json>| errors.iter().any(|error| explains(null, error));
        if !is_left_out && !expected.has_hidden && !nulls.iter().all(is_explained) {
            return Some("unexplained");
        }
        let is_right = |error: &Json| {
            let natural = null_of(&wanted, &error["path"]).is_some();
            let leads_to_null = null_of(&got["data"], &error["path"]).is_some();
            let is_own = error["extensions"]["service"] == *self.subgraph;
            // What is told of an answer that is nowhere in the response has no path.
            let is_placed = match error["path"].as_array() {
                Some(path) => leads_to_null && self.is_affected(path),
                None => true,
            };
            natural || (is_own && is_placed)
        };
        (!is_left_out && !errors.iter().all(is_right)).then_some("blamed")
    }

    /// The shape's fields under a response key, for whatever type, with their places in the tree.
    fn below<'s>(
        shapes: &[(Vec<Key>, &'s [ShapeField])],
        name: &str,
    ) -> Vec<(Option<Vec<Key>>, &'s ShapeField)> {
        let mut found = Vec::new();
        for (place, fields) in shapes {
            for field in fields.iter().filter(|field| *field.response_key == *name) {
                let place = match &field.source {
                    ShapeSource::Key(key) => Some([place.as_slice(), &[*key]].concat()),
                    _ => None,
                };
                found.push((place, field));
            }
        }
        found
    }

    fn inner<'s>(found: &[(Option<Vec<Key>>, &'s ShapeField)]) -> Vec<(Vec<Key>, &'s [ShapeField])> {
        let inner = |(place, field): &(Option<Vec<Key>>, &'s ShapeField)| match (&field.value, place) {
            (ShapeValue::Object { fields, .. }, Some(place)) => Some((place.clone(), fields.as_slice())),
            _ => None,
        };
        found.iter().filter_map(inner).collect()
    }

    fn is_affected(&self, path: &[Json]) -> bool {
        let mut shapes = vec![(Vec::new(), self.plan.shape.fields.as_slice())];
        let mut is_affected = false;
        for name in path.iter().filter_map(Json::as_str) {
            let found = Self::below(&shapes, name);
            let is_hit = |place: &[Key]| self.places.get(place).is_some_and(|filled| filled.by_affected);
            is_affected |= found.iter().any(|(place, _)| place.as_ref().is_some_and(|place| is_hit(place)));
            shapes = Self::inner(&found);
            // Which fields an object has may depend on a type that did not arrive.
            let types = |place: &[Key]| [place, &[Key::TYPENAME]].concat();
            is_affected |= shapes.iter().any(|(place, _)| is_hit(&types(place)));
        }
        is_affected
    }

    /// Compares what is there with what would be; notes where null stands for a value.
    fn compare(
        &self,
        wanted: &Json,
        got: &Json,
        shapes: &[(Vec<Key>, &[ShapeField])],
        path: &mut Vec<Json>,
        nulls: &mut Vec<Vec<Json>>,
    ) -> Option<&'static str> {
        match (wanted, got) {
            // A null that would be there anyway. That there is more instead may be: what would have failed was not asked.
            (Json::Null, _) => None,
            (_, Json::Null) => {
                nulls.push(path.clone());
                None
            }
            (Json::Object(wanted), Json::Object(got)) if !shapes.is_empty() => {
                if wanted.len() != got.len() {
                    return Some("lost");
                }
                for (name, wanted) in wanted {
                    let Some(got) = got.get(name) else { return Some("lost") };
                    let found = Self::below(shapes, name);
                    if !got.is_null() && self.is_only_out(&found) {
                        return Some("kept");
                    }
                    path.push(name.as_str().into());
                    let kind = self.compare(wanted, got, &Self::inner(&found), path, nulls);
                    path.pop();
                    if kind.is_some() {
                        return kind;
                    }
                }
                None
            }
            (Json::Array(wanted), Json::Array(got)) if wanted.len() == got.len() => {
                for (index, (wanted, got)) in wanted.iter().zip(got).enumerate() {
                    path.push(index.into());
                    let kind = self.compare(wanted, got, shapes, path, nulls);
                    path.pop();
                    if kind.is_some() {
                        return kind;
                    }
                }
                None
            }
            (wanted, got) => (wanted != got).then_some("lost"),
        }
    }

    /// Whether nobody but the subgraph could have given the field.
    fn is_only_out(&self, found: &[(Option<Vec<Key>>, &ShapeField)]) -> bool {
        !found.is_empty()
            && found.iter().all(|(place, _)| {
                let filled = place.as_ref().and_then(|place| self.places.get(place));
                filled.is_some_and(|filled| filled.by_affected && !filled.by_others)
            })
    }
}

fn keys(path: &[PathStep]) -> Vec<Key> {
    path.iter()
        .filter_map(|step| match step {
            PathStep::Field(key) => Some(*key),
            PathStep::On(_) => None,
        })
        .collect()
}
