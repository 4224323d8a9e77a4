//! Puts a subgraph's errors, and its failure to answer, where their effect is: into the response tree.
//!
//! In: an answer's `errors`, or the reason why there is none. Out: the values concerned are `Failed`, so that whoever
//! writes the response finds the error at each client path it affects, whatever aliases and positions lie between.
//! Always: a value that another fetch gave is never overwritten.
//! Elsewhere: the errors' form (`errors.rs`), reporting them (`nulls.rs`).

use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use crate::errors::{Cause, Causes, ErrorCode, Segment};
use crate::json::{Scanned, Scanner};
use crate::selection::{SelectionId, Selections};
use crate::tree::{CauseId, Leaf, ListId, NodeId, Place, RuntimeType, Slot, Tree, Value, index_of};

/// An error of a subgraph's answer, not yet placed.
#[derive(Debug)]
pub(crate) struct SubgraphError {
    pub(crate) id: CauseId,
    /// The path in the subgraph's answer; empty when the subgraph gave none.
    pub(crate) path: Vec<Segment>,
}

/// Reads an answer's `errors`; at most `count_max` of them.
pub(crate) fn read_errors(
    bytes: &[u8],
    service: &str,
    count_max: usize,
    causes: &mut Causes,
) -> Vec<SubgraphError> {
    let Ok(entries) = serde_json::from_slice::<Vec<&RawValue>>(bytes) else {
        let message = "the subgraph's errors are not a list".to_owned();
        let cause = Cause::new(message, Map::new(), service, ErrorCode::MalformedResponse);
        return vec![SubgraphError { id: causes.add(cause), path: Vec::new() }];
    };
    let read = |entry: &&RawValue| {
        let mut entry: Map<String, Json> = serde_json::from_str(entry.get()).unwrap_or_default();
        let message = match entry.remove("message") {
            Some(Json::String(message)) => message,
            _ => "the subgraph gave an error without a message".to_owned(),
        };
        let extensions = match entry.remove("extensions") {
            Some(Json::Object(extensions)) => extensions,
            _ => Map::new(),
        };
        let path = entry.remove("path").as_ref().and_then(read_path).unwrap_or_default();
        let cause = Cause::new(message, extensions, service, ErrorCode::DownstreamServiceError);
        SubgraphError { id: causes.add(cause), path }
    };
    entries.iter().take(count_max).map(read).collect()
}

fn read_path(path: &Json) -> Option<Vec<Segment>> {
    let read = |segment: &Json| match segment {
        Json::String(key) => Some(Segment::Key(key.as_str().into())),
        Json::Number(index) => index.as_u64().map(Segment::Index),
        _ => None,
    };
    path.as_array()?.iter().map(read).collect()
}

/// What an error of an answer is read with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) selections: &'a Selections,
    /// The names of the tree's keys, for paths that clients see.
    pub(crate) key_names: &'a [Box<str>],
    /// The selection of the whole answer.
    pub(crate) root: SelectionId,
    /// Whether the answer's root fields are lists of entities.
    pub(crate) is_entities: bool,
}

/// Turns the null that an error caused into a failure. The error may lie below that null (the subgraph's own null
/// propagation): the rest of its path is then kept as the cause's tail, which for an entity begins with a field of it.
pub(crate) fn mark(
    tree: &mut Tree,
    reading: Reading<'_>,
    data: NodeId,
    error: &SubgraphError,
    causes: &mut Causes,
) {
    let Reading { selections, key_names, root: selection, is_entities } = reading;
    let mut value = Value::Object(data);
    let mut place = None;
    let mut selection = Some(selection);
    for (depth, segment) in error.path.iter().enumerate() {
        if let (Value::Leaf(leaf), Segment::Index(_), Some(at)) = (value, segment, place)
            && let Some(list) = leaf_list(tree, leaf)
        {
            // A list of scalars that holds a failure is no longer one piece.
            value = Value::List(list);
            tree.set(at, value);
        }
        let step = match (value, segment) {
            (Value::Object(node), Segment::Key(name)) => {
                let known = selection.map_or(&[][..], |id| selections.fields(id));
                known.iter().find(|field| field.name == *name).and_then(|field| {
                    selection = field.selection;
                    tree.find(node, field.key)
                })
            }
            (Value::List(list), Segment::Index(index)) => {
                let index = u32::try_from(*index).ok().filter(|&index| index < list.len);
                index.map(|index| Place::Item(list.start + index)).map(|place| (tree.at(place), place))
            }
            _ => None,
        };
        let Some((found, at)) = step else { return };
        if matches!(found, Value::Failed(_)) {
            // An error before it has told of this null already.
            causes.get_mut(error.id).is_placed = true;
            return;
        }
        (value, place) = (found, Some(at));
        if value == Value::Null {
            let tail = &error.path[depth + 1..];
            let is_entity = is_entities && depth <= 1;
            let cause = causes.get_mut(error.id);
            cause.is_placed = !is_entity;
            cause.tail = match selection {
                Some(selection) if !is_entity => root_path(selections, selection, key_names, tail),
                _ => tail.to_vec(),
            };
            break;
        }
    }
    if let (Value::Null, Some(place)) = (value, place) {
        tree.set(place, Value::Failed(error.id));
    }
}

