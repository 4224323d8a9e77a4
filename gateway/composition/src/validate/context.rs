//! `@context` and `@fromContext`: names, and selections that end in one value of the argument's type.
//!
//! Out: `context_arguments` of fields. Contexts set in no type, unnamed, or without a resolvable key are errors.

use apollo_compiler::Name;
use apollo_compiler::ast::{Type, Value};
use indexmap::IndexMap;

use super::facts::visit;
use crate::federation::Fed;
use crate::field_set::{FieldSet, Selection, print};
use crate::ingest::Problems;
use crate::model::{Applied, ContextArgument, FieldDef, InputDef, Kind, SubgraphSchema, TypeDef, find};

/// Context name → types that set it.
type Contexts = IndexMap<String, Vec<Name>>;

pub(super) fn resolve(schema: &mut SubgraphSchema, problems: &mut Problems) {
    refuse_in_definitions(schema, problems);
    let contexts = contexts(schema, problems);
    let mut found: Vec<(Name, Name, Vec<ContextArgument>)> = Vec::new();
    for ty in schema.types.values() {
        for field in ty.fields.values() {
            let arguments: Vec<ContextArgument> = field
                .arguments
                .values()
                .filter_map(|argument| {
                    let applied = find(&argument.directives, Fed::FromContext)?;
                    resolve_argument(schema, &contexts, ty, field, argument, applied, problems)
                })
                .collect();
            if !arguments.is_empty() {
                found.push((ty.name.clone(), field.name.clone(), arguments));
            }
        }
    }
    for (ty, field, arguments) in found {
        for argument in &arguments {
            mark_selected(schema, &contexts, argument);
        }
        if let Some(field) = schema.field_mut(&ty, &field) {
            field.context_arguments = arguments;
        }
    }
}

/// What a context selects is used: it may be `@external` where it is set.
fn mark_selected(schema: &mut SubgraphSchema, contexts: &Contexts, argument: &ContextArgument) {
    let Ok(fields) = FieldSet::parse(&argument.selection) else { return };
    let name = argument.context.rsplit("__").next().unwrap_or_default();
    let mut marks: Vec<(Name, Name)> = Vec::new();
    for setter in contexts.get(name).into_iter().flatten() {
        for object in schema.runtime_types(setter) {
            visit(schema, &object, &fields, &mut |parent, field| marks.push((parent.clone(), field.clone())));
        }
    }
    for (parent, field) in marks {
        if let Some(field) = schema.field_mut(&parent, &field) {
            field.facts.required = true;
        }
    }
}

fn contexts(schema: &SubgraphSchema, problems: &mut Problems) -> Contexts {
    let mut contexts = Contexts::new();
    for ty in schema.types.values() {
        for applied in ty.directives.iter().filter(|applied| applied.is(Fed::Context)) {
            let name = applied.text("name").unwrap_or_default();
            if !valid_name(name) {
                problems.add(
                    "CONTEXT_NAME_INVALID",
                    format!("context name \"{name}\" is invalid: it may only hold letters and digits, a letter first"),
                    applied.place,
                );
                continue;
            }
            contexts.entry(name.to_owned()).or_default().push(ty.name.clone());
        }
    }
    contexts
}

fn valid_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric())
}

fn resolve_argument(
    schema: &SubgraphSchema,
    contexts: &Contexts,
    ty: &TypeDef,
    field: &FieldDef,
    argument: &InputDef,
    applied: &Applied,
    problems: &mut Problems,
) -> Option<ContextArgument> {
    let coordinate = format!("{}.{}({}:)", ty.name, field.name, argument.name);
    let mut complain = |code: &'static str, message: String| {
        problems.add(code, format!("{message}, on argument \"{coordinate}\""), applied.place);
    };
    let text = match applied.argument("field") {
        Some(Value::String(text)) => text.as_str(),
        _ => "",
    };
    let parts = text.trim().strip_prefix('$').map(|rest| {
        let end =
            rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        rest.split_at(end)
    });
    let Some((context, selection)) = parts.filter(|(name, rest)| !name.is_empty() && !rest.trim().is_empty())
    else {
        complain("NO_CONTEXT_IN_SELECTION", format!("@fromContext does not name a context: \"{text}\""));
        return None;
    };
    let Some(setters) = contexts.get(context) else {
        if !valid_name(context) {
            // Where it is set, its name is complained about.
            return None;
        }
        complain("CONTEXT_NOT_SET", format!("context \"{context}\" is used but never set"));
        return None;
    };
    if ty.kind == Kind::Interface || implements_field(schema, ty, field) {
        complain(
            "CONTEXT_NOT_SET",
            "@fromContext cannot be used on a field of an interface or one that implements it".to_owned(),
        );
        return None;
    }
    if argument.default.is_some() {
        complain("CONTEXT_NOT_SET", "@fromContext arguments may not have a default value".to_owned());
        return None;
    }
    if !ty.keys.iter().any(|key| key.resolvable) {
        complain(
            "CONTEXT_NO_RESOLVABLE_KEY",
            format!("object \"{}\" uses a context and so needs a resolvable @key", ty.name),
        );
    }
    for setter in setters {
        if let Err(message) = check_selection(schema, setter, selection, argument) {
            complain("CONTEXT_INVALID_SELECTION", format!("context \"{context}\": {message}"));
            return None;
        }
    }
    Some(ContextArgument {
        context: schema.context_name(context),
        name: argument.name.clone(),
        ty: argument.ty.clone(),
        selection: selection.to_owned(),
    })
}

