//! Keeping conditions true to every use: what one more use needs must be fetched when that use is switched on.
//!
//! And `__typename`, which is asked only where something depends on it.

use apollo_compiler::{Name, ast};
use kopitiam_plan::Key;
use kopitiam_supergraph::{FieldSet, TypeId, TypeSet};

use crate::{
    PlanError,
    attempt::Attempt,
    conditions::Cond,
    draft::{DocField, DraftId, NodeId, PosId},
    facts::Entry,
    inputs::join_requires,
    reach::Way,
};

impl<'a> Attempt<'a, '_> {
    /// Has a slot's value, for objects of some runtime types, also when `conditions` hold.
    pub(crate) fn refill(
        &mut self,
        at: PosId,
        slot: usize,
        types: &TypeSet,
        conditions: Cond,
    ) -> Result<(), PlanError> {
        let found = &mut self.build.positions[at.0].slots[slot];
        found.conditions = self.facts.conditions.or(found.conditions, conditions);
        let (key, name, fills) = (found.key, found.name, found.fills.clone());
        for source in 0..self.build.position(at).sources.len() {
            let from = &self.build.position(at).sources[source];
            if !fills.iter().any(|fill| fill.draft == from.draft && fill.on.meets(types)) {
                continue;
            }
            let node = from.node;
            let found = self.build.node(node);
            let same = found.with_key(key).map(|index| &found.fields[index]);
            let same: Vec<DocField<'a>> = same.filter(|field| field.name == name).cloned().collect();
            let covered = same
                .iter()
                .filter(|field| self.facts.conditions.covers(field.conditions, conditions))
                .fold(TypeSet::empty(), |all, field| all.or(&field.on));
            let missing = types.minus(&covered);
            for field in same.iter().filter(|field| field.on.meets(&missing)) {
                for (on, ty) in self.types_for(node, field, &field.on.and(&missing)) {
                    let field = DocField { on, conditions, ty, ..field.clone() };
                    self.build.add_field(&mut self.facts.conditions, node, field);
                }
            }
            if !same.is_empty() {
                self.touch(at, source, types, conditions)?;
                self.touch_required(at, source, types, name, conditions)?;
            }
        }
        Ok(())
    }

    /// Has what a field of an entity fetch `@requires` also when `conditions` hold.
    fn touch_required(
        &mut self,
        at: PosId,
        source: usize,
        types: &TypeSet,
        name: &'a Name,
        conditions: Cond,
    ) -> Result<(), PlanError> {
        let found = &self.build.position(at).sources[source];
        let (draft, node, subgraph) = (found.draft, found.node, found.subgraph);
        if self.build.draft(draft).node != node {
            return Ok(());
        }
        let mut required: Vec<&'a FieldSet> = Vec::new();
        for ty in types.iter() {
            let owners = self.facts.owners(ty, ty, name);
            let here = owners.iter().filter(|owner| owner.subgraph == subgraph);
            required.extend(here.filter_map(|owner| owner.view.requires.as_ref()));
        }
        let count = self.build.inputs.get(&draft).map_or(0, Vec::len);
        for index in 0..count {
            let Some(input) = self.build.inputs.get_mut(&draft).and_then(|all| all.get_mut(index)) else {
                continue;
            };
            let wider = self.facts.conditions.or(input.conditions, conditions);
            let is_meant = required.iter().any(|set| std::ptr::eq(*set, input.set));
            if input.is_key || !is_meant || wider == input.conditions || !input.on.meets(types) {
                continue;
            }
            input.conditions = wider;
            let (on, set) = (input.on.clone(), input.set);
            let mut ignored = std::collections::BTreeSet::new();
            let fields = self.obtain(at, &on, set, conditions, false, &mut ignored)?;
            let Some(entities) = &mut self.build.drafts[draft.0].entities else { continue };
            for variant in entities.variants.iter_mut().filter(|variant| variant.on == on) {
                join_requires(&mut self.facts.conditions, &mut variant.fields, fields.clone());
            }
        }
        Ok(())
    }

    /// Has a source's objects of some runtime types also when `conditions` hold.
    pub(crate) fn touch(
        &mut self,
        at: PosId,
        source: usize,
        types: &TypeSet,
        conditions: Cond,
    ) -> Result<(), PlanError> {
        let found = &self.build.position(at).sources[source];
        let (draft, node) = (found.draft, found.node);
        if self.build.draft(draft).node == node {
            let count = self.build.inputs.get(&draft).map_or(0, Vec::len);
            for index in 0..count {
                let Some(input) = self.build.inputs.get_mut(&draft).and_then(|all| all.get_mut(index)) else {
                    continue;
                };
                let wider = self.facts.conditions.or(input.conditions, conditions);
                // What a `@requires` needs is needed only when its own field is.
                if !input.is_key || wider == input.conditions || !input.on.meets(types) {
                    continue;
                }
                input.conditions = wider;
                let (on, set) = (input.on.clone(), input.set);
                let mut ignored = std::collections::BTreeSet::new();
                self.obtain(at, &on, set, conditions, true, &mut ignored)?;
                // To say which entity it is takes its type, and being there at all those on the way.
                self.path_types(at, conditions)?;
                if self.needs_typename(at, draft, &on) {
                    self.typename(at, &on, conditions)?;
                }
            }
            return self.touch_contexts(at, draft, conditions);
        }
        let Some((parent, _)) = self.build.position(at).parent else { return Ok(()) };
        let Some(key) = self.build.node(node).below else { return Ok(()) };
        for above in 0..self.build.position(parent).sources.len() {
            let found = &self.build.position(parent).sources[above];
            if found.draft != draft {
                continue;
            }
            let above_node = found.node;
            let fields: Vec<usize> = self.build.node(above_node).with_key(key).collect();
            let mut changed = false;
            for index in fields {
                let field = &mut self.build.nodes[above_node.0].fields[index];
                if field.child == Some(node) {
                    let wider = self.facts.conditions.or(field.conditions, conditions);
                    changed |= wider != field.conditions;
                    field.conditions = wider;
                }
            }
            if changed {
                let types = self.build.position(parent).types.clone();
                self.touch(parent, above, &types, conditions)?;
            }
        }
        Ok(())
    }

    /// Whether the representations of some objects depend on their runtime types.
    fn needs_typename(&self, at: PosId, draft: DraftId, on: &TypeSet) -> bool {
        let all = &self.build.position(at).types;
        let variants = self.build.draft(draft).entities.iter().flat_map(|entities| &entities.variants);
        let by_interface = variants.filter(|variant| variant.on == *on).any(|variant| {
            self.facts.supergraph.ty(variant.typename).kind != kopitiam_supergraph::TypeKind::Object
        });
        all.len() > 1 && !(by_interface && on == all)
    }

    /// The type of a field that is asked once more for some of the runtime types it is asked for: on its interface it has
    /// another than on a type that is stricter.
    fn types_for(
        &self,
        node: NodeId,
        field: &DocField<'a>,
        on: &TypeSet,
    ) -> Vec<(TypeSet, Option<&'a ast::Type>)> {
        if *on == field.on {
            return vec![(on.clone(), field.ty)];
        }
        let own = self.facts.own_fields(self.build.node(node).subgraph, on, field.name);
        own.into_iter().map(|(on, own)| (on, own.map(|view| &view.ty).or(field.ty))).collect()
    }

    /// Has the runtime types of a position's objects fetched; gives the fetches that bring them.
    pub(crate) fn typename(
        &mut self,
        at: PosId,
        types: &TypeSet,
        conditions: Cond,
    ) -> Result<Vec<DraftId>, PlanError> {
        self.together(|attempt| attempt.typename_anywhere(at, types, conditions))
    }

    fn typename_anywhere(
        &mut self,
        at: PosId,
        types: &TypeSet,
        conditions: Cond,
    ) -> Result<Vec<DraftId>, PlanError> {
        let mut missing = types.clone();
        let mut brought = self.typename_from_sources(at, &mut missing, conditions)?;
        if !missing.is_empty() {
            for (entries, subgraph) in self.typename_ways(at, &missing)? {
                match entries {
                    Some(hops) => {
                        self.hop(at, &hops, subgraph, (None, false), conditions)?;
                    }
                    None => {
                        self.ensure(at, &missing, (subgraph, 0), conditions)?;
                    }
                }
            }
            brought.extend(self.typename_from_sources(at, &mut missing, conditions)?);
        }
        brought.sort();
        brought.dedup();
        Ok(brought)
    }

    fn typename_from_sources(
        &mut self,
        at: PosId,
        missing: &mut TypeSet,
        conditions: Cond,
    ) -> Result<Vec<DraftId>, PlanError> {
        let mut order: Vec<usize> = (0..self.build.position(at).sources.len()).collect();
        order.sort_by_key(|&index| self.build.draft(self.build.position(at).sources[index].draft).level);
        let mut brought = Vec::new();
        for index in order {
            let source = &self.build.position(at).sources[index];
            if !source.is_shared() || source.opaque.is_some() || !source.types.meets(missing) {
                continue;
            }
            *missing = missing.minus(&source.types);
            let (draft, node) = (source.draft, source.node);
            let on = self.build.node(node).possible.clone();
            self.build.add_field(&mut self.facts.conditions, node, typename_field(on, conditions));
            let types = self.build.position(at).sources[index].types.clone();
            self.touch(at, index, &types, conditions)?;
            brought.push(draft);
        }
        Ok(brought)
    }

    /// Subgraphs that can tell runtime types, and how to enter them without knowing those.
    #[expect(clippy::type_complexity, reason = "entries per type, or none for re-entry")]
    fn typename_ways(
        &mut self,
        at: PosId,
        missing: &TypeSet,
    ) -> Result<Vec<(Option<Vec<(TypeId, Entry<'a>)>>, kopitiam_supergraph::SubgraphId)>, PlanError> {
        let mut ways: Vec<(Option<Vec<(TypeId, Entry<'a>)>>, kopitiam_supergraph::SubgraphId)> = Vec::new();
        for ty in missing.iter() {
            let reaches = self.reaches(at, ty);
            let mut best: Option<(u32, kopitiam_supergraph::SubgraphId, Way<'a>)> = None;
            for subgraph in self.facts.supergraph.subgraph_ids() {
                let Some(reach) = reaches[subgraph.index()] else { continue };
                let blind = match reach.way {
                    Way::Hop(entry) if self.build.position(at).types.len() > 1 => {
                        !self.facts.names_runtime_type(&entry)
                    }
                    _ => true,
                };
                let known = self.facts.knows(subgraph, ty) && blind;
                if known && best.as_ref().is_none_or(|(level, ..)| reach.level < *level) {
                    best = Some((reach.level, subgraph, reach.way));
                }
            }
            let (_, subgraph, way) = best.ok_or_else(|| PlanError::Unreachable {
                place: format!("{}.__typename", self.facts.supergraph.ty(ty).name),
            })?;
            let found = ways.iter_mut().find(|(_, other)| *other == subgraph);
            match (found, way) {
                (Some((Some(hops), _)), Way::Hop(entry)) => hops.push((ty, entry)),
                (None, Way::Hop(entry)) => ways.push((Some(vec![(ty, entry)]), subgraph)),
                (None, _) => ways.push((None, subgraph)),
                (Some(_), _) => {}
            }
        }
        Ok(ways)
    }
}

static TYPENAME: Name = apollo_compiler::name!("__typename");

fn typename_field<'a>(on: TypeSet, conditions: Cond) -> DocField<'a> {
    DocField {
        key: Key::TYPENAME,
        name: &TYPENAME,
        arguments: &[],
        on,
        conditions,
        ty: None,
        composite: false,
        child: None,
        contexts: &[],
    }
}
