//! What an entity fetch needs: objects at its paths, and representations made of what is there by then.

use std::collections::BTreeSet;
use std::rc::Rc;

use apollo_compiler::ast;
use kopitiam_operation::{Conditions, OperationKind};
use kopitiam_supergraph::{FieldSet, Root, SubgraphId, TypeId, TypeKind, TypeSet};

use super::{
    Checker,
    contexts::Above,
    documents::{At, directives, own_conditions},
    tree::{PlaceId, Slot, Tree},
};
use crate::{EntityGroup, EntityVariant, Path, PathStep, RepresentationField};

/// Objects of a place, their runtime types, and when they are there.
pub(super) type Found = (PlaceId, TypeSet, Conditions);

/// The fetch whose inputs are looked at.
struct Needs<'a> {
    fetch: usize,
    label: String,
    before: &'a BTreeSet<usize>,
    /// The fetch's own, and those under which there are objects.
    conditions: Conditions,
}

impl Checker<'_> {
    pub(super) fn group(
        &mut self,
        fetch: usize,
        subgraph: SubgraphId,
        group: &EntityGroup,
        selections: &[ast::Selection],
    ) {
        let before = self.before(fetch);
        let own = self.plan.fetches[fetch].conditions.and(&group.conditions).unwrap_or_default();
        for target in &group.targets {
            let label = format!(
                "fetch {fetch} ({}) at {}",
                self.plan.fetches[fetch].subgraph,
                self.plan.path_text(target)
            );
            let found = self.places(target, &before, &label);
            if found.is_empty() {
                self.gap(label.clone(), "has no objects at its path");
            }
            for (place, types, there) in found {
                let conditions = own.and(&there).unwrap_or_default();
                let needs = Needs { fetch, label: label.clone(), before: &before, conditions };
                let above = Above {
                    target: target.clone(),
                    contexts: group.contexts.clone(),
                    label: label.clone(),
                    before: before.clone(),
                };
                self.entities((place, &types), subgraph, (group, Rc::new(above)), selections, &needs);
            }
        }
    }

    /// The objects of the query type that a root fetch below the root answers.
    pub(super) fn root_places(
        &mut self,
        fetch: usize,
        path: &Path,
        label: &str,
    ) -> Vec<(PlaceId, TypeId, Conditions)> {
        let Some(fields) = path.0.iter().rposition(|step| matches!(step, PathStep::Field(_))) else {
            self.gap(label, "has a path that leads nowhere");
            return Vec::new();
        };
        let (above, last) = (&path.0[..fields], &path.0[fields]);
        let before = self.before(fetch);
        if self.plan.fetches[fetch].operation != OperationKind::Query {
            self.gap(label, "asks fields that are not the query's below the root");
        }
        for (place, types, _) in self.places(&Path(above.to_vec()), &before, label) {
            let PathStep::Field(key) = last else { continue };
            let slots = types.iter().filter_map(|ty| self.tree.place(place).slot(ty, *key));
            let awaited = |slot: &Slot| slot.fills.iter().any(|fill| before.contains(&fill.fetch));
            if !slots.into_iter().all(awaited) {
                self.gap(label, "does not wait for the objects at its path");
            }
        }
        let found = self.places(path, &before, label);
        let query = self.supergraph.root(Root::Query);
        if found.is_empty() || found.iter().any(|(_, types, _)| types.iter().any(|ty| Some(ty) != query)) {
            self.gap(label, "has no objects of the query type at its path");
        }
        found.into_iter().filter_map(|(place, _, there)| Some((place, query?, there))).collect()
    }

    /// The places that a path leads to, and the runtime types that it picks there.
    pub(super) fn places(&mut self, path: &Path, before: &BTreeSet<usize>, label: &str) -> Vec<Found> {
        let mut here: Vec<Found> =
            vec![(Tree::ROOT, self.tree.place(Tree::ROOT).types.clone(), Conditions::ALWAYS)];
        for step in &path.0 {
            let mut next: Vec<Found> = Vec::new();
            for (place, types, there) in here {
                match step {
                    PathStep::On(wanted) => {
                        let wanted = self.type_set(wanted);
                        for ty in types.iter() {
                            if !self.tree.place(place).type_known_before(ty, before) {
                                self.gap(label, "its path needs a runtime type that is not there yet");
                            }
                        }
                        next.push((place, types.and(&wanted), there));
                    }
                    PathStep::Field(key) => {
                        let slots = types.iter().filter_map(|ty| self.tree.place(place).slot(ty, *key));
                        next.extend(slots.filter_map(|slot| {
                            let child = slot.child?;
                            let filled = slot.fills.iter().map(|fill| fill.conditions.clone());
                            let there = filled.reduce(|a, b| a.or(&b)).unwrap_or_default();
                            Some((child, self.tree.place(child).types.clone(), there))
                        }));
                    }
                }
            }
            here = merged(next);
        }
        here.retain(|(_, types, _)| !types.is_empty());
        here
    }

    pub(super) fn type_set(&self, types: &[crate::TypeId]) -> TypeSet {
        types.iter().filter_map(|&ty| self.supergraph.type_id(self.plan.types.name(ty))).collect()
    }

    fn entities(
        &mut self,
        (place, types): (PlaceId, &TypeSet),
        subgraph: SubgraphId,
        (group, above): (&EntityGroup, Rc<Above>),
        selections: &[ast::Selection],
        needs: &Needs<'_>,
    ) {
        for variant in &group.variants {
            let entered =
                if variant.on.is_empty() { types.clone() } else { types.and(&self.type_set(&variant.on)) };
            let Some(typename) = self.supergraph.type_id(self.plan.types.name(variant.typename)) else {
                continue;
            };
            if !variant.on.is_empty() {
                for ty in entered.iter() {
                    if !self.tree.place(place).type_known_before(ty, needs.before) {
                        self.gap(&needs.label, "chooses by a runtime type that is not there yet");
                    }
                }
            }
            self.check_key(variant, typename, subgraph, &entered, needs);
            for ty in entered.iter() {
                // For a type of which nothing is asked just now the representation may be incomplete: it is not sent.
                let asked =
                    self.asked(selections, ty, typename).and_then(|asked| asked.and(&needs.conditions));
                let Some(conditions) = asked else { continue };
                let needs = Needs { label: needs.label.clone(), conditions, ..*needs };
                self.representation(place, ty, &variant.fields, &needs);
            }
            let by_interface = self.supergraph.ty(typename).kind != TypeKind::Object;
            let known = self.supergraph.type_in(subgraph, typename).map(|view| view.possible.clone());
            let types = if by_interface { entered.and(&known.unwrap_or_default()) } else { entered };
            let at = At {
                fetch: needs.fetch,
                subgraph,
                place,
                static_type: None,
                types,
                provided: FieldSet::default(),
                conditions: needs.conditions.clone(),
                inputs: Some(variant.fields.clone()),
                above: Some(Rc::clone(&above)),
            };
            self.walk(selections, &at, &group.selection);
        }
    }

    /// When anything is asked of entities of one type; `None` for never.
    fn asked(&self, selections: &[ast::Selection], ty: TypeId, typename: TypeId) -> Option<Conditions> {
        let mut any: Option<Conditions> = None;
        for selection in selections {
            let own = own_conditions(directives(selection));
            let found = match selection {
                ast::Selection::InlineFragment(fragment) => {
                    let condition =
                        fragment.type_condition.as_ref().map(|name| self.supergraph.type_id(name));
                    let applies = condition.is_none_or(|found| found == Some(ty) || found == Some(typename));
                    let inner = applies.then(|| self.asked(&fragment.selection_set, ty, typename)).flatten();
                    inner.and_then(|inner| inner.and(&own))
                }
                _ => Some(own),
            };
            any = match (any, found) {
                (Some(a), Some(b)) => Some(a.or(&b)),
                (a, b) => a.or(b),
            };
        }
        any
    }

    /// The representation must contain one of the subgraph's resolvable keys.
    fn check_key(
        &mut self,
        variant: &EntityVariant,
        typename: TypeId,
        subgraph: SubgraphId,
        types: &TypeSet,
        needs: &Needs<'_>,
    ) {
        let keys = self.supergraph.type_in(subgraph, typename).map_or(&[][..], |view| &view.keys);
        let complete =
            keys.iter().any(|key| key.resolvable && contains(&variant.fields, &key.fields, types.first()));
        if !complete && !types.is_empty() {
            let name = &self.supergraph.ty(typename).name;
            self.gap(&needs.label, format!("sends no key of {name}"));
        }
    }

    /// Every field of a representation must be in the tree, brought by a fetch that this one waits for.
    fn representation(
        &mut self,
        place: PlaceId,
        ty: TypeId,
        fields: &[RepresentationField],
        needs: &Needs<'_>,
    ) {
        for field in fields {
            if !field.on.is_empty() && !self.type_set(&field.on).contains(ty) {
                continue;
            }
            let Some(slot) = self.tree.place(place).slot(ty, field.source) else {
                let name = &self.supergraph.ty(ty).name;
                self.gap(&needs.label, format!("sends {name}.{}, which is not there", field.name));
                continue;
            };
            let same = slot.name == *field.name;
            let awaited: Vec<Conditions> = slot
                .fills
                .iter()
                .filter(|fill| needs.before.contains(&fill.fetch))
                .map(|fill| fill.conditions.clone())
                .collect();
            let child = slot.child;
            if !same {
                self.gap(&needs.label, format!("sends another field as {}", field.name));
            }
            let wanted = needs.conditions.and(&field.conditions);
            if wanted.is_some_and(|wanted| !super::tree::implies(&wanted, awaited.iter())) {
                self.gap(&needs.label, format!("sends {}, which is not always there by then", field.name));
            }
            if let Some(child) = child {
                for ty in self.tree.place(child).types.clone().iter() {
                    self.representation(child, ty, &field.selection, needs);
                }
            }
        }
    }
}

/// One entry for each place.
fn merged(found: Vec<Found>) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for (place, types, there) in found {
        match all.iter_mut().find(|(other, ..)| *other == place) {
            Some((_, known, when)) => {
                *known = known.or(&types);
                *when = when.or(&there);
            }
            None => all.push((place, types, there)),
        }
    }
    all
}

/// Whether a representation of `ty` has a field set's fields. Below it, those for some runtime types only may be missing.
pub(super) fn contains(fields: &[RepresentationField], set: &FieldSet, ty: Option<TypeId>) -> bool {
    let whole = set.fields.iter().fold(TypeSet::empty(), |all, field| all.or(&field.on));
    let wanted = set.fields.iter().filter(|wanted| match ty {
        Some(ty) => wanted.on.contains(ty),
        None => wanted.on == whole,
    });
    wanted.into_iter().all(|wanted| {
        fields
            .iter()
            .any(|field| *field.name == *wanted.name && contains(&field.selection, &wanted.selection, None))
    })
}
