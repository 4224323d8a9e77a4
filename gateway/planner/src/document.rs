//! What a request asks, as text: with aliases where the subgraph's rules forbid one name for two fields
//! (GraphQL specification, section 5.3.2 "Field Selection Merging").
//!
//! Always: bounded. A field that is wanted for several reasons is written once for each, but not when that multiplies
//! with the fields around it: then it is asked without a condition.
//! Elsewhere: fragments (`minify.rs`).

use std::collections::BTreeSet;
use std::fmt::Write;

use ahash::{HashMap, HashSet};
use apollo_compiler::ast;
use kopitiam_operation::{ConditionLiteral, Conditions, OperationKind};
use kopitiam_plan::{FetchField, FetchSelection};
use kopitiam_supergraph::{Supergraph, TypeId, TypeKind, TypeSet};

use crate::{
    conditions::{Cond, CondTable},
    draft::{Build, DocField, DocNode, NodeId},
    minify::{Body, SetId, Sets},
};

/// How often a selection set may stand in the document because of alternative conditions above it.
const COPIES_MAX: usize = 16;

/// How many pairs of fields may be compared; beyond it all get names of their own.
const COMPARISONS_MAX: usize = 500_000;

pub(crate) struct Writer<'b, 'a> {
    build: &'b Build<'a>,
    supergraph: &'a Supergraph,
    table: &'b CondTable,
    /// Response keys in the document that differ from the tree's.
    aliases: HashMap<(NodeId, usize), String>,
    comparisons: usize,
    pub(crate) sets: Sets,
    written: HashMap<(NodeId, Cond, usize), SetId>,
    /// The client's variables that the document uses.
    pub(crate) variables: BTreeSet<String>,
    /// The variables of an entity fetch's contexts, by its selection set.
    pub(crate) contextual: HashMap<NodeId, Vec<String>>,
}

impl<'b, 'a> Writer<'b, 'a> {
    pub(crate) fn new(build: &'b Build<'a>, supergraph: &'a Supergraph, table: &'b CondTable) -> Self {
        Self {
            build,
            supergraph,
            table,
            aliases: HashMap::default(),
            comparisons: 0,
            sets: Sets::default(),
            written: HashMap::default(),
            variables: BTreeSet::new(),
            contextual: HashMap::default(),
        }
    }

    fn response_key(&self, node: NodeId, index: usize) -> &str {
        match self.aliases.get(&(node, index)) {
            Some(alias) => alias,
            None => self.build.keys.name(self.build.node(node).fields[index].key),
        }
    }

    /// Gives other names to fields that may not share one.
    pub(crate) fn assign_aliases(&mut self, node: NodeId) {
        let mut done = HashSet::default();
        self.assign_below(node, &mut done);
    }

    fn assign_below(&mut self, node: NodeId, done: &mut HashSet<NodeId>) {
        if !done.insert(node) {
            return;
        }
        let mut named: HashMap<String, Vec<usize>> = HashMap::default();
        for index in 0..self.build.node(node).fields.len() {
            if let Some(child) = self.build.node(node).fields[index].child {
                self.assign_below(child, done);
            }
            let mut number = 0;
            let mut key = self.response_key(node, index).to_owned();
            while named.get(&key).is_some_and(|before| self.clashes(node, index, before)) {
                number += 1;
                key = format!("_a{number}_{}", self.build.node(node).fields[index].name);
                self.aliases.insert((node, index), key.clone());
            }
            named.entry(key).or_default().push(index);
        }
    }

    /// Whether one of the fields before it, which have the same response key, may not share it: by the rules of
    /// documents, or since the answer's one value would go to two places of the tree.
    fn clashes(&mut self, node: NodeId, index: usize, before: &[usize]) -> bool {
        let fields = &self.build.node(node).fields;
        let apart = before.iter().any(|&before| fields[before].key != fields[index].key);
        apart || before.iter().any(|&before| !self.compatible((node, before), (node, index), false))
    }

    /// Whether two fields may share a response key; `apart` when no object can have both.
    fn compatible(&mut self, a: (NodeId, usize), b: (NodeId, usize), apart: bool) -> bool {
        self.comparisons += 1;
        let build = self.build;
        let (left, right) = (&build.node(a.0).fields[a.1], &build.node(b.0).fields[b.1]);
        let apart = apart || !left.on.meets(&right.on);
        if !apart && (left.name != right.name || left.arguments != right.arguments) {
            return false;
        }
        if !same_shape(left, right) || self.comparisons > COMPARISONS_MAX {
            return false;
        }
        let (Some(left), Some(right)) = (left.child, right.child) else { return true };
        left == right || self.children_compatible(left, right, apart)
    }

    fn children_compatible(&mut self, left: NodeId, right: NodeId, apart: bool) -> bool {
        let rights = self.build.node(right).fields.len();
        let mut named: HashMap<String, Vec<usize>> = HashMap::default();
        for index in 0..rights {
            named.entry(self.response_key(right, index).to_owned()).or_default().push(index);
        }
        self.comparisons += rights;
        (0..self.build.node(left).fields.len()).all(|l| {
            let same = named.get(self.response_key(left, l));
            same.into_iter().flatten().all(|&r| self.compatible((left, l), (right, r), apart))
        })
    }

