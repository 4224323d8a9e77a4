//! From an operation to its cost tree, and from that to a number.
//!
//! Always: sums saturate; at a place of several runtime types the dearest type counts, since an object has one.

use std::collections::HashMap;

use apollo_compiler::Name;
use apollo_compiler::ast::Value;
use kopitiam_operation::variables::CoercedVariable;
use kopitiam_operation::{FieldNode, NormalisedOperation, OperationKind, Selection};
use kopitiam_plan::{FetchKind, Path, PathStep, Plan};
use kopitiam_supergraph::{Supergraph, TypeKind, TypeSet};

use super::CostSettings;
use super::weights::{FieldCost, ListSize, Weights, whole};

/// What a root field of a mutation costs.
const MUTATION_WEIGHT: u64 = 10;
/// Beyond so many pairs of type and field at one place, all its fields are added up instead.
const TYPED_FIELDS_MAX: usize = 20_000;

/// The cost of an operation but for the values of its variables.
#[derive(Debug)]
pub(crate) struct CostTree {
    root: Vec<Node>,
    groups: Vec<Vec<usize>>,
    requests: u64,
}

/// One field.
#[derive(Debug)]
struct Node {
    /// What tells it from others at its place.
    key: Name,
    /// Whether several runtime types have it.
    on: TypeSet,
    /// What its arguments cost, once.
    arguments: u64,
    /// What one item of it costs.
    weight: u64,
    /// How often an item is fetched by key.
    entities: u64,
    size: Size,
    children: Vec<Node>,
    /// Which children one object has together; every child is in one of them at least.
    groups: Vec<Vec<usize>>,
}

/// How many items a field has.
#[derive(Debug, Clone)]
struct Size {
    /// The largest of these that the request gives.
    slices: Vec<Slice>,
    otherwise: u64,
    /// Further lists inside.
    times: u64,
}

/// A number of items.
#[derive(Debug, Clone)]
enum Slice {
    Fixed(u64),
    /// In a variable, at a path of input fields.
    Variable {
        name: Name,
        path: Vec<Box<str>>,
        /// What counts when the request has no such variable: what the argument's default says.
        default: Option<u64>,
    },
}

impl Size {
    const ONE: Self = Self { slices: Vec::new(), otherwise: 1, times: 1 };
}

/// The operation's values of variables.
struct Values<'a>(HashMap<&'a str, &'a str>);

impl CostTree {
    pub(crate) fn new(
        supergraph: &Supergraph,
        weights: &Weights,
        settings: &CostSettings,
        operation: &NormalisedOperation,
        plan: &Plan,
    ) -> Self {
        let builder = Builder { supergraph, weights, settings };
        let (mut root, groups) = builder.selection(&operation.selection, None);
        if operation.kind == OperationKind::Mutation {
            for (node, field) in root.iter_mut().zip(&operation.selection.fields) {
                if builder.field_cost(field).is_none_or(|cost| cost.weight.is_none()) && field.is_asked() {
                    node.arguments = node.arguments.saturating_add(MUTATION_WEIGHT);
                }
            }
        }
        for fetch in &plan.fetches {
            let FetchKind::Entities { groups } = &fetch.kind else { continue };
            for path in groups.iter().flat_map(|group| &group.targets) {
                mark(&mut root, &steps(plan, path));
            }
        }
        Self { root, groups, requests: plan.fetches.len() as u64 }
    }

    /// The cost with a request's variables and the literals that became variables.
    pub(crate) fn estimate(&self, variables: &[CoercedVariable], literals: &[CoercedVariable]) -> u64 {
        let all = variables.iter().chain(literals);
        let values = Values(all.map(|variable| (&*variable.name, &*variable.json)).collect());
        dearest(&self.root, &self.groups, &values).saturating_add(self.requests)
    }
}

fn dearest(nodes: &[Node], groups: &[Vec<usize>], values: &Values<'_>) -> u64 {
    let costs: Vec<u64> = nodes.iter().map(|node| node.cost(values)).collect();
    let of_group =
        |group: &Vec<usize>| group.iter().fold(0, |sum: u64, &index| sum.saturating_add(costs[index]));
    groups.iter().map(of_group).max().unwrap_or(0)
}

impl Node {
    fn cost(&self, values: &Values<'_>) -> u64 {
        let below = dearest(&self.children, &self.groups, values);
        let item = self.weight.saturating_add(self.entities).saturating_add(below);
        self.arguments.saturating_add(self.size.of(values).saturating_mul(item))
    }
}

