//! Random client operations over an API schema, with variables, fragments, aliases and conditions.
//!
//! Elsewhere: input values (`inputs.rs`), making a failing operation smaller (`shrink.rs`).

use std::collections::HashMap;
use std::fmt::Write as _;

use apollo_compiler::ast::OperationType;
use apollo_compiler::schema::{ExtendedType, FieldDefinition};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node, Schema};
use serde_json::{Map, Value as Json};

use super::inputs::{Declared, Inputs};
use super::rng::Rng;

/// A client's request.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomOperation {
    /// The document.
    pub query: String,
    /// Values of its variables.
    pub variables: Map<String, Json>,
}

/// How many invalid tries are made before a seed is given up.
const TRIES: u64 = 8;

/// A valid operation for a seed; nothing when none was found.
pub fn random_operation(schema: &Valid<Schema>, seed: u64, depth: usize) -> Option<RandomOperation> {
    (0..TRIES).find_map(|again| {
        let operation =
            Operations::new(schema, seed.wrapping_mul(TRIES).wrapping_add(again)).operation(depth);
        let valid = ExecutableDocument::parse_and_validate(schema, &operation.query, "query.graphql").is_ok();
        valid.then_some(operation)
    })
}

struct Operations<'s> {
    schema: &'s Schema,
    rng: Rng,
    inputs: Inputs<'s>,
    fragments: Vec<String>,
    aliases: usize,
    /// Arguments of fields asked under their own names, so that two of them can merge.
    plain: HashMap<(String, String), String>,
    budget: usize,
    /// How often, in a hundred, there is a condition, a fragment, an alias.
    conditions: usize,
    spreads: usize,
    renames: usize,
    /// The next field has no conditions.
    is_unconditional: bool,
}

impl<'s> Operations<'s> {
    fn new(schema: &'s Schema, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let conditions = *rng.pick(&[0, 0, 10, 25]);
        let spreads = *rng.pick(&[5, 15, 30]);
        let renames = *rng.pick(&[5, 15, 40]);
        let budget = *rng.pick(&[6, 15, 30, 50]);
        let inputs = Inputs::new(schema, rng.chance(60));
        Self {
            schema,
            rng,
            inputs,
            fragments: Vec::new(),
            aliases: 0,
            plain: HashMap::new(),
            budget,
            conditions,
            spreads,
            renames,
            is_unconditional: false,
        }
    }

    /// What is asked for, and the type to start from.
    fn kind(&mut self) -> (&'static str, &'s str) {
        let schema = self.schema;
        let root = |kind| schema.root_operation(kind).map(apollo_compiler::Name::as_str);
        for (kind, word) in
            [(OperationType::Mutation, "mutation"), (OperationType::Subscription, "subscription")]
        {
            if let Some(root) = root(kind)
                && self.rng.chance(15)
            {
                return (word, root);
            }
        }
        ("query", root(OperationType::Query).unwrap_or("Query"))
    }

    fn operation(mut self, depth: usize) -> RandomOperation {
        let (kind, root) = self.kind();
        let body = if kind == "subscription" {
            // One field, in any case (GraphQL specification, section 5.2.3.1).
            self.is_unconditional = true;
            format!("{{ {} }}", self.field(root, depth).unwrap_or_default())
        } else {
            self.selection(root, depth)
        };
        let mut query = String::new();
        let mut variables = Map::new();
        let mut declarations = Vec::new();
        for Declared { name, ty, default, value } in &self.inputs.declared {
            let default = default.as_ref().map(|text| format!(" = {text}")).unwrap_or_default();
            declarations.push(format!("${name}: {ty}{default}"));
            if let Some(value) = value {
                variables.insert(name.clone(), value.clone());
            }
        }
        let named = if self.rng.chance(20) { " Op" } else { "" };
        if declarations.is_empty() {
            write!(query, "{kind}{named} {body}").expect("writing to a string never fails");
        } else {
            write!(query, "{kind}{named}({}) {body}", declarations.join(", ")).expect("as above");
        }
        for fragment in &self.fragments {
            query.push(' ');
            query.push_str(fragment);
        }
        RandomOperation { query, variables }
    }

    fn selection(&mut self, ty: &str, depth: usize) -> String {
        let mut items = Vec::new();
        let breadth = 1 + self.rng.below(5);
        for _ in 0..breadth {
            if self.budget == 0 {
                break;
            }
            let item = match self.rng.below(100) {
                roll if roll < 8 => Some(self.typename()),
                roll if roll < 8 + self.spreads => self.fragment(ty, depth),
                _ => self.field(ty, depth),
            };
            items.extend(item);
        }
        if items.len() > 1 && self.rng.chance(10) {
            // A field asked twice.
            let again = self.rng.pick(&items).clone();
            items.push(again);
        }
        if items.is_empty() {
            items.push("__typename".to_owned());
        }
        format!("{{ {} }}", items.join(" "))
    }

