//! Places an object can be read from: a type in a subgraph, perhaps with fields that only this path provides.

use std::rc::Rc;

use apollo_compiler::Name;

use crate::field_set::Selection;

/// A type in a subgraph.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) subgraph: usize,
    /// The type's name there; differs from the object's for interface objects.
    pub(super) ty: Name,
    /// External fields that `@provides` gives on this path; `None` for none.
    pub(super) provided: Option<Rc<Vec<Selection>>>,
}

/// Places in a fixed order, without duplicates; cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PlaceSet(Rc<Vec<Place>>);

impl PlaceSet {
    pub(super) fn new(mut places: Vec<Place>) -> PlaceSet {
        let key = |place: &Place| (place.subgraph, place.ty.clone(), place.provided.is_some());
        places.sort_by_key(key);
        let mut unique: Vec<Place> = Vec::with_capacity(places.len());
        for place in places {
            let group = unique.iter().rev().take_while(|known| known.subgraph == place.subgraph);
            if !group.clone().any(|known| *known == place) {
                unique.push(place);
            }
        }
        PlaceSet(Rc::new(unique))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.0.iter()
    }

    /// Every place of this set is in the other.
    pub(super) fn is_within(&self, other: &PlaceSet) -> bool {
        self.0.len() <= other.0.len() && self.0.iter().all(|place| other.0.contains(place))
    }

    pub(super) fn with(&self, place: Place) -> PlaceSet {
        let mut places = self.0.as_ref().clone();
        places.push(place);
        PlaceSet::new(places)
    }

    /// Whether the plain type of a subgraph is among the places.
    pub(super) fn contains(&self, subgraph: usize, ty: &str) -> bool {
        self.0.iter().any(|place| place.subgraph == subgraph && place.ty == ty)
    }
}
