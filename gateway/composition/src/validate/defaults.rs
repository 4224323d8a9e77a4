//! Default values must be values of their type; the general validation of the schema does not look at them.
//!
//! # Source
//! GraphQL specification, section 3.6.1 "Field Arguments" and "Input Coercion" of each type. A string is taken for an enum
//! value, as several servers print it.

use apollo_compiler::ast::{Type, Value};

use crate::ingest::Problems;
use crate::model::{InputDef, Kind, Place, SubgraphSchema};

pub(super) fn check(schema: &SubgraphSchema, problems: &mut Problems) {
    for ty in schema.types.values() {
        for field in ty.fields.values() {
            for argument in field.arguments.values() {
                check_input(
                    schema,
                    &format!("{}.{}({}:)", ty.name, field.name, argument.name),
                    argument,
                    problems,
                );
            }
        }
        for input in ty.inputs.values() {
            check_input(schema, &format!("{}.{}", ty.name, input.name), input, problems);
        }
    }
    for (definition, place) in schema.definitions.values() {
        for argument in &definition.arguments {
            if let Some(default) = &argument.default_value {
                let coordinate = format!("@{}({}:)", definition.name, argument.name);
                check_default(schema, &coordinate, (&argument.ty, default), *place, problems);
            }
        }
    }
}

fn check_input(schema: &SubgraphSchema, coordinate: &str, input: &InputDef, problems: &mut Problems) {
    if let Some(default) = &input.default {
        check_default(schema, coordinate, (&input.ty, default), input.place, problems);
    }
}

fn check_default(
    schema: &SubgraphSchema,
    coordinate: &str,
    (ty, default): (&Type, &Value),
    place: Place,
    problems: &mut Problems,
) {
    if !fits(schema, ty, default) {
        problems.add(
            "INVALID_GRAPHQL",
            format!(
                "invalid default value (got: {}) provided for \"{coordinate}\" of type {ty}",
                default.serialize().no_indent()
            ),
            place,
        );
    }
}

fn fits(schema: &SubgraphSchema, ty: &Type, value: &Value) -> bool {
    if matches!(value, Value::Null) {
        return !ty.is_non_null();
    }
    if ty.is_list() {
        return match value {
            Value::List(items) => items.iter().all(|item| fits(schema, ty.item_type(), item)),
            // A single value stands for a list of one.
            single => fits(schema, ty.item_type(), single),
        };
    }
    match ty.inner_named_type().as_str() {
        "Int" => matches!(value, Value::Int(number) if number.try_to_i32().is_ok()),
        "Float" => matches!(value, Value::Int(_) | Value::Float(_)),
        "String" => matches!(value, Value::String(_)),
        "Boolean" => matches!(value, Value::Boolean(_)),
        "ID" => matches!(value, Value::String(_) | Value::Int(_)),
        name => match schema.types.get(name) {
            Some(ty) if ty.kind == Kind::Enum => match value {
                Value::Enum(name) => ty.values.contains_key(name),
                Value::String(name) => ty.values.contains_key(name.as_str()),
                _ => false,
            },
            Some(ty) if ty.kind == Kind::Input => match value {
                Value::Object(entries) => {
                    entries.iter().all(|(name, entry)| {
                        ty.inputs.get(name).is_some_and(|input| fits(schema, &input.ty, entry))
                    }) && ty.inputs.values().all(|input| {
                        !input.ty.is_non_null()
                            || input.default.is_some()
                            || entries.iter().any(|(name, _)| *name == input.name)
                    })
                }
                _ => false,
            },
            // Custom scalars take anything.
            _ => true,
        },
    }
}
