//! The response tree: what all subgraph answers of one request hold, merged, in arenas.
//!
//! Always: leaves are byte ranges of an answer, never copies; an object is a run of slots in one arena plus links to
//! objects that were merged into it, so merging moves no slot; ids stay valid for the tree's life.
//! A field once answered is never replaced by null: among an object's own slots and its links the first value that is
//! neither null nor failed counts.
//! Elsewhere: filling it (`parse.rs`, `merge.rs`), reading it (`representations.rs`, `project.rs`).

use bytes::Bytes;
use kopitiam_plan::{Key, TypeId};

use crate::json::LeafClass;

/// An object: an index into the tree's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

/// Why a value is missing: an index into the request's causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CauseId(pub(crate) u32);

/// A scalar (or JSON kept whole) as a byte range of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) class: LeafClass,
    pub(crate) answer: u16,
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// A run of items in the tree's item arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListId {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// What stands in a slot or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Failed(CauseId),
    Leaf(Leaf),
    Object(NodeId),
    List(ListId),
}

impl Value {
    /// Whether a subgraph gave a value other than null.
    pub(crate) fn is_present(self) -> bool {
        !matches!(self, Self::Null | Self::Failed(_))
    }
}

/// A field of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) key: Key,
    pub(crate) value: Value,
}

/// Where a value is kept, so that it can be replaced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Slot(u32),
    Item(u32),
}

/// An object's runtime type, from the `__typename` that a subgraph gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuntimeType {
    /// No `__typename` is known.
    Unasked,
    /// A name that the plan never mentions.
    Unmentioned,
    Known(TypeId),
}

const NO_LINK: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Object {
    start: u32,
    len: u32,
    first_link: u32,
    runtime_type: RuntimeType,
    /// Several places hold this object: what is written for one can be copied for the others.
    is_shared: bool,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    node: NodeId,
    next: u32,
}

/// The arenas. See the module's invariants.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    answers: Vec<Bytes>,
    objects: Vec<Object>,
    slots: Vec<Slot>,
    items: Vec<Value>,
    links: Vec<Link>,
}

/// No answer makes more room than one of this size before it is parsed.
const EXPECTED_BYTES_MAX: usize = 1024 * 1024;

/// A moment in the life of a [`Tree`].
#[derive(Debug)]
pub(crate) struct TreeMark {
    objects: usize,
    slots: usize,
    items: usize,
    links: usize,
}

pub(crate) fn index_of(length: usize) -> u32 {
    // An answer has at most 4 GiB and each slot, item and object takes at least two of its bytes.
    u32::try_from(length).expect("answers are bounded, so arenas stay below 2^32 entries")
}

impl Tree {
    /// The root of the response. Exists in every tree.
    pub(crate) const ROOT: NodeId = NodeId(0);

    pub(crate) fn new() -> Self {
        let mut tree = Self::default();
        tree.add_object(&[], RuntimeType::Unasked);
        tree
    }

    /// Keeps an answer's bytes; leaves name them by the index. `None` when the request has 2^16 answers already.
    pub(crate) fn add_answer(&mut self, bytes: Bytes) -> Option<u16> {
        let index = u16::try_from(self.answers.len()).ok()?;
        self.answers.push(bytes);
        Some(index)
    }

    /// Makes room for an answer of so many bytes, as answers usually are: the arenas then grow in few steps.
    pub(crate) fn expect(&mut self, bytes: usize) {
        let bytes = bytes.min(EXPECTED_BYTES_MAX);
        self.objects.reserve(bytes / 256);
        self.slots.reserve(bytes / 96);
        self.items.reserve(bytes / 256);
        self.links.reserve(bytes / 1024);
    }

    /// Where the arenas end now.
    pub(crate) fn mark(&self) -> TreeMark {
        TreeMark {
            objects: self.objects.len(),
            slots: self.slots.len(),
            items: self.items.len(),
            links: self.links.len(),
        }
    }

    /// Forgets the objects and lists added since `mark`; nothing from before it may have been linked to that.
    pub(crate) fn take_back(&mut self, mark: &TreeMark) {
        self.objects.truncate(mark.objects);
        self.slots.truncate(mark.slots);
        self.items.truncate(mark.items);
        self.links.truncate(mark.links);
    }

    /// All answers' length: a first guess at the response's.
    pub(crate) fn answer_bytes(&self) -> usize {
        self.answers.iter().map(Bytes::len).sum()
    }

