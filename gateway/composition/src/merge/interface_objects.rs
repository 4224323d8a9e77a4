//! Fields of interface objects belong to every implementation of the interface.

use apollo_compiler::Name;
use indexmap::IndexMap;

use super::Merger;
use super::model::{FieldJoin, Merged, MergedField};
use super::overrides::Fate;
use crate::model::{Kind, Place, SubgraphSchema};

/// One subgraph's interface object that resolves a field of implementations.
struct Offer {
    interface: Name,
    subgraph: usize,
    shareable: bool,
    place: Place,
}

/// Adds them to the implementations, marked as resolved through the interface.
pub(super) fn add_fields(merger: &mut Merger<'_>, merged: &mut Merged) {
    let mut offered: IndexMap<Name, IndexMap<Name, (MergedField, Vec<Offer>)>> = IndexMap::new();
    for interface in merged.types.values().filter(|ty| ty.kind == Kind::Interface) {
        let objects: Vec<usize> = interface
            .subgraphs
            .iter()
            .copied()
            .filter(|index| interface_object(&merger.schemas[*index], &interface.name).is_some())
            .collect();
        if objects.is_empty() {
            continue;
        }
        let implementations = merged.runtime_types(&interface.name);
        for field in interface.fields.values() {
            for subgraph in &objects {
                let Some(own) = merger.schemas[*subgraph].field(&interface.name, &field.name) else {
                    continue;
                };
                if own.facts.external() {
                    continue;
                }
                for object in &implementations {
                    let fields = offered.entry(object.clone()).or_default();
                    let entry =
                        fields.entry(field.name.clone()).or_insert_with(|| (field.clone(), Vec::new()));
                    entry.1.push(Offer {
                        interface: interface.name.clone(),
                        subgraph: *subgraph,
                        shareable: own.facts.shareable(),
                        place: own.place,
                    });
                }
            }
        }
    }
    for (object, fields) in offered {
        for (field, offers) in fields.into_values() {
            add_field(merger, merged, &object, &field, &offers);
        }
    }
}

fn interface_object<'a>(schema: &'a SubgraphSchema, name: &str) -> Option<&'a crate::model::TypeDef> {
    schema.types.get(name).filter(|ty| ty.interface_object)
}

/// The interface through whose object a subgraph resolves a field that its objects of the type lack.
pub(super) fn resolved_through<'a>(
    schemas: &[SubgraphSchema],
    subgraph: &'a SubgraphSchema,
    object: &str,
    field: &str,
) -> Option<&'a Name> {
    let above = |interface: &Name| {
        schemas
            .iter()
            .any(|schema| schema.types.get(object).is_some_and(|ty| ty.interfaces.contains_key(interface)))
    };
    subgraph
        .types
        .values()
        .find(|ty| {
            ty.interface_object
                && ty.fields.get(field).is_some_and(|field| !field.facts.external())
                && above(&ty.name)
        })
        .map(|ty| &ty.name)
}

fn add_field(
    merger: &mut Merger<'_>,
    merged: &mut Merged,
    object: &Name,
    field: &MergedField,
    offers: &[Offer],
) {
    let Some(ty) = merged.types.get_mut(object) else { return };
    if !ty.fields.contains_key(&field.name) {
        ty.fields.insert(
            field.name.clone(),
            MergedField { joins: vec![FieldJoin::default()], sources: Vec::new(), ..field.clone() },
        );
    }
    // Whoever else resolves the field must agree to share it.
    let mut resolved: Vec<(usize, bool, Place)> = Vec::new();
    for (index, schema) in merger.schemas.iter().enumerate() {
        let kept = merger.overrides.fate(index, object, &field.name).0 == Fate::Kept;
        let own = schema.field(object, &field.name).filter(|own| kept && !own.facts.fully_external());
        resolved.extend(own.map(|own| (index, own.facts.shareable(), own.place)));
    }
    resolved.extend(offers.iter().map(|offer| (offer.subgraph, offer.shareable, offer.place)));
    if resolved.len() < 2 || resolved.iter().all(|(_, shareable, _)| *shareable) {
        return;
    }
    let through: Vec<String> = offers
        .iter()
        .map(|offer| format!("type \"{}\" in {}", offer.interface, merger.named([offer.subgraph])))
        .collect();
    let mut subgraphs: Vec<usize> = resolved.iter().map(|(index, _, _)| *index).collect();
    subgraphs.dedup();
    let message = format!(
        "non-shareable field \"{object}.{}\" is resolved more than once: it is resolved from {}, through @interfaceObject {}",
        field.name,
        merger.named(subgraphs),
        through.join(" and "),
    );
    let places: Vec<(usize, Place)> = resolved.into_iter().map(|(index, _, place)| (index, place)).collect();
    merger.error("INVALID_FIELD_SHARING", message, places);
}
