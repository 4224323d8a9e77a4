//! The plan while it is being built: positions of the response tree, fetches, and the documents they will send.
//!
//! Always: a fetch's dependencies exist before it does, so there is no cycle; conditions are absolute (from the root of
//! the operation), and become relative only when a document is written.

use std::collections::{BTreeMap, BTreeSet};

use ahash::HashMap;
use apollo_compiler::{Name, Node, ast};
use kopitiam_operation::{FieldNode, OperationKind, PartId};
use kopitiam_plan::{Key, KeyTable};
use kopitiam_supergraph::{ContextArgument, FieldSet, SubgraphId, TypeId, TypeSet};

use crate::{
    conditions::{Cond, CondTable},
    contexts::ContextDraft,
    index::KeyIndex,
};

/// A place in the response tree: all objects that one path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PosId(pub(crate) usize);

/// A fetch under construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DraftId(pub(crate) usize);

/// A selection set in a fetch's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) usize);

pub(crate) struct Position<'a> {
    pub(crate) parent: Option<(PosId, usize)>,
    /// The runtime types that objects here may have.
    pub(crate) types: TypeSet,
    /// What the client selects here, and the keys of it.
    pub(crate) client: &'a [FieldNode],
    pub(crate) client_keys: KeyIndex,
    pub(crate) slots: Vec<Slot<'a>>,
    /// The slots' keys: a slot is looked for by key at every field.
    pub(crate) slot_keys: KeyIndex,
    /// The slots that a key or a `@requires` may be made of.
    pub(crate) inputs: Vec<usize>,
    pub(crate) sources: Vec<Source>,
    /// Grows with every change that may let more be reached from here, or sooner.
    pub(crate) version: u64,
}

/// A field of a position, for some of its runtime types.
pub(crate) struct Slot<'a> {
    pub(crate) key: Key,
    pub(crate) name: &'a Name,
    pub(crate) arguments: &'a [Node<ast::Argument>],
    pub(crate) on: TypeSet,
    pub(crate) child: Option<PosId>,
    /// The fetches that bring it.
    pub(crate) fills: Vec<Fill>,
    /// When it is there.
    pub(crate) conditions: Cond,
}

#[derive(Clone)]
pub(crate) struct Fill {
    pub(crate) draft: DraftId,
    pub(crate) on: TypeSet,
    pub(crate) subgraph: SubgraphId,
}

/// A selection set through which more fields of a position can be asked.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) draft: DraftId,
    pub(crate) node: NodeId,
    pub(crate) subgraph: SubgraphId,
    /// The runtime types for which this source brings objects.
    pub(crate) types: TypeSet,
    /// The `@interfaceObject` it stands on: it knows no runtime type.
    pub(crate) opaque: Option<TypeId>,
    /// External fields that it answers all the same.
    pub(crate) provided: FieldSet,
    /// Made for fields that take values from above: it serves no others, which would be asked once for each value.
    pub(crate) contextual: bool,
    /// Made for fields that only objects of these runtime types are asked for, in a subgraph that cannot tell them apart:
    /// it serves no others, which would be lost with them.
    pub(crate) only_for: Option<TypeSet>,
}

impl Source {
    /// Whether any field may be asked through it.
    pub(crate) fn is_shared(&self) -> bool {
        !self.contextual && self.only_for.is_none()
    }
}

pub(crate) struct DocNode<'a> {
    pub(crate) subgraph: SubgraphId,
    /// The type of the selection set in the subgraph; `None` for `_entities` of concrete types.
    pub(crate) static_type: Option<TypeId>,
    /// Object types that may stand here, as far as the subgraph knows.
    pub(crate) possible: TypeSet,
    pub(crate) fields: Vec<DocField<'a>>,
    pub(crate) field_keys: KeyIndex,
    /// The key of the field that this is the selection set of.
    pub(crate) below: Option<Key>,
}

impl DocNode<'_> {
    pub(crate) fn new(
        subgraph: SubgraphId,
        static_type: Option<TypeId>,
        possible: TypeSet,
        below: Option<Key>,
    ) -> Self {
        Self { subgraph, static_type, possible, fields: Vec::new(), field_keys: KeyIndex::default(), below }
    }

    /// The fields of one key: their indexes.
    pub(crate) fn with_key(&self, key: Key) -> impl Iterator<Item = usize> + '_ {
        self.field_keys.places_of(key)
    }
}

#[derive(Clone)]
pub(crate) struct DocField<'a> {
    pub(crate) key: Key,
    pub(crate) name: &'a Name,
    pub(crate) arguments: &'a [Node<ast::Argument>],
    pub(crate) on: TypeSet,
    pub(crate) conditions: Cond,
    /// The field's type in the subgraph; `None` for `__typename`.
    pub(crate) ty: Option<&'a ast::Type>,
    pub(crate) composite: bool,
    pub(crate) child: Option<NodeId>,
    /// Arguments that the fetch's contexts of the same index fill.
    pub(crate) contexts: &'a [ContextArgument],
}

