//! Collects what an entity fetch sends: the representations of the objects at its targets.
//!
//! In: the response tree. Out: JSON in the request's body, and for each object which representation stands for it, so
//! that merging never searches again.
//! Always: equal representations of one group are sent once, told apart by hash *and* bytes; an object without its
//! key sends nothing; equal bare objects at a shareable target become one object of the tree.
//! Elsewhere: placing the answers (`merge.rs`), which targets are shareable (`sharing.rs`), values from above
//! (`contexts.rs`).

use std::collections::HashSet;
use std::ops::Range;

use hashbrown::HashTable;
use kopitiam_plan::{Path, PathStep};

use crate::program::{GroupProgram, Holding, RepresentationProgram, TargetProgram, VariantProgram};
use crate::tree::{CauseId, NodeId, Place, Tree, Value, index_of};
use crate::waves::{Asked, ItemsMax};

/// An object of the tree and the representation that stands for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    pub(crate) node: NodeId,
    pub(crate) representation: u32,
    /// Which of the group's targets led here.
    pub(crate) target: u32,
}

/// Where the entities of one group go.
#[derive(Debug, Default)]
pub(crate) struct GroupPositions {
    /// By target.
    pub(crate) positions: Vec<Position>,
    /// How many distinct representations were written.
    pub(crate) count: u32,
    /// Objects that have no representation because a value it needs failed to arrive.
    pub(crate) failed: Vec<(NodeId, CauseId)>,
}

/// How writing one representation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Complete,
    /// A key is null or missing, or no variant fits: the object's fields stay missing.
    Nothing,
    Failed(CauseId),
}

struct Known {
    hash: u64,
    bytes: Range<usize>,
    representation: u32,
    /// The first object with it, at the target being walked.
    target: u32,
    node: NodeId,
}

/// Which of a group's objects are of concern: all that were not asked about.
pub(crate) struct Among<'a> {
    /// How far each target is followed; `None`: to the end.
    pub(crate) items_max: Option<&'a [ItemsMax]>,
    /// Objects that were asked about; those that are now are added.
    pub(crate) asked: &'a mut Asked,
}

/// Writes a group's representations to `body` as a JSON list.
pub(crate) fn collect(
    tree: &mut Tree,
    group: &GroupProgram,
    among: Among<'_>,
    holding: &Holding,
    hasher: &ahash::RandomState,
    body: &mut Vec<u8>,
) -> GroupPositions {
    let Among { items_max, asked } = among;
    let mut collector = Collector {
        tree,
        holding,
        hasher,
        body,
        known: HashTable::new(),
        visited: asked,
        collected: GroupPositions::default(),
    };
    collector.body.push(b'[');
    for (index, target) in group.targets.iter().enumerate() {
        let items_max = items_max.map_or(&[][..], |targets| &targets[index]);
        collector.target(index_of(index), (target, items_max), &group.variants);
    }
    collector.body.push(b']');
    collector.collected
}

/// The objects at the end of some paths, each once: where the answer of a root fetch goes that stands below the root.
pub(crate) fn objects_at(tree: &Tree, paths: &[Path]) -> GroupPositions {
    let mut found = Vec::new();
    for path in paths {
        let steps = Steps { steps: &path.0, items_max: &[] };
        walk(tree, Value::Object(Tree::ROOT), None, steps, &mut HashSet::default(), &mut found);
    }
    let mut visited: HashSet<NodeId, ahash::RandomState> = HashSet::default();
    let nodes = found.into_iter().map(|(node, _)| node).filter(|node| visited.insert(*node));
    let positions: Vec<_> = nodes.map(|node| Position { node, representation: 0, target: 0 }).collect();
    GroupPositions { count: u32::from(!positions.is_empty()), positions, failed: Vec::new() }
}

struct Collector<'a> {
    tree: &'a mut Tree,
    holding: &'a Holding,
    hasher: &'a ahash::RandomState,
    body: &'a mut Vec<u8>,
    known: HashTable<Known>,
    visited: &'a mut Asked,
    collected: GroupPositions,
}

impl Collector<'_> {
    fn target(
        &mut self,
        index: u32,
        (target, items_max): (&TargetProgram, &[usize]),
        variants: &[VariantProgram],
    ) {
        let mut found = Vec::new();
        let mut passed = HashSet::default();
        let steps = Steps { steps: &target.path.0, items_max };
        walk(self.tree, Value::Object(Tree::ROOT), None, steps, &mut passed, &mut found);
        for (node, place) in found {
            if self.visited.insert(node) {
                self.object(index, target.is_shareable, variants, node, place);
            }
        }
    }

    fn object(
        &mut self,
        target: u32,
        is_shareable: bool,
        variants: &[VariantProgram],
        node: NodeId,
        place: Option<Place>,
    ) {
        let separator = self.body.len();
        if self.collected.count > 0 {
            self.body.push(b',');
        }
        let start = self.body.len();
        let read = Reader { tree: self.tree, holding: self.holding };
        match read.representation(variants, node, self.body) {
            Written::Complete => {}
            Written::Nothing => {
                self.body.truncate(separator);
                return;
            }
            Written::Failed(cause) => {
                self.body.truncate(separator);
                self.collected.failed.push((node, cause));
                return;
            }
        }
        let bytes = start..self.body.len();
        let hash = self.hasher.hash_one(&self.body[bytes.clone()]);
        let body = &*self.body;
        let equal = |known: &Known| known.hash == hash && body[known.bytes.clone()] == body[bytes.clone()];
        let Some(known) = self.known.find_mut(hash, equal) else {
            let representation = self.collected.count;
            let known = Known { hash, bytes, representation, target, node };
            self.known.insert_unique(hash, known, |known| known.hash);
            self.collected.count += 1;
            self.collected.positions.push(Position { node, representation, target });
            return;
        };
        let representation = known.representation;
        self.body.truncate(separator);
        // One that the parser gave to several places already takes the fields itself: of those only this one is at hand.
        if let Some(place) = place
            && is_shareable
            && known.target == target
            && !self.tree.is_shared(node)
            && self.tree.same_leaves(known.node, node)
        {
            self.tree.set(place, Value::Object(known.node));
            self.tree.mark_shared(known.node);
            return;
        }
        (known.target, known.node) = (target, node);
        self.collected.positions.push(Position { node, representation, target });
    }
}

