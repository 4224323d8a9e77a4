//! Coerces the values that a client gives for an operation's variables.
//!
//! In: the variables' JSON text and their definitions. Out: one JSON text for each variable that has a value.
//! Always: custom scalars, strings and numbers keep the client's bytes; messages never repeat a value, since it may be
//! a password; nesting, and the number of errors, are bounded.
//! Elsewhere: whether literals in the document are valid (apollo-compiler), sending the values (`executor`).
//!
//! # Source
//! GraphQL specification, section 6.1.2 "Coercing Variable Values", section 3.5–3.12 "Input Coercion".

use std::borrow::Cow;
use std::fmt::Write as _;

use apollo_compiler::ast::{InputValueDefinition, Type, Value, VariableDefinition};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::{EnumType, ExtendedType, InputObjectType};
use apollo_compiler::{Node, Schema};
use indexmap::IndexMap;
use serde_json::value::RawValue;

/// How deep a variable's value may nest.
const DEPTH_MAX: usize = 64;

/// How many errors one request gets.
const ERRORS_MAX: usize = 20;

/// A coerced value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoercedVariable {
    /// Without `$`.
    pub name: Box<str>,
    /// Complete JSON.
    pub json: Box<str>,
}

/// A value that does not fit its variable's type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct VariableError {
    /// Which variable, where in its value, and what is expected there.
    pub message: String,
    /// Where the document defines the variable.
    pub location: Option<SourceSpan>,
}

/// Coerces `json`, the text of a JSON object, to the types of `definitions`. Members without a definition are ignored; a
/// variable without value and default is absent from the result, which is not the same as `null`.
///
/// # Errors
/// All values that do not fit, up to a bound.
pub fn coerce_variables(
    schema: &Schema,
    definitions: &[Node<VariableDefinition>],
    json: &str,
) -> Result<Vec<CoercedVariable>, Vec<VariableError>> {
    if definitions.is_empty() {
        return Ok(Vec::new());
    }
    let Ok(values) = serde_json::from_str::<IndexMap<Cow<'_, str>, &RawValue>>(json) else {
        let message = "variables must be a JSON object".to_owned();
        return Err(vec![VariableError { message, location: None }]);
    };
    let mut coerced = Vec::with_capacity(definitions.len());
    let mut errors = Vec::new();
    for definition in definitions {
        let path = format!("${}", definition.name);
        let mut coercion = Coercion { schema, out: String::new(), path, defaults: 0, fills_defaults: true };
        let given = values.get(definition.name.as_str()).map(|raw| raw.get());
        match coercion.variable(definition, given) {
            Ok(true) => coerced
                .push(CoercedVariable { name: definition.name.as_str().into(), json: coercion.out.into() }),
            Ok(false) => {}
            Err(message) => errors.push(VariableError { message, location: definition.location() }),
        }
        if errors.len() == ERRORS_MAX {
            break;
        }
    }
    if errors.is_empty() { Ok(coerced) } else { Err(errors) }
}

/// The JSON of a literal without variables that is valid for its type. Members of input objects that are not given stay
/// away: whoever takes the value knows the defaults.
pub(crate) fn literal_json(schema: &Schema, ty: &Type, value: &Value) -> String {
    let mut coercion =
        Coercion { schema, out: String::new(), path: String::new(), defaults: 0, fills_defaults: false };
    coercion.literal(ty, value);
    coercion.out
}

struct Coercion<'a> {
    schema: &'a Schema,
    out: String,
    /// Where in the value: `$input.lines[0].quantity`.
    path: String,
    /// How many default values surround the one being written: an input type's defaults may lead back to itself.
    defaults: usize,
    /// Whether members of input objects that are not given get their default.
    fills_defaults: bool,
}