    fn typename(&mut self) -> String {
        let alias = self.alias();
        let condition = self.condition();
        format!("{alias}__typename{condition}")
    }

    fn alias(&mut self) -> String {
        if !self.rng.chance(self.renames) {
            return String::new();
        }
        self.aliases += 1;
        format!("a{}: ", self.aliases)
    }

    fn condition(&mut self) -> String {
        let mut out = String::new();
        if std::mem::take(&mut self.is_unconditional) {
            return out;
        }
        for directive in ["include", "skip"] {
            if self.rng.chance(self.conditions) {
                let usually = directive == "include";
                let value = if self.rng.chance(65) { usually } else { !usually };
                let condition = self.inputs.condition(&mut self.rng, value);
                write!(out, " @{directive}(if: {condition})").expect("writing to a string never fails");
            }
        }
        out
    }

    fn fragment(&mut self, ty: &str, depth: usize) -> Option<String> {
        if depth == 0 {
            return None;
        }
        if self.rng.chance(10) {
            let condition = self.condition();
            return Some(format!("...{condition} {}", self.selection(ty, depth - 1)));
        }
        let conditions = self.overlapping(ty);
        if conditions.is_empty() {
            return None;
        }
        let on = self.rng.pick(&conditions).clone();
        let condition = self.condition();
        let body = self.selection(&on, depth - 1);
        if self.rng.chance(25) {
            let name = format!("F{}", self.fragments.len());
            self.fragments.push(format!("fragment {name} on {on} {body}"));
            return Some(format!("...{name}{condition}"));
        }
        Some(format!("... on {on}{condition} {body}"))
    }

    /// The types that may stand as conditions in a selection of `ty`.
    fn overlapping(&self, ty: &str) -> Vec<String> {
        let here = possible(self.schema, ty);
        let composites = self.schema.types.values().filter(|found| {
            !found.is_built_in() && (found.is_object() || found.is_interface() || found.is_union())
        });
        composites
            .map(|found| found.name().to_string())
            .filter(|name| possible(self.schema, name).iter().any(|object| here.contains(object)))
            .collect()
    }

    fn field(&mut self, ty: &str, depth: usize) -> Option<String> {
        let schema = self.schema;
        let fields = match schema.types.get(ty) {
            Some(ExtendedType::Object(object)) => &object.fields,
            Some(ExtendedType::Interface(interface)) => &interface.fields,
            _ => return self.fragment(ty, depth),
        };
        let candidates: Vec<&Node<FieldDefinition>> = fields
            .values()
            .map(|field| &field.node)
            .filter(|field| depth > 0 || !is_composite(schema, field.ty.inner_named_type()))
            .collect();
        if candidates.is_empty() {
            return None;
        }
        let field = *self.rng.pick(&candidates);
        self.budget = self.budget.saturating_sub(1);
        let mut alias = self.alias();
        if alias.is_empty() && !field.arguments.is_empty() && self.rng.chance(40) {
            self.aliases += 1;
            alias = format!("a{}: ", self.aliases);
        }
        let arguments = if alias.is_empty() {
            let memo = (ty.to_owned(), field.name.to_string());
            if let Some(found) = self.plain.get(&memo) {
                found.clone()
            } else {
                let made = self.inputs.arguments(&mut self.rng, &field.arguments);
                self.plain.insert(memo, made.clone());
                made
            }
        } else {
            self.inputs.arguments(&mut self.rng, &field.arguments)
        };
        let condition = self.condition();
        let inner = field.ty.inner_named_type();
        let below = if is_composite(schema, inner) {
            format!(" {}", self.selection(inner, depth - 1))
        } else {
            String::new()
        };
        Some(format!("{alias}{}{arguments}{condition}{below}", field.name))
    }
}

fn is_composite(schema: &Schema, name: &str) -> bool {
    schema.types.get(name).is_some_and(|found| found.is_object() || found.is_interface() || found.is_union())
}

/// The object types behind a type.
fn possible(schema: &Schema, ty: &str) -> Vec<String> {
    match schema.types.get(ty) {
        Some(ExtendedType::Object(_)) => vec![ty.to_owned()],
        Some(ExtendedType::Union(union)) => union.members.iter().map(ToString::to_string).collect(),
        Some(ExtendedType::Interface(_)) => schema
            .types
            .values()
            .filter_map(|found| found.as_object())
            .filter(|object| object.implements_interfaces.contains(ty))
            .map(|object| object.name.to_string())
            .collect(),
        _ => Vec::new(),
    }
}
