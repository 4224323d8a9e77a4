//! The proof that a plan answers its operation: the plan is run on symbols, then compared with what was asked.
//!
//! In: a plan, its operation and the supergraph. Out: nothing, or every [`Gap`] found.
//! Every request's document is read back and checked against what its subgraph defines; every representation must be
//! made of values that earlier requests brought; every field of the operation must be in the tree for each runtime type
//! and whenever its conditions hold. Independent of the planner: it looks only at the plan's data.
//!
//! - `tree.rs`: the response tree, as what is known to be in it
//! - `deferral.rs`: each part that is delivered later, with no more than it waits for
//! - `documents.rs`: what a document brings; `entities.rs`: what an entity fetch needs; `contexts.rs`: from above, too
//!
//! Elsewhere: null propagation and the like, which are not the plan's business (`executor`).

mod contexts;
mod deferral;
mod documents;
mod entities;
mod tree;

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use kopitiam_operation::{Conditions, FieldNode, NormalisedOperation, OperationKind};
use kopitiam_supergraph::{Supergraph, TypeId, TypeKind};

use crate::{FetchKind, Key, PartId, PathStep, Plan};
use tree::{PlaceId, Tree};

/// Something that a plan does not do, or should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Where: a path of the response, or a request.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.problem)
    }
}

/// Proves that a plan answers its operation.
///
/// # Errors
/// Every gap found.
pub fn check(supergraph: &Supergraph, operation: &NormalisedOperation, plan: &Plan) -> Result<(), Vec<Gap>> {
    let mut checker = Checker::new(supergraph, operation, plan, None);
    for index in 0..plan.fetches.len() {
        checker.fetch(index, operation.root);
    }
    checker.order(operation);
    checker.compare((Tree::ROOT, operation.root), &operation.selection.fields, &Conditions::ALWAYS, "");
    let mut gaps = checker.gaps;
    deferral::check(supergraph, operation, plan, &mut gaps);
    if gaps.is_empty() { Ok(()) } else { Err(gaps) }
}

struct Checker<'a> {
    /// The part whose fields are compared; `None` for all.
    part: Option<PartId>,
    supergraph: &'a Supergraph,
    plan: &'a Plan,
    tree: Tree,
    gaps: Vec<Gap>,
    /// Places already compared: several runtime types may lead to one place.
    compared: HashSet<(PlaceId, *const FieldNode, Conditions)>,
}

impl<'a> Checker<'a> {
    fn new(
        supergraph: &'a Supergraph,
        operation: &NormalisedOperation,
        plan: &'a Plan,
        part: Option<PartId>,
    ) -> Self {
        let (tree, gaps, compared) = (Tree::new(operation.root), Vec::new(), HashSet::new());
        Self { part, supergraph, plan, tree, gaps, compared }
    }

    fn gap(&mut self, place: impl Into<String>, problem: impl Into<String>) {
        let found = Gap { place: place.into(), problem: problem.into() };
        if !self.gaps.contains(&found) {
            self.gaps.push(found);
        }
    }

    /// All fetches that are finished before this one starts.
    fn before(&self, fetch: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<usize> = vec![fetch];
        while let Some(next) = open.pop() {
            let deps = self.plan.fetches[next].depends_on.iter().map(|dep| dep.0 as usize);
            open.extend(deps.filter(|&dep| seen.insert(dep)));
        }
        seen
    }

    /// Dependencies point backwards; a mutation's root fetches wait for each other, and for the queries of payloads before
    /// them.
    fn order(&mut self, operation: &NormalisedOperation) {
        let mut last_root: Option<usize> = None;
        let mut queries: Vec<usize> = Vec::new();
        for index in 0..self.plan.fetches.len() {
            let fetch = &self.plan.fetches[index];
            let subgraph = fetch.subgraph.clone();
            if fetch.depends_on.iter().any(|dep| dep.0 as usize >= index) {
                self.gap(format!("fetch {index} ({subgraph})"), "waits for a later fetch");
            }
            let kind = &self.plan.fetches[index].kind;
            let is_root = matches!(kind, FetchKind::Root { at, .. } if at.is_empty());
            if let (FetchKind::Root { at, .. }, OperationKind::Mutation) = (kind, operation.kind)
                && !at.is_empty()
            {
                queries.push(index);
                if at.iter().filter_map(|path| path.0.first()).any(|first| self.is_followed(first)) {
                    self.gap(
                        format!("fetch {index} ({subgraph})"),
                        "comes after the mutation behind its own",
                    );
                }
            }
            if is_root && operation.kind == OperationKind::Mutation {
                let before = self.before(index);
                let waits = last_root.iter().chain(&queries).all(|earlier| before.contains(earlier));
                if !waits {
                    self.gap(
                        format!("fetch {index} ({subgraph})"),
                        "does not wait for the mutation before it",
                    );
                }
                last_root = Some(index);
            }
        }
    }

