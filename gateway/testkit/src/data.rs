//! JSON as a subgraph's data.
//!
//! An object is a JSON object whose members are its fields; `__typename` says its type where the schema leaves it open.
//! - a member `price(currency:"EUR")` answers the field with these arguments, `price` with any other;
//! - `{"$error": "message"}` is a field that fails;
//! - `{"$from": "size.weight"}` is the object's own value at that path: for a `@requires` field, what came with the
//!   representation;
//! - `{"$entity": {"id": "1"}}` is the stored entity with these values, of the field's type or of `__typename`.
//!
//! Several subgraphs may share one set of data: each answers what its schema has, and never what it needs others to
//! bring (`@requires`).
//!
//! Elsewhere: schema and requests (`subgraph.rs`).

use std::collections::{HashMap, HashSet};

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;
use serde_json::{Map, Value as Json};

/// A subgraph's data.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    /// Roots under `Query` and so on, entities by type name under `entities`.
    pub(crate) data: Json,
    /// By type, the fields that the subgraph knows only from representations.
    pub(crate) required: HashMap<String, HashSet<String>>,
}

impl Store {
    /// The stored entity that agrees with a representation, with what the representation adds.
    fn entity(&self, typename: &str, representation: &Map<String, Json>) -> Option<Map<String, Json>> {
        let stored = self.data.get("entities")?.get(typename)?.as_array()?;
        let is_scalar = |value: &Json| !value.is_object() && !value.is_array();
        let agrees = |entity: &Map<String, Json>| {
            let shared =
                entity.iter().filter(|(name, _)| *name != "__typename" && representation.contains_key(*name));
            let mut scalars = shared.filter(|(_, value)| is_scalar(value)).peekable();
            scalars.peek().is_some() && scalars.all(|(name, value)| representation[name] == *value)
        };
        let entity = stored.iter().filter_map(Json::as_object).find(|entity| agrees(entity))?;
        let mut entity = entity.clone();
        if let Some(required) = self.required.get(typename) {
            entity.retain(|name, _| !required.contains(name));
        }
        entity.entry("__typename").or_insert_with(|| typename.into());
        for (name, value) in representation {
            if !entity.contains_key(name) {
                entity.insert(name.clone(), value.clone());
            }
        }
        Some(entity)
    }
}

/// An object of the data, or a root.
#[derive(Debug)]
pub(crate) struct Object<'s> {
    pub(crate) type_name: String,
    pub(crate) fields: Map<String, Json>,
    pub(crate) store: &'s Store,
}

impl ObjectValue for Object<'_> {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        if info.field_name() == "_entities" {
            return self.entities(info);
        }
        if info.field_name() == "_service" {
            return Ok(ResolvedValue::null());
        }
        let arguments: Vec<_> =
            info.arguments().iter().map(|(name, value)| format!("{}:{value}", name.as_str())).collect();
        let exact = format!("{}({})", info.field_name(), arguments.join(","));
        let value = self.fields.get(&exact).or_else(|| self.fields.get(info.field_name()));
        self.resolve(info.schema(), &info.field_definition().ty, value.unwrap_or(&Json::Null).clone())
    }
}

impl Object<'_> {
    fn entities(&self, info: &ResolveInfo<'_>) -> Result<ResolvedValue<'_>, FieldError> {
        let given = info.arguments().get("representations").map(serde_json::to_value);
        let Some(Ok(Json::Array(representations))) = given else {
            return Err(FieldError { message: "representations are missing".to_owned() });
        };
        let resolve = |representation: Json| {
            let Json::Object(representation) = representation else { return ResolvedValue::null() };
            let typename = representation.get("__typename").and_then(Json::as_str).unwrap_or_default();
            let entity = self.store.entity(typename, &representation);
            ResolvedValue::nullable_object(entity.map(|fields| self.child(typename.to_owned(), fields)))
        };
        let resolved: Vec<_> = representations.into_iter().map(resolve).collect();
        Ok(ResolvedValue::list(resolved))
    }

    fn child(&self, static_type: String, fields: Map<String, Json>) -> Object<'_> {
        let type_name = fields.get("__typename").and_then(Json::as_str).map_or(static_type, str::to_owned);
        Object { type_name, fields, store: self.store }
    }

    fn resolve(&self, schema: &Schema, ty: &Type, value: Json) -> Result<ResolvedValue<'_>, FieldError> {
        let special = value.as_object().filter(|object| object.len() == 1);
        if let Some((name, argument)) = special.and_then(|object| object.iter().next()) {
            match (name.as_str(), argument) {
                ("$error", message) => {
                    return Err(FieldError { message: message.as_str().unwrap_or("error").to_owned() });
                }
                ("$from", Json::String(name)) => {
                    let pointer = format!("/{}", name.replace('.', "/"));
                    let brought = Json::Object(self.fields.clone()).pointer(&pointer).cloned();
                    return self.resolve(schema, ty, brought.unwrap_or_default());
                }
                ("$entity", Json::Object(key)) => {
                    let name = key.get("__typename").and_then(Json::as_str).unwrap_or(ty.inner_named_type());
                    let entity = self.store.entity(name, key);
                    return Ok(ResolvedValue::nullable_object(
                        entity.map(|fields| self.child(name.to_owned(), fields)),
                    ));
                }
                _ => {}
            }
        }
        match value {
            Json::Null => Ok(ResolvedValue::null()),
            Json::Array(items) if ty.is_list() => {
                let items: Vec<_> =
                    items.into_iter().map(|item| self.resolve(schema, ty.item_type(), item)).collect();
                Ok(ResolvedValue::List(Box::new(items.into_iter())))
            }
            Json::Object(fields) if is_composite(schema, ty) => {
                Ok(ResolvedValue::object(self.child(ty.inner_named_type().to_string(), fields)))
            }
            leaf => Ok(ResolvedValue::leaf(to_leaf(&leaf))),
        }
    }
}

fn is_composite(schema: &Schema, ty: &Type) -> bool {
    schema
        .types
        .get(ty.inner_named_type())
        .is_some_and(|found| found.is_object() || found.is_interface() || found.is_union())
}

fn to_leaf(value: &Json) -> JsonValue {
    serde_json::from_value(value.clone()).expect("JSON is JSON")
}