pub(crate) struct Draft<'a> {
    pub(crate) subgraph: SubgraphId,
    pub(crate) operation: OperationKind,
    pub(crate) node: NodeId,
    /// Where its answer goes.
    pub(crate) position: PosId,
    pub(crate) entities: Option<EntityDraft<'a>>,
    pub(crate) deps: BTreeSet<DraftId>,
    pub(crate) level: u32,
    /// The part of the response that it is sent for.
    pub(crate) part: PartId,
}

pub(crate) struct EntityDraft<'a> {
    pub(crate) variants: Vec<VariantDraft>,
    /// Values from above.
    pub(crate) contexts: Vec<ContextDraft<'a>>,
    /// What they were made of, and when they are there.
    pub(crate) contextual: &'a [ContextArgument],
    pub(crate) contexts_when: Cond,
}

/// The representation of the entities of one runtime type, or of all of an interface's.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct VariantDraft {
    pub(crate) on: TypeSet,
    pub(crate) typename: TypeId,
    pub(crate) fields: Vec<RepField>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RepField {
    pub(crate) name: Name,
    pub(crate) source: Key,
    pub(crate) on: TypeSet,
    /// Whether `on` says less than the position does, so that it must be checked.
    pub(crate) conditional: bool,
    pub(crate) is_key: bool,
    /// When something asked needs it.
    pub(crate) conditions: Cond,
    pub(crate) selection: Vec<RepField>,
}

#[derive(Default)]
pub(crate) struct Build<'a> {
    pub(crate) positions: Vec<Position<'a>>,
    pub(crate) drafts: Vec<Draft<'a>>,
    pub(crate) nodes: Vec<DocNode<'a>>,
    pub(crate) keys: KeyTable,
    /// Grows with that of any position.
    pub(crate) version: u64,
    /// What the representations of each entity fetch are made of.
    pub(crate) inputs: HashMap<DraftId, Vec<Input<'a>>>,
    /// The fetches that bring the fields of each part of the response, when it has several.
    pub(crate) needs: BTreeMap<PartId, BTreeSet<DraftId>>,
}

/// A field set that a representation is made of.
#[derive(Clone)]
pub(crate) struct Input<'a> {
    pub(crate) on: TypeSet,
    pub(crate) set: &'a FieldSet,
    pub(crate) is_key: bool,
    /// When it is asked for.
    pub(crate) conditions: Cond,
}

impl<'a> Build<'a> {
    pub(crate) fn position(&self, id: PosId) -> &Position<'a> {
        &self.positions[id.0]
    }

    pub(crate) fn draft(&self, id: DraftId) -> &Draft<'a> {
        &self.drafts[id.0]
    }

    pub(crate) fn node(&self, id: NodeId) -> &DocNode<'a> {
        &self.nodes[id.0]
    }

    /// A place where nothing is asked yet.
    pub(crate) fn add_position(
        &mut self,
        parent: Option<(PosId, usize)>,
        types: TypeSet,
        client: &'a [FieldNode],
    ) -> PosId {
        let client_keys = client.iter().map(|field| self.keys.intern(&field.key)).collect();
        self.positions.push(Position {
            parent,
            types,
            client,
            client_keys,
            slots: Vec::new(),
            slot_keys: KeyIndex::default(),
            inputs: Vec::new(),
            sources: Vec::new(),
            version: 0,
        });
        PosId(self.positions.len() - 1)
    }

    /// From now on more can be reached from a position.
    pub(crate) fn changed(&mut self, at: PosId) {
        self.version += 1;
        self.positions[at.0].version += 1;
    }

    pub(crate) fn add_node(&mut self, node: DocNode<'a>) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    pub(crate) fn add_draft(&mut self, mut draft: Draft<'a>) -> DraftId {
        draft.level = draft.deps.iter().map(|dep| self.drafts[dep.0].level + 1).max().unwrap_or(0);
        self.drafts.push(draft);
        DraftId(self.drafts.len() - 1)
    }

    /// Whether every one of `wanted` is finished before `draft` starts.
    pub(crate) fn waits_for(&self, draft: DraftId, wanted: &BTreeSet<DraftId>) -> bool {
        let mut seen = BTreeSet::new();
        let mut open: Vec<DraftId> = self.drafts[draft.0].deps.iter().copied().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(&self.drafts[next.0].deps);
            }
        }
        wanted.is_subset(&seen)
    }

    /// Adds a field to a selection set, or widens one that is there: by types where the conditions are the same, by
    /// conditions where the types are. One that differs in both stands beside it.
    pub(crate) fn add_field(&mut self, conditions: &mut CondTable, node: NodeId, field: DocField<'a>) {
        let node = &mut self.nodes[node.0];
        let same = node.with_key(field.key).find(|&index| {
            let found = &node.fields[index];
            found.name == field.name
                && found.arguments == field.arguments
                && found.ty == field.ty
                && found.contexts == field.contexts
                && (field.child.is_none() || found.child == field.child)
                && (found.on == field.on || found.conditions == field.conditions)
        });
        if let Some(index) = same {
            let found = &mut node.fields[index];
            found.on = found.on.or(&field.on);
            found.conditions = conditions.or(found.conditions, field.conditions);
        } else {
            node.field_keys.push(field.key);
            node.fields.push(field);
        }
    }
}
