//! Entity fetches whose fields take values from objects above (`@fromContext`): entities with equal values are asked
//! together, those with others under another name of the same request.
//!
//! In: the response tree. Out: for each distinct tuple of values its entities, and documents that ask them.
//! Always: as few requests as [`COPIES_MAX`] allows; values are compared byte for byte; one entity at places with
//! different values is asked for each of them, and merged as an object of its own at each place.
//! Elsewhere: what a representation is (`representations.rs`), where objects may be shared (`sharing.rs`).

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;

use hashbrown::HashTable;
use kopitiam_plan::{ContextVariable, EntityGroup, Fetch, FetchKind, GroupContexts, PathStep, TypeId};

use crate::program::{ConditionTable, GroupProgram, RepresentationProgram, compile_representation};
use crate::representations::{GroupPositions, Position, Reader, Written};
use crate::tree::{CauseId, NodeId, Tree, Value, index_of};

/// How often one group may stand in one request.
pub(crate) const COPIES_MAX: usize = 100;

/// How many requests one fetch may come to: entities with still other values are not asked.
pub(crate) const REQUESTS_MAX: usize = 100;

/// A group's contexts, compiled.
#[derive(Debug)]
pub(crate) struct ContextProgram {
    pub(crate) variables: Vec<VariableProgram>,
    /// The variable of the representations.
    pub(crate) representations: Box<str>,
    /// Whether the group can be asked for no entities without having values: else it is left out then.
    takes_null: bool,
}

/// A variable with a value for each entity.
#[derive(Debug)]
pub(crate) struct VariableProgram {
    pub(crate) name: Box<str>,
    sources: Vec<SourceProgram>,
}

#[derive(Debug)]
struct SourceProgram {
    up: usize,
    on: Vec<TypeId>,
    value: Vec<RepresentationProgram>,
}

/// A document in which some groups stand as often as they have to.
#[derive(Debug)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(Box<str>),
    /// Once for each copy of a group; between the parts the copy's number.
    Repeated {
        group: usize,
        parts: Vec<Box<str>>,
        separator: &'static str,
    },
}

pub(crate) fn compile(group: &EntityGroup, conditions: &mut ConditionTable) -> Option<ContextProgram> {
    let contexts = group.contexts.as_ref()?;
    let mut compile = |variable: &ContextVariable| VariableProgram {
        name: variable.name.clone(),
        sources: variable
            .sources
            .iter()
            .map(|source| SourceProgram {
                up: source.up as usize,
                on: source.on.clone(),
                value: compile_representation(&source.value, conditions),
            })
            .collect(),
    };
    let variables = contexts.variables.iter().map(&mut compile).collect();
    let takes_null = contexts.variables.iter().all(|variable| !variable.ty.ends_with('!'));
    Some(ContextProgram { variables, representations: group.variable.clone(), takes_null })
}

impl ContextProgram {
    /// A group for which there are no entities is asked for none: its document's variables must all be used.
    pub(crate) fn complete(&self, instances: &mut Vec<Instance>) {
        if instances.is_empty() && self.takes_null {
            let values = self.variables.iter().map(|_| b"null"[..].into()).collect();
            instances.push(Instance { values, ..Instance::default() });
        }
    }
}

impl Template {
    /// The document of a fetch that has contexts; `None` for one that has not.
    pub(crate) fn of(fetch: &Fetch) -> Option<Self> {
        let FetchKind::Entities { groups } = &fetch.kind else { return None };
        let mut ranges: Vec<(Range<usize>, usize, &'static str)> = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            if let Some(GroupContexts { declarations, field, .. }) = &group.contexts {
                ranges.extend([(declarations.clone(), index, ","), (field.clone(), index, " ")]);
            }
        }
        if ranges.is_empty() {
            return None;
        }
        ranges.sort_by_key(|(range, ..)| range.start);
        let (document, mut end) = (&*fetch.document, 0);
        let mut pieces = Vec::new();
        for (range, group, separator) in ranges {
            pieces.push(Piece::Text(document[end..range.start].into()));
            end = range.end;
            let parts = numbered(&document[range], &groups[group]);
            pieces.push(Piece::Repeated { group, parts, separator });
        }
        pieces.push(Piece::Text(document[end..].into()));
        Some(Self(pieces))
    }

    /// The document with as many copies of each group as `copies` says.
    pub(crate) fn document(&self, copies: impl Fn(usize) -> usize) -> String {
        let mut document = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => document.push_str(text),
                Piece::Repeated { group, parts, separator } => {
                    for copy in 0..copies(*group) {
                        if copy > 0 {
                            document.push_str(separator);
                        }
                        for (index, part) in parts.iter().enumerate() {
                            if index > 0 {
                                document.push_str(&suffix(copy));
                            }
                            document.push_str(part);
                        }
                    }
                }
            }
        }
        document
    }
}

