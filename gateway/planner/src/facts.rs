//! What the supergraph alone says: who has a field, how far subgraphs are apart, what a field costs below.
//!
//! Always: independent of the plan under construction, so it is remembered across all attempts at one operation.

use std::rc::Rc;

use ahash::{HashMap, HashSet};
use apollo_compiler::Name;
use kopitiam_supergraph::{
    FieldSet, FieldView, Key, Root, SetField, SubgraphId, Supergraph, TypeId, TypeKind, TypeSet, TypeView,
};

use crate::{conditions::CondTable, item::Item};

/// A subgraph that has a field of an object type.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) subgraph: SubgraphId,
    /// The type that carries the field there: the object type, or an `@interfaceObject` that stands for it.
    pub(crate) ty: TypeId,
    pub(crate) view: &'a FieldView,
    /// 0 when the field is had as asked; 1 when only by way of another type.
    pub(crate) rank: u8,
}

/// A way to enter a subgraph by `_entities`.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// The `__typename` of the representation.
    pub(crate) typename: TypeId,
    pub(crate) key: &'a Key,
}

/// What answering a field below a subgraph costs, beyond the field itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost {
    /// Leaves that cannot be had from there without going back to the parent.
    pub(crate) broken: u32,
    pub(crate) levels: u32,
    pub(crate) fetches: u32,
    /// Fields that come with another fetch.
    pub(crate) remote: u32,
    /// Types asked for that the subgraph does not know. No loss: what several subgraphs share, all of them know.
    pub(crate) dropped: u32,
}

/// For each subgraph, how many fetches away it is.
pub(crate) type Distances = Rc<Vec<Option<u32>>>;

