//! Fields of interface objects belong to every implementation of the interface.

use apollo_compiler::Name;

use super::Merger;
use super::model::{FieldJoin, Merged, MergedField};
use crate::model::{Kind, Place};

/// Adds them to the implementations, marked as resolved through the interface.
pub(super) fn add_fields(merger: &mut Merger<'_>, merged: &mut Merged) {
    let interfaces: Vec<(Name, Vec<usize>)> = merged
        .types
        .values()
        .filter(|ty| ty.kind == Kind::Interface && ty.joins.iter().any(|join| join.interface_object))
        .map(|ty| {
            let mut objects: Vec<usize> =
                ty.joins.iter().filter(|join| join.interface_object).map(|join| join.subgraph).collect();
            objects.dedup();
            (ty.name.clone(), objects)
        })
        .collect();
    for (interface, objects) in interfaces {
        let fields: Vec<(MergedField, Vec<usize>)> = merged.types[&interface]
            .fields
            .values()
            .filter_map(|field| {
                let resolving: Vec<usize> = objects
                    .iter()
                    .copied()
                    .filter(|index| {
                        merger.schemas[*index]
                            .field(&interface, &field.name)
                            .is_some_and(|own| !own.facts.external())
                    })
                    .collect();
                (!resolving.is_empty()).then(|| (field.clone(), resolving))
            })
            .collect();
        for name in merged.runtime_types(&interface) {
            for (field, resolving) in &fields {
                add_field(merger, merged, &interface, &name, field, resolving);
            }
        }
    }
}

fn add_field(
    merger: &mut Merger<'_>,
    merged: &mut Merged,
    interface: &Name,
    object: &Name,
    field: &MergedField,
    resolving: &[usize],
) {
    let Some(ty) = merged.types.get_mut(object) else { return };
    if !ty.fields.contains_key(&field.name) {
        ty.fields.insert(
            field.name.clone(),
            MergedField { joins: vec![FieldJoin::default()], sources: Vec::new(), ..field.clone() },
        );
        return;
    }
    // The implementation has the field too: then both sides must agree to share it.
    let mut resolved: Vec<(usize, bool, Place)> = Vec::new();
    for (index, schema) in merger.schemas.iter().enumerate() {
        if let Some(own) = schema.field(object, &field.name).filter(|own| !own.facts.fully_external()) {
            resolved.push((index, own.facts.shareable(), own.place));
        }
    }
    let own = resolved.len();
    for index in resolving {
        if let Some(other) = merger.schemas[*index].field(interface, &field.name) {
            resolved.push((*index, other.facts.shareable(), other.place));
        }
    }
    if own > 0 && resolved.iter().any(|(_, shareable, _)| !shareable) {
        let message = format!(
            "non-shareable field \"{object}.{}\" is resolved from multiple subgraphs: it is resolved from {}, through \
             @interfaceObject type \"{interface}\" in {}",
            field.name,
            merger.named(resolved.iter().map(|(index, _, _)| *index)),
            merger.named(resolving.iter().copied()),
        );
        merger.error(
            "INVALID_FIELD_SHARING",
            message,
            resolved.into_iter().map(|(index, _, place)| (index, place)).collect::<Vec<_>>(),
        );
    }
}