/// What stands behind a group's names in one of its copies.
pub(crate) fn suffix(copy: usize) -> String {
    let mut suffix = String::new();
    if copy > 0 {
        let _ = write!(suffix, "_{copy}");
    }
    suffix
}

/// A part of a document, cut behind the group's own names.
fn numbered(text: &str, group: &EntityGroup) -> Vec<Box<str>> {
    let contexts = group.contexts.iter().flat_map(|contexts| &contexts.variables);
    let mut names: Vec<&str> = contexts.map(|variable| &*variable.name).collect();
    names.push(&group.variable);
    let mut parts = Vec::new();
    let mut start = 0;
    if let Some(rest) = text.strip_prefix(&*group.response_key) {
        start = text.len() - rest.len();
        parts.push(text[..start].into());
    }
    for end in variable_ends(text, &names) {
        parts.push(text[start..end].into());
        start = end;
    }
    parts.push(text[start..].into());
    parts
}

/// Where variables of these names end in a part of a document; what looks like one within a string is none.
fn variable_ends(text: &str, names: &[&str]) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut ends = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if text[at..].starts_with("\"\"\"") {
            at += 3;
            while at < bytes.len() && !text[at..].starts_with("\"\"\"") {
                at += if text[at..].starts_with("\\\"\"\"") {
                    4
                } else {
                    text[at..].chars().next().map_or(1, char::len_utf8)
                };
            }
            at += 3;
        } else if bytes[at] == b'"' {
            at += 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            at += 1;
        } else if bytes[at] == b'$' {
            let name =
                bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_');
            let end = at + 1 + name.count();
            if names.contains(&&text[at + 1..end]) {
                ends.push(end);
            }
            at = end;
        } else {
            at += 1;
        }
        while at < bytes.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
    ends
}

/// Entities with one tuple of values.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    /// For each variable its value.
    pub(crate) values: Vec<Box<[u8]>>,
    /// The representations, without the brackets around them.
    pub(crate) list: Vec<u8>,
    pub(crate) positions: GroupPositions,
    known: HashTable<Known>,
}

#[derive(Debug)]
struct Known {
    hash: u64,
    bytes: Range<usize>,
    representation: u32,
}

/// What was found for a group.
#[derive(Debug, Default)]
pub(crate) struct Instances {
    pub(crate) all: Vec<Instance>,
    /// Objects that a failure left without a value or a key.
    pub(crate) failed: Vec<(NodeId, CauseId)>,
    /// Objects for which there is no room.
    pub(crate) beyond: Vec<NodeId>,
}

/// Finds a group's entities and sorts them by their values.
pub(crate) fn collect(
    reader: Reader<'_>,
    group: &GroupProgram,
    contexts: &ContextProgram,
    hasher: &ahash::RandomState,
) -> Instances {
    let mut sorter = Sorter {
        reader,
        group,
        contexts,
        hasher,
        by_values: HashMap::default(),
        visited: HashSet::default(),
        found: Instances::default(),
    };
    for (index, target) in group.targets.iter().enumerate() {
        let mut walk = Walk { tree: reader.tree, above: Vec::new(), passed: HashSet::default() };
        walk.follow(Value::Object(Tree::ROOT), &target.path.0, &mut |node, above| {
            sorter.object(index_of(index), node, above);
        });
    }
    sorter.found
}

/// A walk along a path that knows the objects on its way.
struct Walk<'a> {
    tree: &'a Tree,
    above: Vec<NodeId>,
    /// Objects that several places hold are walked through once.
    passed: HashSet<(NodeId, usize), ahash::RandomState>,
}

impl Walk<'_> {
    fn follow(&mut self, value: Value, steps: &[PathStep], found: &mut impl FnMut(NodeId, &[NodeId])) {
        match (value, steps.split_first()) {
            (Value::List(list), _) => {
                let tree = self.tree;
                for item in tree.items(list) {
                    self.follow(*item, steps, found);
                }
            }
            (Value::Object(node), None) => found(node, &self.above),
            (Value::Object(node), Some((PathStep::On(types), rest))) => {
                if self.tree.is_one_of(node, types) {
                    self.follow(value, rest, found);
                }
            }
            (Value::Object(node), Some((PathStep::Field(key), rest))) => {
                if self.tree.is_shared(node) && !self.passed.insert((node, steps.len())) {
                    return;
                }
                if let Some((value, _)) = self.tree.find(node, *key) {
                    self.above.push(node);
                    self.follow(value, rest, found);
                    self.above.pop();
                }
            }
            (Value::Null | Value::Failed(_) | Value::Leaf(_), _) => {}
        }
    }
}

