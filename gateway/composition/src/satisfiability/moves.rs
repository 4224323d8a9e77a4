//! Which subgraphs an object can be read from, and which of its fields they resolve.
//!
//! [`Moves::reachable`] is the least set closed under keys: a key leads to its subgraph when its fields can be resolved
//! from the places already in the set. Keys and `@requires` may lead through other objects and back; what is being
//! computed then counts with the places found so far, and is repeated until nothing is added.
//!
//! Always: results that rested on such an unfinished set are not remembered.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use apollo_compiler::Name;

use super::place::{Place, PlaceSet};
use crate::federation::Fed;
use crate::field_set::{FieldSelection, Selection};
use crate::merge::Merged;
use crate::model::{FieldDef, Kind, SubgraphSchema};

/// A way into a subgraph by key.
#[derive(Clone, Copy)]
pub(super) struct Jump<'a> {
    pub(super) subgraph: usize,
    /// The type that carries the key: the object, an interface object, or the entity interface.
    pub(super) carrier: &'a Name,
    /// The type the object then has in the subgraph.
    pub(super) ty: &'a Name,
    pub(super) text: &'a str,
    pub(super) fields: &'a [Selection],
    /// The key is of the object itself, so its type must be known.
    pub(super) by_object: bool,
}

/// Contexts set above a position, by their supergraph names; only those that some argument takes.
pub(super) type Contexts = BTreeSet<String>;

/// Every context the field's arguments come from is set.
pub(super) fn contexts_set(field: &FieldDef, set: &Contexts) -> bool {
    field.context_arguments.iter().all(|argument| set.contains(&argument.context))
}

/// Object type → contexts it sets, as far as any argument takes them.
fn context_setters(schemas: &[SubgraphSchema]) -> HashMap<Name, Vec<String>> {
    let mut setters: HashMap<Name, Vec<String>> = HashMap::new();
    for schema in schemas {
        let taken: HashSet<&str> = schema
            .types
            .values()
            .flat_map(|ty| ty.fields.values())
            .flat_map(|field| &field.context_arguments)
            .map(|argument| argument.context.as_str())
            .collect();
        if taken.is_empty() {
            continue;
        }
        for ty in schema.types.values() {
            for applied in ty.directives.iter().filter(|applied| applied.is(Fed::Context)) {
                let name = schema.context_name(applied.text("name").unwrap_or_default());
                if taken.contains(name.as_str()) {
                    for object in schema.runtime_types(&ty.name) {
                        setters.entry(object).or_default().push(name.clone());
                    }
                }
            }
        }
    }
    setters
}

pub(super) struct Moves<'a> {
    merged: &'a Merged,
    pub(super) schemas: &'a [SubgraphSchema],
    labels: HashSet<String>,
    /// Fields that `@override` took from a subgraph, with the label if it has one.
    overridden: HashMap<(usize, &'a Name, &'a Name), Option<&'a str>>,
    jumps: HashMap<Name, Rc<Vec<Jump<'a>>>>,
    setters: HashMap<Name, Vec<String>>,
    /// What an object that is read from a place can also be read from.
    known: HashMap<(Name, Place), PlaceSet>,
    /// Sets being computed, outermost first, as far as they are.
    unfinished: Vec<((Name, Place), PlaceSet)>,
    /// Answers about `@requires`: object, place, field.
    met: HashMap<(Name, Place, Name), bool>,
    /// `@requires` being checked.
    requiring: Vec<(Name, Place, Name)>,
    /// How often something unfinished was relied on.
    assumptions: usize,
    /// Places looked at.
    work: usize,
}

/// So many places are looked at before the whole is called too much: seconds.
const WORK_MAX: usize = 2_000_000;

