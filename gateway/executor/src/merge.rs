//! Places subgraph answers into the response tree.
//!
//! In: a parsed answer and the places it belongs to. Out: the same tree, fuller.
//! Always: a field once set is never replaced by null, and a failure beside it is kept as the reason why the object's type is
//! not known; list order is that of the first fetch; an object's slots are
//! never moved: merging links the new object to the old one and goes into what both have.
//! Elsewhere: where entities belong (`representations.rs`), failures (`failure.rs`), null propagation (`nulls.rs`).

use kopitiam_plan::Key;

use crate::representations::GroupPositions;
use crate::tree::{CauseId, ListId, NodeId, Place, RuntimeType, Slot, Tree, Value};

/// Merges the object `from`, fresh from an answer, into `into`.
pub(crate) fn merge_objects(tree: &mut Tree, into: NodeId, from: NodeId) {
    for place in tree.own_places(from) {
        let slot = tree.slot(place);
        if !matches!(slot.value, Value::Null | Value::Leaf(_))
            && let Some(old) = tree.get(into, slot.key)
        {
            merge_values(tree, old, slot.value);
        }
    }
    tree.link(into, from);
}

/// Item by item: fetches of one shared field answer in the same order. When the lengths differ the first list's counts.
fn merge_lists(tree: &mut Tree, into: ListId, from: ListId) {
    for index in 0..into.len.min(from.len) {
        let old_place = Place::Item(into.start + index);
        let new = tree.at(Place::Item(from.start + index));
        let old = tree.at(old_place);
        merge_values(tree, old, new);
        if !old.is_present() && new.is_present() {
            tree.set(old_place, new);
        }
    }
}

/// Goes into what both fetches have of one value.
fn merge_values(tree: &mut Tree, old: Value, new: Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if old != new => merge_objects(tree, old, new),
        (Value::List(old), Value::List(new)) => merge_lists(tree, old, new),
        (Value::Failed(cause), there) | (there, Value::Failed(cause)) => lose_types(tree, there, cause),
        _ => {}
    }
}

/// Notes at objects that another fetch failed to give too why their runtime types are not known, should that not come from
/// elsewhere.
fn lose_types(tree: &mut Tree, there: Value, cause: CauseId) {
    match there {
        Value::Object(node) if tree.runtime_type(node) == RuntimeType::Unasked => {
            let lost = Slot { key: Key::TYPENAME, value: Value::Failed(cause) };
            let lost = tree.add_object(&[lost], RuntimeType::Unasked);
            tree.link(node, lost);
        }
        Value::List(list) => {
            for index in 0..list.len {
                let item = tree.at(Place::Item(list.start + index));
                lose_types(tree, item, cause);
            }
        }
        Value::Object(_) | Value::Null | Value::Failed(_) | Value::Leaf(_) => {}
    }
}

/// What an `_entities` answer has for one representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entity {
    Found(NodeId),
    /// The subgraph does not know it: its fields stay missing.
    Unknown,
    Failed(CauseId),
}

/// Merges the entities of one group into their places; `shareable` says it for each target. Gives the places whose
/// entity failed, and with `too_many` those for which there is no room.
pub(crate) fn merge_entities(
    tree: &mut Tree,
    positions: &GroupPositions,
    entities: &[Entity],
    shareable: impl Fn(u32) -> bool,
    objects_max: usize,
    too_many: impl FnOnce() -> CauseId,
) -> Vec<(NodeId, CauseId)> {
    // The object that stands for a representation at the target being merged, and how often it was used at all:
    // its first use takes the parsed object itself, and places that may not share take copies.
    let mut used: Vec<Option<(u32, NodeId)>> = vec![None; entities.len()];
    let mut failed = Vec::new();
    for (done, position) in positions.positions.iter().enumerate() {
        if tree.object_count() > objects_max {
            let cause = too_many();
            failed.extend(positions.positions[done..].iter().map(|position| (position.node, cause)));
            break;
        }
        let index = position.representation as usize;
        let original = match entities[index] {
            Entity::Found(node) => node,
            Entity::Unknown => continue,
            Entity::Failed(cause) => {
                failed.push((position.node, cause));
                continue;
            }
        };
        let entity = match used[index] {
            None => original,
            Some((target, node)) if target == position.target && shareable(target) => node,
            Some(_) => tree.deep_copy(original),
        };
        used[index] = Some((position.target, entity));
        merge_objects(tree, position.node, entity);
    }
    failed
}

/// Reads the list that answers one `_entities` field; `None` when it is no list with one entry for each representation.
pub(crate) fn read_entities(tree: &Tree, value: Option<Value>, count: u32) -> Option<Vec<Entity>> {
    let list = match value? {
        Value::Failed(cause) => return Some(vec![Entity::Failed(cause); count as usize]),
        Value::List(list) if list.len == count => list,
        _ => return None,
    };
    let read = |item: &Value| match item {
        Value::Object(node) => Some(Entity::Found(*node)),
        Value::Null => Some(Entity::Unknown),
        Value::Failed(cause) => Some(Entity::Failed(*cause)),
        Value::Leaf(_) | Value::List(_) => None,
    };
    tree.items(list).iter().map(read).collect()
}
