//! Facts about fields that follow from the directives of their subgraph: external, provided, part of a key, shareable.
//!
//! Always: facts are set before the rules that ask for them run; the order is in `validate/mod.rs`.

use apollo_compiler::Name;

use crate::federation::Fed;
use crate::field_set::{FieldSet, Selection};
use crate::model::{FieldFacts, Kind, Override, SubgraphSchema, has};

/// Facts written on the field itself or on the declaration of its type.
pub(super) fn mark_declared(schema: &mut SubgraphSchema) {
    let one = schema.version.is_one();
    for ty in schema.types.values_mut() {
        let on_type = |fed: Fed, on_extension: bool| {
            ty.directives.iter().any(|applied| applied.is(fed) && applied.on_extension == on_extension)
        };
        let shareable = [on_type(Fed::Shareable, false), on_type(Fed::Shareable, true)];
        let external = [on_type(Fed::External, false) && !one, on_type(Fed::External, true) && !one];
        // In Federation 1 the extension of a type that the same subgraph defines is not a value type's.
        let value_type = one && !ty.is_root() && !has(&ty.directives, Fed::Key) && ty.has_definition;
        let subscription = ty.name == "Subscription";
        let is_object = ty.kind == Kind::Object;
        for field in ty.fields.values_mut() {
            let part = usize::from(field.on_extension);
            let marked_external = has(&field.directives, Fed::External) && (is_object || !one);
            field.facts.marked_external = marked_external || external[part];
            // Federation 1 shares whatever is defined twice.
            field.facts.marked_shareable = has(&field.directives, Fed::Shareable)
                || shareable[part]
                || (one && is_object && !subscription && !(value_type && field.on_extension));
            field.overriding =
                field.directives.iter().find(|applied| applied.is(Fed::Override)).and_then(|applied| {
                    Some(Override {
                        from: applied.text("from")?.to_owned(),
                        label: applied.text("label").map(str::to_owned),
                        place: applied.place,
                    })
                });
        }
    }
}

/// Fields of keys; the `@external` of an extension's key says only that the type comes from elsewhere.
pub(super) fn mark_keys(schema: &mut SubgraphSchema) {
    let mut marks: Vec<(Name, Name, bool)> = Vec::new();
    for ty in schema.types.values() {
        for key in &ty.keys {
            let extends = key.on_extension
                || has(&ty.directives, Fed::Extends)
                || (schema.version.is_one() && ty.has_extension);
            visit(schema, &ty.name, &key.fields, &mut |parent, field| {
                marks.push((parent.clone(), field.clone(), extends));
            });
        }
    }
    for (parent, field, extends) in marks {
        set(schema, &parent, &field, |facts| {
            facts.in_key = true;
            facts.fake_external |= extends;
        });
    }
}

/// Fields of `@provides` and `@requires`.
pub(super) fn mark_uses(schema: &mut SubgraphSchema) {
    let mut marks: Vec<(Name, Name, bool)> = Vec::new();
    for ty in schema.types.values() {
        for field in ty.fields.values() {
            if let Some(provides) = &field.provides {
                visit(schema, field.ty.inner_named_type(), &provides.fields, &mut |parent, field| {
                    marks.push((parent.clone(), field.clone(), true));
                });
            }
            if let Some(requires) = &field.requires {
                visit(schema, &ty.name, &requires.fields, &mut |parent, field| {
                    marks.push((parent.clone(), field.clone(), false));
                });
            }
        }
    }
    for (parent, field, provided) in marks {
        set(schema, &parent, &field, |facts| {
            facts.provided |= provided;
            facts.required |= !provided;
        });
    }
}

fn set(schema: &mut SubgraphSchema, parent: &str, field: &str, change: impl Fn(&mut FieldFacts)) {
    if let Some(field) = schema.field_mut(parent, field) {
        change(&mut field.facts);
    }
}

/// Calls back for every field of a field set, and for its implementations when the parent is an interface.
pub(super) fn visit(
    schema: &SubgraphSchema,
    parent: &Name,
    fields: &FieldSet,
    seen: &mut impl FnMut(&Name, &Name),
) {
    visit_selections(schema, parent, &fields.selections, seen);
}

fn visit_selections(
    schema: &SubgraphSchema,
    parent: &Name,
    selections: &[Selection],
    seen: &mut impl FnMut(&Name, &Name),
) {
    for selection in selections {
        match selection {
            Selection::Fragment { condition, selections, .. } => {
                visit_selections(schema, condition.as_ref().unwrap_or(parent), selections, seen);
            }
            Selection::Field(field) => {
                seen(parent, &field.name);
                if schema.kind_of(parent) == Some(Kind::Interface) {
                    for implementation in schema.runtime_types(parent) {
                        seen(&implementation, &field.name);
                    }
                }
                if let Some(definition) = schema.field(parent, &field.name) {
                    let inner = definition.ty.inner_named_type().clone();
                    visit_selections(schema, &inner, &field.selections, seen);
                }
            }
        }
    }
}