    #[inline]
    pub(crate) fn bytes(&self, leaf: Leaf) -> &[u8] {
        &self.answers[usize::from(leaf.answer)][leaf.start as usize..][..leaf.len as usize]
    }

    pub(crate) fn add_object(&mut self, slots: &[Slot], runtime_type: RuntimeType) -> NodeId {
        let (start, len) = (index_of(self.slots.len()), index_of(slots.len()));
        self.slots.extend_from_slice(slots);
        self.objects.push(Object { start, len, first_link: NO_LINK, runtime_type, is_shared: false });
        NodeId(index_of(self.objects.len() - 1))
    }

    pub(crate) fn add_list(&mut self, items: &[Value]) -> ListId {
        let list = ListId { start: index_of(self.items.len()), len: index_of(items.len()) };
        self.items.extend_from_slice(items);
        list
    }

    pub(crate) fn object_count(&self) -> usize {
        self.objects.len()
    }

    fn own(&self, node: NodeId) -> &[Slot] {
        let object = &self.objects[node.0 as usize];
        &self.slots[object.start as usize..][..object.len as usize]
    }

    /// The places of an object's own slots: not those of its links.
    pub(crate) fn own_places(&self, node: NodeId) -> std::ops::Range<u32> {
        let object = &self.objects[node.0 as usize];
        object.start..object.start + object.len
    }

    pub(crate) fn slot(&self, place: u32) -> Slot {
        self.slots[place as usize]
    }

    #[inline]
    pub(crate) fn items(&self, list: ListId) -> &[Value] {
        &self.items[list.start as usize..][..list.len as usize]
    }

    pub(crate) fn at(&self, place: Place) -> Value {
        match place {
            Place::Slot(index) => self.slots[index as usize].value,
            Place::Item(index) => self.items[index as usize],
        }
    }

    pub(crate) fn set(&mut self, place: Place, value: Value) {
        match place {
            Place::Slot(index) => self.slots[index as usize].value = value,
            Place::Item(index) => self.items[index as usize] = value,
        }
    }

    /// A field's value and its place: the first that is present; else the first failure; else a null.
    pub(crate) fn find(&self, node: NodeId, key: Key) -> Option<(Value, Place)> {
        let object = &self.objects[node.0 as usize];
        let slots = &self.slots[object.start as usize..][..object.len as usize];
        let mut best = None;
        if let Some(index) = slots.iter().position(|slot| slot.key == key) {
            let found = (slots[index].value, Place::Slot(object.start + index_of(index)));
            if found.0.is_present() {
                return Some(found);
            }
            best = Some(found);
        }
        let mut link = object.first_link;
        while link != NO_LINK {
            let Link { node, next } = self.links[link as usize];
            match self.find(node, key) {
                Some(found) if found.0.is_present() => return Some(found),
                Some(found @ (Value::Failed(_), _)) if !matches!(best, Some((Value::Failed(_), _))) => {
                    best = Some(found);
                }
                Some(found) => best = best.or(Some(found)),
                None => {}
            }
            link = next;
        }
        best
    }

    #[inline]
    pub(crate) fn get(&self, node: NodeId, key: Key) -> Option<Value> {
        self.find(node, key).map(|(value, _)| value)
    }

    /// The runtime type, from the object itself or from what was merged into it.
    pub(crate) fn runtime_type(&self, node: NodeId) -> RuntimeType {
        let object = &self.objects[node.0 as usize];
        let mut link = object.first_link;
        let mut runtime_type = object.runtime_type;
        while runtime_type == RuntimeType::Unasked && link != NO_LINK {
            runtime_type = self.runtime_type(self.links[link as usize].node);
            link = self.links[link as usize].next;
        }
        runtime_type
    }

    /// Whether the object's runtime type is one of `types`; an empty list admits any.
    #[inline]
    pub(crate) fn is_one_of(&self, node: NodeId, types: &[TypeId]) -> bool {
        types.is_empty() || matches!(self.runtime_type(node), RuntimeType::Known(id) if types.contains(&id))
    }

    /// From now on `node` also has the fields of `other`. Costs one link, whatever the objects' size.
    pub(crate) fn link(&mut self, node: NodeId, other: NodeId) {
        let new = index_of(self.links.len());
        self.links.push(Link { node: other, next: NO_LINK });
        let mut last = self.objects[node.0 as usize].first_link;
        if last == NO_LINK {
            self.objects[node.0 as usize].first_link = new;
            return;
        }
        while self.links[last as usize].next != NO_LINK {
            last = self.links[last as usize].next;
        }
        self.links[last as usize].next = new;
    }

