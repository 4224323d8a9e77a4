//! The response tree as symbols: for each place and runtime type, which fields are there, when, and since which fetch.

use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::{Node, ast};
use kopitiam_operation::Conditions;
use kopitiam_supergraph::{TypeId, TypeSet};

use crate::Key;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PlaceId(usize);

/// All objects at one path, for those runtime types of their ancestors that lead to the same kind of objects.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) types: TypeSet,
    slots: BTreeMap<(TypeId, Key), Slot>,
    typenames: Vec<(TypeSet, Fill)>,
}

/// A field of one runtime type.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) arguments: String,
    pub(super) fills: Vec<Fill>,
    pub(super) child: Option<PlaceId>,
}

#[derive(Debug, Clone)]
pub(super) struct Fill {
    pub(super) fetch: usize,
    pub(super) conditions: Conditions,
}

#[derive(Debug)]
pub(super) struct Tree {
    places: Vec<Place>,
}

impl Tree {
    pub(super) const ROOT: PlaceId = PlaceId(0);

    pub(super) fn new(root: TypeId) -> Self {
        Self { places: vec![Place { types: TypeSet::one(root), ..Place::default() }] }
    }

    pub(super) fn place(&self, id: PlaceId) -> &Place {
        &self.places[id.0]
    }

    pub(super) fn place_mut(&mut self, id: PlaceId) -> &mut Place {
        &mut self.places[id.0]
    }

    /// Notes that a fetch brings a field; false when the key holds another field already.
    pub(super) fn fill(
        &mut self,
        at: PlaceId,
        (ty, key): (TypeId, Key),
        field: &ast::Field,
        fill: Fill,
    ) -> bool {
        let arguments = arguments(&field.arguments);
        let slot = self.places[at.0].slots.entry((ty, key)).or_insert_with(|| Slot {
            name: field.name.to_string(),
            arguments: arguments.clone(),
            fills: Vec::new(),
            child: None,
        });
        slot.fills.push(fill);
        slot.name == field.name.as_str() && slot.arguments == arguments
    }

    /// The place below a slot, where a subgraph says these runtime types may be.
    pub(super) fn below(&mut self, at: PlaceId, ty: TypeId, key: Key, types: &TypeSet) -> PlaceId {
        let next = PlaceId(self.places.len());
        let slot = self.places[at.0].slots.get_mut(&(ty, key)).expect("only filled slots have a place below");
        let child = *slot.child.get_or_insert(next);
        if child == next {
            self.places.push(Place { types: types.clone(), ..Place::default() });
        } else {
            // Two subgraphs speak of the same objects: only what both know can be there.
            let place = &mut self.places[child.0];
            place.types = place.types.and(types);
        }
        child
    }

    /// Gives a slot the place that another runtime type's slot already has.
    pub(super) fn share(&mut self, at: PlaceId, ty: TypeId, key: Key, place: PlaceId) {
        let slot = self.places[at.0].slots.get_mut(&(ty, key)).expect("only filled slots have a place below");
        slot.child = Some(place);
    }
}

impl Place {
    pub(super) fn slot(&self, ty: TypeId, key: Key) -> Option<&Slot> {
        self.slots.get(&(ty, key))
    }

    pub(super) fn add_typename(&mut self, types: &TypeSet, fill: Fill) {
        self.typenames.push((types.clone(), fill));
    }

    /// Whether the runtime type is in the tree, whenever `conditions` hold.
    pub(super) fn knows_type(&self, ty: TypeId, conditions: &Conditions) -> bool {
        let fills = self.typenames.iter().filter(|(types, _)| types.contains(ty));
        implies(conditions, fills.map(|(_, fill)| &fill.conditions))
    }

    /// Whether one of these fetches brings the runtime type.
    pub(super) fn type_known_before(&self, ty: TypeId, before: &BTreeSet<usize>) -> bool {
        self.typenames.iter().any(|(types, fill)| types.contains(ty) && before.contains(&fill.fetch))
    }
}

/// Arguments as one text, in the order of their names.
pub(super) fn arguments(arguments: &[Node<ast::Argument>]) -> String {
    let mut texts: Vec<String> = arguments
        .iter()
        .map(|argument| format!("{}:{}", argument.name, argument.value.serialize().no_indent()))
        .collect();
    texts.sort();
    if texts.is_empty() { String::new() } else { format!("({})", texts.join(",")) }
}

/// Whether one of the others holds whenever `condition` does.
pub(super) fn implies<'c>(
    condition: &'c Conditions,
    others: impl IntoIterator<Item = &'c Conditions>,
) -> bool {
    let others: Vec<&Conditions> = others.into_iter().collect();
    let all = others.iter().copied().chain(std::iter::once(condition));
    let variables: BTreeSet<&str> =
        all.flat_map(|found| found.0.iter().flatten()).map(|literal| &*literal.variable).collect();
    let variables: Vec<&str> = variables.into_iter().collect();
    // Beyond this the table of values is too long; no plan of a test has as many variables in one place.
    if variables.len() > 16 {
        return true;
    }
    (0_u32..1 << variables.len()).all(|values| {
        let lookup = |name: &str| {
            let index = variables.iter().position(|variable| *variable == name);
            index.is_some_and(|index| values & (1 << index) != 0)
        };
        !condition.holds(lookup) || others.iter().any(|other| other.holds(lookup))
    })
}