pub(crate) struct Facts<'a> {
    pub(crate) supergraph: &'a Supergraph,
    owners: HashMap<(TypeId, TypeId, &'a str), Rc<Vec<Owner<'a>>>>,
    interfaces: HashMap<TypeId, Rc<Vec<TypeId>>>,
    entries: HashMap<(SubgraphId, TypeId), Rc<Vec<Entry<'a>>>>,
    distances: HashMap<(TypeId, SubgraphId), Option<Distances>>,
    costs: HashMap<(usize, SubgraphId, TypeId), Cost>,
    pending: HashSet<(usize, SubgraphId, TypeId)>,
    inputs: HashMap<TypeId, Rc<HashSet<&'a str>>>,
    /// By the addresses of a client's field and a field set's: see `isolation.rs`.
    pub(crate) losses: HashMap<(usize, usize), bool>,
    pub(crate) conditions: CondTable,
    pub(crate) steps: usize,
    /// How many steps may be taken until [`Facts::exhausted`].
    pub(crate) step_limit: usize,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(supergraph: &'a Supergraph) -> Self {
        Self {
            supergraph,
            owners: HashMap::default(),
            interfaces: HashMap::default(),
            entries: HashMap::default(),
            distances: HashMap::default(),
            costs: HashMap::default(),
            pending: HashSet::default(),
            inputs: HashMap::default(),
            losses: HashMap::default(),
            conditions: CondTable::default(),
            steps: 0,
            step_limit: usize::MAX,
        }
    }

    /// Whether the limit is passed: what is found out from now on may be wrong, and will not be used.
    pub(crate) fn exhausted(&self) -> bool {
        self.steps > self.step_limit
    }

    /// The interfaces that a type belongs to, itself included when it is one without implementations.
    pub(crate) fn interfaces(&mut self, ty: TypeId) -> Rc<Vec<TypeId>> {
        let supergraph = self.supergraph;
        let found = self.interfaces.entry(ty).or_insert_with(|| {
            let all = supergraph.types();
            let found =
                all.filter(|(_, found)| found.kind == TypeKind::Interface && found.possible.contains(ty));
            Rc::new(found.map(|(id, _)| id).collect())
        });
        Rc::clone(found)
    }

    /// Who has `ty.name`, asked on `parent`; best ranks first.
    pub(crate) fn owners(&mut self, ty: TypeId, parent: TypeId, name: &'a Name) -> Rc<Vec<Owner<'a>>> {
        let memo = (ty, parent, name.as_str());
        if let Some(found) = self.owners.get(&memo) {
            return Rc::clone(found);
        }
        let supergraph = self.supergraph;
        let by_interface = supergraph.ty(parent).kind == TypeKind::Interface;
        let interfaces = self.interfaces(ty);
        let mut found = Vec::new();
        for subgraph in supergraph.subgraph_ids() {
            let knows_type = |view: &FieldView| {
                let base = supergraph.ty(view.base);
                base.possible.is_empty() || supergraph.type_in(subgraph, view.base).is_some()
            };
            let answers = |view: &&FieldView| !view.external && knows_type(view);
            let own = supergraph.field_in(subgraph, ty, name).filter(answers);
            if let (Some(view), Some(_)) = (own, supergraph.type_in(subgraph, ty)) {
                let asked = !by_interface || supergraph.field_in(subgraph, parent, name).is_some();
                found.push(Owner { subgraph, ty, view, rank: u8::from(!asked) });
                continue;
            }
            for &interface in interfaces.iter().filter(|&&interface| interface != ty) {
                let stands_in =
                    supergraph.type_in(subgraph, interface).is_some_and(|view| view.is_interface_object);
                let view = supergraph.field_in(subgraph, interface, name).filter(answers);
                if let (true, Some(view)) = (stands_in, view) {
                    found.push(Owner { subgraph, ty: interface, view, rank: u8::from(!by_interface) });
                    break;
                }
            }
        }
        found.sort_by_key(|owner| owner.rank);
        let found = Rc::new(found);
        self.owners.insert(memo, Rc::clone(&found));
        found
    }

    /// The ways to enter a subgraph with an entity of an object type.
    pub(crate) fn entries(&mut self, subgraph: SubgraphId, ty: TypeId) -> Rc<Vec<Entry<'a>>> {
        if let Some(found) = self.entries.get(&(subgraph, ty)) {
            return Rc::clone(found);
        }
        let supergraph = self.supergraph;
        let mut found = Vec::new();
        let mut types = vec![ty];
        types.extend(self.interfaces(ty).iter().copied().filter(|&interface| interface != ty));
        for typename in types {
            let Some(view) = supergraph.type_in(subgraph, typename) else { continue };
            if view.possible.contains(ty) {
                let keys = view.keys.iter().filter(|key| key.resolvable);
                found.extend(keys.map(|key| Entry { typename, key }));
            }
        }
        let found = Rc::new(found);
        self.entries.insert((subgraph, ty), Rc::clone(&found));
        found
    }

    /// Whether a field of this name is in a key or a `@requires` of one of these types, or in a context.
    pub(crate) fn is_input(&mut self, types: &TypeSet, name: &str) -> bool {
        types.iter().any(|ty| self.inputs(ty).contains(name))
    }

    fn inputs(&mut self, ty: TypeId) -> Rc<HashSet<&'a str>> {
        if let Some(found) = self.inputs.get(&ty) {
            return Rc::clone(found);
        }
        let supergraph = self.supergraph;
        let mut names = HashSet::default();
        let interfaces = self.interfaces(ty);
        for &one in interfaces.iter().chain(std::iter::once(&ty)) {
            let keys = supergraph.ty(one).views.iter().flatten().flat_map(|view| &view.keys);
            let keys = keys.map(|key| &key.fields);
            let views = supergraph.ty(one).fields.values().flat_map(|field| field.views.iter().flatten());
            let requires = views.filter_map(|view| view.requires.as_ref());
            let fields = keys.chain(requires).flat_map(|set| &set.fields);
            names.extend(fields.map(|field| field.name.as_str()));
        }
        names.extend(supergraph.contextual_names().iter().map(apollo_compiler::Name::as_str));
        let found = Rc::new(names);
        self.inputs.insert(ty, Rc::clone(&found));
        found
    }

    /// Whether a subgraph, asked for this object type, can say that it is this type.
    pub(crate) fn knows(&self, subgraph: SubgraphId, ty: TypeId) -> bool {
        self.supergraph.type_in(subgraph, ty).is_some_and(|view| !view.is_interface_object)
    }

    /// A subgraph's own field of each object type, those alike together; `None` where only an interface has it.
    pub(crate) fn own_fields(
        &self,
        subgraph: SubgraphId,
        types: &TypeSet,
        name: &str,
    ) -> Vec<(TypeSet, Option<&'a FieldView>)> {
        let kind = |view: &'a FieldView| (&view.ty, &view.provides);
        let mut found: Vec<(TypeSet, Option<&'a FieldView>)> = Vec::new();
        for ty in types.iter() {
            let own = self.supergraph.field_in(subgraph, ty, name);
            match found.iter_mut().find(|(_, other)| other.map(kind) == own.map(kind)) {
                Some((types, _)) => types.insert(ty),
                None => found.push((TypeSet::one(ty), own)),
            }
        }
        found
    }

    /// Whether this is the query type, so that a subgraph can be asked its fields without a key.
    pub(crate) fn asks_query(&self, subgraph: SubgraphId, ty: TypeId) -> bool {
        self.supergraph.root(Root::Query) == Some(ty) && self.supergraph.type_in(subgraph, ty).is_some()
    }

    /// Whether an entry's representation names the runtime type, so that it must be known.
    pub(crate) fn names_runtime_type(&self, entry: &Entry<'_>) -> bool {
        self.supergraph.ty(entry.typename).kind == TypeKind::Object
    }

    /// How far every subgraph is from one that has an entity of this type.
    pub(crate) fn distances(&mut self, ty: TypeId, from: SubgraphId) -> Option<Distances> {
        if let Some(found) = self.distances.get(&(ty, from)) {
            // Already being computed further up: a key that needs itself is no way.
            return found.clone();
        }
        self.distances.insert((ty, from), None);
        let mut levels = vec![None; self.supergraph.subgraphs().len()];
        levels[from.index()] = Some(0);
        let opaque = !self.knows(from, ty);
        while self.relax(ty, &mut levels, opaque) {}
        let found = Some(Rc::new(levels));
        self.distances.insert((ty, from), found.clone());
        found
    }

    /// As [`Facts::distances`], where provided fields may serve as keys too.
    fn distances_providing(
        &mut self,
        ty: TypeId,
        from: SubgraphId,
        provided: &FieldSet,
    ) -> Option<Distances> {
        let plain = self.distances(ty, from)?;
        if provided.is_empty() {
            return Some(plain);
        }
        let mut levels = Vec::clone(&plain);
        for subgraph in self.supergraph.subgraph_ids().filter(|&subgraph| subgraph != from) {
            for &entry in self.entries(subgraph, ty).iter() {
                let known =
                    entry.key.fields.fields.iter().filter(|field| field.on.contains(ty)).all(|field| {
                        let own = self.field_level(ty, field, &plain).is_some_and(|level| level == 0);
                        own || (field.selection.is_empty() && provided.has(&field.name, ty))
                    });
                if known {
                    levels[subgraph.index()] = Some(1);
                }
            }
        }
        Some(Rc::new(levels))
    }

    fn relax(&mut self, ty: TypeId, levels: &mut [Option<u32>], opaque: bool) -> bool {
        let mut changed = false;
        for subgraph in self.supergraph.subgraph_ids() {
            if levels[subgraph.index()].is_some_and(|level| level <= 1) {
                continue;
            }
            for &entry in self.entries(subgraph, ty).iter() {
                let Some(mut level) = self.set_level(ty, &entry.key.fields, levels) else { continue };
                if opaque && self.names_runtime_type(&entry) {
                    let Some(known) = self.typename_level(ty, levels) else { continue };
                    level = level.max(known);
                }
                let better = levels[subgraph.index()].is_none_or(|old| level + 1 < old);
                if better {
                    levels[subgraph.index()] = Some(level + 1);
                    changed = true;
                }
            }
        }
        changed
    }

    /// The first level at which a subgraph that knows the runtime type is there.
    pub(crate) fn typename_level(&self, ty: TypeId, levels: &[Option<u32>]) -> Option<u32> {
        let all = self.supergraph.subgraph_ids();
        all.filter(|&subgraph| self.knows(subgraph, ty)).filter_map(|subgraph| levels[subgraph.index()]).min()
    }

    /// The level after which all of a field set is there, given when each subgraph is.
    pub(crate) fn set_level(&mut self, ty: TypeId, set: &'a FieldSet, levels: &[Option<u32>]) -> Option<u32> {
        let mut worst = 0;
        for field in set.fields.iter().filter(|field| field.on.contains(ty)) {
            worst = worst.max(self.field_level(ty, field, levels)?);
        }
        Some(worst)
    }

    pub(crate) fn field_level(
        &mut self,
        ty: TypeId,
        field: &'a SetField,
        levels: &[Option<u32>],
    ) -> Option<u32> {
        let owners = self.owners(ty, field.parent, &field.name);
        let mut best: Option<u32> = None;
        for owner in owners.iter().filter(|owner| !owner.view.needs_inputs()) {
            let Some(level) = levels[owner.subgraph.index()] else { continue };
            if best.is_some_and(|best| best <= level) {
                continue;
            }
            if let Some(extra) = self.below_level(owner.subgraph, owner.view.base, &field.selection) {
                best = Some(best.map_or(level + extra, |best| best.min(level + extra)));
            }
        }
        best
    }

    /// How many levels more the sub-fields of a field set take.
    pub(crate) fn below_level(
        &mut self,
        subgraph: SubgraphId,
        base: TypeId,
        set: &'a FieldSet,
    ) -> Option<u32> {
        if set.is_empty() {
            return Some(0);
        }
        let possible = &self.supergraph.type_in(subgraph, base)?.possible;
        let mut worst = 0;
        for ty in possible.iter() {
            let here = set.fields.iter().filter(|field| field.on.contains(ty));
            for field in here {
                let distances = self.distances(ty, subgraph)?;
                worst = worst.max(self.field_level(ty, field, &distances)?);
            }
        }
        Some(worst)
    }

    /// What the fields below an item cost when the item comes from `subgraph`, with type `base` there.
    pub(crate) fn cost(&mut self, item: Item<'a>, subgraph: SubgraphId, view: &'a FieldView) -> Cost {
        let none = FieldSet::default();
        self.cost_providing(item, subgraph, view.base, view.provides.as_ref().unwrap_or(&none))
    }

    /// As [`Facts::cost`], where the subgraph answers some external fields too.
    fn cost_providing(
        &mut self,
        item: Item<'a>,
        subgraph: SubgraphId,
        base: TypeId,
        provided: &FieldSet,
    ) -> Cost {
        if item.is_leaf() {
            return Cost::default();
        }
        let broken = Cost { broken: 1, ..Cost::default() };
        let memo = (item.address(), subgraph, base);
        if provided.is_empty() {
            if let Some(&found) = self.costs.get(&memo) {
                return found;
            }
            if !self.pending.insert(memo) {
                return broken;
            }
        }
        let found = match self.supergraph.type_in(subgraph, base) {
            Some(view) => self.cost_below(item, subgraph, view, provided),
            None => broken,
        };
        if provided.is_empty() {
            self.pending.remove(&memo);
            self.costs.insert(memo, found);
        }
        found
    }

    fn cost_below(
        &mut self,
        item: Item<'a>,
        subgraph: SubgraphId,
        view: &'a TypeView,
        provided: &FieldSet,
    ) -> Cost {
        let mut total = Cost::default();
        let mut opened: HashSet<SubgraphId> = HashSet::default();
        for child in item.children() {
            if self.exhausted() {
                break;
            }
            if !child.is_asked() {
                if view.is_interface_object {
                    total.levels = total.levels.max(1);
                    total.fetches += u32::from(opened.is_empty());
                }
                continue;
            }
            let here = child.on().and(&view.possible);
            total.dropped += u32::from(here.is_empty());
            let mut worst = Cost::default();
            for ty in here.iter() {
                let one = self.child_cost(child, ty, subgraph, provided, &mut opened);
                worst = Cost {
                    broken: worst.broken.max(one.broken),
                    levels: worst.levels.max(one.levels),
                    fetches: worst.fetches.max(one.fetches),
                    remote: worst.remote.max(one.remote),
                    dropped: worst.dropped.max(one.dropped),
                };
            }
            total.broken += worst.broken;
            total.fetches += worst.fetches;
            total.dropped += worst.dropped;
            total.remote += worst.remote;
            total.levels = total.levels.max(worst.levels);
        }
        total.fetches += u32::try_from(opened.len()).unwrap_or(u32::MAX);
        total
    }

    fn child_cost(
        &mut self,
        child: Item<'a>,
        ty: TypeId,
        subgraph: SubgraphId,
        provided: &FieldSet,
        opened: &mut HashSet<SubgraphId>,
    ) -> Cost {
        self.steps += 1;
        if provided.has(child.name(), ty)
            && let Some(view) = self.supergraph.field_in(subgraph, ty, child.name())
        {
            let below = provided.below(child.name(), &TypeSet::one(ty));
            return self.cost_providing(child, subgraph, view.base, &below);
        }
        let distances = self.distances_providing(ty, subgraph, provided);
        let owners = self.owners(ty, child.parent(), child.name());
        let mut best: Option<(Cost, SubgraphId, bool)> = None;
        self.steps += owners.len() / 8;
        for owner in owners.iter() {
            let distance = distances.as_ref().and_then(|levels| levels[owner.subgraph.index()]);
            let own = (owner.subgraph == subgraph).then_some(0);
            let queried = || self.asks_query(owner.subgraph, ty).then_some(1);
            let Some(distance) = distance.or(own).or_else(queried) else { continue };
            let below = self.cost(child, owner.subgraph, owner.view);
            let requires = u32::from(owner.view.needs_inputs());
            let hop = distance.max(requires);
            let new = hop > 0 && !opened.contains(&owner.subgraph);
            let cost = Cost {
                levels: hop + requires + below.levels,
                fetches: below.fetches + u32::from(new) + hop.saturating_sub(1),
                remote: below.remote + u32::from(hop > 0) * child.size(),
                ..below
            };
            if best.as_ref().is_none_or(|(old, _, _)| cost < *old) {
                best = Some((cost, owner.subgraph, new));
            }
        }
        match best {
            Some((cost, to, true)) => {
                opened.insert(to);
                Cost { fetches: cost.fetches - 1, ..cost }
            }
            Some((cost, _, false)) => cost,
            None => Cost { broken: 1, ..Cost::default() },
        }
    }
}