impl Size {
    fn of(&self, values: &Values<'_>) -> u64 {
        let given = self.slices.iter().filter_map(|slice| match slice {
            Slice::Fixed(size) => Some(*size),
            Slice::Variable { name, path, default } => values.number(name, path, *default),
        });
        given.max().unwrap_or(self.otherwise).saturating_mul(self.times)
    }
}

impl Values<'_> {
    fn number(&self, variable: &str, path: &[Box<str>], default: Option<u64>) -> Option<u64> {
        let Some(json) = self.0.get(variable) else { return default };
        if path.is_empty() {
            return length(json.parse().ok()?);
        }
        let value: serde_json::Value = serde_json::from_str(json).ok()?;
        length(path.iter().try_fold(&value, |value, step| value.get(&**step))?.as_f64()?)
    }
}

/// A number as the length of a list. One below zero is none: what a subgraph makes of it nobody knows, so it counts like
/// none given.
fn length(number: f64) -> Option<u64> {
    (number >= 0.0).then(|| whole(number))
}

struct Builder<'a> {
    supergraph: &'a Supergraph,
    weights: &'a Weights,
    settings: &'a CostSettings,
}

impl<'a> Builder<'a> {
    fn field_cost(&self, field: &FieldNode) -> Option<&'a FieldCost> {
        self.weights.of_field(&self.supergraph.ty(field.parent).name, &field.name)
    }

    /// `around` is the field whose fields these are.
    fn selection(&self, selection: &Selection, around: Option<&FieldNode>) -> (Vec<Node>, Vec<Vec<usize>>) {
        let nodes: Vec<Node> = selection.fields.iter().map(|field| self.node(field, around)).collect();
        let groups = groups(&nodes);
        (nodes, groups)
    }

    fn node(&self, field: &FieldNode, around: Option<&FieldNode>) -> Node {
        // What nobody is asked for costs nothing: types, the schema, what the client may not have.
        let is_free = !field.is_asked();
        let cost = self.field_cost(field);
        let (children, groups) =
            if is_free { (Vec::new(), Vec::new()) } else { self.selection(&field.selection, Some(field)) };
        let given = |name: &Name| field.arguments.iter().any(|argument| argument.name == *name);
        let arguments = cost.map_or(0, |cost| {
            cost.arguments.iter().filter(|(name, _)| given(name)).map(|(_, weight)| weight).sum()
        });
        let weight = cost.and_then(|cost| cost.weight).unwrap_or_else(|| self.type_weight(field));
        Node {
            key: field.key.clone(),
            on: field.on.clone(),
            arguments,
            weight: if is_free { 0 } else { weight },
            entities: 0,
            size: if is_free { Size::ONE } else { self.size(field, around) },
            children,
            groups,
        }
    }

    fn type_weight(&self, field: &FieldNode) -> u64 {
        let ty = self.supergraph.ty(field.base);
        self.weights.of_type(&ty.name).unwrap_or(match ty.kind {
            TypeKind::Object | TypeKind::Interface | TypeKind::Union => 1,
            TypeKind::Scalar | TypeKind::Enum | TypeKind::Input => 0,
        })
    }

    fn size(&self, field: &FieldNode, around: Option<&FieldNode>) -> Size {
        let depth = list_depth(&field.ty);
        let by_parent = around.and_then(|around| self.size_by_parent(around, field));
        let Some(depth_inside) = depth.checked_sub(1) else {
            return Size::ONE;
        };
        let own = self.list_size(field).filter(|list| list.sized_fields.is_empty());
        let mut size = by_parent.unwrap_or_else(|| match own {
            Some(list) => self.sized(field, &list.slicing, list.assumed),
            None => self.sized(field, &self.paging(), None),
        });
        size.times = self.settings.list_size.saturating_pow(depth_inside);
        size
    }

    /// How large a list is of which the field around it says the size: a connection's `edges`.
    fn size_by_parent(&self, around: &FieldNode, field: &FieldNode) -> Option<Size> {
        if list_depth(&around.ty) > 0 {
            return None;
        }
        match self.list_size(around) {
            Some(list) if list.sized_fields.iter().any(|name| **name == *field.name) => {
                Some(self.sized(around, &list.slicing, list.assumed))
            }
            None if field.name == "edges" || field.name == "nodes" => {
                let size = self.sized(around, &self.paging(), None);
                (!size.slices.is_empty() || self.list_size(field).is_none()).then_some(size)
            }
            _ => None,
        }
    }

    fn list_size(&self, field: &FieldNode) -> Option<&'a ListSize> {
        self.field_cost(field)?.list.as_ref()
    }

    fn paging(&self) -> Vec<Box<str>> {
        self.settings.paging_arguments.iter().map(|name| name.as_str().into()).collect()
    }

    fn sized(&self, field: &FieldNode, slicing: &[Box<str>], assumed: Option<u64>) -> Size {
        let slices = slicing.iter().filter_map(|path| self.slice(field, path)).collect();
        Size { slices, otherwise: assumed.unwrap_or(self.settings.list_size), times: 1 }
    }

    /// The value of an argument, or of an input field below it, or the default of the argument.
    fn slice(&self, field: &FieldNode, path: &str) -> Option<Slice> {
        let mut path = path.split('.');
        let name = path.next()?;
        let rest: Vec<Box<str>> = path.map(Into::into).collect();
        let given =
            field.arguments.iter().find(|argument| argument.name == name).map(|argument| &argument.value);
        let definition = self.supergraph.field(field.parent, &field.name)?;
        let default =
            definition.arguments.iter().find(|argument| argument.name == name)?.default_value.as_ref();
        let mut slice = within(given.or(default)?, &rest)?;
        let is_variable = given.is_some_and(|given| matches!(**given, Value::Variable(_)));
        if let (Slice::Variable { default: otherwise, .. }, true, Some(default)) =
            (&mut slice, is_variable, default)
            && let Some(Slice::Fixed(size)) = within(default, &rest)
        {
            // An argument whose variable is absent is absent itself.
            *otherwise = Some(size);
        }
        Some(slice)
    }
}