struct Sorter<'a> {
    reader: Reader<'a>,
    group: &'a GroupProgram,
    contexts: &'a ContextProgram,
    hasher: &'a ahash::RandomState,
    by_values: HashMap<Vec<Box<[u8]>>, usize, ahash::RandomState>,
    visited: HashSet<NodeId, ahash::RandomState>,
    found: Instances,
}

impl Sorter<'_> {
    fn object(&mut self, target: u32, node: NodeId, above: &[NodeId]) {
        if !self.visited.insert(node) {
            return;
        }
        let mut representation = Vec::new();
        let mut written = self.reader.representation(&self.group.variants, node, &mut representation);
        let mut values: Vec<Box<[u8]>> = Vec::with_capacity(self.contexts.variables.len());
        for variable in &self.contexts.variables {
            let mut value = Vec::new();
            if written == Written::Complete {
                written = self.value(variable, above, &mut value);
            }
            values.push(value.into());
        }
        match written {
            Written::Complete => {}
            Written::Nothing => return,
            Written::Failed(cause) => return self.found.failed.push((node, cause)),
        }
        let Some(index) = self.instance(values) else { return self.found.beyond.push(node) };
        let instance = &mut self.found.all[index];
        let hash = self.hasher.hash_one(&*representation);
        let list = &instance.list;
        let equal = |known: &Known| known.hash == hash && list[known.bytes.clone()] == *representation;
        let representation = if let Some(known) = instance.known.find(hash, equal) {
            known.representation
        } else {
            if !instance.list.is_empty() {
                instance.list.push(b',');
            }
            let start = instance.list.len();
            instance.list.extend_from_slice(&representation);
            let new = instance.positions.count;
            let known = Known { hash, bytes: start..instance.list.len(), representation: new };
            instance.known.insert_unique(hash, known, |known| known.hash);
            instance.positions.count += 1;
            new
        };
        instance.positions.positions.push(Position { node, representation, target });
    }

    fn instance(&mut self, values: Vec<Box<[u8]>>) -> Option<usize> {
        if let Some(&known) = self.by_values.get(&values) {
            return Some(known);
        }
        let new = self.found.all.len();
        if new >= COPIES_MAX * REQUESTS_MAX {
            return None;
        }
        self.found.all.push(Instance { values: values.clone(), ..Instance::default() });
        self.by_values.insert(values, new);
        Some(new)
    }

    /// Writes the value of the nearest object that gives one.
    fn value(&self, variable: &VariableProgram, above: &[NodeId], out: &mut Vec<u8>) -> Written {
        for source in &variable.sources {
            let Some(&node) = above.len().checked_sub(source.up).and_then(|index| above.get(index)) else {
                continue;
            };
            if self.reader.tree.is_one_of(node, &source.on) {
                return self.selected(&source.value, Value::Object(node), out);
            }
        }
        Written::Nothing
    }

    /// Writes the one value that a selection takes of an object, or of each object of a list.
    fn selected(&self, fields: &[RepresentationProgram], value: Value, out: &mut Vec<u8>) -> Written {
        let tree = self.reader.tree;
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Failed(cause) => return Written::Failed(cause),
            Value::Leaf(leaf) => out.extend_from_slice(tree.bytes(leaf)),
            Value::Object(node) => {
                let Some(field) = fields.iter().find(|field| tree.is_one_of(node, &field.on)) else {
                    out.extend_from_slice(b"null");
                    return Written::Complete;
                };
                let Some(value) = tree.get(node, field.source) else { return Written::Nothing };
                return self.selected(&field.fields, value, out);
            }
            Value::List(list) => {
                out.push(b'[');
                for (index, item) in tree.items(list).iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    let written = self.selected(fields, *item, out);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_strings_are_no_variables() {
        let text = r#"_e0:_entities(representations:$r0){f(a:$c,b:"$c \" $c",d:"""$c \""" $c""",e:$c_1,g:"é$c")h(a:$c)}"#;
        let ends = variable_ends(text, &["c", "r0"]);
        let found: Vec<&str> = ends.iter().map(|&end| &text[end - 2..end]).collect();
        assert_eq!(found, ["r0", "$c", "$c"]);
        assert_eq!(ends.iter().map(|&end| &text[end..=end]).collect::<Vec<_>>(), [")", ",", ")"]);
    }
}