fn implements_field(schema: &SubgraphSchema, ty: &TypeDef, field: &FieldDef) -> bool {
    ty.interfaces.keys().any(|interface| schema.field(interface, &field.name).is_some())
}

/// One value per runtime type of the setter, of the argument's type.
fn check_selection(
    schema: &SubgraphSchema,
    setter: &Name,
    selection: &str,
    argument: &InputDef,
) -> Result<(), String> {
    let fields = FieldSet::parse(selection)?;
    if schema.types.get(setter).is_some_and(|ty| ty.interface_object) {
        return Err(format!("\"{setter}\" is an interface object, whose runtime type is not known"));
    }
    let Some(ty) = value_type(schema, setter, &fields.selections)? else {
        return Err(format!(
            "the selection \"{}\" selects nothing on \"{setter}\"",
            print(&fields.selections)
        ));
    };
    // Any part of a context may turn out null, so the argument must take null everywhere.
    if all_nullable(&ty) != argument.ty {
        return Err(format!("the selection has type \"{ty}\" but the argument expects \"{}\"", argument.ty));
    }
    Ok(())
}

fn all_nullable(ty: &Type) -> Type {
    match ty {
        Type::Named(name) | Type::NonNullNamed(name) => Type::Named(name.clone()),
        Type::List(inner) | Type::NonNullList(inner) => Type::List(Box::new(all_nullable(inner))),
    }
}

fn value_type(
    schema: &SubgraphSchema,
    parent: &Name,
    selections: &[Selection],
) -> Result<Option<Type>, String> {
    let mut result: Option<Type> = None;
    for selection in selections {
        let found = match selection {
            Selection::Field(field) => {
                if field.aliased || !field.directives.is_empty() {
                    return Err("aliases and directives are not allowed in the selection".to_owned());
                }
                if field.name == "__typename" {
                    result = Some(Type::Named(apollo_compiler::name!("String")));
                    continue;
                }
                let Some(definition) = schema.field(parent, &field.name) else {
                    return Err(format!("cannot query field \"{}\" on type \"{parent}\"", field.name));
                };
                if field.selections.is_empty() {
                    if schema.kind_of(definition.ty.inner_named_type()).is_some_and(Kind::is_composite) {
                        return Err(format!("field \"{parent}.{}\" is not a leaf", field.name));
                    }
                    Some(definition.ty.clone())
                } else {
                    let inner = value_type(schema, definition.ty.inner_named_type(), &field.selections)?;
                    inner.map(|ty| wrap_in_lists(&definition.ty, ty))
                }
            }
            Selection::Fragment { condition, selections, directives } => {
                if !directives.is_empty() {
                    return Err("directives are not allowed in the selection".to_owned());
                }
                let target = condition.as_ref().unwrap_or(parent);
                let possible = schema.runtime_types(parent);
                let applies = schema.runtime_types(target).iter().any(|name| possible.contains(name));
                if applies { value_type(schema, target, selections)? } else { None }
            }
        };
        match (&result, found) {
            (_, None) => {}
            (None, found) => result = found,
            (Some(_), Some(_)) if matches!(selection, Selection::Field(_)) => {
                return Err("the selection must resolve to a single field".to_owned());
            }
            (Some(known), Some(ty)) if *known.inner_named_type() != *ty.inner_named_type() => {
                return Err("the selection must have one type for all runtime types".to_owned());
            }
            (Some(_), Some(_)) => {}
        }
    }
    Ok(result)
}

/// A value selected below lists comes in as many lists.
fn wrap_in_lists(outer: &Type, inner: Type) -> Type {
    match outer {
        Type::Named(_) | Type::NonNullNamed(_) => inner,
        Type::List(item) | Type::NonNullList(item) => Type::List(Box::new(wrap_in_lists(item, inner))),
    }
}

/// Directive definitions have no object above them that could set a context.
fn refuse_in_definitions(schema: &SubgraphSchema, problems: &mut Problems) {
    let Some(local) = schema.local_names.get(&Fed::FromContext) else { return };
    for (definition, place) in schema.definitions.values() {
        for argument in definition.arguments.iter().filter(|argument| argument.directives.has(local)) {
            let message = format!(
                "@fromContext cannot be used on an argument of a directive definition: \"@{}({}:)\"",
                definition.name, argument.name
            );
            problems.add("CONTEXT_NOT_SET", message, *place);
        }
    }
}