    /// What to take from the answer below a selection set.
    pub(crate) fn selection(&self, node: NodeId) -> FetchSelection {
        let mut selection = FetchSelection::default();
        let mut known: HashMap<&str, (usize, Vec<NodeId>)> = HashMap::default();
        for (index, field) in self.build.node(node).fields.iter().enumerate() {
            let response_key = self.response_key(node, index);
            let found = known.entry(response_key).or_insert((selection.fields.len(), Vec::new()));
            let new = field.child.filter(|child| !found.1.contains(child));
            found.1.extend(new);
            let below = new.map(|child| self.selection(child));
            match (selection.fields.get_mut(found.0), below) {
                (None, selected) => selection.fields.push(FetchField {
                    response_key: response_key.into(),
                    key: field.key,
                    selection: selected,
                }),
                (Some(FetchField { selection: Some(inner), .. }), Some(more)) => {
                    more.fields.into_iter().for_each(|field| add_fetch_field(inner, field));
                }
                (Some(_), _) => {}
            }
        }
        selection
    }

    /// Writes a selection set.
    pub(crate) fn write(&mut self, node: NodeId, outer: Cond, copies: usize) -> SetId {
        if let Some(&written) = self.written.get(&(node, outer, copies)) {
            return written;
        }
        let (direct, typed) = self.layout(node);
        let mut body = Body::new(self.fragment_type(node));
        for index in direct {
            self.write_field(node, index, (outer, copies), &mut body);
        }
        for (ty, fields) in typed {
            let mut inner = Body::new(Some(self.supergraph.ty(ty).name.to_string()));
            for index in fields {
                self.write_field(node, index, (outer, copies), &mut inner);
            }
            body.inline(self.sets.add(inner));
        }
        if body.is_empty() {
            body.text("__typename");
        }
        let written = self.sets.add(body);
        self.written.insert((node, outer, copies), written);
        written
    }

    /// A subgraph may call its root types otherwise, so that they stay unnamed.
    fn fragment_type(&self, node: NodeId) -> Option<String> {
        let ty = self.build.node(node).static_type?;
        self.supergraph.root_of(ty).is_none().then(|| self.supergraph.ty(ty).name.to_string())
    }

    /// Fields asked on the selection set's own type, and those asked on object types.
    fn layout(&self, node: NodeId) -> (Vec<usize>, Vec<(TypeId, Vec<usize>)>) {
        let found = self.build.node(node);
        let visible: TypeSet =
            found.possible.iter().filter(|&ty| self.supergraph.ty(ty).accessible).collect();
        let wanted = if visible.is_empty() { &found.possible } else { &visible };
        let view = found.static_type.and_then(|ty| self.supergraph.type_in(found.subgraph, ty));
        let concrete = found.static_type.is_some_and(|ty| self.supergraph.ty(ty).kind == TypeKind::Object)
            || view.is_some_and(|view| view.is_interface_object);
        let mut direct = Vec::new();
        let mut typed: Vec<(TypeId, Vec<usize>)> = Vec::new();
        let mut places: HashMap<TypeId, usize> = HashMap::default();
        for (index, field) in found.fields.iter().enumerate() {
            let declared = field.ty.is_none() || self.declared(found, field);
            if concrete || (declared && wanted.is_subset(&field.on)) {
                direct.push(index);
                continue;
            }
            for ty in field.on.and(&found.possible).iter() {
                let place = *places.entry(ty).or_insert_with(|| {
                    typed.push((ty, Vec::new()));
                    typed.len() - 1
                });
                typed[place].1.push(index);
            }
        }
        (direct, typed)
    }

    /// Whether the selection set's own type has the field, with the type its sub-fields were chosen for.
    fn declared(&self, node: &DocNode<'_>, field: &DocField<'_>) -> bool {
        let view = node.static_type.and_then(|ty| self.supergraph.field_in(node.subgraph, ty, field.name));
        view.is_some_and(|view| !field.composite || field.ty == Some(&view.ty))
    }

    fn write_field(&mut self, node: NodeId, index: usize, (outer, copies): (Cond, usize), body: &mut Body) {
        let field = &self.build.node(node).fields[index];
        let conditions = relative(self.table.get(field.conditions), self.table.get(outer));
        let alternatives = conditions.0.len();
        let multiplies = field.child.is_some() && alternatives > 1 && copies * alternatives > COPIES_MAX;
        if conditions.is_always() || multiplies && !self.is_mutation(node) {
            return self.write_plain(node, index, "", copies, body);
        }
        let copies = copies * alternatives;
        for conjunction in &conditions.0 {
            let (wrapped, own) = split_directives(conjunction);
            for literal in conjunction {
                self.variables.insert(literal.variable.to_string());
            }
            for literal in &wrapped {
                body.text(&format!("...{}{{", directive(literal)));
            }
            let own: String = own.iter().map(|literal| directive(literal)).collect();
            self.write_plain(node, index, &own, copies, body);
            if !wrapped.is_empty() {
                body.text(&"}".repeat(wrapped.len()));
            }
        }
    }

