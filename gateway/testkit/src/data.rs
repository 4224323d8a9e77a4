//! JSON as a subgraph's data.
//!
//! An object is a JSON object whose members are its fields; `__typename` says its type where the schema leaves it open.
//! - a member `price(currency:"EUR")` answers the field with these arguments, `price` with any other;
//! - `{"$error": "message"}` is a field that fails;
//! - `{"$from": "weight"}` is the value that the representation brought under that name (`@requires`);
//! - `{"$entity": {"id": "1"}}` is the stored entity of the field's type with these values.
//!
//! Elsewhere: schema and requests (`subgraph.rs`).

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;
use serde_json::{Map, Value as Json};

/// A subgraph's data: roots under `Query` and so on, entities by type name under `entities`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store(pub(crate) Json);

impl Store {
    /// The stored entity that agrees with a representation, with what the representation adds.
    fn entity(&self, typename: &str, representation: &Map<String, Json>) -> Option<Map<String, Json>> {
        let stored = self.0.get("entities")?.get(typename)?.as_array()?;
        let agrees = |entity: &Map<String, Json>| {
            let mut shared = entity.iter().filter(|(name, _)| representation.contains_key(*name)).peekable();
            shared.peek().is_some() && shared.all(|(name, value)| representation[name] == *value)
        };
        let entity = stored.iter().filter_map(Json::as_object).find(|entity| agrees(entity))?;
        let mut entity = entity.clone();
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
        let given = info.arguments().get("representations").map(|list| serde_json::to_value(list));
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
                    let brought = self.fields.get(name).cloned().unwrap_or_default();
                    return self.resolve(schema, ty, brought);
                }
                ("$entity", Json::Object(key)) => {
                    let name = ty.inner_named_type();
                    let entity = self.store.entity(name, key);
                    return Ok(ResolvedValue::nullable_object(
                        entity.map(|fields| self.child(name.to_string(), fields)),
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
