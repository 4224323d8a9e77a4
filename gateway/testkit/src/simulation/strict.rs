//! A subgraph that answers what its schema promises and nothing else.
//!
//! It refuses, and notes, every request that a real subgraph could not answer: documents that its schema refuses,
//! representations without a whole key, values in them that are not the entity's, `@requires` fields whose inputs did not
//! come, `@external` fields where nothing provides them, fields that another subgraph has taken over.
//!
//! Elsewhere: the data (`universe.rs`).

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::Type;
use apollo_compiler::resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonMap;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::federation::{FieldSet, SetItem, Subgraph};
use super::nature::Nature;
use super::universe::{Thing, Universe, Value};

/// A strict subgraph.
#[derive(Debug)]
pub(crate) struct StrictSubgraph {
    pub(crate) subgraph: Subgraph,
    pub(crate) universe: Arc<Universe>,
    /// Fields that another subgraph took over.
    lost: HashSet<(String, String)>,
    /// What was refused, with the request.
    pub(crate) refusals: Mutex<Vec<String>>,
}

#[derive(Deserialize)]
struct Request {
    query: String,
    #[serde(default)]
    variables: JsonMap,
}

impl StrictSubgraph {
    /// `overridden`: type, field and the subgraph that lost it.
    pub(crate) fn new(
        subgraph: Subgraph,
        universe: Arc<Universe>,
        overridden: &[(String, String, String)],
    ) -> Self {
        let lost = overridden
            .iter()
            .filter(|(_, _, from)| *from == subgraph.name)
            .map(|(ty, field, _)| (ty.clone(), field.clone()))
            .collect();
        Self { subgraph, universe, lost, refusals: Mutex::default() }
    }

    /// The answer to a query or a mutation; the events of a stream.
    pub(crate) fn answers(&self, body: &[u8]) -> Vec<Bytes> {
        let Ok(request) = serde_json::from_slice::<Request>(body) else {
            return vec![self.refuse("the body is not a GraphQL request")];
        };
        let schema = &self.subgraph.schema;
        let document = match ExecutableDocument::parse_and_validate(schema, &request.query, "request.graphql")
        {
            Ok(document) => document,
            Err(refused) => return vec![self.refuse(&format!("{}: {}", request.query, refused.errors))],
        };
        let Ok(operation) = document.operations.get(None) else {
            return vec![self.refuse("one operation is expected")];
        };
        let answer = |thing| {
            let root = Object {
                server: self,
                presented: operation.object_type().to_string(),
                thing,
                provided: Rc::new(Vec::new()),
                representation: None,
            };
            let executed =
                Execution::new(schema, &document).raw_variable_values(&request.variables).execute_sync(&root);
            match executed {
                Ok(response) => serde_json::to_vec(&response).expect("a response is JSON").into(),
                Err(error) => self.refuse(&format!("{}: {}", request.query, error.message())),
            }
        };
        self.universe.roots(operation.operation_type).into_iter().map(answer).collect()
    }

    fn refuse(&self, message: &str) -> Bytes {
        self.note(message);
        serde_json::to_vec(&json!({"errors": [{"message": message}]})).expect("JSON is JSON").into()
    }

    fn note(&self, message: &str) {
        let line = format!("{} refuses: {message}", self.subgraph.name);
        self.refusals.lock().expect("nothing panics here").push(line);
    }

    fn refused(&self, message: String) -> FieldError {
        self.note(&message);
        FieldError { message }
    }

    /// The type under which a thing is known here where a field's type is `declared`.
    fn presented(&self, thing: &Thing, declared: &str) -> String {
        if self.subgraph.is_interface_object(declared) {
            return declared.to_owned();
        }
        let own = self.subgraph.schema.types.keys().find(|name| self.subgraph.canonical(name) == thing.ty);
        own.map_or_else(|| thing.ty.clone(), ToString::to_string)
    }

