//! Values for the variables that an operation requires, so that it can be costed without a client.
//!
//! In: an operation and the schema that clients see. Out: JSON of the right types.
//! Always: only what is required is given: what has a default, or may be null, is left to the schema.
//!
//! # Source
//! GraphQL specification, section 6.1.2 "Coercing Variable Values".

use apollo_compiler::Schema;
use apollo_compiler::ast::{OperationDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use serde_json::{Map, Value, json};

/// Levels of input objects within each other: required fields cannot form a circle in a valid schema.
const LEVELS_MAX: usize = 32;
/// Mostly the length of a list that is asked for: as long as one is expected to be of which nothing is said.
const INT: u64 = 10;

/// Values for all variables that an operation requires.
pub(super) fn of(operation: &OperationDefinition, schema: &Schema) -> Map<String, Value> {
    let required = operation
        .variables
        .iter()
        .filter(|variable| variable.ty.is_non_null() && variable.default_value.is_none());
    required.map(|variable| (variable.name.to_string(), value(&variable.ty, schema, LEVELS_MAX))).collect()
}

fn value(ty: &Type, schema: &Schema, levels: usize) -> Value {
    match ty {
        Type::List(item) | Type::NonNullList(item) => json!([value(item, schema, levels)]),
        Type::Named(name) | Type::NonNullNamed(name) => match name.as_str() {
            "Int" => json!(INT),
            "Float" => json!(1.0),
            "Boolean" => json!(true),
            "ID" => json!("1"),
            "String" => json!("text"),
            _ => schema.types.get(name).map_or(Value::Null, |ty| of_type(ty, schema, levels)),
        },
    }
}

fn of_type(ty: &ExtendedType, schema: &Schema, levels: usize) -> Value {
    match ty {
        ExtendedType::Enum(ty) => ty.values.keys().next().map_or(Value::Null, |name| json!(name.as_str())),
        ExtendedType::InputObject(_) if levels == 0 => Value::Null,
        ExtendedType::InputObject(ty) => {
            let one_of = ty.directives.has("oneOf");
            let wanted = ty.fields.values().enumerate().filter(|(index, field)| {
                if one_of { *index == 0 } else { field.ty.is_non_null() && field.default_value.is_none() }
            });
            let fields =
                wanted.map(|(_, field)| (field.name.to_string(), value(&field.ty, schema, levels - 1)));
            Value::Object(fields.collect())
        }
        // Of a custom scalar only its subgraph knows what is right.
        _ => json!("1"),
    }
}

#[cfg(test)]
mod tests {
    use apollo_compiler::ast::Document;

    use super::*;

    #[test]
    fn what_is_required_gets_a_value_of_its_type_and_nothing_else_does() {
        let sdl = "type Query { a: Int } enum E { ONE TWO } scalar Money
            input I { e: E! list: [[J!]!]! other: Int default: Int! = 3 } input J { m: Money! on: Boolean! }
            input O @oneOf { a: Int b: Int }";
        let schema = Schema::parse(sdl, "schema.graphql").unwrap();
        let query =
            "query($i: I!, $id: ID!, $first: Int!, $f: Float!, $o: O!, $s: String, $d: Int! = 1) { a }";
        let document = Document::parse(query, "query.graphql").unwrap();
        let operation = document.definitions[0].as_operation_definition().unwrap();
        assert_eq!(
            Value::Object(of(operation, &schema)),
            json!({
                "i": { "e": "ONE", "list": [[{ "m": "1", "on": true }]] },
                "id": "1", "first": 10, "f": 1.0, "o": { "a": 10 },
            })
        );
    }
}
