//! Puts a wanted field into the documents of the fetches that bring it.

use kopitiam_operation::{FieldNode, OperationKind};
use kopitiam_supergraph::{FieldSet, FieldView, Root, SubgraphId, TypeSet};

use crate::{
    PlanError,
    attempt::Attempt,
    conditions::Cond,
    draft::{DocField, DocNode, Draft, Fill, NodeId, PosId, Slot, Source},
    item::Want,
    reach::{Candidate, Way},
};

impl<'a> Attempt<'a, '_> {
    /// Asks for a want, for some runtime types, in the way that was chosen; gives the slots that now hold it.
    pub(crate) fn place(
        &mut self,
        at: PosId,
        want: &Want<'a>,
        types: &TypeSet,
        candidate: &Candidate<'a>,
    ) -> Result<Vec<usize>, PlanError> {
        let mut slots = Vec::new();
        let mut missing = types.clone();
        // Already there for some types, asked as an input of something else.
        let here: Vec<usize> = self.build.position(at).slot_keys.places_of(want.key).collect();
        for index in here {
            let slot = &self.build.position(at).slots[index];
            let overlap = slot.on.and(&missing);
            let same = slot.name == want.item.name() && slot.arguments == want.item.arguments();
            if same && !overlap.is_empty() {
                missing = missing.minus(&overlap);
                self.refill(at, index, &overlap, want.conditions)?;
                slots.push(index);
            }
        }
        if missing.is_empty() {
            return Ok(slots);
        }
        let is_part = missing != *types;
        let subgraph = candidate.owner.subgraph;
        let sources = match (candidate.owner.view.needs_inputs(), candidate.way) {
            (true, _) => self.enter_for(at, want, &missing, candidate)?,
            (false, Way::Hop(_)) if self.is_guarded(at, want.item, candidate.owner) => {
                self.enter_for(at, want, &missing, candidate)?
            }
            (false, Way::Source(source)) => {
                self.touch(at, source, &missing, want.conditions)?;
                vec![(source, missing)]
            }
            (false, _) => self.ensure(at, &missing, (subgraph, candidate.level), want.conditions)?,
        };
        for (source, types) in sources {
            for (types, view) in self.views_for(want, types, candidate, is_part) {
                let filled = self.fill(at, source, want, &types, view);
                if !slots.contains(&filled) {
                    slots.push(filled);
                }
            }
        }
        Ok(slots)
    }

    /// As what a field is asked for some types: as the candidate has it. That may be an interface's field, which stands
    /// for all its types; for a part of them each type's own does, which may be stricter.
    fn views_for(
        &self,
        want: &Want<'a>,
        types: TypeSet,
        candidate: &Candidate<'a>,
        is_part: bool,
    ) -> Vec<(TypeSet, &'a FieldView)> {
        let owner = candidate.owner;
        if !is_part || owner.view.needs_inputs() {
            return vec![(types, owner.view)];
        }
        let own = self.facts.own_fields(owner.subgraph, &types, want.item.name());
        own.into_iter().map(|(types, own)| (types, own.unwrap_or(owner.view))).collect()
    }

    /// Makes a subgraph a source of a position. A source that is there by `level` is taken as it is.
    pub(crate) fn ensure(
        &mut self,
        at: PosId,
        types: &TypeSet,
        (subgraph, level): (SubgraphId, u32),
        conditions: Cond,
    ) -> Result<Vec<(usize, TypeSet)>, PlanError> {
        self.check_steps()?;
        if let Some(source) = self.source_by(at, types, subgraph, level) {
            self.touch(at, source, types, conditions)?;
            return Ok(vec![(source, types.clone())]);
        }
        let mut found: Vec<(usize, TypeSet)> = Vec::new();
        let mut hops = Vec::new();
        for ty in types.iter() {
            let reach = self.reaches(at, ty)[subgraph.index()];
            let reach = reach.ok_or_else(|| PlanError::Unreachable {
                place: format!(
                    "{} in {}",
                    self.facts.supergraph.ty(ty).name,
                    self.facts.supergraph.subgraph(subgraph).name
                ),
            })?;
            let source = match reach.way {
                Way::Source(source) => source,
                Way::Root => self.open_root(at, subgraph, conditions)?,
                Way::Reentry => self.reenter(at, subgraph, conditions)?,
                Way::Hop(entry) => {
                    hops.push((ty, entry));
                    continue;
                }
            };
            self.touch(at, source, &TypeSet::one(ty), conditions)?;
            match found.iter_mut().find(|(index, _)| *index == source) {
                Some((_, types)) => types.insert(ty),
                None => found.push((source, TypeSet::one(ty))),
            }
        }
        if !hops.is_empty() {
            found.extend(self.hop(at, &hops, subgraph, (None, false), conditions)?);
        }
        Ok(found)
    }

    fn source_by(&self, at: PosId, types: &TypeSet, subgraph: SubgraphId, level: u32) -> Option<usize> {
        let sources = self.build.position(at).sources.iter();
        sources.into_iter().position(|source| {
            source.subgraph == subgraph
                && source.is_shared()
                && types.is_subset(&source.types)
                && self.build.draft(source.draft).level <= level
                && self.is_open(source.draft)
        })
    }

    /// A fetch of root fields. Below the root, where a field may be of the query type, it is a query that waits for the
    /// objects it completes, and for their runtime types if there may be others.
    fn open_root(&mut self, at: PosId, subgraph: SubgraphId, conditions: Cond) -> Result<usize, PlanError> {
        let (operation, deps) = match self.build.position(at).parent {
            None => (self.operation.kind, self.root_deps.iter().copied().collect()),
            Some((parent, slot)) => {
                let mut deps = self.path_types(at, conditions)?;
                deps.extend(self.build.position(parent).slots[slot].fills.iter().map(|fill| fill.draft));
                let all = self.build.position(at).types.clone();
                if all.len() > 1 {
                    deps.extend(self.typename(at, &all, conditions)?);
                }
                (OperationKind::Query, deps)
            }
        };
        let types = match self.build.position(at).parent {
            None => self.build.position(at).types.clone(),
            Some(_) => self.facts.supergraph.root(Root::Query).into_iter().collect(),
        };
        let node = self.build.add_node(DocNode::new(subgraph, types.first(), types.clone(), None));
        let part = self.part;
        let draft = Draft { subgraph, operation, node, position: at, entities: None, deps, level: 0, part };
        let draft = self.build.add_draft(draft);
        let provided = FieldSet::default();
        self.build.changed(at);
        let sources = &mut self.build.positions[at.0].sources;
        sources.push(Source {
            draft,
            node,
            subgraph,
            types,
            opaque: None,
            provided,
            contextual: false,
            only_for: None,
        });
        Ok(sources.len() - 1)
    }

    /// Asks the field that leads to a position in another subgraph as well.
    fn reenter(&mut self, at: PosId, subgraph: SubgraphId, conditions: Cond) -> Result<usize, PlanError> {
        let (parent, slot) = self.build.position(at).parent.expect("the root is not re-entered");
        let found = self.build.position(parent).slots.get(slot).expect("a position's slot exists");
        let (on, name, arguments, key) = (found.on.clone(), found.name, found.arguments, found.key);
        let sources = self.ensure(parent, &on, (subgraph, 0), conditions)?;
        let mut entered = None;
        for (source, types) in sources {
            let ty = types.first().expect("a source is given for at least one type");
            let owners = self.facts.owners(ty, ty, name);
            let owner = owners.iter().find(|owner| owner.subgraph == subgraph);
            let view = owner.expect("re-entry is only offered where the field is").view;
            let field = (key, name, arguments);
            entered = Some(self.fill_slot(parent, source, slot, field, &types, view, conditions));
        }
        let node = entered.flatten().expect("a position stands below a composite field");
        let sources = &self.build.position(at).sources;
        Ok(sources.iter().position(|source| source.node == node).expect("filling a slot makes a source"))
    }

    fn fill(
        &mut self,
        at: PosId,
        source: usize,
        want: &Want<'a>,
        types: &TypeSet,
        view: &'a FieldView,
    ) -> usize {
        let item = want.item;
        let node = self.build.position(at).sources[source].node;
        // The same field from the same source for more types needs no slot of its own.
        let position = self.build.position(at);
        let wider = position.slot_keys.places_of(want.key).find(|&index| {
            let slot = &position.slots[index];
            slot.name == item.name()
                && slot.arguments == item.arguments()
                && self.fills_from(slot, node, view)
                && slot.child.is_none_or(|child| {
                    // Elsewhere the client may select other things under the same key.
                    let below = self.client_below(at, want.key, types);
                    std::ptr::eq(self.build.position(child).client, below)
                })
        });
        let slot = wider.unwrap_or_else(|| {
            let position = &mut self.build.positions[at.0];
            position.slot_keys.push(want.key);
            position.slots.push(Slot {
                key: want.key,
                name: item.name(),
                arguments: item.arguments(),
                on: TypeSet::empty(),
                child: None,
                fills: Vec::new(),
                conditions: want.conditions,
            });
            position.slots.len() - 1
        });
        let found = &mut self.build.positions[at.0].slots[slot];
        // A position below is now reached through more types.
        let widened = found.child.is_some() && !types.is_subset(&found.on);
        found.on = found.on.or(types);
        found.conditions = self.facts.conditions.or(found.conditions, want.conditions);
        let is_input = self.facts.is_input(types, item.name());
        let position = &mut self.build.positions[at.0];
        if is_input && !position.inputs.contains(&slot) {
            position.inputs.push(slot);
        }
        if widened || is_input {
            self.build.changed(at);
        }
        let field = (want.key, item.name(), item.arguments());
        self.fill_slot(at, source, slot, field, types, view, want.conditions);
        slot
    }

    fn fills_from(&self, slot: &Slot<'a>, node: NodeId, view: &FieldView) -> bool {
        let found = self.build.node(node);
        found.with_key(slot.key).map(|index| &found.fields[index]).any(|field| {
            field.name == slot.name
                && field.arguments == slot.arguments
                && field.ty == Some(&view.ty)
                && slot.fills.iter().all(|fill| self.build.draft(fill.draft).subgraph == fill.subgraph)
                && self.child_node(slot, node).is_none_or(|child| field.child == Some(child))
        })
    }

    /// The selection set below `node` that a slot's position already has as a source.
    fn child_node(&self, slot: &Slot<'a>, node: NodeId) -> Option<NodeId> {
        let child = slot.child?;
        let found = self.build.node(node);
        let below: Vec<NodeId> =
            found.with_key(slot.key).filter_map(|index| found.fields[index].child).collect();
        self.build.position(child).sources.iter().map(|source| source.node).find(|node| below.contains(node))
    }

    /// Adds a slot's field to a source's selection set; gives the selection set below it.
    #[expect(clippy::too_many_arguments, reason = "a field, where it stands and for whom it is asked")]
    fn fill_slot(
        &mut self,
        at: PosId,
        source: usize,
        slot: usize,
        (key, name, arguments): crate::FieldKey<'a>,
        types: &TypeSet,
        view: &'a FieldView,
        conditions: Cond,
    ) -> Option<NodeId> {
        let from = self.build.position(at).sources[source].clone();
        let existing = self.child_node(&self.build.position(at).slots[slot], from.node);
        let base = self.facts.supergraph.ty(view.base);
        let composite = !base.possible.is_empty();
        let child = if !composite {
            None
        } else if existing.is_some() {
            existing
        } else {
            Some(self.below(at, slot, &from, types, view))
        };
        self.build.add_field(
            &mut self.facts.conditions,
            from.node,
            DocField {
                key,
                name,
                arguments,
                on: types.clone(),
                conditions,
                ty: Some(&view.ty),
                composite,
                child,
                contexts: &view.contexts,
            },
        );
        let fills = &mut self.build.positions[at.0].slots[slot].fills;
        match fills.iter_mut().find(|fill| fill.draft == from.draft && fill.subgraph == from.subgraph) {
            Some(fill) => fill.on = fill.on.or(types),
            None => fills.push(Fill { draft: from.draft, on: types.clone(), subgraph: from.subgraph }),
        }
        child
    }

    /// A selection set below a field, and with it a source of the position below.
    fn below(
        &mut self,
        at: PosId,
        slot: usize,
        from: &Source,
        types: &TypeSet,
        view: &'a FieldView,
    ) -> NodeId {
        let supergraph = self.facts.supergraph;
        let known = supergraph.type_in(from.subgraph, view.base);
        let possible = known.map(|view| view.possible.clone()).unwrap_or_default();
        let opaque = known.is_some_and(|view| view.is_interface_object).then_some(view.base);
        let child = match self.build.position(at).slots[slot].child {
            Some(child) => child,
            None => self.position_below(at, slot, &possible, view),
        };
        let (name, key) = (self.build.position(at).slots[slot].name, self.build.position(at).slots[slot].key);
        let mut provided = from.provided.below(name, types);
        if let Some(more) = &view.provides {
            provided.fields.extend(more.fields.iter().cloned());
        }
        let node = DocNode::new(from.subgraph, Some(view.base), possible.clone(), Some(key));
        let node = self.build.add_node(node);
        let source = Source {
            draft: from.draft,
            node,
            subgraph: from.subgraph,
            types: possible,
            opaque,
            provided,
            contextual: false,
            only_for: None,
        };
        self.build.positions[child.0].sources.push(source);
        self.build.changed(child);
        node
    }

    fn position_below(&mut self, at: PosId, slot: usize, possible: &TypeSet, view: &'a FieldView) -> PosId {
        let supergraph = self.facts.supergraph;
        let found = &self.build.position(at).slots[slot];
        let (name, on, key) = (found.name, found.on.clone(), found.key);
        let mut types = possible.clone();
        if supergraph.ty(view.base).kind == kopitiam_supergraph::TypeKind::Union {
            // A member that some subgraph, which could answer the same path, does not know is never selected:
            // which of them is asked must not change the answer.
            for rival in self.rivals(at, &on, name) {
                if let Some(theirs) = supergraph.type_in(rival, view.base) {
                    types = types.and(&theirs.possible);
                }
            }
        }
        let client = self.client_below(at, key, &on);
        let child = self.build.add_position(Some((at, slot)), types, client);
        self.build.positions[at.0].slots[slot].child = Some(child);
        child
    }

    /// What the client selects below a response key, for these runtime types.
    fn client_below(&self, at: PosId, key: kopitiam_plan::Key, on: &TypeSet) -> &'a [FieldNode] {
        let position = self.build.position(at);
        let client = position.client;
        let found = position.client_keys.places_of(key).find(|&index| client[index].on.meets(on));
        found.map_or(&[], |index| &client[index].selection.fields)
    }
}
