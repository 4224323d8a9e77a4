//! Rules about the merged types that no single subgraph can break: interfaces and their implementations.

use apollo_compiler::Name;
use apollo_compiler::ast::Type;

use super::Merger;
use super::model::{Merged, MergedType};
use crate::field_set::Selection;
use crate::model::{Kind, Place, SubgraphSchema};

pub(super) fn check(merger: &mut Merger<'_>, merged: &Merged) {
    // Fields that could not be merged have no type to compare.
    let unmerged = !merger.errors.is_empty();
    for ty in merged.types.values() {
        if ty.kind == Kind::Object || ty.kind == Kind::Interface {
            for interface in &ty.interfaces {
                check_implementation(merger, merged, ty, interface);
                let above = merged.types.get(interface).filter(|above| above.kind == Kind::Interface);
                if let Some(above) = above.filter(|_| !unmerged) {
                    check_covariance(merger, merged, ty, above);
                }
            }
        }
        if ty.kind == Kind::Interface {
            check_interface_keys(merger, merged, ty);
        }
    }
    check_interface_objects(merger, merged);
    check_required_arguments(merger);
}

/// An implementation's field, as merged, may stand where the interface's is expected.
fn check_covariance(merger: &mut Merger<'_>, merged: &Merged, ty: &MergedType, interface: &MergedType) {
    for wanted in interface.fields.values() {
        let Some(field) = ty.fields.get(&wanted.name) else { continue };
        let mut wrong: Option<String> = None;
        if !stands_for(merged, &wanted.ty, &field.ty) {
            wrong = Some(format!(
                "interface field \"{}.{}\" has type \"{}\" but \"{}.{}\", which implements it, has type \"{}\"",
                interface.name, wanted.name, wanted.ty, ty.name, field.name, field.ty
            ));
        }
        for argument in wanted.arguments.values() {
            match field.arguments.get(&argument.name) {
                Some(own) if own.ty == argument.ty => {}
                own => {
                    wrong = Some(format!(
                        "argument \"{0}.{1}({2}:)\" has type \"{3}\" but {4} in \"{5}.{1}\", which implements it",
                        interface.name,
                        wanted.name,
                        argument.name,
                        argument.ty,
                        own.map_or_else(|| "is missing".to_owned(), |own| format!("has type \"{}\"", own.ty)),
                        ty.name,
                    ));
                }
            }
        }
        for argument in field.arguments.values() {
            let required = argument.ty.is_non_null() && argument.default.is_none();
            if required && !wanted.arguments.contains_key(&argument.name) {
                wrong = Some(format!(
                    "argument \"{}.{}({}:)\" is required but not one of \"{}.{}\", which the field implements",
                    ty.name, field.name, argument.name, interface.name, wanted.name
                ));
            }
        }
        if let Some(what) = wrong {
            let message = format!("the merged types do not fit: after merging all subgraphs, {what}");
            let declared = |name: &Name| {
                let places = merger.schemas.iter().enumerate();
                places
                    .filter_map(|(index, schema)| Some((index, schema.field(name, &wanted.name)?.place)))
                    .collect::<Vec<_>>()
            };
            let mut places = declared(&interface.name);
            places.extend(declared(&ty.name));
            merger.error("INVALID_GRAPHQL", message, places);
        }
    }
}

/// Covariance of output types, as the GraphQL specification has it in "IsValidImplementationFieldType".
fn stands_for(merged: &Merged, wide: &Type, narrow: &Type) -> bool {
    match (wide, narrow) {
        (Type::Named(wide), Type::Named(narrow) | Type::NonNullNamed(narrow))
        | (Type::NonNullNamed(wide), Type::NonNullNamed(narrow)) => {
            wide == narrow
                || merged.types.get(wide).is_some_and(|ty| ty.members.contains(narrow))
                || merged.types.get(narrow).is_some_and(|ty| ty.interfaces.contains(wide))
        }
        (Type::List(wide), Type::List(narrow) | Type::NonNullList(narrow))
        | (Type::NonNullList(wide), Type::NonNullList(narrow)) => stands_for(merged, wide, narrow),
        _ => false,
    }
}

/// What `@requires` gives as arguments must suit the subgraphs that resolve the field.
fn check_required_arguments(merger: &mut Merger<'_>) {
    let mut found: Vec<(String, usize, Place)> = Vec::new();
    for (index, schema) in merger.schemas.iter().enumerate() {
        for ty in schema.types.values() {
            for field in ty.fields.values() {
                let Some(requires) = &field.requires else { continue };
                let mut complaints = Vec::new();
                required_arguments(
                    merger.schemas,
                    index,
                    &ty.name,
                    &requires.fields.selections,
                    &mut complaints,
                );
                found.extend(complaints.into_iter().map(|complaint| {
                    let message = format!(
                        "[{}] on field \"{}.{}\", for @requires(fields: \"{}\"): {complaint}",
                        schema.name, ty.name, field.name, requires.text
                    );
                    (message, index, field.place)
                }));
            }
        }
    }
    for (message, index, place) in found {
        merger.error("REQUIRES_INVALID_FIELDS", message, [(index, place)]);
    }
}