    /// The entity that a representation tells of; nothing when this subgraph does not know it.
    fn entity(&self, representation: &Map<String, Json>) -> Result<Option<(String, Thing)>, String> {
        let shown = || Json::Object(representation.clone());
        let Some(typename) = representation.get("__typename").and_then(Json::as_str) else {
            return Err(format!("a representation without __typename: {}", shown()));
        };
        let keys: Vec<_> =
            self.subgraph.keys(typename).into_iter().filter(|(_, resolvable)| *resolvable).collect();
        if keys.is_empty() {
            return Err(format!("{typename} is no entity here: {}", shown()));
        }
        let candidates = self.universe.entities(typename);
        let found = candidates.into_iter().find(|thing| {
            keys.iter().any(|(set, _)| covers(representation, &self.universe.project(thing, set)))
        });
        let Some(thing) = found else {
            return Err(format!("no entity has a key of {}", shown()));
        };
        let presented = self.presented(&thing, typename);
        self.check_names(&presented, representation)?;
        let is_known = !self.universe.is_missing(&thing, &self.subgraph.name);
        Ok(is_known.then_some((presented, thing)))
    }

    /// Nothing may come with a representation that nobody here could ask for.
    fn check_names(&self, ty: &str, representation: &Map<String, Json>) -> Result<(), String> {
        for name in representation.keys().filter(|name| *name != "__typename") {
            if self.subgraph.field(ty, name).is_none() {
                return Err(format!("{ty} has no {name}: {}", Json::Object(representation.clone())));
            }
        }
        Ok(())
    }
}

/// Whether all of `expected` stands in `given`, at every depth.
fn covers(given: &Map<String, Json>, expected: &Map<String, Json>) -> bool {
    expected.iter().all(|(name, expected)| given.get(name).is_some_and(|given| same(given, expected)))
}

fn same(given: &Json, expected: &Json) -> bool {
    match (given, expected) {
        (Json::Object(given), Json::Object(expected)) => covers(given, expected),
        (Json::Array(given), Json::Array(expected)) => {
            given.len() == expected.len()
                && given.iter().zip(expected).all(|(given, expected)| same(given, expected))
        }
        (given, expected) => given == expected,
    }
}

/// An object, as this subgraph sees it.
struct Object<'s> {
    server: &'s StrictSubgraph,
    presented: String,
    thing: Thing,
    /// External fields that the way to here provides.
    provided: Rc<Vec<FieldSet>>,
    representation: Option<Rc<Map<String, Json>>>,
}

impl ObjectValue for Object<'_> {
    fn type_name(&self) -> &str {
        &self.presented
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let name = info.field_name();
        let arguments = serde_json::to_value(info.arguments()).unwrap_or_default();
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        if name == "_entities" {
            return self.entities(&arguments);
        }
        if name == "_service" {
            return Ok(ResolvedValue::null());
        }
        let server = self.server;
        let subgraph = &server.subgraph;
        let universe = &server.universe;
        let field = subgraph.field(&self.presented, name).expect("the document is valid");
        let place = format!("{}.{name}", self.presented);
        let below = self.provided_below(name);
        let is_lost =
            server.lost.contains(&(subgraph.canonical(&self.presented).to_owned(), name.to_owned()));
        if below.is_none() && (is_lost || subgraph.is_external(&self.presented, field)) {
            let why = if is_lost { "overridden" } else { "external" };
            return Err(server.refused(format!("{place} is {why} and nothing provides it")));
        }
        if let Some(set) = subgraph.requires(field) {
            let expected = universe.project(&self.thing, &set);
            let given = self.representation.as_deref();
            if !given.is_some_and(|given| covers(given, &expected)) {
                return Err(server.refused(format!(
                    "{place} requires {}, given {}",
                    Json::Object(expected),
                    given.cloned().map_or(Json::Null, Json::Object)
                )));
            }
        }
        let mut provided = below.unwrap_or_default();
        provided.extend(subgraph.provides(field));
        let taken = universe.contexts.given(&self.thing.ty, name, &arguments);
        let taken = taken.map_err(|message| server.refused(message))?;
        let arguments = universe.arguments(&self.thing.ty, name, &arguments) + &taken;
        let value = universe.value(&self.thing, name, &arguments);
        self.resolved(value, &field.ty, &Rc::new(provided))
    }
}