impl Coercion<'_> {
    /// Whether the variable has a value, which is then in `out`.
    fn variable(&mut self, definition: &VariableDefinition, given: Option<&str>) -> Result<bool, String> {
        match (given, &definition.default_value) {
            (Some(json), _) => self.value(&definition.ty, json, DEPTH_MAX).map(|()| true),
            (None, Some(default)) => {
                self.literal(&definition.ty, default);
                Ok(true)
            }
            (None, None) if definition.ty.is_non_null() => {
                Err(format!("{} of required type {} was not given", self.path, definition.ty))
            }
            (None, None) => Ok(false),
        }
    }

    fn misfit(&self, expected: &str, json: &str) -> String {
        format!("{}: expected {expected}, found {}", self.path, kind_of(json))
    }

    fn value(&mut self, ty: &Type, json: &str, depth: usize) -> Result<(), String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(format!("{} nests too deeply", self.path));
        };
        if json == "null" {
            if ty.is_non_null() {
                return Err(self.misfit(&ty.to_string(), json));
            }
            self.out.push_str("null");
            return Ok(());
        }
        match ty {
            Type::List(item) | Type::NonNullList(item) => self.list(item, json, depth),
            Type::Named(name) | Type::NonNullNamed(name) => self.named(name.as_str(), json, depth),
        }
    }

    fn list(&mut self, item: &Type, json: &str, depth: usize) -> Result<(), String> {
        self.out.push('[');
        if json.starts_with('[') {
            let items: Vec<&RawValue> = parse(json)?;
            for (index, value) in items.into_iter().enumerate() {
                if index > 0 {
                    self.out.push(',');
                }
                let path = self.path.len();
                write!(self.path, "[{index}]").expect("writing to a string never fails");
                self.value(item, value.get(), depth)?;
                self.path.truncate(path);
            }
        } else {
            // A single value stands for a list of one.
            self.value(item, json, depth)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn named(&mut self, name: &str, json: &str, depth: usize) -> Result<(), String> {
        let schema = self.schema;
        match schema.types.get(name) {
            Some(ExtendedType::InputObject(object)) => self.object(object, json, depth),
            Some(ExtendedType::Enum(definition)) => self.enumeration(definition, json),
            _ => self.scalar(name, json),
        }
    }

    fn scalar(&mut self, name: &str, json: &str) -> Result<(), String> {
        let fits = match name {
            "Int" => return self.int(json),
            "ID" if is_integer(json) => {
                self.out.extend(["\"", json, "\""]);
                return Ok(());
            }
            "ID" | "String" => is_string(json),
            "Float" => is_number(json) && json.parse::<f64>().is_ok_and(f64::is_finite),
            "Boolean" => matches!(json, "true" | "false"),
            _ => true,
        };
        if !fits {
            return Err(self.misfit(name, json));
        }
        self.out.push_str(json);
        Ok(())
    }

    fn int(&mut self, json: &str) -> Result<(), String> {
        if is_integer(json) {
            let fits = json.parse::<i32>().is_ok();
            if fits {
                self.out.push_str(json);
                return Ok(());
            }
            return Err(format!("{}: Int is a whole number of at most 32 bits", self.path));
        }
        let whole = json.parse::<f64>().ok().filter(|number| {
            is_number(json)
                && number.fract() == 0.0
                && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(number)
        });
        let number = whole.ok_or_else(|| self.misfit("Int", json))?;
        write!(self.out, "{number:.0}").expect("writing to a string never fails");
        Ok(())
    }

    fn enumeration(&mut self, definition: &EnumType, json: &str) -> Result<(), String> {
        let name = if json.starts_with('"') { parse::<Cow<'_, str>>(json).ok() } else { None };
        let is_value = name.is_some_and(|name| definition.values.contains_key(&*name));
        if !is_value {
            return Err(self.misfit(&format!("a value of the enum {}", definition.name), json));
        }
        self.out.push_str(json);
        Ok(())
    }

    fn object(&mut self, object: &InputObjectType, json: &str, depth: usize) -> Result<(), String> {
        if !json.starts_with('{') {
            return Err(self.misfit(&object.name, json));
        }
        let members: IndexMap<Cow<'_, str>, &RawValue> = parse(json)?;
        if let Some(unknown) = members.keys().find(|name| !object.fields.contains_key(&***name)) {
            let shown: String = unknown.chars().take(60).collect();
            return Err(format!("{}: {} has no field {shown:?}", self.path, object.name));
        }
        if object.directives.has("oneOf") {
            let is_one = members.len() == 1 && members.values().all(|value| value.get() != "null");
            if !is_one {
                return Err(format!("{}: {} takes exactly one field, and not null", self.path, object.name));
            }
        }
        self.out.push('{');
        let mut is_first = true;
        for (name, field) in &object.fields {
            let given = members.get(name.as_str()).map(|value| value.get());
            if given.is_none() && field.default_value.is_none() && !field.ty.is_non_null() {
                continue;
            }
            self.member(name, &mut is_first);
            let path = self.path.len();
            write!(self.path, ".{name}").expect("writing to a string never fails");
            self.field(field, given, depth)?;
            self.path.truncate(path);
        }
        self.out.push('}');
        Ok(())
    }

    fn field(
        &mut self,
        field: &InputValueDefinition,
        given: Option<&str>,
        depth: usize,
    ) -> Result<(), String> {
        match (given, &field.default_value) {
            (Some(json), _) => self.value(&field.ty, json, depth),
            (None, Some(default)) => {
                self.literal(&field.ty, default);
                Ok(())
            }
            (None, None) => Err(format!("{} of required type {} was not given", self.path, field.ty)),
        }
    }

    fn member(&mut self, name: &str, is_first: &mut bool) {
        if !*is_first {
            self.out.push(',');
        }
        *is_first = false;
        self.out.extend(["\"", name, "\":"]);
    }

    /// Writes a default value; validation has proved that it fits.
    fn literal(&mut self, ty: &Type, value: &Value) {
        match (ty, value) {
            (_, Value::Null | Value::Variable(_)) => self.out.push_str("null"),
            (Type::List(item) | Type::NonNullList(item), Value::List(items)) => {
                self.literals(items.iter().map(|value| (&**item, &**value)));
            }
            (Type::List(item) | Type::NonNullList(item), value) => {
                self.literals(std::iter::once((&**item, value)));
            }
            (Type::Named(name) | Type::NonNullNamed(name), value) => {
                let schema = self.schema;
                match (schema.types.get(name.as_str()), value) {
                    (Some(ExtendedType::InputObject(object)), Value::Object(members)) => {
                        self.object_literal(object, members);
                    }
                    (_, Value::Int(number)) if name == "ID" => {
                        self.out.extend(["\"", number.as_str(), "\""]);
                    }
                    (_, value) => self.untyped_literal(value),
                }
            }
        }
    }

    fn literals<'v>(&mut self, items: impl Iterator<Item = (&'v Type, &'v Value)>) {
        self.out.push('[');
        for (index, (ty, value)) in items.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.literal(ty, value);
        }
        self.out.push(']');
    }

    fn object_literal(&mut self, object: &InputObjectType, members: &[(apollo_compiler::Name, Node<Value>)]) {
        self.defaults += 1;
        self.out.push('{');
        let mut is_first = true;
        for (name, field) in &object.fields {
            let given = members.iter().find(|(known, _)| known == name).map(|(_, value)| value);
            let fills = self.fills_defaults && self.defaults < DEPTH_MAX;
            let default = field.default_value.as_ref().filter(|_| fills);
            if let Some(value) = given.or(default) {
                self.member(name, &mut is_first);
                self.literal(&field.ty, value);
            }
        }
        self.out.push('}');
        self.defaults -= 1;
    }

    /// A literal of a custom scalar, or one whose JSON is the same for every type.
    fn untyped_literal(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Variable(_) => self.out.push_str("null"),
            Value::Boolean(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(number) => self.out.push_str(number.as_str()),
            Value::Float(number) => self.out.push_str(number.as_str()),
            Value::Enum(name) => self.out.extend(["\"", name.as_str(), "\""]),
            Value::String(text) => {
                self.out.push_str(&serde_json::to_string(text).expect("a string always serialises"));
            }
            Value::List(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.untyped_literal(item);
                }
                self.out.push(']');
            }
            Value::Object(members) => {
                self.out.push('{');
                let mut is_first = true;
                for (name, value) in members {
                    self.member(name, &mut is_first);
                    self.untyped_literal(value);
                }
                self.out.push('}');
            }
        }
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("the variables are not valid JSON: {error}"))
}

fn kind_of(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "a Boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn is_number(json: &str) -> bool {
    matches!(json.as_bytes().first(), Some(b'-' | b'0'..=b'9'))
}

fn is_integer(json: &str) -> bool {
    is_number(json) && !json.contains(['.', 'e', 'E'])
}

/// A string whose escapes stand for Unicode text: a subgraph could not read a lone surrogate.
fn is_string(json: &str) -> bool {
    json.starts_with('"') && (!json.contains("\\u") || serde_json::from_str::<String>(json).is_ok())
}