    pub(crate) fn is_shared(&self, node: NodeId) -> bool {
        self.objects[node.0 as usize].is_shared
    }

    pub(crate) fn mark_shared(&mut self, node: NodeId) {
        self.objects[node.0 as usize].is_shared = true;
    }

    /// Whether two objects hold the same leaves and nothing else, so that one can stand for both.
    pub(crate) fn same_leaves(&self, left: NodeId, right: NodeId) -> bool {
        let bare = |node: NodeId| self.objects[node.0 as usize].first_link == NO_LINK;
        let same_value = |left: Value, right: Value| match (left, right) {
            (Value::Null, Value::Null) => true,
            (Value::Leaf(left), Value::Leaf(right)) => {
                left.class == right.class && self.bytes(left) == self.bytes(right)
            }
            _ => false,
        };
        let (left_slots, right_slots) = (self.own(left), self.own(right));
        bare(left)
            && bare(right)
            && left_slots.len() == right_slots.len()
            && left_slots.iter().zip(right_slots).all(|(l, r)| l.key == r.key && same_value(l.value, r.value))
    }

    /// A second object with equal content that shares nothing with the first but the leaves' bytes.
    pub(crate) fn deep_copy(&mut self, node: NodeId) -> NodeId {
        let object = self.objects[node.0 as usize];
        let mut slots = self.own(node).to_vec();
        for slot in &mut slots {
            slot.value = self.deep_copy_value(slot.value);
        }
        let copy = self.add_object(&slots, object.runtime_type);
        let mut link = object.first_link;
        while link != NO_LINK {
            let Link { node: linked, next } = self.links[link as usize];
            let linked_copy = self.deep_copy(linked);
            self.link(copy, linked_copy);
            link = next;
        }
        copy
    }

    fn deep_copy_value(&mut self, value: Value) -> Value {
        match value {
            Value::Object(node) => Value::Object(self.deep_copy(node)),
            Value::List(list) => {
                let mut items = self.items(list).to_vec();
                for item in &mut items {
                    *item = self.deep_copy_value(*item);
                }
                Value::List(self.add_list(&items))
            }
            Value::Null | Value::Failed(_) | Value::Leaf(_) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(key: u32, value: Value) -> Slot {
        Slot { key: Key(key), value }
    }

    #[test]
    fn slots_stay_small() {
        assert!(size_of::<Slot>() <= 20, "{}", size_of::<Slot>());
    }

    #[test]
    fn a_present_value_wins_over_a_failure_and_a_failure_over_null() {
        let mut tree = Tree::new();
        let object = tree.add_object(&[slot(1, Value::Null)], RuntimeType::Unasked);
        assert_eq!(tree.get(object, Key(1)), Some(Value::Null));
        let failed = tree.add_object(&[slot(1, Value::Failed(CauseId(7)))], RuntimeType::Unasked);
        tree.link(object, failed);
        assert_eq!(tree.get(object, Key(1)), Some(Value::Failed(CauseId(7))));
        let answered = tree.add_object(&[slot(1, Value::Object(Tree::ROOT))], RuntimeType::Unasked);
        tree.link(object, answered);
        assert_eq!(tree.get(object, Key(1)), Some(Value::Object(Tree::ROOT)));
        assert_eq!(tree.get(object, Key(2)), None);
    }

    #[test]
    fn a_deep_copy_shares_no_object_with_the_original() {
        let mut tree = Tree::new();
        let inner = tree.add_object(&[], RuntimeType::Unasked);
        let outer = tree.add_object(&[slot(1, Value::Object(inner))], RuntimeType::Known(TypeId(3)));
        let copy = tree.deep_copy(outer);
        let late = tree.add_object(&[slot(2, Value::Null)], RuntimeType::Unasked);
        tree.link(inner, late);
        let Some(Value::Object(inner_copy)) = tree.get(copy, Key(1)) else {
            panic!("the copy has the field")
        };
        assert_eq!(tree.get(inner, Key(2)), Some(Value::Null));
        assert_eq!(tree.get(inner_copy, Key(2)), None);
        assert_eq!(tree.runtime_type(copy), RuntimeType::Known(TypeId(3)));
    }
}
