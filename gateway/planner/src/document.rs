//! Writes the document of a request: minified, with aliases where the subgraph's rules forbid one name for two fields
//! (GraphQL specification, section 5.3.2 "Field Selection Merging").

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use apollo_compiler::ast;
use kopitiam_operation::{ConditionLiteral, Conditions};
use kopitiam_plan::{FetchField, FetchSelection, KeyTable};
use kopitiam_supergraph::{Supergraph, TypeId, TypeKind, TypeSet};

use crate::draft::{Build, DocField, DocNode, NodeId};

pub(crate) struct Writer<'b, 'a> {
    pub(crate) build: &'b Build<'a>,
    pub(crate) supergraph: &'a Supergraph,
    /// Response keys in the document that differ from the tree's.
    aliases: HashMap<(NodeId, usize), String>,
    /// The client's variables that the document uses.
    pub(crate) variables: BTreeSet<String>,
}

impl<'b, 'a> Writer<'b, 'a> {
    pub(crate) fn new(build: &'b Build<'a>, supergraph: &'a Supergraph) -> Self {
        Self { build, supergraph, aliases: HashMap::new(), variables: BTreeSet::new() }
    }

    fn keys(&self) -> &KeyTable {
        &self.build.keys
    }

    fn response_key(&self, node: NodeId, index: usize) -> &str {
        match self.aliases.get(&(node, index)) {
            Some(alias) => alias,
            None => self.keys().name(self.build.node(node).fields[index].key),
        }
    }

    /// Gives other names to fields that may not share one.
    pub(crate) fn assign_aliases(&mut self, node: NodeId) {
        for index in 0..self.build.node(node).fields.len() {
            if let Some(child) = self.build.node(node).fields[index].child {
                self.assign_aliases(child);
            }
            let mut number = 0;
            while self.clashes(node, index) {
                number += 1;
                let name = &self.build.node(node).fields[index].name;
                self.aliases.insert((node, index), format!("_a{number}_{name}"));
            }
        }
    }

    /// Whether an earlier field of the selection set has the same response key and may not share it.
    fn clashes(&self, node: NodeId, index: usize) -> bool {
        (0..index).any(|before| {
            self.response_key(node, before) == self.response_key(node, index)
                && !self.compatible((node, before), (node, index), false)
        })
    }

    /// Whether two fields may share a response key; `apart` when no object can have both.
    fn compatible(&self, a: (NodeId, usize), b: (NodeId, usize), apart: bool) -> bool {
        let (left, right) = (&self.build.node(a.0).fields[a.1], &self.build.node(b.0).fields[b.1]);
        let apart = apart || !left.on.meets(&right.on);
        if !apart && (left.name != right.name || left.arguments != right.arguments) {
            return false;
        }
        if !same_shape(left, right) {
            return false;
        }
        let (Some(left), Some(right)) = (left.child, right.child) else { return true };
        left == right || self.children_compatible(left, right, apart)
    }

    fn children_compatible(&self, left: NodeId, right: NodeId, apart: bool) -> bool {
        let (lefts, rights) = (self.build.node(left).fields.len(), self.build.node(right).fields.len());
        let mut pairs = (0..lefts).flat_map(|l| (0..rights).map(move |r| (l, r)));
        pairs.all(|(l, r)| {
            self.response_key(left, l) != self.response_key(right, r)
                || self.compatible((left, l), (right, r), apart)
        })
    }

    /// What to take from the answer below a selection set.
    pub(crate) fn selection(&self, node: NodeId) -> FetchSelection {
        let mut selection = FetchSelection::default();
        for (index, field) in self.build.node(node).fields.iter().enumerate() {
            let found = FetchField {
                response_key: self.response_key(node, index).into(),
                key: field.key,
                selection: field.child.map(|child| self.selection(child)),
            };
            add_fetch_field(&mut selection, found);
        }
        selection
    }

    /// Writes a selection set with its braces.
    pub(crate) fn write(&mut self, node: NodeId, outer: &Conditions, out: &mut String) {
        let (direct, typed) = self.layout(node);
        out.push('{');
        let start = out.len();
        for index in direct {
            self.write_field(node, index, outer, out);
        }
        for (ty, fields) in typed {
            separate(out, start);
            let _ = write!(out, "...on {}{{", self.supergraph.ty(ty).name);
            let inner = out.len();
            for index in fields {
                self.write_field_after(node, index, outer, inner, out);
            }
            out.push('}');
        }
        if out.len() == start {
            out.push_str("__typename");
        }
        out.push('}');
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
        for (index, field) in found.fields.iter().enumerate() {
            let declared = field.ty.is_none() || self.declared(found, field);
            if concrete || (declared && wanted.is_subset(&field.on)) {
                direct.push(index);
                continue;
            }
            for ty in field.on.and(&found.possible).iter() {
                match typed.iter_mut().find(|(other, _)| *other == ty) {
                    Some((_, fields)) => fields.push(index),
                    None => typed.push((ty, vec![index])),
                }
            }
        }
        (direct, typed)
    }

    /// Whether the selection set's own type has the field, with the type its sub-fields were chosen for.
    fn declared(&self, node: &DocNode, field: &DocField) -> bool {
        let view = node.static_type.and_then(|ty| self.supergraph.field_in(node.subgraph, ty, &field.name));
        view.is_some_and(|view| !field.composite || field.ty.as_ref() == Some(&view.ty))
    }

    fn write_field(&mut self, node: NodeId, index: usize, outer: &Conditions, out: &mut String) {
        let start = out.rfind('{').map_or(0, |brace| brace + 1);
        self.write_field_after(node, index, outer, start, out);
    }

    fn write_field_after(
        &mut self,
        node: NodeId,
        index: usize,
        outer: &Conditions,
        start: usize,
        out: &mut String,
    ) {
        let field = &self.build.node(node).fields[index];
        let conditions = relative(&field.conditions, outer);
        if conditions.is_always() {
            separate(out, start);
            self.write_plain(node, index, "", out);
        }
        for conjunction in &conditions.0 {
            separate(out, start);
            let (wrapped, own) = split_directives(conjunction);
            for literal in conjunction {
                self.variables.insert(literal.variable.to_string());
            }
            for literal in &wrapped {
                let _ = write!(out, "...{}{{", directive(literal));
            }
            let own: String = own.iter().map(|literal| directive(literal)).collect();
            self.write_plain(node, index, &own, out);
            out.extend(wrapped.iter().map(|_| '}'));
        }
    }

    fn write_plain(&mut self, node: NodeId, index: usize, directives: &str, out: &mut String) {
        let build = self.build;
        let field = &build.node(node).fields[index];
        let key = self.response_key(node, index);
        if key != field.name.as_str() {
            let _ = write!(out, "{key}:");
        }
        out.push_str(&field.name);
        if !field.arguments.is_empty() {
            out.push('(');
            for (index, argument) in field.arguments.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let _ = write!(out, "{comma}{}:", argument.name);
                self.write_value(&argument.value, out);
            }
            out.push(')');
        }
        out.push_str(directives);
        if let Some(child) = field.child {
            self.write(child, &field.conditions, out);
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

fn separate(out: &mut String, start: usize) {
    if out.len() > start && !out.ends_with(['}', '{']) {
        out.push(' ');
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

fn same_shape(left: &DocField, right: &DocField) -> bool {
    match (&left.ty, &right.ty) {
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
