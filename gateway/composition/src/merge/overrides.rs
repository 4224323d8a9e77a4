//! `@override`: which subgraph resolves a field that moved, and who may move what.
//!
//! Out: the fate of every overridden declaration. Elsewhere: the joins that say so (`fields.rs`).

use std::collections::HashMap;

use apollo_compiler::Name;

use super::Merger;
use super::interface_objects::resolved_through;
use crate::federation::Fed;
use crate::model::{FieldDef, Kind, Override, SubgraphSchema, TypeDef, has};

/// What becomes of one declaration of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not overridden.
    Kept,
    /// Overridden, yet an input of a key or of `@requires` in its subgraph.
    Used,
    /// Overridden for some requests only.
    Labelled,
    /// Overridden.
    Dropped,
}

/// Overridden declarations by subgraph, type and field.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    fates: HashMap<(usize, Name, Name), (Fate, Option<String>)>,
}

impl Overrides {
    pub(super) fn fate(&self, subgraph: usize, ty: &Name, field: &Name) -> (Fate, Option<&str>) {
        match self.fates.get(&(subgraph, ty.clone(), field.clone())) {
            Some((fate, label)) => (*fate, label.as_deref()),
            None => (Fate::Kept, None),
        }
    }
}

pub(super) fn collect(merger: &mut Merger<'_>) -> Overrides {
    let schemas = merger.schemas;
    let mut overrides = Overrides::default();
    for (target, schema) in schemas.iter().enumerate() {
        for ty in schema.types.values().filter(|ty| ty.kind == Kind::Object) {
            for field in ty.fields.values() {
                if let Some(over) = &field.overriding {
                    add(merger, &mut overrides, target, ty, field, over);
                }
            }
        }
    }
    overrides
}

fn add(
    merger: &mut Merger<'_>,
    overrides: &mut Overrides,
    target: usize,
    ty: &TypeDef,
    field: &FieldDef,
    over: &Override,
) {
    let schemas = merger.schemas;
    let coordinate = format!("{}.{}", ty.name, field.name);
    let here = [(target, over.place)];
    let name = schemas[target].name.as_str();
    if refuses(merger, target, ty, field, over) {
        return;
    }
    let Some(source) = schemas.iter().position(|schema| schema.name == over.from) else {
        let message = format!(
            "source subgraph \"{}\" for field \"{coordinate}\" on subgraph \"{name}\" does not exist",
            over.from
        );
        merger.hint("FROM_SUBGRAPH_DOES_NOT_EXIST", message, here);
        return;
    };
    let Some(moved) = schemas[source].field(&ty.name, &field.name) else {
        if let Some(interface) = resolved_through(schemas, &schemas[source], &ty.name, &field.name) {
            let message = format!(
                "invalid @override on field \"{coordinate}\" of subgraph \"{name}\": subgraph \"{}\" resolves it through \
                 @interfaceObject type \"{interface}\", which cannot be overridden",
                over.from
            );
            merger.error("OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE", message, here);
            return;
        }
        let message = format!(
            "field \"{coordinate}\" on subgraph \"{name}\" no longer exists in the from subgraph: the @override directive can be removed"
        );
        merger.hint("OVERRIDE_DIRECTIVE_CAN_BE_REMOVED", message, here);
        return;
    };
    if moved.overriding.is_some() {
        let message = format!(
            "field \"{coordinate}\" on subgraph \"{name}\" is also marked with directive @override in subgraph \"{}\": only one @override is allowed per field",
            over.from
        );
        merger.error("OVERRIDE_SOURCE_HAS_OVERRIDE", message, [(target, over.place), (source, moved.place)]);
        return;
    }
    if let Some(directive) = colliding_source(moved) {
        let message = format!(
            "@override cannot be used on field \"{coordinate}\" on subgraph \"{name}\" since it is marked with directive \"@{}\" on subgraph \"{}\"",
            directive.name(),
            over.from
        );
        merger.error(
            "OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE",
            message,
            [(target, over.place), (source, moved.place)],
        );
        return;
    }
    let fate = fate(merger, &schemas[source], source, ty, moved, over, &coordinate);
    overrides.fates.insert((source, ty.name.clone(), field.name.clone()), (fate, over.label.clone()));
}