/// The number at a path of input fields.
fn within(mut value: &Value, path: &[Box<str>]) -> Option<Slice> {
    for (index, step) in path.iter().enumerate() {
        match value {
            Value::Variable(name) => {
                let path = path[index..].to_vec();
                return Some(Slice::Variable { name: name.clone(), path, default: None });
            }
            Value::Object(fields) => {
                value = fields.iter().find(|(name, _)| **name == **step).map(|(_, value)| &**value)?;
            }
            _ => return None,
        }
    }
    match value {
        Value::Variable(name) => {
            Some(Slice::Variable { name: name.clone(), path: Vec::new(), default: None })
        }
        value => length(value.to_f64()?).map(Slice::Fixed),
    }
}

fn list_depth(ty: &apollo_compiler::ast::Type) -> u32 {
    use apollo_compiler::ast::Type;
    match ty {
        Type::Named(_) | Type::NonNullNamed(_) => 0,
        Type::List(item) | Type::NonNullList(item) => 1 + list_depth(item),
    }
}

/// Which nodes an object has together, for every runtime type it may have.
fn groups(nodes: &[Node]) -> Vec<Vec<usize>> {
    let all = || vec![(0..nodes.len()).collect()];
    let Some(first) = nodes.first() else { return Vec::new() };
    if nodes.iter().all(|node| node.on == first.on) {
        return all();
    }
    let types = nodes.iter().fold(TypeSet::empty(), |types, node| types.or(&node.on));
    if types.len().saturating_mul(nodes.len()) > TYPED_FIELDS_MAX {
        return all();
    }
    let of = |ty| (0..nodes.len()).filter(|&index| nodes[index].on.contains(ty)).collect();
    let mut groups: Vec<Vec<usize>> = types.iter().map(of).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// The response keys of a path.
fn steps<'p>(plan: &'p Plan, path: &Path) -> Vec<&'p str> {
    let field = |step: &PathStep| match step {
        PathStep::Field(key) => Some(plan.keys.name(*key)),
        PathStep::On(_) => None,
    };
    path.0.iter().filter_map(field).collect()
}

/// Counts one more fetch by key for the objects at a path.
fn mark(nodes: &mut [Node], path: &[&str]) {
    let [step, rest @ ..] = path else { return };
    for node in nodes.iter_mut().filter(|node| node.key == *step) {
        if rest.is_empty() {
            node.entities = node.entities.saturating_add(1);
        } else {
            mark(&mut node.children, rest);
        }
    }
}
