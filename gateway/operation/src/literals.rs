//! Literals of arguments become variables of the operation, so that operations which differ in them alone have one plan.
//!
//! In: a normalised operation. Out: the same with variables, and those variables' values.
//! Always: the document has been validated with its literals. What stays as it is: `null` as an argument, values of custom
//! scalars whose JSON might mean something else, and arguments of fields that the caller names.
//! Elsewhere: the client's own variables (`variables.rs`), who shares plans (`engine`).

use std::collections::HashMap;
use std::sync::Arc;

use apollo_compiler::ast::{Argument, Type, Value, VariableDefinition};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Name, Node, Schema, ast};
use kopitiam_supergraph::Supergraph;

use crate::variables::{CoercedVariable, literal_json};
use crate::{FieldNode, NormalisedOperation, Selection};

/// How many literals become variables; further ones stay where they are.
const LITERALS_MAX: usize = 64;

/// How deep a literal may nest.
const DEPTH_MAX: usize = 64;

/// Replaces literals by variables of the argument's type; equal literals of one type by one variable. Fields for which
/// `keeps` says so keep theirs. Gives the values, as JSON.
pub fn lift_literals(
    supergraph: &Supergraph,
    operation: &mut NormalisedOperation,
    keeps: impl Fn(&FieldNode) -> bool,
) -> Vec<CoercedVariable> {
    let mut prefix = "_".to_owned();
    while operation.variables.iter().any(|variable| is_numbered(&variable.name, &prefix)) {
        prefix.push('_');
    }
    let schema = supergraph.api_schema();
    let mut lift = Lift { supergraph, schema, keeps, prefix, known: HashMap::new(), lifted: Vec::new() };
    lift.selection(&mut operation.selection);
    let (definitions, values) = lift.lifted.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    operation.variables.extend(definitions);
    values
}

/// Whether a name is the prefix with a number.
fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

struct Lift<'a, K> {
    supergraph: &'a Supergraph,
    schema: &'a Schema,
    keeps: K,
    prefix: String,
    /// By type and JSON.
    known: HashMap<(String, String), Name>,
    lifted: Vec<(Node<VariableDefinition>, CoercedVariable)>,
}

impl<K: Fn(&FieldNode) -> bool> Lift<'_, K> {
    fn selection(&mut self, selection: &mut Selection) {
        for field in &mut selection.fields {
            if !field.arguments.is_empty() && !field.is_introspection() && !(self.keeps)(field) {
                self.arguments(field);
            }
            self.selection(&mut field.selection);
        }
    }

    fn arguments(&mut self, field: &mut FieldNode) {
        let Some(defined) = self.supergraph.field(field.parent, &field.name) else { return };
        let mut arguments: Vec<Node<Argument>> = field.arguments.to_vec();
        let mut changed = false;
        for argument in &mut arguments {
            let Some(definition) = defined.arguments.iter().find(|found| found.name == argument.name) else {
                continue;
            };
            if let Some(value) = self.value(&definition.ty, &argument.value, DEPTH_MAX) {
                argument.make_mut().value = value;
                changed = true;
            }
        }
        if changed {
            field.arguments = Arc::from(arguments);
        }
    }

    /// The value with variables in place of its literals; `None` when it stays as it is.
    fn value(&mut self, ty: &Type, value: &Node<Value>, depth: usize) -> Option<Node<Value>> {
        let depth = depth.checked_sub(1)?;
        if let Some(json) = self.json(ty, value) {
            return self.variable(ty, json).map(|name| Node::new(Value::Variable(name)));
        }
        // Some of it is the client's variables: the rest around them.
        match (&**value, ty) {
            (Value::List(items), Type::List(item) | Type::NonNullList(item)) => {
                let lifted: Vec<_> = items.iter().map(|one| self.value(item, one, depth)).collect();
                let changed = lifted.iter().any(Option::is_some);
                let items =
                    items.iter().zip(lifted).map(|(one, lifted)| lifted.unwrap_or_else(|| one.clone()));
                changed.then(|| Node::new(Value::List(items.collect())))
            }
            (Value::Object(members), Type::Named(name) | Type::NonNullNamed(name)) => {
                let schema = self.schema;
                let Some(ExtendedType::InputObject(object)) = schema.types.get(name) else { return None };
                let mut changed = false;
                let mut lifted = Vec::with_capacity(members.len());
                for (name, one) in members {
                    let field = object.fields.get(name);
                    let new = field.and_then(|field| self.value(&field.ty, one, depth));
                    changed |= new.is_some();
                    lifted.push((name.clone(), new.unwrap_or_else(|| one.clone())));
                }
                changed.then(|| Node::new(Value::Object(lifted)))
            }
            _ => None,
        }
    }

    /// A literal's JSON, when it has any that means the same.
    fn json(&self, ty: &Type, value: &Value) -> Option<String> {
        if value.is_null() {
            // A literal null may stand where a variable of the type could not be told from one that is not given.
            return None;
        }
        self.is_plain(ty, value, DEPTH_MAX).then(|| literal_json(self.schema, ty, value))
    }

    /// Whether there are no variables in a literal, and no custom scalar that could read its JSON otherwise.
    fn is_plain(&self, ty: &Type, value: &Value, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        match (value, ty) {
            (Value::Variable(_), _) => false,
            (Value::Null, _) => true,
            (Value::List(items), Type::List(item) | Type::NonNullList(item)) => {
                items.iter().all(|one| self.is_plain(item, one, depth))
            }
            (_, Type::List(item) | Type::NonNullList(item)) => self.is_plain(item, value, depth),
            (_, Type::Named(name) | Type::NonNullNamed(name)) => match self.schema.types.get(name) {
                Some(ExtendedType::InputObject(object)) => {
                    let Value::Object(members) = value else { return false };
                    members.iter().all(|(name, one)| {
                        object.fields.get(name).is_some_and(|field| self.is_plain(&field.ty, one, depth))
                    })
                }
                Some(ExtendedType::Scalar(scalar)) if !scalar.is_built_in() => {
                    matches!(value, Value::String(_) | Value::Boolean(_))
                }
                Some(ExtendedType::Scalar(_)) => !matches!(value, Value::List(_) | Value::Object(_)),
                Some(ExtendedType::Enum(_)) => matches!(value, Value::Enum(_)),
                _ => false,
            },
        }
    }

    fn variable(&mut self, ty: &Type, json: String) -> Option<Name> {
        let key = (ty.to_string(), json);
        if let Some(known) = self.known.get(&key) {
            return Some(known.clone());
        }
        if self.lifted.len() == LITERALS_MAX {
            return None;
        }
        let text = format!("{}{}", self.prefix, self.lifted.len());
        let name = Name::new(&text).expect("an underscore and digits are a name");
        let definition = VariableDefinition {
            name: name.clone(),
            ty: Node::new(ty.clone()),
            default_value: None,
            directives: ast::DirectiveList::default(),
        };
        let value = CoercedVariable { name: text.into(), json: key.1.as_str().into() };
        self.lifted.push((Node::new(definition), value));
        self.known.insert(key, name.clone());
        Some(name)
    }
}