    /// What a mutation does is never done without its condition.
    fn is_mutation(&self, node: NodeId) -> bool {
        let mut drafts = self.build.drafts.iter();
        drafts.any(|draft| draft.node == node && draft.operation == OperationKind::Mutation)
    }

    fn write_plain(&mut self, node: NodeId, index: usize, directives: &str, copies: usize, body: &mut Body) {
        let build = self.build;
        let field = &build.node(node).fields[index];
        let key = self.response_key(node, index);
        let mut text = String::new();
        if key != field.name.as_str() {
            let _ = write!(text, "{key}:");
        }
        text.push_str(field.name);
        self.write_arguments(node, field, &mut text);
        text.push_str(directives);
        body.text(&text);
        if let Some(child) = field.child {
            let set = self.write(child, field.conditions, copies);
            body.set(set);
        }
    }

    /// The client's arguments, and those that a context fills.
    fn write_arguments(&mut self, node: NodeId, field: &DocField<'_>, text: &mut String) {
        let mut before = '(';
        for argument in field.arguments {
            let _ = write!(text, "{before}{}:", argument.name);
            self.write_value(&argument.value, text);
            before = ',';
        }
        let variables = self.contextual.get(&node).into_iter().flatten();
        for (argument, variable) in field.contexts.iter().zip(variables) {
            let _ = write!(text, "{before}{}:${variable}", argument.name);
            before = ',';
        }
        if before == ',' {
            text.push(')');
        }
    }

    fn write_value(&mut self, value: &ast::Value, out: &mut String) {
        match value {
            ast::Value::Variable(name) => {
                self.variables.insert(name.to_string());
                let _ = write!(out, "${name}");
            }
            ast::Value::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    self.write_value(item, out);
                }
                out.push(']');
            }
            ast::Value::Object(fields) => {
                out.push('{');
                for (index, (name, item)) in fields.iter().enumerate() {
                    let _ = write!(out, "{}{name}:", if index == 0 { "" } else { "," });
                    self.write_value(item, out);
                }
                out.push('}');
            }
            plain => {
                let _ = write!(out, "{}", plain.serialize().no_indent());
            }
        }
    }
}

fn add_fetch_field(selection: &mut FetchSelection, field: FetchField) {
    let same = selection.fields.iter_mut().find(|found| found.response_key == field.response_key);
    match same {
        None => selection.fields.push(field),
        Some(found) => {
            if let (Some(inner), Some(more)) = (&mut found.selection, field.selection) {
                more.fields.into_iter().for_each(|field| add_fetch_field(inner, field));
            }
        }
    }
}

fn same_shape(left: &DocField<'_>, right: &DocField<'_>) -> bool {
    match (left.ty, right.ty) {
        (Some(a), Some(b)) => same_wrappers(a, b) && (left.composite && right.composite || a == b),
        (None, None) => true,
        _ => false,
    }
}

fn same_wrappers(a: &ast::Type, b: &ast::Type) -> bool {
    use ast::Type::{List, Named, NonNullList, NonNullNamed};
    match (a, b) {
        (Named(_), Named(_)) | (NonNullNamed(_), NonNullNamed(_)) => true,
        (List(a), List(b)) | (NonNullList(a), NonNullList(b)) => same_wrappers(a, b),
        _ => false,
    }
}

/// What of a condition is not already said by the enclosing one.
pub(crate) fn relative(inner: &Conditions, outer: &Conditions) -> Conditions {
    if inner == outer || inner.is_always() {
        return Conditions::ALWAYS;
    }
    let [known] = outer.0.as_slice() else { return inner.clone() };
    let strip = |conjunction: &Vec<ConditionLiteral>| -> Vec<ConditionLiteral> {
        conjunction.iter().filter(|literal| !known.contains(literal)).cloned().collect()
    };
    let rest: Vec<Vec<ConditionLiteral>> = inner.0.iter().map(strip).collect();
    if rest.iter().any(Vec::is_empty) { Conditions::ALWAYS } else { Conditions(rest) }
}

/// A field carries one `@include` and one `@skip`; further ones need a fragment around it.
fn split_directives(conjunction: &[ConditionLiteral]) -> (Vec<&ConditionLiteral>, Vec<&ConditionLiteral>) {
    let (mut wrapped, mut own): (Vec<&ConditionLiteral>, Vec<&ConditionLiteral>) = (Vec::new(), Vec::new());
    for literal in conjunction {
        let taken = own.iter().any(|found| found.expected == literal.expected);
        if taken { wrapped.push(literal) } else { own.push(literal) }
    }
    (wrapped, own)
}

fn directive(literal: &ConditionLiteral) -> String {
    format!("@{}(if:${})", if literal.expected { "include" } else { "skip" }, literal.variable)
}
