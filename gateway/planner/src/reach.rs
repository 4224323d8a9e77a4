//! Which subgraphs can be asked about the objects at a position, when, and by which way.

use std::rc::Rc;

use ahash::HashSet;

use apollo_compiler::Name;
use kopitiam_operation::OperationKind;
use kopitiam_supergraph::{FieldSet, FieldView, Root, SetField, SubgraphId, TypeId, TypeSet};

use crate::{
    attempt::Attempt,
    draft::PosId,
    facts::{Distances, Entry, Owner},
    item::Item,
};

/// How a subgraph comes to be asked about a position's objects.
#[derive(Clone, Copy)]
pub(crate) enum Way<'a> {
    /// It already is.
    Source(usize),
    /// A fetch of root fields, also of the query's below the root.
    Root,
    /// The field that leads to the position is asked there too.
    Reentry,
    /// `_entities`.
    Hop(Entry<'a>),
}

#[derive(Clone, Copy)]
pub(crate) struct Reach<'a> {
    /// The level of the fetch.
    pub(crate) level: u32,
    pub(crate) way: Way<'a>,
}

/// By subgraph.
pub(crate) type Reaches<'a> = Vec<Option<Reach<'a>>>;

/// What was found reachable, and what that depended on.
pub(crate) struct Reached<'a> {
    /// The position's version, the stamp of its parent's, and the build's when this was last seen to be right.
    own: u64,
    above: u64,
    checked: u64,
    found: Rc<Reaches<'a>>,
}

/// The same of a position's parent: how soon it can be asked again.
pub(crate) struct Reentered {
    /// The parent's version, and the stamp of what the parent depends on.
    own: u64,
    above: u64,
    checked: u64,
    /// Another one for each other result.
    stamp: u64,
    levels: Distances,
}

/// A way to get a field for objects of one type.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) owner: Owner<'a>,
    /// The level of the fetch that brings the field.
    pub(crate) level: u32,
    pub(crate) way: Way<'a>,
}

