//! Random input values: as literals, as variables, and as variables inside literals.
//!
//! Elsewhere: where they are given (`operations.rs`).

use apollo_compiler::ast::{InputValueDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, Schema};
use serde_json::{Map, Value as Json, json};

use super::rng::Rng;

/// A variable of the operation at hand.
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) ty: String,
    /// As a literal.
    pub(crate) default: Option<String>,
    /// Nothing when the client does not give it.
    pub(crate) value: Option<Json>,
}

pub(crate) struct Inputs<'s> {
    schema: &'s Schema,
    pub(crate) declared: Vec<Declared>,
    has_variables: bool,
}

impl<'s> Inputs<'s> {
    pub(crate) fn new(schema: &'s Schema, has_variables: bool) -> Self {
        Self { schema, declared: Vec::new(), has_variables }
    }

    /// What stands behind `if:` so that it is `value`.
    pub(crate) fn condition(&mut self, rng: &mut Rng, value: bool) -> String {
        if rng.chance(20) {
            return value.to_string();
        }
        let known = self.declared.iter().find(|found| {
            found.ty == "Boolean!" && found.default.is_none() && found.value == Some(json!(value))
        });
        if let Some(known) = known
            && rng.chance(70)
        {
            return format!("${}", known.name);
        }
        let name = format!("c{}", self.declared.len());
        let by_default = rng.chance(20);
        self.declared.push(Declared {
            name: name.clone(),
            ty: "Boolean!".to_owned(),
            default: by_default.then(|| value.to_string()),
            value: (!by_default).then(|| json!(value)),
        });
        format!("${name}")
    }

    /// A field's arguments in parentheses, or nothing.
    pub(crate) fn arguments(&mut self, rng: &mut Rng, definitions: &[Node<InputValueDefinition>]) -> String {
        let mut given = Vec::new();
        for definition in definitions {
            let is_required = definition.ty.is_non_null() && definition.default_value.is_none();
            if is_required || rng.chance(60) {
                let value = self.value(rng, &definition.ty, 3);
                given.push(format!(
                    "{}: {}",
                    definition.name,
                    self.written(rng, &definition.ty, &value, true)
                ));
            }
        }
        if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) }
    }

    fn value(&self, rng: &mut Rng, ty: &Type, depth: usize) -> Json {
        if !ty.is_non_null() && rng.chance(12) {
            return Json::Null;
        }
        match ty {
            Type::List(item) | Type::NonNullList(item) => {
                let length = if depth == 0 { 0 } else { rng.below(4) };
                (0..length).map(|_| self.value(rng, item, depth.saturating_sub(1))).collect()
            }
            Type::Named(name) | Type::NonNullNamed(name) => self.named(rng, name, depth),
        }
    }

    fn named(&self, rng: &mut Rng, name: &str, depth: usize) -> Json {
        match name {
            "Int" => json!(*rng.pick(&[0, 1, -1, 2, 7, 2_147_483_647])),
            "Float" => json!(*rng.pick(&[0.5, 1.25, -2.0, 1e10])),
            "Boolean" => json!(rng.chance(50)),
            "ID" => json!(*rng.pick(&["1", "2", "x", "a b"])),
            "String" => json!(*rng.pick(&["", "x", "USD", "q\"uo\\te", "\u{e9}\n"])),
            _ => match self.schema.types.get(name) {
                Some(ExtendedType::Enum(found)) => {
                    let values: Vec<_> = found.values.keys().collect();
                    json!(rng.pick(&values).as_str())
                }
                Some(ExtendedType::InputObject(found)) => {
                    let one_of = found.directives.has("oneOf");
                    let fields: Vec<_> = found.fields.values().collect();
                    let mut out = Map::new();
                    if one_of {
                        let field = rng.pick(&fields);
                        let ty = field.ty.as_ref().clone().non_null();
                        out.insert(field.name.to_string(), self.value(rng, &ty, depth.saturating_sub(1)));
                        return Json::Object(out);
                    }
                    for field in fields {
                        let required = field.ty.is_non_null() && field.default_value.is_none();
                        if required || (depth > 0 && rng.chance(50)) {
                            let value = self.value(rng, &field.ty, depth.saturating_sub(1));
                            out.insert(field.name.to_string(), value);
                        }
                    }
                    Json::Object(out)
                }
                _ => match rng.below(4) {
                    0 => json!({"k": [1, "two", null]}),
                    1 => json!(3),
                    _ => json!("scalar"),
                },
            },
        }
    }

    /// A value as a literal, or a variable in its place, or variables within it.
    fn written(&mut self, rng: &mut Rng, ty: &Type, value: &Json, may_vary: bool) -> String {
        if may_vary && self.has_variables && rng.chance(40) {
            return self.variable(rng, ty, value);
        }
        match (ty, value) {
            (_, Json::Null) => "null".to_owned(),
            (Type::List(item) | Type::NonNullList(item), Json::Array(items)) => {
                let items: Vec<_> = items.iter().map(|one| self.written(rng, item, one, may_vary)).collect();
                format!("[{}]", items.join(", "))
            }
            (Type::Named(name) | Type::NonNullNamed(name), value) => {
                match (self.schema.types.get(name.as_str()), value) {
                    (Some(ExtendedType::Enum(_)), Json::String(text)) => text.clone(),
                    (Some(ExtendedType::InputObject(found)), Json::Object(fields)) => {
                        let may_vary = may_vary && !found.directives.has("oneOf");
                        let written: Vec<_> = fields
                            .iter()
                            .map(|(name, value)| {
                                let ty = &found.fields[name.as_str()].ty;
                                format!("{name}: {}", self.written(rng, ty, value, may_vary))
                            })
                            .collect();
                        format!("{{{}}}", written.join(", "))
                    }
                    (_, value) => literal(value),
                }
            }
            (_, value) => literal(value),
        }
    }

    fn variable(&mut self, rng: &mut Rng, ty: &Type, value: &Json) -> String {
        let same = self
            .declared
            .iter()
            .find(|found| found.ty == ty.to_string() && found.value.as_ref() == Some(value));
        if let Some(same) = same {
            return format!("${}", same.name);
        }
        let name = format!("v{}", self.declared.len());
        let has_default = !value.is_null() && rng.chance(15);
        let default = has_default.then(|| self.written(rng, ty, value, false));
        let is_left_out = default.is_some() && rng.chance(50) || (value.is_null() && rng.chance(50));
        let declared = if !value.is_null() && rng.chance(25) { ty.clone().non_null() } else { ty.clone() };
        self.declared.push(Declared {
            name: name.clone(),
            ty: declared.to_string(),
            default,
            value: (!is_left_out).then(|| value.clone()),
        });
        format!("${name}")
    }
}

/// JSON as a GraphQL literal, for scalars.
fn literal(value: &Json) -> String {
    match value {
        Json::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{name}: {}", literal(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
