//! `@cost` and `@listSize`: on concrete fields, naming arguments and fields that exist.
//!
//! # Source
//! The IBM GraphQL Cost Directives specification, as far as Apollo's federation 2.9 takes it over.

use apollo_compiler::ast::Value;

use crate::federation::Fed;
use crate::ingest::Problems;
use crate::model::{Applied, FieldDef, Kind, SubgraphSchema, TypeDef, find};

pub(super) fn check(schema: &SubgraphSchema, problems: &mut Problems) {
    for ty in schema.types.values() {
        for field in ty.fields.values() {
            if ty.kind == Kind::Interface
                && let Some(applied) = find(&field.directives, Fed::Cost)
            {
                problems.add(
                    "COST_APPLIED_TO_INTERFACE_FIELD",
                    format!("@cost cannot be applied to interface field \"{}.{}\"", ty.name, field.name),
                    applied.place,
                );
            }
            if let Some(applied) = find(&field.directives, Fed::ListSize) {
                check_list_size(schema, ty, field, applied, problems);
            }
        }
    }
}

fn names<'a>(applied: &'a Applied, argument: &str) -> Vec<&'a str> {
    match applied.argument(argument) {
        Some(Value::List(items)) => items.iter().filter_map(|item| item.as_str()).collect(),
        Some(Value::String(name)) => vec![name],
        _ => Vec::new(),
    }
}

fn check_list_size(
    schema: &SubgraphSchema,
    ty: &TypeDef,
    field: &FieldDef,
    applied: &Applied,
    problems: &mut Problems,
) {
    let coordinate = format!("{}.{}", ty.name, field.name);
    let sized = names(applied, "sizedFields");
    let mut complain = |code: &'static str, message: String| problems.add(code, message, applied.place);
    if sized.is_empty() && !field.ty.is_list() {
        complain(
            "LIST_SIZE_APPLIED_TO_NON_LIST",
            format!("\"{coordinate}\" has @listSize but is not a list"),
        );
    }
    if let Some(Value::Int(size)) = applied.argument("assumedSize")
        && size.as_str().starts_with('-')
    {
        complain(
            "LIST_SIZE_INVALID_ASSUMED_SIZE",
            format!("assumed size of \"{coordinate}\" cannot be negative"),
        );
    }
    for name in names(applied, "slicingArguments") {
        let good = field
            .arguments
            .get(name)
            .is_some_and(|argument| argument.ty.inner_named_type() == "Int" && !argument.ty.is_list());
        if !good {
            complain(
                "LIST_SIZE_INVALID_SLICING_ARGUMENT",
                format!(
                    "slicing argument \"{name}\" of \"{coordinate}\" is not an argument of type Int or Int!"
                ),
            );
        }
    }
    let parent = field.ty.inner_named_type();
    for name in sized {
        match schema.field(parent, name) {
            None => complain(
                "LIST_SIZE_INVALID_SIZED_FIELD",
                format!("sized field \"{name}\" of \"{coordinate}\" is not a field of \"{parent}\""),
            ),
            Some(inner) if !inner.ty.is_list() => {
                complain(
                    "LIST_SIZE_APPLIED_TO_NON_LIST",
                    format!("sized field \"{parent}.{name}\" is not a list"),
                );
            }
            Some(_) => {}
        }
    }
}
