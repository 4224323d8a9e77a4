//! Fetches that found a failure where the objects should have been that they ask about.
//!
//! The objects may come all the same, from another fetch of the field above them. By then nobody asks about them any
//! more, so what is missing in them shows the failure that was in the way.
//!
//! Elsewhere: what a failed fetch itself should have given (`failure.rs`).

use std::collections::HashSet;

use kopitiam_plan::{Key, PathStep};

use crate::failure::fail_absent;
use crate::selection::{SelectionId, Selections};
use crate::tree::{CauseId, NodeId, Place, Tree, Value};

/// Where a failure stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    Field(NodeId, Key),
    Item(u32),
}

/// A way to objects that ended at a failure.
#[derive(Debug)]
pub(crate) struct Starved<'a> {
    pub(crate) at: At,
    /// What was left of the path.
    pub(crate) rest: &'a [PathStep],
    /// What the fetch takes from each object.
    pub(crate) selection: SelectionId,
    pub(crate) cause: CauseId,
}

impl Starved<'_> {
    /// Shows the failure in the objects that came meanwhile.
    pub(crate) fn settle(&self, tree: &mut Tree, selections: &Selections) {
        let value = match self.at {
            At::Field(node, key) => tree.get(node, key),
            At::Item(index) => Some(tree.at(Place::Item(index))),
        };
        let mut walk = Walk::default();
        if let Some(value) = value {
            walk.follow(tree, value, self.rest);
        }
        for node in walk.objects {
            fail_absent(tree, selections, node, self.selection, self.cause);
        }
    }
}

/// The failures on a path.
pub(crate) fn find<'a>(tree: &Tree, path: &'a [PathStep], selection: SelectionId) -> Vec<Starved<'a>> {
    let mut walk = Walk::default();
    walk.follow(tree, Value::Object(Tree::ROOT), path);
    let starved = |(at, rest, cause)| Starved { at, rest, selection, cause };
    walk.failures.into_iter().map(starved).collect()
}

#[derive(Default)]
struct Walk<'a> {
    passed: HashSet<(NodeId, usize), ahash::RandomState>,
    objects: Vec<NodeId>,
    failures: Vec<(At, &'a [PathStep], CauseId)>,
}

impl<'a> Walk<'a> {
    fn follow(&mut self, tree: &Tree, value: Value, steps: &'a [PathStep]) {
        match (value, steps.split_first()) {
            (Value::List(list), _) => {
                for (index, item) in (list.start..).zip(tree.items(list)) {
                    match item {
                        Value::Failed(cause) => self.failures.push((At::Item(index), steps, *cause)),
                        item => self.follow(tree, *item, steps),
                    }
                }
            }
            (Value::Object(node), _) if !self.passed.insert((node, steps.len())) => {}
            (Value::Object(node), None) => self.objects.push(node),
            (Value::Object(node), Some((PathStep::On(types), rest))) => {
                if tree.is_one_of(node, types) {
                    self.follow(tree, value, rest);
                }
            }
            (Value::Object(node), Some((PathStep::Field(key), rest))) => match tree.get(node, *key) {
                Some(Value::Failed(cause)) => self.failures.push((At::Field(node, *key), rest, cause)),
                Some(value) => self.follow(tree, value, rest),
                None => {}
            },
            (Value::Null | Value::Failed(_) | Value::Leaf(_), _) => {}
        }
    }
}
