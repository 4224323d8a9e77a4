//! Entering a subgraph by `_entities`: the key fields and required fields are asked first, where they can be had.

use std::collections::BTreeSet;

use kopitiam_operation::{FieldNode, OperationKind};
use kopitiam_plan::Key;
use kopitiam_supergraph::{FieldSet, FieldView, SetField, SubgraphId, TypeId, TypeSet};

use crate::{
    PlanError,
    attempt::Attempt,
    conditions::{Cond, CondTable},
    draft::{DocNode, Draft, DraftId, EntityDraft, Input, PosId, RepField, Source, VariantDraft},
    facts::Entry,
    item::{Item, Want},
    reach::{Candidate, Way},
};

/// Keys that lead to each other, one into the next subgraph: the walk through them is as deep.
const ENTERED_AT_ONCE_MAX: usize = 100;

impl<'a> Attempt<'a, '_> {
    /// Enters the subgraph of a field that has `@requires` or contexts, or that only some of the objects are asked for.
    pub(crate) fn enter_for(
        &mut self,
        at: PosId,
        want: &Want<'a>,
        types: &TypeSet,
        candidate: &Candidate<'a>,
    ) -> Result<Vec<(usize, TypeSet)>, PlanError> {
        let subgraph = candidate.owner.subgraph;
        let mut hops = Vec::new();
        for ty in types.iter() {
            let found = self.candidates(at, want.item, ty);
            let same = found.iter().find(|found| {
                let (view, wanted) = (found.owner.view, candidate.owner.view);
                found.owner.subgraph == subgraph
                    && view.requires == wanted.requires
                    && view.contexts == wanted.contexts
            });
            match same.map(|found| found.way) {
                Some(Way::Hop(entry)) => hops.push((ty, entry)),
                _ => return Err(self.unreachable(ty, want.item)),
            }
        }
        let name = want.item.name().as_str();
        let guards: Vec<_> = types.iter().map(|ty| (at, ty, subgraph, name)).collect();
        self.requiring.extend(guards.iter().copied());
        let guarded = self.is_guarded(at, want.item, candidate.owner);
        let entered = self.hop(at, &hops, subgraph, (Some(candidate.owner.view), guarded), want.conditions);
        for guard in &guards {
            self.requiring.remove(guard);
        }
        let wanted = |(source, served): (usize, TypeSet)| {
            let served = served.and(types);
            (!served.is_empty()).then_some((source, served))
        };
        Ok(entered?.into_iter().filter_map(wanted).collect())
    }

    /// Enters a subgraph with the objects of some runtime types, and with what one of its fields needs besides; if that is
    /// guarded, with those objects alone, for that field and its like alone. Gives the sources this makes, and for which
    /// types.
    pub(crate) fn hop(
        &mut self,
        at: PosId,
        hops: &[(TypeId, Entry<'a>)],
        subgraph: SubgraphId,
        (field, guarded): (Option<&'a FieldView>, bool),
        conditions: Cond,
    ) -> Result<Vec<(usize, TypeSet)>, PlanError> {
        let requires = field.and_then(|view| view.requires.as_ref());
        let contextual = field.map_or(&[][..], |view| &view.contexts);
        let mut found: Vec<(usize, TypeSet)> = Vec::new();
        for (types, entry) in self.hop_groups(at, hops, guarded) {
            let mut deps = self.path_types(at, conditions)?;
            let mut fields = self.key_fields(at, &types, (subgraph, entry), conditions, &mut deps)?;
            if let Some(requires) = requires {
                let more = self.obtain(at, &types, requires, conditions, false, &mut deps)?;
                join_requires(&mut self.facts.conditions, &mut fields, more);
            }
            let contexts = self.obtain_contexts(at, contextual, conditions, &mut deps)?;
            let all = &self.build.position(at).types;
            let known = all.len() <= 1 || (!self.facts.names_runtime_type(&entry) && types == *all);
            if !known {
                deps.extend(self.typename(at, &types, conditions)?);
            }
            let mut inputs =
                vec![Input { on: types.clone(), set: &entry.key.fields, is_key: true, conditions }];
            inputs.extend(requires.map(|set| Input { on: types.clone(), set, is_key: false, conditions }));
            let variant = VariantDraft { on: types, typename: entry.typename, fields };
            let entities =
                EntityDraft { variants: vec![variant], contexts, contextual, contexts_when: conditions };
            let only_for = guarded.then(|| entities.variants[0].on.clone());
            let source = self.entity_source(at, (subgraph, only_for), entities, deps, inputs);
            let asked: TypeSet = hops.iter().map(|(ty, _)| *ty).collect();
            let served = self.build.position(at).sources[source].types.and(&asked);
            match found.iter_mut().find(|(index, _)| *index == source) {
                Some((_, types)) => *types = types.or(&served),
                None => found.push((source, served)),
            }
        }
        Ok(found)
    }

    /// The fields of the key by which a subgraph is entered: none of them is had by entering it so.
    fn key_fields(
        &mut self,
        at: PosId,
        types: &TypeSet,
        (subgraph, entry): (SubgraphId, Entry<'a>),
        conditions: Cond,
        deps: &mut BTreeSet<DraftId>,
    ) -> Result<Vec<RepField>, PlanError> {
        if self.entering.len() >= ENTERED_AT_ONCE_MAX {
            return Err(PlanError::TooComplex);
        }
        self.entering.push((at, subgraph, entry.key));
        let fields = self.obtain(at, types, &entry.key.fields, conditions, true, deps);
        self.entering.pop();
        fields
    }

    /// Whether a way into a subgraph is by a key of which a field is being looked for.
    fn leads_back(&mut self, at: PosId, subgraph: SubgraphId, way: Way<'a>) -> bool {
        match way {
            _ if self.entering.is_empty() => false,
            Way::Source(_) | Way::Root => false,
            Way::Hop(entry) => self.entering.iter().any(|&(position, entered, key)| {
                position == at && entered == subgraph && std::ptr::eq(key, entry.key)
            }),
            Way::Reentry => {
                let Some((parent, slot)) = self.build.position(at).parent else { return false };
                let on = self.build.position(parent).slots[slot].on.clone();
                on.iter().any(|ty| {
                    let reach = self.reaches(parent, ty)[subgraph.index()];
                    reach.is_some_and(|reach| self.leads_back(parent, subgraph, reach.way))
                })
            }
        }
    }

    /// The runtime types that the path to a position depends on; gives what to wait for.
    pub(crate) fn path_types(&mut self, at: PosId, conditions: Cond) -> Result<BTreeSet<DraftId>, PlanError> {
        let mut deps = BTreeSet::new();
        let mut here = at;
        while let Some((parent, slot)) = self.build.position(here).parent {
            let types = self.build.position(parent).types.clone();
            if !types.is_subset(&self.build.position(parent).slots[slot].on) {
                deps.extend(self.typename(parent, &types, conditions)?);
            }
            here = parent;
        }
        Ok(deps)
    }

    /// Types that enter by one key together. By an interface's key all its objects enter, so that their runtime types
    /// need not be known; guarded, only those.
    fn hop_groups(
        &self,
        at: PosId,
        hops: &[(TypeId, Entry<'a>)],
        guarded: bool,
    ) -> Vec<(TypeSet, Entry<'a>)> {
        let mut groups: Vec<(TypeSet, Entry<'a>)> = Vec::new();
        for &(ty, entry) in hops {
            if groups.iter().any(|(types, other)| std::ptr::eq(other.key, entry.key) && types.contains(ty)) {
                continue;
            }
            let types = if self.facts.names_runtime_type(&entry) {
                TypeSet::one(ty)
            } else if guarded {
                let by_this = hops.iter().filter(|(_, other)| std::ptr::eq(other.key, entry.key));
                by_this.map(|(ty, _)| *ty).collect()
            } else {
                let all = &self.facts.supergraph.ty(entry.typename).possible;
                self.build.position(at).types.and(all)
            };
            groups.push((types, entry));
        }
        groups
    }

    /// The fetch that enters `subgraph` with these representations: one that is there already when nothing has to wait
    /// longer for it and it has the same contexts, else a new one.
    fn entity_source(
        &mut self,
        at: PosId,
        (subgraph, only_for): (SubgraphId, Option<TypeSet>),
        entities: EntityDraft<'a>,
        deps: BTreeSet<DraftId>,
        inputs: Vec<Input<'a>>,
    ) -> usize {
        let variant = &entities.variants[0];
        let view = self.facts.supergraph.type_in(subgraph, variant.typename);
        let by_interface =
            self.facts.supergraph.ty(variant.typename).possible != TypeSet::one(variant.typename);
        let static_type = by_interface.then_some(variant.typename);
        for index in 0..self.build.position(at).sources.len() {
            if self.build.position(at).sources[index].only_for != only_for {
                continue;
            }
            if let Some(variants) = self.joined(at, index, (subgraph, static_type), &entities, &deps) {
                self.build.changed(at);
                let source = &mut self.build.positions[at.0].sources[index];
                source.types = source.types.or(&served(variant, view));
                let (draft, node) = (source.draft, source.node);
                let node = &mut self.build.nodes[node.0];
                node.possible = node.possible.or(&variant.on);
                let found =
                    self.build.drafts[draft.0].entities.as_mut().expect("only entity fetches are joined");
                found.variants = variants;
                found.contexts_when = self.facts.conditions.or(found.contexts_when, entities.contexts_when);
                self.add_inputs(draft, inputs);
                return index;
            }
        }
        let opaque = view.is_some_and(|view| view.is_interface_object).then_some(variant.typename);
        let possible = view.map(|view| view.possible.clone()).unwrap_or_default();
        let types = served(variant, view);
        let possible = if by_interface { possible } else { variant.on.clone() };
        let node = self.build.add_node(DocNode::new(subgraph, static_type, possible, None));
        let contextual = !entities.contexts.is_empty();
        let (operation, entities) = (OperationKind::Query, Some(entities));
        let (level, part) = (0, self.part);
        let draft = Draft { subgraph, operation, node, position: at, entities, deps, level, part };
        let draft = self.build.add_draft(draft);
        self.build.inputs.insert(draft, inputs);
        let provided = FieldSet::default();
        self.build.changed(at);
        let sources = &mut self.build.positions[at.0].sources;
        sources.push(Source { draft, node, subgraph, types, opaque, provided, contextual, only_for });
        sources.len() - 1
    }

    /// What an entity fetch's representations are made of besides; one more use of the same is no other input.
    fn add_inputs(&mut self, draft: DraftId, inputs: Vec<Input<'a>>) {
        let known = self.build.inputs.entry(draft).or_default();
        for input in inputs {
            let same = known.iter_mut().find(|found| {
                std::ptr::eq(found.set, input.set) && found.is_key == input.is_key && found.on == input.on
            });
            match same {
                Some(found) => {
                    found.conditions = self.facts.conditions.or(found.conditions, input.conditions);
                }
                None => known.push(input),
            }
        }
    }

    /// The variants of an entity fetch if this one joins it; `None` when it cannot.
    fn joined(
        &mut self,
        at: PosId,
        source: usize,
        (subgraph, static_type): (SubgraphId, Option<TypeId>),
        new: &EntityDraft<'a>,
        deps: &BTreeSet<DraftId>,
    ) -> Option<Vec<VariantDraft>> {
        let source = &self.build.position(at).sources[source];
        let draft = self.build.draft(source.draft);
        let entities = draft.entities.as_ref().filter(|_| draft.position == at)?;
        let fits = source.subgraph == subgraph
            && draft.node == source.node
            && self.build.node(draft.node).static_type == static_type
            && entities.contexts == new.contexts
            && draft.part == self.part
            && self.build.waits_for(source.draft, deps);
        if !fits {
            return None;
        }
        let variant = &new.variants[0];
        let mut variants = entities.variants.clone();
        match variants.iter_mut().find(|found| found.on.meets(&variant.on)) {
            None => variants.push(variant.clone()),
            Some(found) if found.on == variant.on && found.typename == variant.typename => {
                merge_fields(&mut self.facts.conditions, &mut found.fields, variant.fields.clone())?;
            }
            Some(_) => return None,
        }
        Some(variants)
    }

    /// Has all fields of a field set asked at a position; gives the representation's fields and what to wait for.
    pub(crate) fn obtain(
        &mut self,
        at: PosId,
        types: &TypeSet,
        set: &'a FieldSet,
        conditions: Cond,
        is_key: bool,
        deps: &mut BTreeSet<DraftId>,
    ) -> Result<Vec<RepField>, PlanError> {
        self.together(|attempt| attempt.obtain_fields(at, types, set, conditions, is_key, deps))
    }

    fn obtain_fields(
        &mut self,
        at: PosId,
        types: &TypeSet,
        set: &'a FieldSet,
        conditions: Cond,
        is_key: bool,
        deps: &mut BTreeSet<DraftId>,
    ) -> Result<Vec<RepField>, PlanError> {
        let mut fields: Vec<RepField> = Vec::new();
        for field in &set.fields {
            let here = field.on.and(types);
            if here.is_empty() {
                continue;
            }
            if field.name == "__typename" {
                deps.extend(self.typename(at, &here, conditions)?);
                fields.push(crate::contexts::typename(here, types));
                continue;
            }
            let key = self.input_key(at, field, &here);
            let want = Want { item: Item::Set(field), on: here.clone(), conditions, key };
            for slot in self.place_input(at, &want)? {
                let found = self.input(at, slot, &want, is_key, deps)?;
                let Some((on, selection)) = found else { continue };
                let conditional = on != *types;
                let name = field.name.clone();
                let when = if is_key { Cond::ALWAYS } else { conditions };
                push_field(
                    &mut self.facts.conditions,
                    &mut fields,
                    RepField { name, source: key, on, conditional, is_key, conditions: when, selection },
                );
            }
        }
        for field in &mut fields {
            field.conditional &= field.on != *types;
        }
        if fields.iter().any(|field| field.conditional) && self.build.position(at).types.len() > 1 {
            deps.extend(self.typename(at, types, conditions)?);
        }
        Ok(fields)
    }

    /// What a slot gives to a representation; `None` when no object can have it.
    fn input(
        &mut self,
        at: PosId,
        slot: usize,
        want: &Want<'a>,
        is_key: bool,
        deps: &mut BTreeSet<DraftId>,
    ) -> Result<Option<(TypeSet, Vec<RepField>)>, PlanError> {
        let found = &self.build.position(at).slots[slot];
        let on = found.on.and(&want.on);
        let Item::Set(field) = want.item else { return Ok(None) };
        let Some(child) = found.child else {
            let fills = found.fills.iter().filter(|fill| fill.on.meets(&on));
            deps.extend(fills.min_by_key(|fill| self.build.draft(fill.draft).level).map(|fill| fill.draft));
            return Ok(Some((on, Vec::new())));
        };
        let first = found.fills.iter().min_by_key(|fill| self.build.draft(fill.draft).level);
        deps.extend(first.map(|fill| fill.draft));
        let types = self.build.position(child).types.clone();
        let selection = self.obtain(child, &types, &field.selection, want.conditions, is_key, deps)?;
        // An object of which nothing is required is required all the same: it says that it is there.
        Ok((!is_key || !selection.is_empty()).then_some((on, selection)))
    }

    /// Asks for an input where it is had soonest.
    fn place_input(&mut self, at: PosId, want: &Want<'a>) -> Result<Vec<usize>, PlanError> {
        let mut groups: Vec<(TypeSet, Candidate<'a>)> = Vec::new();
        for ty in want.on.iter() {
            let mut best: Option<((u32, u8, u32, u32), Candidate<'a>)> = None;
            for found in self.candidates(at, want.item, ty) {
                if self.leads_back(at, found.owner.subgraph, found.way) {
                    continue;
                }
                let cost = self.facts.cost(want.item, found.owner.subgraph, found.owner.view);
                let source = u32::from(!matches!(found.way, Way::Source(_)));
                let score = (found.level + cost.levels + cost.broken, found.owner.rank, source, cost.fetches);
                if best.as_ref().is_none_or(|(old, _)| score < *old) {
                    best = Some((score, found));
                }
            }
            let filled =
                self.build.position(at).slots.iter().any(|slot| {
                    slot.key == want.key && slot.name == want.item.name() && slot.on.contains(ty)
                });
            let Some((_, candidate)) = best else {
                if filled {
                    continue;
                }
                return Err(self.unreachable(ty, want.item));
            };
            match groups.iter_mut().find(|(_, other)| crate::choose::alike(other, &candidate)) {
                Some((types, _)) => types.insert(ty),
                None => groups.push((TypeSet::one(ty), candidate)),
            }
        }
        let mut slots = Vec::new();
        for (types, candidate) in groups {
            for slot in self.place(at, want, &types, &candidate)? {
                if !slots.contains(&slot) {
                    slots.push(slot);
                }
            }
        }
        Ok(slots)
    }

    /// Where the response tree keeps a field of a field set: with the client's when the client asks the same of all these
    /// runtime types and cannot lose it, else in a place of its own.
    ///
    /// Never a different place for each type: the types may not be known yet, and a key may be what it takes to know.
    fn input_key(&mut self, at: PosId, field: &'a SetField, types: &TypeSet) -> Key {
        let asked: &'a [FieldNode] = self.build.position(at).client;
        let asked = asked.iter().position(|client| {
            client.name == field.name
                && client.arguments[..] == field.arguments[..]
                && types.is_subset(&client.on)
                && !self.facts.needs_a_place_of_its_own(client, field)
        });
        let position = self.build.position(at);
        if let Some(client) = asked {
            return position.client_keys.all()[client];
        }
        let own = position.slots.iter().find(|slot| {
            *slot.name == field.name
                && slot.arguments == &field.arguments[..]
                && !position.client_keys.contains(slot.key)
        });
        if let Some(own) = own {
            return own.key;
        }
        let keys = &self.build.keys;
        let used = position.client_keys.all().iter().chain(position.slot_keys.all());
        let taken = |key: &str| used.clone().any(|&used| keys.name(used) == key);
        let key = free_key(&field.name, taken);
        self.build.keys.intern(&key)
    }
}

/// The field's own name, or the first numbered one that nothing at the position uses.
fn free_key(name: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(name) {
        return name.to_owned();
    }
    let numbered = (0..).map(|number: u32| format!("_{number}_{name}"));
    numbered.into_iter().find(|key| !taken(key)).expect("some number is free")
}

/// The types for which an entered subgraph gives objects.
fn served(variant: &VariantDraft, view: Option<&kopitiam_supergraph::TypeView>) -> TypeSet {
    view.map_or_else(TypeSet::empty, |view| variant.on.and(&view.possible))
}

/// Adds required fields to a key's. A field that is in the key already is sent as the key has it.
pub(crate) fn join_requires(table: &mut CondTable, fields: &mut Vec<RepField>, more: Vec<RepField>) {
    for field in more {
        let before = fields.clone();
        if merge_fields(table, fields, vec![field]).is_none() {
            *fields = before;
        }
    }
}

/// Joins two representations; `None` when they would send different values under one name.
fn merge_fields(table: &mut CondTable, fields: &mut Vec<RepField>, more: Vec<RepField>) -> Option<()> {
    for field in more {
        let same = fields.iter_mut().find(|found| found.name == field.name && found.on.meets(&field.on));
        match same {
            None => fields.push(field),
            // Two values of one name that are there at other times for other types are not one value.
            Some(found) if found.on != field.on && found.conditions != field.conditions => return None,
            Some(found)
                if found.source == field.source
                    && found.selection.is_empty() == field.selection.is_empty() =>
            {
                found.is_key |= field.is_key;
                found.conditions = table.or(found.conditions, field.conditions);
                found.on = found.on.or(&field.on);
                found.conditional &= field.conditional;
                merge_fields(table, &mut found.selection, field.selection)?;
            }
            Some(_) => return None,
        }
    }
    Some(())
}

fn push_field(table: &mut CondTable, fields: &mut Vec<RepField>, field: RepField) {
    let same = fields.iter_mut().find(|found| {
        found.name == field.name
            && found.source == field.source
            && (found.selection == field.selection || found.on.meets(&field.on))
    });
    match same {
        Some(found) => {
            found.on = found.on.or(&field.on);
            found.conditional &= field.conditional;
            found.conditions = table.or(found.conditions, field.conditions);
            let merged = merge_fields(table, &mut found.selection, field.selection);
            debug_assert!(merged.is_some(), "one place of the tree holds one value");
        }
        None => fields.push(field),
    }
}
