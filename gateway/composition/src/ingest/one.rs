//! Federation 1 subgraphs brought to the meaning of Federation 2; needs all subgraphs at once.
//!
//! Federation 1 marks fields of an extension `@external` whether or not they are used, and leaves out `@key` where
//! the owner has it. Elsewhere: sharing (`validate/facts.rs`).

use apollo_compiler::Name;

use crate::diagnostic::Diagnostic;
use crate::federation::Fed;
use crate::field_set::Selection;
use crate::model::{FieldSetUse, Kind, SubgraphSchema, has};

/// Corrects the facts of Federation 1 subgraphs and drops what they never use.
///
/// # Errors
/// A type that holds nothing but unused external fields, and is referred to.
pub(crate) fn upgrade(schemas: &mut [SubgraphSchema]) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    let keys: Vec<(usize, Name, Vec<Name>)> = schemas
        .iter()
        .enumerate()
        .flat_map(|(index, schema)| {
            schema.types.values().filter(|ty| !ty.keys.is_empty()).map(move |ty| {
                let fields = ty.keys.iter().flat_map(|key| top_fields(&key.fields.selections)).collect();
                (index, ty.name.clone(), fields)
            })
        })
        .collect();
    for (index, schema) in schemas.iter_mut().enumerate() {
        if !schema.version.is_one() {
            continue;
        }
        for ty in schema.types.values_mut().filter(|ty| ty.has_extension && ty.keys.is_empty()) {
            for (_, _, fields) in keys.iter().filter(|(other, name, _)| *other != index && *name == ty.name) {
                for name in fields {
                    if let Some(field) = ty.fields.get_mut(name) {
                        field.facts.fake_external = true;
                    }
                }
            }
        }
        drop_inactive_uses(schema);
        errors.extend(drop_unused_externals(schema));
        schema.index_implementations();
    }
    errors.extend(refuse_interface_objects(schemas));
    errors
}

/// Federation 1 ignores `@key` on interfaces, so such an interface cannot tell an interface object's type.
fn refuse_interface_objects(schemas: &[SubgraphSchema]) -> Vec<Diagnostic> {
    let objects = schemas.iter().filter(|schema| !schema.version.is_one()).flat_map(|schema| {
        schema.types.values().filter(|ty| ty.interface_object).map(move |ty| (schema, ty))
    });
    let mut errors = Vec::new();
    for (schema, object) in objects {
        for other in schemas.iter().filter(|other| other.version.is_one()) {
            let Some(interface) = other.types.get(&object.name) else { continue };
            if interface.kind == Kind::Interface && has(&interface.directives, Fed::Key) {
                let message = format!(
                    "type \"{}\" is an @interfaceObject in subgraph \"{}\", but @key on an interface in subgraph \"{}\" of \
                     federation 1 does not say how to find its type: upgrade that subgraph, or remove the @key",
                    object.name, schema.name, other.name
                );
                let places = [schema.location(object.place), other.location(interface.place)];
                errors.push(Diagnostic::error("INTERFACE_OBJECT_USAGE_ERROR", message).at(places));
            }
        }
    }
    errors
}

fn top_fields(selections: &[Selection]) -> Vec<Name> {
    selections
        .iter()
        .filter_map(|selection| match selection {
            Selection::Field(field) => Some(field.name.clone()),
            Selection::Fragment { .. } => None,
        })
        .collect()
}

/// `@requires` and `@provides` of what the subgraph resolves anyway have no effect in Federation 1.
fn drop_inactive_uses(schema: &mut SubgraphSchema) {
    let mut inactive: Vec<(Name, Name, bool, bool)> = Vec::new();
    for ty in schema.types.values() {
        for field in ty.fields.values() {
            let idle = |used: Option<&FieldSetUse>, parent: &Name| {
                used.is_some_and(|used| !selects_external(schema, parent, &used.fields.selections))
            };
            let requires = idle(field.requires.as_ref(), &ty.name);
            let provides = idle(field.provides.as_ref(), field.ty.inner_named_type());
            if requires || provides {
                inactive.push((ty.name.clone(), field.name.clone(), requires, provides));
            }
        }
    }
    for (ty, field, requires, provides) in inactive {
        let Some(field) = schema.field_mut(&ty, &field) else { continue };
        if requires {
            field.requires = None;
        }
        if provides {
            field.provides = None;
        }
    }
}

fn selects_external(schema: &SubgraphSchema, parent: &Name, selections: &[Selection]) -> bool {
    selections.iter().any(|selection| match selection {
        Selection::Fragment { condition, selections, .. } => {
            selects_external(schema, condition.as_ref().unwrap_or(parent), selections)
        }
        Selection::Field(field) => {
            let external = |ty: &Name| schema.field(ty, &field.name).is_some_and(|own| own.facts.external());
            external(parent)
                || schema.runtime_types(parent).iter().any(external)
                || schema
                    .field(parent, &field.name)
                    .is_some_and(|own| selects_external(schema, own.ty.inner_named_type(), &field.selections))
        }
    })
}

fn drop_unused_externals(schema: &mut SubgraphSchema) -> Vec<Diagnostic> {
    let mut dropped: Vec<(Name, Name)> = Vec::new();
    for ty in schema.types.values() {
        for field in ty.fields.values().filter(|field| field.facts.external() && !field.facts.used()) {
            let satisfies =
                ty.interfaces.keys().any(|interface| schema.field(interface, &field.name).is_some());
            if !satisfies {
                dropped.push((ty.name.clone(), field.name.clone()));
            }
        }
    }
    let mut emptied: Vec<Name> = Vec::new();
    for (name, field) in dropped {
        let Some(ty) = schema.types.get_mut(&name) else { continue };
        ty.fields.shift_remove(&field);
        if ty.fields.is_empty() {
            emptied.push(name);
        }
    }
    emptied.into_iter().filter_map(|name| drop_type(schema, &name)).collect()
}

/// Drops a type without fields, which nothing may refer to.
fn drop_type(schema: &mut SubgraphSchema, name: &Name) -> Option<Diagnostic> {
    let ty = schema.types.shift_remove(name)?;
    let referred = schema.types.values().any(|other| {
        other.members.contains_key(name)
            || other.fields.values().any(|field| field.ty.inner_named_type() == name)
    });
    referred.then(|| {
        let message = format!(
            "[{}] type \"{name}\" contains only external fields that are not used in any federation directive",
            schema.name
        );
        Diagnostic::error("TYPE_WITH_ONLY_UNUSED_EXTERNAL", message).at([schema.location(ty.place)])
    })
}