/// Complaints about the overriding field itself; true when it cannot be considered further.
fn refuses(merger: &mut Merger<'_>, target: usize, ty: &TypeDef, field: &FieldDef, over: &Override) -> bool {
    let coordinate = format!("{}.{}", ty.name, field.name);
    let here = [(target, over.place)];
    let name = merger.schemas[target].name.as_str();
    if over.from == name {
        let message = format!(
            "source and destination subgraphs \"{name}\" are the same for overridden field \"{coordinate}\""
        );
        merger.error("OVERRIDE_FROM_SELF_ERROR", message, here);
        return true;
    }
    if let Some(label) = over.label.as_deref().filter(|label| !valid_label(label)) {
        let message = format!(
            "invalid @override label \"{label}\" on field \"{coordinate}\" on subgraph \"{name}\": labels start with a \
             letter and hold alphanumerics, underscores, minuses, colons, periods and slashes, or are of the form \
             \"percent(x)\" with x between 0 and 100"
        );
        merger.error("OVERRIDE_LABEL_INVALID", message, here);
    }
    if ty.interface_object {
        let message = format!(
            "@override is not supported on fields of @interfaceObject types: it cannot be used on field \"{coordinate}\" on subgraph \"{name}\""
        );
        merger.error("OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE", message, here);
        return true;
    }
    if let Some(directive) = colliding(field) {
        let message = format!(
            "@override cannot be used on field \"{coordinate}\" on subgraph \"{name}\" since it is marked with directive \"@{}\"",
            directive.name()
        );
        merger.error("OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE", message, here);
    }
    false
}

fn fate(
    merger: &mut Merger<'_>,
    schema: &SubgraphSchema,
    source: usize,
    ty: &TypeDef,
    moved: &FieldDef,
    over: &Override,
    coordinate: &str,
) -> Fate {
    let at = [(source, moved.place)];
    if over.label.is_some() {
        let message = format!(
            "field \"{coordinate}\" is being migrated with progressive @override; once that is complete, remove it from subgraph \"{}\"",
            over.from
        );
        merger.hint("OVERRIDE_MIGRATION_IN_PROGRESS", message, at);
        return Fate::Labelled;
    }
    if moved.facts.external() {
        let message = format!(
            "field \"{coordinate}\" on subgraph \"{}\" is not resolved there anymore: remove its override",
            over.from
        );
        merger.hint("OVERRIDE_DIRECTIVE_CAN_BE_REMOVED", message, at);
        return Fate::Kept;
    }
    let implements = schema.types.get(&ty.name).is_some_and(|ty| {
        ty.interfaces.keys().any(|interface| schema.field(interface, &moved.name).is_some())
    });
    if moved.facts.used() || implements {
        let message = format!(
            "field \"{coordinate}\" on subgraph \"{}\" is overridden but still used there in a federation directive or for an interface; consider marking it @external",
            over.from
        );
        merger.hint("OVERRIDDEN_FIELD_CAN_BE_REMOVED", message, at);
        return Fate::Used;
    }
    let message =
        format!("field \"{coordinate}\" on subgraph \"{}\" is overridden; consider removing it", over.from);
    merger.hint("OVERRIDDEN_FIELD_CAN_BE_REMOVED", message, at);
    Fate::Dropped
}

/// What the overriding field may not be.
fn colliding(field: &FieldDef) -> Option<Fed> {
    has(&field.directives, Fed::External).then_some(Fed::External)
}

/// What the overridden field may not be: its meaning would be lost with it.
fn colliding_source(field: &FieldDef) -> Option<Fed> {
    if field.facts.external() {
        return None;
    }
    [Fed::Requires, Fed::Provides].into_iter().find(|fed| has(&field.directives, *fed))
}

/// A name, or `percent(x)` with x from 0 to 100 and at most eight decimals.
fn valid_label(label: &str) -> bool {
    if let Some(number) = label.strip_prefix("percent(").and_then(|rest| rest.strip_suffix(')')) {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str, most: usize| {
            !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        return number == "100" || (digits(whole, 2) && digits(fraction, 8));
    }
    let mut letters = label.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || "_-:./".contains(letter))
}
