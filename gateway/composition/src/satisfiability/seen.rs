//! Which positions were visited or wait for it, and in which order they are.

use std::collections::{BTreeMap, HashMap, HashSet};

use apollo_compiler::Name;

use super::Position;
use super::moves::Contexts;
use super::place::PlaceSet;

/// A type with more positions than this has subgraphs sharing it in many combinations.
const IN_ORDER_MAX: usize = 100;

/// So many of a type's positions are compared with a new one.
const COMPARED_MAX: usize = 256;

/// Positions of one type.
#[derive(Clone, Default)]
struct OfType {
    all: HashSet<(Contexts, PlaceSet)>,
    /// Those that have no other within them.
    least: Vec<(Contexts, PlaceSet)>,
}

/// Positions by type and contexts.
#[derive(Clone, Default)]
pub(super) struct Seen {
    types: HashMap<Name, OfType>,
    /// Some type has so many positions that those with the fewest places should go first.
    pub(super) many: bool,
}

impl Seen {
    /// Adds a position; false when it, or one with fewer places, was there.
    pub(super) fn insert(&mut self, ty: &Name, contexts: &Contexts, places: &PlaceSet) -> bool {
        let seen = self.types.entry(ty.clone()).or_default();
        let position = (contexts.clone(), places.clone());
        if seen.all.contains(&position) || seen.covers(contexts, places, false) {
            return false;
        }
        seen.least.retain(|(above, more)| above != contexts || !places.is_within(more));
        seen.least.push(position.clone());
        seen.all.insert(position);
        self.many |= seen.all.len() > IN_ORDER_MAX;
        true
    }

    /// A position with fewer places came up since this one was added.
    pub(super) fn outdone(&self, position: &Position) -> bool {
        let seen = self.types.get(&position.ty);
        self.many && seen.is_some_and(|seen| seen.covers(&position.contexts, &position.places, true))
    }
}

impl OfType {
    fn covers(&self, contexts: &Contexts, places: &PlaceSet, strictly: bool) -> bool {
        self.least.iter().rev().take(COMPARED_MAX).any(|(above, fewer)| {
            above == contexts && fewer.is_within(places) && !(strictly && fewer == places)
        })
    }
}

/// Positions to visit: first come first served, until there are too many; then those with the fewest places first.
#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<(usize, usize), Position>,
    pushed: usize,
    by_size: bool,
}

impl Queue {
    pub(super) fn push(&mut self, position: Position) {
        let size = if self.by_size { position.places.iter().count() } else { 0 };
        self.pushed += 1;
        self.waiting.insert((size, self.pushed), position);
    }

    pub(super) fn pop(&mut self, seen: &Seen) -> Option<Position> {
        if seen.many && !self.by_size {
            self.by_size = true;
            let by_size = |((_, number), position): ((usize, usize), Position)| {
                ((position.places.iter().count(), number), position)
            };
            self.waiting = std::mem::take(&mut self.waiting).into_iter().map(by_size).collect();
        }
        while let Some((_, position)) = self.waiting.pop_first() {
            if !seen.outdone(&position) {
                return Some(position);
            }
        }
        None
    }
}