    /// Whether the request that runs a mutation field runs another one after it.
    fn is_followed(&self, field: &PathStep) -> bool {
        self.plan.fetches.iter().any(|fetch| match &fetch.kind {
            FetchKind::Root { at, selection } if at.is_empty() => {
                let fields = selection.fields.iter().filter(|found| found.key != Key::TYPENAME);
                let mut keys = fields.map(|found| PathStep::Field(found.key));
                keys.any(|key| key == *field) && keys.next().is_some()
            }
            _ => false,
        })
    }

    fn compare(
        &mut self,
        (place, declared): (PlaceId, TypeId),
        fields: &[FieldNode],
        outer: &Conditions,
        path: &str,
    ) {
        if !self.compared.insert((place, fields.as_ptr(), outer.clone())) {
            return;
        }
        let is_object = self.supergraph.ty(declared).kind == TypeKind::Object;
        for field in fields {
            let Some(conditions) = outer.and(&field.conditions) else { continue };
            let here = format!("{path}.{}", field.response_key);
            for ty in field.on.and(&self.tree.place(place).types).iter() {
                if field.is_refused {
                    continue;
                }
                if field.is_typename() {
                    if self.is_meant(field)
                        && !is_object
                        && !self.tree.place(place).knows_type(ty, &conditions)
                    {
                        let name = &self.supergraph.ty(ty).name;
                        self.gap(&here, format!("the runtime type is not fetched for {name}"));
                    }
                } else if !field.is_introspection() {
                    self.compare_field(place, field, ty, &conditions, &here);
                }
            }
        }
    }

    fn compare_field(
        &mut self,
        place: PlaceId,
        field: &FieldNode,
        ty: TypeId,
        conditions: &Conditions,
        here: &str,
    ) {
        let name = self.supergraph.ty(ty).name.clone();
        if !self.is_meant(field) {
            return self.compare_below(place, field, ty, conditions, here);
        }
        let Some(key) = self.key(&field.key) else {
            return self.gap(here, "no fetch has this response key");
        };
        let Some(slot) = self.tree.place(place).slot(ty, key) else {
            return self.gap(here, format!("is not fetched for {name}"));
        };
        if *slot.name != *field.name || slot.arguments != tree::arguments(&field.arguments) {
            let (name, arguments) = (slot.name.clone(), slot.arguments.clone());
            return self.gap(here, format!("holds {name}{arguments}"));
        }
        let fetched = slot.fills.iter().any(|fill| fill.conditions.is_always())
            || tree::implies(conditions, slot.fills.iter().map(|fill| &fill.conditions));
        let (child, is_union) = (slot.child, self.supergraph.ty(field.base).kind == TypeKind::Union);
        if !fetched {
            self.gap(here, format!("is not always fetched for {name}"));
        }
        let Some(child) = child else { return };
        if self.needs_type(field) {
            for ty in self.tree.place(child).types.clone().iter() {
                if !self.tree.place(child).knows_type(ty, conditions) {
                    let name = &self.supergraph.ty(ty).name;
                    self.gap(here, format!("objects of {name} come without __typename"));
                }
            }
        }
        if is_union {
            self.forget_private_members(field, child, ty);
        }
        self.compare((child, field.base), &field.selection.fields, conditions, here);
    }

    /// Whether a field is one of those to compare, and not only on the way to them.
    fn is_meant(&self, field: &FieldNode) -> bool {
        self.part.is_none_or(|part| part == field.part)
    }

    fn compare_below(
        &mut self,
        place: PlaceId,
        field: &FieldNode,
        ty: TypeId,
        conditions: &Conditions,
        here: &str,
    ) {
        let Some(key) = self.key(&field.key) else { return };
        let Some(child) = self.tree.place(place).slot(ty, key).and_then(|slot| slot.child) else { return };
        if self.supergraph.ty(field.base).kind == TypeKind::Union {
            self.forget_private_members(field, child, ty);
        }
        self.compare((child, field.base), &field.selection.fields, conditions, here);
    }

    /// Whether the shape below a field depends on runtime types.
    fn needs_type(&self, field: &FieldNode) -> bool {
        let base = self.supergraph.ty(field.base);
        let visible = base
            .possible
            .iter()
            .filter(|&ty| self.supergraph.ty(ty).accessible)
            .collect::<kopitiam_supergraph::TypeSet>();
        base.kind != TypeKind::Object
            && (visible != base.possible || field.selection.fields.iter().any(|child| child.on != visible))
    }

    /// A union's member that not every subgraph with the field knows may be left unanswered.
    fn forget_private_members(&mut self, field: &FieldNode, child: PlaceId, ty: TypeId) {
        let supergraph = self.supergraph;
        let mut shared = self.tree.place(child).types.clone();
        for subgraph in supergraph.subgraph_ids() {
            let has = supergraph.field_in(subgraph, ty, &field.name).is_some();
            if let (true, Some(view)) = (has, supergraph.type_in(subgraph, field.base)) {
                shared = shared.and(&view.possible);
            }
        }
        self.tree.place_mut(child).types = shared;
    }

    fn key(&self, name: &str) -> Option<Key> {
        let all = (0..self.plan.keys.len()).filter_map(|index| u32::try_from(index).ok()).map(Key);
        all.into_iter().find(|&key| self.plan.keys.name(key) == name)
    }
}
