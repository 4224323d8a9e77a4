//! Fetches that found a failure where the objects should have been that they ask about.
//!
//! The objects may come all the same, from another fetch of the field above them. By then nobody asks about them any
//! more, so what is missing in them shows the failure that was in the way.
//!
//! Elsewhere: what a failed fetch itself should have given (`failure.rs`).

use std::collections::HashSet;

use kopitiam_plan::{Key, PathStep};

use crate::failure::fail_absent;
use crate::program::{FetchProgram, FetchProgramKind, Holding};
use crate::representations::Steps;
use crate::selection::{SelectionId, Selections};
use crate::tree::{CauseId, ListId, NodeId, Place, Tree, Value};
use crate::waves::ItemsMax;

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
    /// How far to follow it, as in [`Steps`].
    pub(crate) items_max: Vec<usize>,
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
            walk.follow(tree, value, Steps { steps: self.rest, items_max: &self.items_max });
        }
        for node in walk.objects {
            fail_absent(tree, selections, node, self.selection, self.cause);
        }
    }
}

/// The failures on the ways of a fetch; `items_max` says how far those of each group go.
pub(crate) fn of_fetch<'a, 'w>(
    tree: &Tree,
    fetch: &'a FetchProgram,
    holding: &Holding,
    items_max: impl Fn(usize) -> Option<&'w [ItemsMax]>,
) -> Vec<Starved<'a>> {
    let mut found = Vec::new();
    match &fetch.kind {
        FetchProgramKind::Root { at, selection } => {
            for path in at {
                found.extend(find(tree, &path.0, &[], *selection));
            }
        }
        FetchProgramKind::Entities { groups, .. } => {
            let groups = groups.iter().enumerate().filter(|(_, group)| holding.holds(group.condition));
            for (number, group) in groups {
                let items_max = items_max(number);
                for (number, target) in group.targets.iter().enumerate() {
                    let items_max = items_max.map_or(&[][..], |targets| &targets[number]);
                    found.extend(find(tree, &target.path.0, items_max, group.selection));
                }
            }
        }
    }
    found
}

/// The failures on a path.
fn find<'a>(
    tree: &Tree,
    path: &'a [PathStep],
    items_max: &[usize],
    selection: SelectionId,
) -> Vec<Starved<'a>> {
    let mut walk = Walk::default();
    walk.follow(tree, Value::Object(Tree::ROOT), Steps { steps: path, items_max });
    let starved = |(at, left, cause)| {
        let rest = &path[path.len() - left..];
        let items_max = items_max.get(path.len() - left..).unwrap_or_default().to_vec();
        Starved { at, rest, items_max, selection, cause }
    };
    walk.failures.into_iter().map(starved).collect()
}

#[derive(Default)]
struct Walk {
    passed: HashSet<(NodeId, usize), ahash::RandomState>,
    objects: Vec<NodeId>,
    /// With how many steps were left.
    failures: Vec<(At, usize, CauseId)>,
}

impl Walk {
    fn follow(&mut self, tree: &Tree, value: Value, steps: Steps<'_>) {
        match (value, steps.split()) {
            (Value::List(list), _) => self.items(tree, list, usize::MAX, steps),
            (Value::Object(node), _) if !self.passed.insert((node, steps.steps.len())) => {}
            (Value::Object(node), None) => self.objects.push(node),
            (Value::Object(node), Some((PathStep::On(types), _, rest))) => {
                if tree.is_one_of(node, types) {
                    self.follow(tree, value, rest);
                }
            }
            (Value::Object(node), Some((PathStep::Field(key), items_max, rest))) => {
                match tree.get(node, *key) {
                    Some(Value::Failed(cause)) => {
                        self.failures.push((At::Field(node, *key), rest.steps.len(), cause));
                    }
                    Some(Value::List(list)) => self.items(tree, list, items_max, rest),
                    Some(value) => self.follow(tree, value, rest),
                    None => {}
                }
            }
            (Value::Null | Value::Failed(_) | Value::Leaf(_), _) => {}
        }
    }

    fn items(&mut self, tree: &Tree, list: ListId, items_max: usize, steps: Steps<'_>) {
        for (index, item) in (list.start..).zip(tree.items(list)).take(items_max) {
            match item {
                Value::Failed(cause) => {
                    self.failures.push((At::Item(index), steps.steps.len(), *cause));
                }
                item => self.follow(tree, *item, steps),
            }
        }
    }
}