impl<'s> Object<'s> {
    fn entities(&self, arguments: &Map<String, Json>) -> Result<ResolvedValue<'_>, FieldError> {
        let server = self.server;
        let Some(Json::Array(representations)) = arguments.get("representations") else {
            return Err(server.refused("representations are missing".to_owned()));
        };
        let resolve = |representation: &Json| {
            let Json::Object(representation) = representation else {
                return Err(server.refused(format!("{representation} is no representation")));
            };
            let found = server.entity(representation).map_err(|message| server.refused(message))?;
            Ok(ResolvedValue::nullable_object(found.map(|(presented, thing)| Object {
                server,
                presented,
                thing,
                provided: Rc::new(Vec::new()),
                representation: Some(Rc::new(representation.clone())),
            })))
        };
        let resolved: Vec<_> = representations.iter().map(resolve).collect();
        Ok(ResolvedValue::List(Box::new(resolved.into_iter())))
    }

    /// The sets that keys and the way to here give below a field; nothing when they do not speak of it.
    fn provided_below(&self, name: &str) -> Option<Vec<FieldSet>> {
        let keys = self.server.subgraph.keys(&self.presented);
        let sets = self.provided.iter().chain(keys.iter().map(|(set, _)| set));
        let mut found = None;
        for set in sets {
            self.below(set, name, &mut found);
        }
        found
    }

    fn below(&self, set: &FieldSet, name: &str, found: &mut Option<Vec<FieldSet>>) {
        for item in &set.0 {
            match item {
                SetItem::On { condition, below } => {
                    let meets = condition.is_empty()
                        || *condition == self.presented
                        || self.server.universe.is_a(&self.thing.ty, condition);
                    if meets {
                        self.below(below, name, found);
                    }
                }
                SetItem::Field { name: field, below, .. } if field == name => {
                    found.get_or_insert_default().push(below.clone());
                }
                SetItem::Field { .. } => {}
            }
        }
    }

    fn resolved(
        &self,
        value: Value,
        declared: &Type,
        provided: &Rc<Vec<FieldSet>>,
    ) -> Result<ResolvedValue<'s>, FieldError> {
        Ok(match value {
            Value::Failed(message) => return Err(FieldError { message }),
            Value::Null => ResolvedValue::null(),
            Value::Leaf(json) => ResolvedValue::leaf(leaf(&json)),
            Value::Object(thing) => ResolvedValue::object(Object {
                server: self.server,
                presented: self.server.presented(&thing, declared.inner_named_type()),
                thing,
                provided: Rc::clone(provided),
                representation: None,
            }),
            Value::List(items) => {
                let item = declared.item_type();
                let items: Vec<_> = items
                    .into_iter()
                    .map(|value| match value {
                        Value::Failed(_) => Ok(unfit(item)),
                        value => self.resolved(value, item, provided),
                    })
                    .collect();
                ResolvedValue::List(Box::new(items.into_iter()))
            }
        })
    }
}

/// What is an error of one item and not of the whole list, as an `Err` would be here.
pub(crate) fn unfit<'v>(ty: &Type) -> ResolvedValue<'v> {
    if ty.is_list() { ResolvedValue::leaf(0) } else { ResolvedValue::List(Box::new(std::iter::empty())) }
}

/// JSON as the executor's JSON.
pub(crate) fn leaf(value: &Json) -> apollo_compiler::response::JsonValue {
    serde_json::from_value(value.clone()).expect("JSON is JSON")
}

/// Which fields were taken over, or are not yet: type, field, and who does not have it.
pub(crate) fn overridden(subgraphs: &[Subgraph], nature: Nature) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for subgraph in subgraphs {
        for (ty, fields) in subgraph.composites() {
            for field in fields {
                if let Some((from, label)) = subgraph.overrides(field) {
                    let is_moved = label.is_none_or(|label| nature.is_on(&label));
                    let loser = if is_moved { from } else { subgraph.name.clone() };
                    found.push((subgraph.canonical(ty).to_owned(), field.name.to_string(), loser));
                }
            }
        }
    }
    found
}