/// What is left of a path.
#[derive(Clone, Copy)]
pub(crate) struct Steps<'a> {
    pub(crate) steps: &'a [PathStep],
    /// How many items of the list behind each step are looked at; all where there is none.
    pub(crate) items_max: &'a [usize],
}

impl<'a> Steps<'a> {
    /// The next step, how many items of the list behind it are looked at, and what comes then.
    pub(crate) fn split(self) -> Option<(&'a PathStep, usize, Self)> {
        let (step, steps) = self.steps.split_first()?;
        let items_max = self.items_max.split_first();
        let (first, items_max) = items_max.map_or((usize::MAX, &[][..]), |(first, rest)| (*first, rest));
        Some((step, first, Self { steps, items_max }))
    }
}

/// Finds the objects at the end of `steps`, with the places that hold them. An object that several places hold is
/// walked through once.
fn walk(
    tree: &Tree,
    value: Value,
    place: Option<Place>,
    steps: Steps<'_>,
    passed: &mut HashSet<(NodeId, usize), ahash::RandomState>,
    found: &mut Vec<(NodeId, Option<Place>)>,
) {
    match (value, steps.split()) {
        (Value::List(list), _) => {
            for (index, item) in (list.start..).zip(tree.items(list)) {
                walk(tree, *item, Some(Place::Item(index)), steps, passed, found);
            }
        }
        (Value::Object(node), None) => found.push((node, place)),
        (Value::Object(node), Some((PathStep::On(types), _, rest))) => {
            if tree.is_one_of(node, types) {
                walk(tree, value, place, rest, passed, found);
            }
        }
        (Value::Object(node), Some((PathStep::Field(key), items_max, rest))) => {
            if tree.is_shared(node) && !passed.insert((node, steps.steps.len())) {
                return;
            }
            match tree.find(node, *key) {
                Some((Value::List(list), _)) if items_max < tree.items(list).len() => {
                    for (index, item) in (list.start..).zip(tree.items(list)).take(items_max) {
                        walk(tree, *item, Some(Place::Item(index)), rest, passed, found);
                    }
                }
                Some((value, place)) => walk(tree, value, Some(place), rest, passed, found),
                None => {}
            }
        }
        (Value::Null | Value::Failed(_) | Value::Leaf(_), _) => {}
    }
}

/// Reads representations from the tree.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) holding: &'a Holding,
}

impl Reader<'_> {
    pub(crate) fn representation(
        self,
        variants: &[VariantProgram],
        node: NodeId,
        out: &mut Vec<u8>,
    ) -> Written {
        let Some(variant) = variants.iter().find(|variant| self.tree.is_one_of(node, &variant.on)) else {
            return Written::Nothing;
        };
        out.extend_from_slice(&variant.start);
        let written = self.fields(&variant.fields, node, true, out);
        out.push(b'}');
        written
    }

    /// Writes an object's members without its braces.
    fn fields(
        self,
        fields: &[RepresentationProgram],
        node: NodeId,
        mut needs_comma: bool,
        out: &mut Vec<u8>,
    ) -> Written {
        for field in fields {
            if !self.holding.holds(field.condition) || !self.tree.is_one_of(node, &field.on) {
                continue;
            }
            let Some(value) = self.tree.get(node, field.source) else {
                return Written::Nothing;
            };
            if needs_comma {
                out.push(b',');
            }
            needs_comma = true;
            out.extend_from_slice(&field.start);
            let written = self.value(field, value, out);
            if written != Written::Complete {
                return written;
            }
        }
        Written::Complete
    }

    fn value(self, field: &RepresentationProgram, value: Value, out: &mut Vec<u8>) -> Written {
        match value {
            Value::Null if field.is_key => return Written::Nothing,
            Value::Null => out.extend_from_slice(b"null"),
            Value::Failed(cause) => return Written::Failed(cause),
            Value::Leaf(leaf) => out.extend_from_slice(self.tree.bytes(leaf)),
            Value::Object(node) => {
                out.push(b'{');
                let written = self.fields(&field.fields, node, false, out);
                if written != Written::Complete {
                    return written;
                }
                out.push(b'}');
            }
            Value::List(list) => {
                out.push(b'[');
                for (index, item) in self.tree.items(list).iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    // An item may be null without the key being null.
                    let written = match item {
                        Value::Null => {
                            out.extend_from_slice(b"null");
                            Written::Complete
                        }
                        item => self.value(field, *item, out),
                    };
                    if written != Written::Complete {
                        return written;
                    }
                }
                out.push(b']');
            }
        }
        Written::Complete
    }
}