/// The items of a list of scalars.
fn leaf_list(tree: &mut Tree, list: Leaf) -> Option<ListId> {
    let bytes = tree.bytes(list);
    let mut scanner = Scanner::new(bytes);
    scanner.expect(b'[').ok()?;
    scanner.skip_whitespace();
    let mut items = Vec::new();
    let mut more = scanner.peek() != b']';
    while more {
        let start = scanner.position();
        items.push(match scanner.skip_value(u32::MAX).ok()? {
            Scanned::Null => Value::Null,
            Scanned::Leaf(class) => Value::Leaf(Leaf {
                class,
                answer: list.answer,
                start: list.start + index_of(start),
                len: index_of(scanner.position() - start),
            }),
        });
        more = scanner.next_member(b']').ok()?;
    }
    Some(tree.add_list(&items))
}

/// Which cause each field of an object shows that failed as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Blame {
    /// For all fields but those at fault.
    others: CauseId,
    /// The fields at fault, by their names in the answer.
    own: Vec<(Box<str>, CauseId)>,
}

impl Blame {
    /// Any field is as good as any other.
    pub(crate) fn all(cause: CauseId) -> Self {
        Self { others: cause, own: Vec::new() }
    }

    /// Some fields have causes of their own.
    pub(crate) fn each(own: Vec<(Box<str>, CauseId)>, others: CauseId) -> Self {
        Self { others, own }
    }

    /// The field in which the error lay, by the tail that [`mark`] left, shows the rest of its path.
    pub(crate) fn of_entity(
        reading: Reading<'_>,
        selection: SelectionId,
        id: CauseId,
        causes: &mut Causes,
    ) -> Self {
        let Reading { selections, key_names, .. } = reading;
        let fields = selections.fields(selection);
        causes.get_mut(id).is_placed = true;
        let Some(Segment::Key(name)) = causes.get(id).tail.first().cloned() else { return Self::all(id) };
        let others = without_tail(causes, id);
        let Some(field) = fields.iter().find(|field| field.name == name) else { return Self::all(others) };
        let cause = causes.get_mut(id);
        let below = cause.tail[1..].to_vec();
        cause.tail = match field.selection {
            Some(selection) => root_path(selections, selection, key_names, &below),
            None => below,
        };
        Self { others, own: vec![(name, id)] }
    }

    fn of(&self, field: &str) -> CauseId {
        self.own.iter().find(|(name, _)| **name == *field).map_or(self.others, |(_, cause)| *cause)
    }
}

/// Marks everything that a fetch should have given for the object `node` as failed.
pub(crate) fn fail(
    tree: &mut Tree,
    selections: &Selections,
    node: NodeId,
    selection: SelectionId,
    blame: &Blame,
) {
    fail_by(tree, selections, node, selection, &|name| blame.of(name));
}

/// As [`fail`], with a cause for each field's name.
fn fail_by(
    tree: &mut Tree,
    selections: &Selections,
    node: NodeId,
    selection: SelectionId,
    cause: &impl Fn(&str) -> CauseId,
) {
    let mut slots = Vec::new();
    for field in selections.fields(selection) {
        match (tree.get(node, field.key), field.selection) {
            (Some(value @ (Value::Object(_) | Value::List(_))), Some(below)) => {
                fail_value(tree, selections, value, below, cause(&field.name));
            }
            (Some(value), _) if value != Value::Null => {}
            _ => slots.push(Slot { key: field.key, value: Value::Failed(cause(&field.name)) }),
        }
    }
    if !slots.is_empty() {
        let failed = tree.add_object(&slots, RuntimeType::Unasked);
        tree.link(node, failed);
    }
}

/// Marks as failed what a fetch should have given for the object `node` and nobody gave, not even as null.
pub(crate) fn fail_absent(
    tree: &mut Tree,
    selections: &Selections,
    node: NodeId,
    selection: SelectionId,
    cause: CauseId,
) {
    let fields = selections.fields(selection).iter().filter(|field| tree.get(node, field.key).is_none());
    let slots: Vec<_> = fields.map(|field| Slot { key: field.key, value: Value::Failed(cause) }).collect();
    if !slots.is_empty() {
        let failed = tree.add_object(&slots, RuntimeType::Unasked);
        tree.link(node, failed);
    }
}

fn fail_value(
    tree: &mut Tree,
    selections: &Selections,
    value: Value,
    selection: SelectionId,
    cause: CauseId,
) {
    match value {
        Value::Object(node) => fail_by(tree, selections, node, selection, &|_| cause),
        Value::List(list) => {
            for index in 0..list.len {
                let item = tree.at(Place::Item(list.start + index));
                fail_value(tree, selections, item, selection, cause);
            }
        }
        Value::Null | Value::Failed(_) | Value::Leaf(_) => {}
    }
}

/// Whether the error lies in or below the root field `name`.
pub(crate) fn is_of_field(error: &SubgraphError, name: &str) -> bool {
    matches!(error.path.first(), Some(Segment::Key(key)) if **key == *name)
}

/// The path in the client's response of an error of a root fetch; the tree's keys are the client's names there.
pub(crate) fn root_path(
    selections: &Selections,
    selection: SelectionId,
    key_names: &[Box<str>],
    path: &[Segment],
) -> Vec<Segment> {
    let mut selection = Some(selection);
    path.iter()
        .map(|segment| match segment {
            Segment::Key(name) => {
                let field =
                    selection.and_then(|id| selections.fields(id).iter().find(|field| field.name == *name));
                selection = field.and_then(|field| field.selection);
                Segment::Key(field.map_or(name, |field| &key_names[field.key.0 as usize]).clone())
            }
            Segment::Index(index) => Segment::Index(*index),
        })
        .collect()
}

/// A cause's copy that says nothing of places below the field.
pub(crate) fn without_tail(causes: &mut Causes, id: CauseId) -> CauseId {
    let mut copy = causes.get(id).clone();
    copy.tail.clear();
    copy.fallback_path = None;
    copy.copy_of.get_or_insert(id);
    causes.add(copy)
}