fn required_arguments(
    schemas: &[SubgraphSchema],
    at: usize,
    parent: &Name,
    selections: &[Selection],
    complaints: &mut Vec<String>,
) {
    for selection in selections {
        match selection {
            Selection::Fragment { condition, selections, .. } => {
                required_arguments(schemas, at, condition.as_ref().unwrap_or(parent), selections, complaints);
            }
            Selection::Field(field) => {
                let Some(own) = schemas[at].field(parent, &field.name) else { continue };
                for (index, other) in schemas.iter().enumerate() {
                    let resolving = other.field(parent, &field.name).filter(|there| !there.facts.external());
                    let Some(there) = resolving.filter(|_| index != at) else { continue };
                    let given = |name: &Name| field.arguments.iter().any(|(given, _)| given == name);
                    for (name, _) in &field.arguments {
                        if !there.arguments.contains_key(name) {
                            complaints.push(format!(
                                "a value is given for argument \"{name}\" of field \"{parent}.{}\", which subgraph \"{}\" does not have",
                                field.name, other.name
                            ));
                        }
                    }
                    for argument in there.arguments.values() {
                        let required = argument.ty.is_non_null() && argument.default.is_none();
                        if required && !given(&argument.name) {
                            complaints.push(format!(
                                "no value is given for argument \"{}\" of field \"{parent}.{}\", which subgraph \"{}\" requires",
                                argument.name, field.name, other.name
                            ));
                        }
                    }
                }
                required_arguments(schemas, at, own.ty.inner_named_type(), &field.selections, complaints);
            }
        }
    }
}

/// Every field of the merged interface must be on the merged implementation.
fn check_implementation(merger: &mut Merger<'_>, merged: &Merged, ty: &MergedType, interface: &Name) {
    let Some(interface) = merged.types.get(interface).filter(|ty| ty.kind == Kind::Interface) else { return };
    for field in interface.fields.values().filter(|field| !ty.fields.contains_key(&field.name)) {
        // A field that could not be merged has its own error.
        if merger.schemas.iter().any(|schema| schema.field(&ty.name, &field.name).is_some()) {
            continue;
        }
        // Declared only by interface objects: their fields come to objects by themselves.
        let declared: Vec<(usize, Place)> = field
            .sources
            .iter()
            .filter_map(|index| {
                Some((*index, merger.schemas[*index].field(&interface.name, &field.name)?.place))
            })
            .collect();
        let implementing: Vec<usize> = ty
            .implements
            .iter()
            .filter(|(_, name)| *name == interface.name)
            .map(|(index, _)| *index)
            .collect();
        let message = format!(
            "interface field \"{}.{}\" is declared in {} but type \"{}\", which implements \"{}\" in {}, does not have field \"{}\"",
            interface.name,
            field.name,
            merger.named(field.sources.iter().copied()),
            ty.name,
            interface.name,
            merger.named(implementing.iter().copied()),
            field.name,
        );
        let mut places = declared;
        places.extend(
            implementing
                .iter()
                .filter_map(|index| Some((*index, merger.schemas[*index].types.get(&ty.name)?.place))),
        );
        merger.error("INTERFACE_FIELD_NO_IMPLEM", message, places);
    }
}

/// A subgraph that resolves an interface by key must know every implementation.
fn check_interface_keys(merger: &mut Merger<'_>, merged: &Merged, interface: &MergedType) {
    let implementations = merged.runtime_types(&interface.name);
    for subgraph in &interface.subgraphs {
        let schema = &merger.schemas[*subgraph];
        let Some(ty) = schema.types.get(&interface.name).filter(|ty| ty.kind == Kind::Interface) else {
            continue;
        };
        let Some(key) = ty.keys.iter().find(|key| key.resolvable) else { continue };
        let known = schema.runtime_types(&interface.name);
        let missing: Vec<String> = implementations
            .iter()
            .filter(|name| !known.contains(*name))
            .map(|name| format!("\"{name}\""))
            .collect();
        if !missing.is_empty() {
            let message = format!(
                "[{}] interface type \"{}\" has a resolvable key (\"{}\") in subgraph \"{}\" but that subgraph is missing \
                 some of the supergraph implementation types of \"{}\": it should define {}",
                schema.name,
                interface.name,
                key.text,
                schema.name,
                interface.name,
                missing.join(", "),
            );
            let place = key.place;
            merger.error("INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE", message, [(*subgraph, place)]);
        }
    }
}

/// A subgraph with an interface object must not define implementations, nor go without an entity interface elsewhere.
fn check_interface_objects(merger: &mut Merger<'_>, merged: &Merged) {
    for interface in merged.types.values().filter(|ty| ty.kind == Kind::Interface) {
        let implementations = merged.runtime_types(&interface.name);
        for subgraph in &interface.subgraphs {
            let schema = &merger.schemas[*subgraph];
            let Some(object) = schema.types.get(&interface.name).filter(|ty| ty.interface_object) else {
                continue;
            };
            let mut places = vec![(*subgraph, object.place)];
            let mut defined = Vec::new();
            for ty in implementations.iter().filter_map(|name| schema.types.get(name)) {
                places.push((*subgraph, ty.place));
                defined.push(format!("\"{}\"", ty.name));
            }
            if !defined.is_empty() {
                let message = format!(
                    "[{0}] interface type \"{1}\" is defined as an @interfaceObject in subgraph \"{0}\" so that subgraph \
                     should not define any of the implementation types of \"{1}\", but it defines {2}",
                    schema.name,
                    interface.name,
                    defined.join(", "),
                );
                merger.error("INTERFACE_OBJECT_USAGE_ERROR", message, places);
            }
        }
    }
}