impl<'a> Moves<'a> {
    pub(super) fn new(
        merged: &'a Merged,
        schemas: &'a [SubgraphSchema],
        labels: HashSet<String>,
    ) -> Moves<'a> {
        let mut overridden = HashMap::new();
        for schema in schemas {
            for ty in schema.types.values() {
                for field in ty.fields.values() {
                    let Some(over) = &field.overriding else { continue };
                    if let Some(source) = schemas.iter().position(|other| other.name == over.from) {
                        overridden.insert((source, &ty.name, &field.name), over.label.as_deref());
                    }
                }
            }
        }
        Moves {
            merged,
            schemas,
            labels,
            overridden,
            jumps: HashMap::new(),
            setters: context_setters(schemas),
            known: HashMap::new(),
            met: HashMap::new(),
            unfinished: Vec::new(),
            requiring: Vec::new(),
            assumptions: 0,
            work: 0,
        }
    }

    /// Too much has been looked at: answers are no longer true.
    pub(super) fn exhausted(&self) -> bool {
        self.work > WORK_MAX
    }

    /// A root type in every subgraph that has it.
    pub(super) fn roots(&self, name: &Name) -> Vec<Place> {
        self.schemas
            .iter()
            .enumerate()
            .filter(|(_, schema)| schema.types.contains_key(name))
            .map(|(subgraph, _)| Place { subgraph, ty: name.clone(), provided: None })
            .collect()
    }

    /// The contexts set for an object and what is below it.
    pub(super) fn contexts_below(&self, object: &Name, above: &Contexts) -> Contexts {
        let mut contexts = above.clone();
        contexts.extend(self.setters.get(object).into_iter().flatten().cloned());
        contexts
    }

    /// All places an object of the type can be read from, given some to choose from.
    ///
    /// Each place counts by itself: which of them a value comes from is decided before keys are followed.
    pub(super) fn reachable(&mut self, object: &Name, start: &PlaceSet) -> PlaceSet {
        let mut places: Vec<Place> = Vec::new();
        if object == "Query" {
            places = self.roots(object);
            places.extend(start.iter().cloned());
            return PlaceSet::new(places);
        }
        for place in start.iter() {
            places.extend(self.reachable_from(object, place).iter().cloned());
        }
        PlaceSet::new(places)
    }

    fn reachable_from(&mut self, object: &Name, start: &Place) -> PlaceSet {
        let jumps = self.jumps(object);
        let mut reached = PlaceSet::new(vec![start.clone()]);
        if jumps.is_empty() {
            return reached;
        }
        let key = (object.clone(), start.clone());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        if let Some((_, so_far)) = self.unfinished.iter().find(|(other, _)| *other == key) {
            self.assumptions += 1;
            return so_far.clone();
        }
        self.work += self.unfinished.len();
        let assumptions = self.assumptions;
        let depth = self.unfinished.len();
        self.unfinished.push((key.clone(), reached.clone()));
        loop {
            let before = reached.clone();
            for jump in jumps.iter() {
                if !reached.contains(jump.subgraph, jump.ty) && self.may_jump(object, &reached, jump) {
                    let place = Place { subgraph: jump.subgraph, ty: jump.ty.clone(), provided: None };
                    reached = reached.with(place);
                    self.unfinished[depth].1 = reached.clone();
                }
            }
            if reached == before {
                break;
            }
        }
        self.unfinished.truncate(depth);
        if self.assumptions == assumptions || self.idle() {
            self.known.insert(key, reached.clone());
        }
        reached
    }

    /// Nothing is under way that a result could have rested on.
    fn idle(&self) -> bool {
        self.unfinished.is_empty() && self.requiring.is_empty()
    }

    pub(super) fn may_jump(&mut self, object: &Name, from: &PlaceSet, jump: &Jump<'_>) -> bool {
        self.work += 1;
        if self.exhausted() {
            return false;
        }
        let type_known = from.iter().any(|place| place.ty == *object);
        (type_known || !jump.by_object) && self.resolves(object, from, jump.fields)
    }

    /// Keys by which the object's data in other subgraphs is found.
    pub(super) fn jumps(&mut self, object: &Name) -> Rc<Vec<Jump<'a>>> {
        if let Some(jumps) = self.jumps.get(object) {
            return Rc::clone(jumps);
        }
        let mut jumps = Vec::new();
        let interfaces = self.merged.types.get(object).map(|ty| &ty.interfaces);
        let carriers = std::iter::once(object).chain(interfaces.into_iter().flatten());
        for name in carriers {
            for (subgraph, schema) in self.schemas.iter().enumerate() {
                let Some(carrier) = schema.types.get(name) else { continue };
                // Through an entity interface, the object itself is found.
                let entity_interface = carrier.kind == Kind::Interface;
                let implements = schema.implementations.get(name).is_some_and(|names| names.contains(object));
                if entity_interface && !implements {
                    continue;
                }
                let ty = if entity_interface {
                    match schema.types.get(object) {
                        Some(ty) => &ty.name,
                        None => continue,
                    }
                } else {
                    &carrier.name
                };
                for key in carrier.keys.iter().filter(|key| key.resolvable) {
                    jumps.push(Jump {
                        subgraph,
                        carrier: &carrier.name,
                        ty,
                        text: &key.text,
                        fields: &key.fields.selections,
                        by_object: name == object,
                    });
                }
            }
        }
        let jumps = Rc::new(jumps);
        self.jumps.insert(object.clone(), Rc::clone(&jumps));
        jumps
    }

    /// Every field of the selection can be resolved for an object readable from the places.
    pub(super) fn resolves(&mut self, object: &Name, from: &PlaceSet, selections: &[Selection]) -> bool {
        selections.iter().all(|selection| match selection {
            Selection::Fragment { condition, selections, .. } => {
                !self.applies(object, condition.as_ref()) || self.resolves(object, from, selections)
            }
            Selection::Field(field) => field.name == "__typename" || self.resolves_field(object, from, field),
        })
    }

    /// Whether a type condition holds for an object type.
    fn applies(&self, object: &Name, condition: Option<&Name>) -> bool {
        let Some(condition) = condition else { return true };
        if condition == object {
            return true;
        }
        let implements = self.merged.types.get(object).is_some_and(|ty| ty.interfaces.contains(condition));
        let member = self.merged.types.get(condition).is_some_and(|ty| ty.members.contains(object));
        implements || member
    }

    fn resolves_field(&mut self, object: &Name, from: &PlaceSet, field: &FieldSelection) -> bool {
        let targets = self.targets(object, from, &field.name, None);
        if targets.is_empty() {
            return false;
        }
        if field.selections.is_empty() {
            return true;
        }
        let merged = self.merged;
        let Some(definition) = merged.types.get(object).and_then(|ty| ty.fields.get(&field.name)) else {
            return false;
        };
        merged.runtime_types(definition.ty.inner_named_type()).into_iter().all(|below| {
            let places = self.cast(&targets, &below);
            if places.is_empty() {
                return true;
            }
            let reachable = self.reachable(&below, &PlaceSet::new(places));
            self.resolves(&below, &reachable, &field.selections)
        })
    }

    /// Where a field of an object leads: the places of its value, one for each subgraph that resolves it.
    ///
    /// Fields that take arguments from contexts need them among the given ones. `None` is for field sets: contexts are
    /// taken for set, and fields under progressive override for not there.
    pub(super) fn targets(
        &mut self,
        object: &Name,
        from: &PlaceSet,
        field: &Name,
        contexts: Option<&Contexts>,
    ) -> Vec<Place> {
        let schemas = self.schemas;
        let mut targets = Vec::new();
        if self.exhausted() {
            return targets;
        }
        for place in from.iter() {
            self.work += 1;
            let Some(definition) = schemas[place.subgraph].field(&place.ty, field) else { continue };
            match contexts {
                Some(set) if !contexts_set(definition, set) => continue,
                // A field set is one text for all requests: it cannot follow a field from subgraph to subgraph.
                None if self.labelled(place.subgraph, &place.ty, definition) => continue,
                _ => {}
            }
            let provided = self.provided_below(object, place, field);
            if provided.is_none() && !self.resolved_by(place.subgraph, &place.ty, definition) {
                continue;
            }
            if provided.is_none() && !self.requirements_met(object, place, definition) {
                continue;
            }
            let mut below = provided.unwrap_or_default();
            if let Some(provides) = &definition.provides {
                below.extend(provides.fields.selections.iter().cloned());
            }
            targets.push(Place {
                subgraph: place.subgraph,
                ty: definition.ty.inner_named_type().clone(),
                provided: (!below.is_empty()).then(|| Rc::new(below)),
            });
        }
        targets
    }

    /// The subgraph resolves the field by itself, apart from what it requires.
    pub(super) fn resolved_by(&self, subgraph: usize, ty: &Name, field: &FieldDef) -> bool {
        if field.facts.external() {
            return false;
        }
        if let Some(label) = field.overriding.as_ref().and_then(|over| over.label.as_ref())
            && !self.labels.contains(label)
        {
            return false;
        }
        match self.overridden.get(&(subgraph, ty, &field.name)) {
            None => true,
            Some(None) => false,
            Some(Some(label)) => !self.labels.contains(*label),
        }
    }

    /// The field is on either side of a progressive override.
    fn labelled(&self, subgraph: usize, ty: &Name, field: &FieldDef) -> bool {
        field.overriding.as_ref().is_some_and(|over| over.label.is_some())
            || matches!(self.overridden.get(&(subgraph, ty, &field.name)), Some(Some(_)))
    }

    /// What the field requires can be fetched by somebody who is at the place of the field.
    pub(super) fn requirements_met(&mut self, object: &Name, place: &Place, field: &FieldDef) -> bool {
        let Some(requires) = &field.requires else { return true };
        let goal = (object.clone(), place.clone(), field.name.clone());
        if let Some(met) = self.met.get(&goal) {
            return *met;
        }
        if self.requiring.contains(&goal) {
            self.assumptions += 1;
            return false;
        }
        let assumptions = self.assumptions;
        self.requiring.push(goal.clone());
        let from = self.reachable_from(object, place);
        let met = self.resolves(object, &from, &requires.fields.selections)
            && (self.can_return(object, place, &from)
                || self.resolved_locally(object, place, &requires.fields.selections));
        self.requiring.pop();
        if self.assumptions == assumptions || self.idle() {
            self.met.insert(goal, met);
        }
        met
    }

    /// Whoever left a place to fetch what a field requires can come back to it by a key.
    pub(super) fn can_return(&mut self, object: &Name, place: &Place, from: &PlaceSet) -> bool {
        let jumps = self.jumps(object);
        let back = jumps.iter().filter(|jump| jump.subgraph == place.subgraph && *jump.ty == place.ty);
        back.into_iter().any(|jump| self.may_jump(object, from, jump))
    }

    /// Every field of the selection is resolved where one is.
    fn resolved_locally(&self, object: &Name, place: &Place, selections: &[Selection]) -> bool {
        selections.iter().all(|selection| match selection {
            Selection::Fragment { condition, selections, .. } => {
                !self.applies(object, condition.as_ref()) || self.resolved_locally(object, place, selections)
            }
            Selection::Field(field) => {
                let Some(definition) = self.schemas[place.subgraph].field(&place.ty, &field.name) else {
                    return field.name == "__typename";
                };
                let provided = self.provided_below(object, place, &field.name);
                if provided.is_none() && !self.resolved_by(place.subgraph, &place.ty, definition) {
                    return false;
                }
                let ty = definition.ty.inner_named_type();
                let provided = provided.filter(|below| !below.is_empty()).map(Rc::new);
                let target = Place { subgraph: place.subgraph, ty: ty.clone(), provided };
                let objects = self.schemas[place.subgraph].runtime_types(ty);
                objects.into_iter().all(|below| {
                    let here = Place { ty: below.clone(), ..target.clone() };
                    self.resolved_locally(&below, &here, &field.selections)
                })
            }
        })
    }

    /// What the path provides under a field; `None` when it does not provide the field.
    fn provided_below(&self, object: &Name, place: &Place, field: &Name) -> Option<Vec<Selection>> {
        let mut found: Option<Vec<Selection>> = None;
        let mut pending: Vec<&Selection> = place.provided.as_ref()?.iter().collect();
        while let Some(selection) = pending.pop() {
            match selection {
                Selection::Field(given) if given.name == *field => {
                    found.get_or_insert_default().extend(given.selections.iter().cloned());
                }
                Selection::Field(_) => {}
                Selection::Fragment { condition, selections, .. } => {
                    if self.applies(object, condition.as_ref()) {
                        pending.extend(selections);
                    }
                }
            }
        }
        found
    }

    /// The places at which a value can be an object of the given type.
    pub(super) fn cast(&self, places: &[Place], object: &Name) -> Vec<Place> {
        places
            .iter()
            .filter_map(|place| {
                let schema = &self.schemas[place.subgraph];
                let ty = schema.types.get(&place.ty)?;
                if ty.name == *object {
                    return Some(place.clone());
                }
                if ty.interface_object {
                    let implements = self
                        .merged
                        .types
                        .get(object)
                        .is_some_and(|merged| merged.interfaces.contains(&ty.name));
                    return implements.then(|| place.clone());
                }
                let possible = match ty.kind {
                    Kind::Interface => schema.implementations.get(&ty.name)?.contains(object),
                    Kind::Union => ty.members.contains_key(object),
                    _ => false,
                };
                possible.then(|| Place { ty: object.clone(), ..place.clone() })
            })
            .collect()
    }
}