impl<'a> Attempt<'a, '_> {
    /// Every subgraph that can be asked about objects of one type at a position.
    pub(crate) fn reaches(&mut self, at: PosId, ty: TypeId) -> Rc<Reaches<'a>> {
        let checked = self.version();
        let known = self.reached.get(&(at, ty)).filter(|known| known.checked == checked);
        if let Some(known) = known {
            return Rc::clone(&known.found);
        }
        let (own, above) = (self.own_version(at), self.reentry(at).0);
        if let Some(known) = self.reached.get_mut(&(at, ty))
            && known.own == own
            && known.above == above
        {
            known.checked = checked;
            return Rc::clone(&known.found);
        }
        let found = Rc::new(self.find_reaches(at, ty));
        self.reached.insert((at, ty), Reached { own, above, checked, found: Rc::clone(&found) });
        found
    }

    fn find_reaches(&mut self, at: PosId, ty: TypeId) -> Reaches<'a> {
        self.facts.steps += 1;
        let mut reaches: Reaches<'a> = vec![None; self.facts.supergraph.subgraphs().len()];
        let position = self.build.position(at);
        for (index, source) in position.sources.iter().enumerate() {
            let level = self.build.draft(source.draft).level;
            let slot = &mut reaches[source.subgraph.index()];
            if source.is_shared() && source.types.contains(ty) && slot.is_none_or(|old| level < old.level) {
                *slot = Some(Reach { level, way: Way::Source(index) });
            }
        }
        if self.build.position(at).parent.is_none() {
            self.root_reaches(ty, &mut reaches);
            self.apart(at, ty, &mut reaches);
            return reaches;
        }
        if self.strategy.avoids_reentry {
            self.hops_before_reentries(at, ty, &mut reaches);
        } else {
            self.reentries(at, &mut reaches);
            while self.relax_reaches(at, ty, &mut reaches) {}
        }
        self.query_reaches(at, ty, &mut reaches);
        self.apart(at, ty, &mut reaches);
        reaches
    }

    /// Below the root a subgraph's query fields can be asked for objects of the query type, once they are
    /// there. Where there may be others beside them, their runtime types must be known too.
    fn query_reaches(&self, at: PosId, ty: TypeId, reaches: &mut Reaches<'a>) {
        if self.facts.supergraph.root(Root::Query) != Some(ty) {
            return;
        }
        let Some(known) = self.typename_level(at, ty, reaches) else { return };
        let sources = self.build.position(at).sources.iter().filter(|source| source.types.contains(ty));
        let Some(there) = sources.map(|source| self.build.draft(source.draft).level).min() else { return };
        let there = there.max(known);
        for subgraph in self.facts.supergraph.subgraph_ids() {
            let slot = &mut reaches[subgraph.index()];
            let better = slot.is_none_or(|old| there + 1 < old.level);
            if better && self.facts.asks_query(subgraph, ty) {
                *slot = Some(Reach { level: there + 1, way: Way::Root });
            }
        }
    }

    fn root_reaches(&self, ty: TypeId, reaches: &mut Reaches<'a>) {
        // A mutation's or subscription's root fields are fetched once, so their subgraph is not entered twice.
        if self.operation.kind != OperationKind::Query && !self.opening_root {
            return;
        }
        for subgraph in self.facts.supergraph.subgraph_ids() {
            let known = self.facts.supergraph.type_in(subgraph, ty).is_some();
            let slot = &mut reaches[subgraph.index()];
            if known && slot.is_none() {
                *slot = Some(Reach { level: self.root_level, way: Way::Root });
            }
        }
    }

    /// What keys alone reach is reached by keys; the field that leads here is asked again only for the rest.
    fn hops_before_reentries(&mut self, at: PosId, ty: TypeId, reaches: &mut Reaches<'a>) {
        while self.relax_reaches(at, ty, reaches) {}
        if reaches.iter().any(Option::is_none) {
            self.reentries(at, reaches);
            while self.relax_reaches(at, ty, reaches) {}
        }
    }

    /// Subgraphs that have the field which leads here, and can be asked about the parent.
    fn reentries(&mut self, at: PosId, reaches: &mut Reaches<'a>) {
        let levels = self.reentry(at).1;
        for (slot, level) in reaches.iter_mut().zip(levels.iter()) {
            if let (None, Some(level)) = (&slot, level) {
                self.has_reentries = true;
                *slot = Some(Reach { level: *level, way: Way::Reentry });
            }
        }
    }

    /// The levels at which each subgraph can be asked for the field that leads here, and a stamp of this result. The same
    /// for all runtime types of the position: it is the parent that is asked again.
    fn reentry(&mut self, at: PosId) -> (u64, Distances) {
        let Some((parent, slot)) = self.build.position(at).parent else { return (0, Rc::default()) };
        let checked = self.version();
        let known = self.reentered.get(&at).filter(|known| known.checked == checked);
        if let Some(known) = known {
            return (known.stamp, Rc::clone(&known.levels));
        }
        let (own, above) = (self.own_version(parent), self.reentry(parent).0);
        if let Some(known) = self.reentered.get_mut(&at)
            && known.own == own
            && known.above == above
        {
            known.checked = checked;
            return (known.stamp, Rc::clone(&known.levels));
        }
        let levels = Rc::new(self.find_reentry_levels(parent, slot));
        let before = self.reentered.get(&at).filter(|known| known.levels == levels);
        let stamp = before.map_or(checked.max(1), |known| known.stamp);
        let found = Reentered { own, above, checked, stamp, levels: Rc::clone(&levels) };
        self.reentered.insert(at, found);
        (stamp, levels)
    }

    fn find_reentry_levels(&mut self, parent: PosId, slot: usize) -> Vec<Option<u32>> {
        let slot = &self.build.position(parent).slots[slot];
        let (on, name) = (slot.on.clone(), slot.name);
        let mut levels: Vec<Option<u32>> = vec![Some(0); self.facts.supergraph.subgraphs().len()];
        for ty in on.iter() {
            let above = self.reaches(parent, ty);
            let owners = self.facts.owners(ty, ty, name);
            self.facts.steps += 1 + levels.len() / 16;
            let mut has = vec![false; levels.len()];
            for owner in owners.iter().filter(|owner| !owner.view.needs_inputs()) {
                has[owner.subgraph.index()] = true;
            }
            for ((level, above), has) in levels.iter_mut().zip(above.iter()).zip(has) {
                *level = match (*level, above) {
                    (Some(level), Some(reach)) if has => Some(level.max(reach.level)),
                    _ => None,
                };
            }
        }
        levels
    }

    fn version(&self) -> u64 {
        self.build.version + 1 + self.mode()
    }

    fn own_version(&self, at: PosId) -> u64 {
        self.build.position(at).version + self.mode()
    }

    /// What else decides over what can be reached: bits that stand apart from the counts.
    fn mode(&self) -> u64 {
        let apart = if self.is_apart { 1 + u64::from(self.part.0) } else { 0 };
        u64::from(self.opening_root) << 40 | apart << 41
    }

    /// Whether a subgraph resolves a field of an object type without conditions.
    pub(crate) fn plain_field(&mut self, subgraph: SubgraphId, ty: TypeId, name: &'a Name) -> bool {
        let owners = self.facts.owners(ty, ty, name);
        owners.iter().any(|owner| owner.subgraph == subgraph && !owner.view.needs_inputs())
    }

    fn relax_reaches(&mut self, at: PosId, ty: TypeId, reaches: &mut Reaches<'a>) -> bool {
        let mut changed = false;
        let typename = self.typename_level(at, ty, reaches);
        let mut levels = levels_of(reaches);
        // No key makes a fetch sooner than after the first.
        let soonest = levels.iter().flatten().min().map_or(0, |first| first + 1);
        for subgraph in self.facts.supergraph.subgraph_ids() {
            let settled = |reach: &Reach<'_>| {
                reach.level < soonest || reach.level == soonest && !matches!(reach.way, Way::Reentry)
            };
            if reaches[subgraph.index()].as_ref().is_some_and(settled) {
                continue;
            }
            self.facts.steps += self.facts.entries(subgraph, ty).len() / 4;
            for &entry in self.facts.entries(subgraph, ty).iter() {
                let Some(mut level) = self.set_level_at(at, ty, &entry.key.fields, &levels) else { continue };
                if self.facts.names_runtime_type(&entry) {
                    let Some(known) = typename else { continue };
                    level = level.max(known);
                }
                let slot = &mut reaches[subgraph.index()];
                let better = match slot {
                    None => true,
                    // A key is surer than asking a list again, which must come in the same order.
                    Some(old) => {
                        level + 1 < old.level || (matches!(old.way, Way::Reentry) && level + 1 == old.level)
                    }
                };
                if better {
                    *slot = Some(Reach { level: level + 1, way: Way::Hop(entry) });
                    levels[subgraph.index()] = Some(level + 1);
                    changed = true;
                }
            }
        }
        changed
    }

    /// The level after which the runtime type is known; 0 when there is only one.
    pub(crate) fn typename_level(&self, at: PosId, ty: TypeId, reaches: &Reaches<'a>) -> Option<u32> {
        if self.build.position(at).types.len() <= 1 {
            return Some(0);
        }
        self.facts.typename_level(ty, &levels_of(reaches))
    }

    /// The level after which a key's fields are at a position.
    pub(crate) fn set_level_at(
        &mut self,
        at: PosId,
        ty: TypeId,
        set: &'a FieldSet,
        levels: &[Option<u32>],
    ) -> Option<u32> {
        let mut worst = 0;
        for field in set.fields.iter().filter(|field| field.on.contains(ty)) {
            let known = self.filled_level(at, ty, field);
            let provided = self.provided_level(at, ty, field);
            let fetched = self.facts.field_level(ty, field, levels);
            worst = worst.max([known, provided, fetched].into_iter().flatten().min()?);
        }
        Some(worst)
    }

    /// The level of the fetch that already brings a leaf.
    fn filled_level(&self, at: PosId, ty: TypeId, field: &SetField) -> Option<u32> {
        if !field.selection.is_empty() {
            return None;
        }
        let position = self.build.position(at);
        let slots = position.inputs.iter().map(|&index| &position.slots[index]);
        let same = slots.filter(|slot| *slot.name == field.name && slot.arguments == &*field.arguments);
        let fills = same.flat_map(|slot| &slot.fills).filter(|fill| fill.on.contains(ty));
        fills.map(|fill| self.build.draft(fill.draft).level).min()
    }

    fn provided_level(&self, at: PosId, ty: TypeId, field: &SetField) -> Option<u32> {
        let sources = self.build.position(at).sources.iter();
        let providing =
            sources.filter(|source| source.provided.has(&field.name, ty) && field.selection.is_empty());
        providing.map(|source| self.build.draft(source.draft).level).min()
    }

    /// All ways to get a field for objects of one type; none when there is no way.
    pub(crate) fn candidates(&mut self, at: PosId, item: Item<'a>, ty: TypeId) -> Vec<Candidate<'a>> {
        let reaches = self.reaches(at, ty);
        let mut found = self.providing(at, item, ty);
        for owner in self.facts.owners(ty, item.parent(), item.name()).iter() {
            if owner.view.needs_inputs() {
                found.extend(self.requiring(at, item, ty, *owner, &reaches));
            } else if let Some(reach) = reaches[owner.subgraph.index()] {
                let guarded = self.is_guarded(at, item, *owner);
                let guarded = guarded.then(|| self.guarded(at, ty, *owner, &reaches)).flatten();
                let unguarded = Candidate { owner: *owner, level: reach.level, way: reach.way };
                found.push(guarded.unwrap_or(unguarded));
            }
        }
        found
    }

    /// Sources that answer the field because of `@provides`.
    fn providing(&self, at: PosId, item: Item<'a>, ty: TypeId) -> Vec<Candidate<'a>> {
        let mut found = Vec::new();
        for (index, source) in self.build.position(at).sources.iter().enumerate() {
            let on = source.opaque.unwrap_or(ty);
            let view: Option<&'a FieldView> =
                self.facts.supergraph.field_in(source.subgraph, on, item.name());
            let view = view.filter(|view| view.external && view.contexts.is_empty());
            if let Some(view) = view
                && source.types.contains(ty)
                && self.is_open(source.draft)
                && source.provided.has(item.name(), ty)
            {
                let owner = Owner { subgraph: source.subgraph, ty: on, view, rank: 0 };
                let level = self.build.draft(source.draft).level;
                found.push(Candidate { owner, level, way: Way::Source(index) });
            }
        }
        found
    }

    /// A field with `@requires` or contexts: its subgraph must be entered (again) once their values are there.
    fn requiring(
        &mut self,
        at: PosId,
        item: Item<'a>,
        ty: TypeId,
        owner: Owner<'a>,
        reaches: &Reaches<'a>,
    ) -> Option<Candidate<'a>> {
        let guard = (at, ty, owner.subgraph, item.name().as_str());
        if !self.requiring.insert(guard) {
            return None;
        }
        let required = match &owner.view.requires {
            Some(requires) => self.together(|attempt| attempt.required_level(at, ty, requires)),
            None => Some(0),
        };
        let contexts = self.together(|attempt| attempt.contexts_level(at, &owner.view.contexts));
        self.requiring.remove(&guard);
        let level = required?.max(contexts?);
        let (key, entry) = self.entry_to(at, ty, owner, reaches)?;
        Some(Candidate { owner, level: key.max(level) + 1, way: Way::Hop(entry) })
    }

    /// The key by which a field's subgraph is entered soonest, and the level after which it is there.
    fn entry_to(
        &mut self,
        at: PosId,
        ty: TypeId,
        owner: Owner<'a>,
        reaches: &Reaches<'a>,
    ) -> Option<(u32, Entry<'a>)> {
        let mut best: Option<(u32, Entry<'a>)> = None;
        let levels = levels_of(reaches);
        for &entry in self.facts.entries(owner.subgraph, ty).iter() {
            if let Some(key) = self.set_level_at(at, ty, &entry.key.fields, &levels)
                && best.is_none_or(|(old, _)| key < old)
                && (entry.typename == owner.ty || !self.facts.names_runtime_type(&entry))
            {
                best = Some((key, entry));
            }
        }
        best
    }

    /// Whether a field may only be asked once the objects' runtime types are known: the client wants it for some of them,
    /// its subgraph cannot tell them apart (`@interfaceObject`), and where it fails for others those would be lost, since it
    /// may not be null.
    pub(crate) fn is_guarded(&self, at: PosId, item: Item<'a>, owner: Owner<'a>) -> bool {
        let supergraph = self.facts.supergraph;
        matches!(item, Item::Client(_))
            && owner.view.ty.is_non_null()
            && supergraph.type_in(owner.subgraph, owner.ty).is_some_and(|view| view.is_interface_object)
            && self
                .build
                .position(at)
                .types
                .iter()
                .any(|ty| !item.on().contains(ty) && supergraph.ty(ty).accessible)
    }

    /// The way to a guarded field: a fetch for the objects of the types that it is wanted for.
    fn guarded(
        &mut self,
        at: PosId,
        ty: TypeId,
        owner: Owner<'a>,
        reaches: &Reaches<'a>,
    ) -> Option<Candidate<'a>> {
        let typename = self.typename_level(at, ty, reaches)?;
        let (key, entry) = self.entry_to(at, ty, owner, reaches)?;
        Some(Candidate { owner, level: key.max(typename) + 1, way: Way::Hop(entry) })
    }

    pub(crate) fn required_level(&mut self, at: PosId, ty: TypeId, set: &'a FieldSet) -> Option<u32> {
        let mut worst = 0;
        let fields = set.fields.iter().filter(|field| field.on.contains(ty) && field.name != "__typename");
        for field in fields {
            let item = Item::Set(field);
            let known = self.filled_level(at, ty, field);
            let candidates = if known.is_some() { Vec::new() } else { self.candidates(at, item, ty) };
            let mut best = known;
            for candidate in candidates {
                let cost = self.facts.cost(item, candidate.owner.subgraph, candidate.owner.view);
                // What cannot be had below that subgraph is had by asking the field in another one as well.
                let level = candidate.level + cost.levels + cost.broken;
                best = Some(best.map_or(level, |best| best.min(level)));
            }
            worst = worst.max(best?);
        }
        Some(worst)
    }

    /// Whether other subgraphs could resolve the same field of the same objects by entering an entity on the way.
    pub(crate) fn rivals(&mut self, at: PosId, types: &TypeSet, name: &'a Name) -> HashSet<SubgraphId> {
        let mut rivals = HashSet::default();
        for ty in types.iter() {
            for owner in self.facts.owners(ty, ty, name).iter() {
                if self.reached_by_entity(at, ty, owner.subgraph) {
                    rivals.insert(owner.subgraph);
                }
            }
        }
        rivals
    }

    fn reached_by_entity(&mut self, at: PosId, ty: TypeId, subgraph: SubgraphId) -> bool {
        let sources: Vec<SubgraphId> =
            self.build.position(at).sources.iter().map(|source| source.subgraph).collect();
        let by_key = sources.iter().any(|&source| {
            source != subgraph
                && self.facts.distances(ty, source).is_some_and(|levels| levels[subgraph.index()].is_some())
        });
        if by_key {
            return true;
        }
        let Some((parent, slot)) = self.build.position(at).parent else { return false };
        let slot = &self.build.position(parent).slots[slot];
        let (on, name) = (slot.on.clone(), slot.name);
        on.iter()
            .all(|ty| self.plain_field(subgraph, ty, name) && self.reached_by_entity(parent, ty, subgraph))
    }
}

fn levels_of(reaches: &Reaches<'_>) -> Vec<Option<u32>> {
    reaches.iter().map(|reach| reach.map(|reach| reach.level)).collect()
}
