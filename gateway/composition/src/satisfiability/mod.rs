//! Satisfiability: every query the supergraph allows can be answered by the subgraphs.
//!
//! In: the merged schema and the subgraphs. Out: an error for each field that some query reaches but no subgraph can
//! then resolve, with the shortest such query.
//!
//! How: a breadth-first walk over *positions*. A position is an object type together with every subgraph object that an
//! entity reached there can be read from ([`moves`] computes it: keys lead from subgraph to subgraph, `@requires` must
//! be met first). Each field of the type must be resolvable somewhere in the position, and leads to further positions.
//! Positions are visited once, so the walk ends; the first query to reach one is a shortest. A position that can be read
//! from more places than another can do all that the other can, so it need not be visited ([`seen`] knows). Positions of
//! value types can still be as many as there are sets of subgraphs: where they get many the smallest go first, which
//! soon makes the others needless; and all work is counted, with an error where it becomes too much.
//! Elsewhere: the text of the errors ([`explain`]).

mod explain;
mod moves;
mod place;
mod seen;

use std::collections::HashSet;

use apollo_compiler::Name;

use self::moves::{Contexts, Moves};
use self::place::{Place, PlaceSet};
use self::seen::{Queue, Seen};
use crate::diagnostic::Diagnostic;
use crate::merge::Merged;
use crate::merge::model::{MergedField, is_inaccessible};
use crate::model::{Kind, SubgraphSchema};

/// Progressive overrides are checked in every combination up to this number of labels.
const LABELS_COMBINED_MAX: usize = 4;

/// One step of a query: the field, and the type condition that its result is then read under.
#[derive(Debug, Clone)]
struct Step {
    parent: Name,
    field: Name,
    /// Type condition around the fields below.
    condition: Option<Name>,
    previous: Option<usize>,
}

/// A position to visit: where in the schema, readable from where, reached by which step.
struct Position {
    ty: Name,
    places: PlaceSet,
    contexts: Contexts,
    step: Option<usize>,
}

struct Walk<'a> {
    merged: &'a Merged,
    moves: Moves<'a>,
    steps: Vec<Step>,
    queue: Queue,
    seen: Seen,
    /// Fields already reported.
    failed: HashSet<(Name, Name)>,
    errors: Vec<Diagnostic>,
}

/// Checks a merged schema that is otherwise valid.
pub(crate) fn check(merged: &Merged, schemas: &[SubgraphSchema]) -> Vec<Diagnostic> {
    let mut errors: Vec<Diagnostic> = Vec::new();
    let mut failed = HashSet::new();
    for labels in label_sets(schemas) {
        let mut walk = Walk {
            merged,
            moves: Moves::new(merged, schemas, labels),
            steps: Vec::new(),
            queue: Queue::default(),
            seen: Seen::default(),
            failed: std::mem::take(&mut failed),
            errors: Vec::new(),
        };
        walk.run();
        failed = walk.failed;
        errors.append(&mut walk.errors);
        if walk.moves.exhausted() {
            if errors.is_empty() {
                errors.push(too_much());
            }
            break;
        }
    }
    errors
}

/// The honest answer about subgraphs whose combinations cannot all be looked at.
fn too_much() -> Diagnostic {
    let message = "the combinations of subgraphs that queries can be resolved from are too many to check; \
        types shared between fewer subgraphs, or keys on them, make them fewer";
    Diagnostic::error("MAX_VALIDATION_SUBGRAPH_PATHS_EXCEEDED", message.to_owned())
}

/// Which override labels are on, for each run: all combinations of a few, else none, all, and each alone.
fn label_sets(schemas: &[SubgraphSchema]) -> Vec<HashSet<String>> {
    let mut labels: Vec<String> = schemas
        .iter()
        .flat_map(|schema| schema.types.values())
        .flat_map(|ty| ty.fields.values())
        .filter_map(|field| field.overriding.as_ref()?.label.clone())
        .collect();
    labels.sort_unstable();
    labels.dedup();
    if labels.len() <= LABELS_COMBINED_MAX {
        return (0..1_usize << labels.len())
            .map(|bits| {
                labels
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| bits & (1 << index) != 0)
                    .map(|(_, label)| label.clone())
                    .collect()
            })
            .collect();
    }
    let mut sets: Vec<HashSet<String>> = vec![HashSet::new(), labels.iter().cloned().collect()];
    sets.extend(labels.into_iter().map(|label| HashSet::from([label])));
    sets
}

