//! Rules about the merged types that no single subgraph can break: interfaces and their implementations.

use apollo_compiler::Name;

use super::Merger;
use super::model::{Merged, MergedType};
use crate::model::{Kind, Place};

pub(super) fn check(merger: &mut Merger<'_>, merged: &Merged) {
    for ty in merged.types.values() {
        if ty.kind == Kind::Object || ty.kind == Kind::Interface {
            for interface in &ty.interfaces {
                check_implementation(merger, merged, ty, interface);
            }
        }
        if ty.kind == Kind::Interface {
            check_interface_keys(merger, merged, ty);
        }
    }
    check_interface_objects(merger, merged);
}

/// Every field of the merged interface must be on the merged implementation.
fn check_implementation(merger: &mut Merger<'_>, merged: &Merged, ty: &MergedType, interface: &Name) {
    let Some(interface) = merged.types.get(interface).filter(|ty| ty.kind == Kind::Interface) else { return };
    for field in interface.fields.values().filter(|field| !ty.fields.contains_key(&field.name)) {
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
