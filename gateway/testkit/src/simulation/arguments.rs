//! Arguments as part of a value's place: the same value for the same arguments, whichever server coerced them.
//!
//! Elsewhere: the values (`universe.rs`), random arguments (`inputs.rs`).

use std::fmt::Write as _;

use apollo_compiler::Name;
use apollo_compiler::ast::Type;
use serde_json::{Map, Value as Json, json};

use super::universe::Universe;

impl Universe {
    /// Arguments as part of a value's place: those that clients can give, in the schema's order, with defaults.
    pub(crate) fn arguments(&self, ty: &str, field: &str, given: &Map<String, Json>) -> String {
        let visible = self.api.type_field(ty, field).ok().map(|found| &found.node);
        let all = self.supergraph.type_field(ty, field).ok().map(|found| &found.node);
        let Some(definition) = visible.or(all) else { return String::new() };
        let mut out = String::new();
        for argument in &definition.arguments {
            let default = argument.default_value.as_ref().map(|value| super::federation::literal(value));
            if let Some(value) = given.get(argument.name.as_str()).cloned().or(default) {
                let value = self.canonical(&argument.ty, &value);
                write!(out, "({}:{value})", argument.name).expect("writing to a string never fails");
            }
        }
        out
    }

    /// An input value in one form, whichever server coerced it.
    fn canonical(&self, ty: &Type, value: &Json) -> Json {
        match (ty, value) {
            (_, Json::Null) => Json::Null,
            (Type::List(item) | Type::NonNullList(item), Json::Array(items)) => {
                items.iter().map(|one| self.canonical(item, one)).collect()
            }
            (Type::List(item) | Type::NonNullList(item), one) => json!([self.canonical(item, one)]),
            (Type::Named(base) | Type::NonNullNamed(base), value) => self.canonical_named(base, value),
        }
    }

    fn canonical_named(&self, base: &Name, value: &Json) -> Json {
        let input = self.api.get_input_object(base).or_else(|| self.supergraph.get_input_object(base));
        match (base.as_str(), value) {
            ("ID", Json::Number(number)) => number.to_string().into(),
            ("Float", Json::Number(number)) => number.as_f64().into(),
            (_, Json::Object(fields)) if input.is_some() => {
                let known = input.expect("just seen").fields.values();
                let given = known.filter_map(|field| {
                    let default = field.default_value.as_ref().map(|value| super::federation::literal(value));
                    let value = fields.get(field.name.as_str()).cloned().or(default)?;
                    Some((field.name.to_string(), self.canonical(&field.ty, &value)))
                });
                Json::Object(given.collect())
            }
            (_, other) => other.clone(),
        }
    }
}