impl Walk<'_> {
    fn run(&mut self) {
        // Mutations last: what is known by then need not be looked at again for each subgraph that has one.
        for root in ["Query", "Subscription", "Mutation"] {
            let Some(ty) = self.merged.types.get(root).filter(|ty| ty.kind == Kind::Object) else { continue };
            let places: Vec<Place> = self.moves.roots(&ty.name);
            self.visit_later(ty.name.clone(), places, None, &Contexts::default());
            while let Some(position) = self.queue.pop(&self.seen).filter(|_| !self.moves.exhausted()) {
                self.visit(&position);
            }
        }
    }

    fn visit_later(&mut self, ty: Name, places: Vec<Place>, step: Option<usize>, above: &Contexts) {
        let contexts = self.moves.contexts_below(&ty, above);
        let reachable = self.moves.reachable(&ty, &PlaceSet::new(places));
        // Only interface objects: which implementation it is must be found out somewhere.
        if !reachable.iter().any(|place| place.ty == ty) {
            let position = Position { ty, places: reachable, contexts, step };
            if self.failed.insert((position.ty.clone(), apollo_compiler::name!("__typename"))) {
                let error = self.explain_unknown_type(&position);
                self.errors.push(error);
            }
            return;
        }
        if self.seen.insert(&ty, &contexts, &reachable) {
            self.queue.push(Position { ty, places: reachable, contexts, step });
        }
    }

    fn visit(&mut self, position: &Position) {
        let merged = self.merged;
        let Some(ty) = merged.types.get(&position.ty) else { return };
        for field in ty.fields.values().filter(|field| !is_inaccessible(&field.directives)) {
            let targets =
                self.moves.targets(&position.ty, &position.places, &field.name, Some(&position.contexts));
            if self.moves.exhausted() {
                return;
            }
            if targets.is_empty() {
                if self.failed.insert((position.ty.clone(), field.name.clone())) {
                    let error = self.explain(position, field);
                    self.errors.push(error);
                }
                continue;
            }
            if position.ty == "Mutation" && targets.len() > 1 {
                self.visit_mutation(position, field, &targets);
            } else {
                self.follow(position, field, &targets);
            }
        }
    }

    /// Goes on to every object that the field's value can be.
    fn follow(&mut self, position: &Position, field: &MergedField, targets: &[Place]) {
        let merged = self.merged;
        let composite = merged.types.get(field.ty.inner_named_type()).filter(|ty| ty.kind.is_composite());
        let Some(inner) = composite else { return };
        for object in merged.runtime_types(&inner.name) {
            if merged.types.get(&object).is_none_or(|ty| is_inaccessible(&ty.directives)) {
                continue;
            }
            let places = self.moves.cast(targets, &object);
            if places.is_empty() {
                continue;
            }
            self.steps.push(Step {
                parent: position.ty.clone(),
                field: field.name.clone(),
                condition: (inner.kind != Kind::Object).then(|| object.clone()),
                previous: position.step,
            });
            let step = self.steps.len() - 1;
            self.visit_later(object, places, Some(step), &position.contexts);
        }
    }

    /// A mutation is called once, in one subgraph, which must then lead to everything below.
    fn visit_mutation(&mut self, position: &Position, field: &MergedField, targets: &[Place]) {
        let mut failures: Vec<(usize, Diagnostic)> = Vec::new();
        for target in targets {
            match self.probe(position, field, target) {
                None => return,
                Some(error) => failures.push((target.subgraph, error)),
            }
        }
        if self.failed.insert((position.ty.clone(), field.name.clone())) {
            let error = self.explain_mutation(field, failures);
            self.errors.push(error);
        }
    }

    /// The first error below one way to resolve a field. Positions seen before are known, or have errors of their own.
    fn probe(&mut self, position: &Position, field: &MergedField, target: &Place) -> Option<Diagnostic> {
        let queue = std::mem::take(&mut self.queue);
        let failed = std::mem::take(&mut self.failed);
        let errors = std::mem::take(&mut self.errors);
        let seen = self.seen.clone();
        self.follow(position, field, std::slice::from_ref(target));
        while let Some(next) =
            self.queue.pop(&self.seen).filter(|_| self.errors.is_empty() && !self.moves.exhausted())
        {
            self.visit(&next);
        }
        let found = std::mem::replace(&mut self.errors, errors).into_iter().next();
        if found.is_some() {
            self.seen = seen;
        }
        self.queue = queue;
        self.failed = failed;
        found
    }
}
