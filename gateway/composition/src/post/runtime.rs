//! Shared fields of abstract type: every subgraph that resolves one must be able to give the same runtime types.

use apollo_compiler::Name;
use indexmap::IndexSet;

use super::places;
use crate::diagnostic::Diagnostic;
use crate::merge::Merged;
use crate::model::{Kind, SubgraphSchema};

/// Errors where nothing is common, hints where something differs.
pub(super) fn check(
    merged: &Merged,
    schemas: &[SubgraphSchema],
    hints: &mut Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for ty in merged.types.values().filter(|ty| ty.kind == Kind::Object) {
        for field in ty.fields.values() {
            let abstract_type = merged
                .types
                .get(field.ty.inner_named_type())
                .is_some_and(|ty| matches!(ty.kind, Kind::Interface | Kind::Union));
            if !abstract_type || field.sources.len() < 2 {
                continue;
            }
            let sets: Vec<(&str, IndexSet<Name>)> = field
                .sources
                .iter()
                .filter_map(|index| runtime_types(&schemas[*index], schemas, &ty.name, &field.name))
                .collect();
            let Some((_, first)) = sets.first() else { continue };
            let same = |set: &IndexSet<Name>| {
                set.len() == first.len() && set.iter().all(|name| first.contains(name))
            };
            if sets.iter().all(|(_, set)| same(set)) {
                continue;
            }
            let common = first.iter().any(|name| sets.iter().all(|(_, set)| set.contains(name)));
            let described: Vec<String> = sets
                .iter()
                .map(|(subgraph, set)| {
                    let names: Vec<String> = set.iter().map(|name| format!("\"{name}\"")).collect();
                    format!("in subgraph \"{subgraph}\", {}", names.join(", "))
                })
                .collect();
            let message = format!(
                "shared field \"{}.{}\" has return type \"{}\" and {} possible runtime types across subgraphs: {}",
                ty.name,
                field.name,
                field.ty,
                if common { "inconsistent" } else { "non-intersecting" },
                described.join("; ")
            );
            let locations = places(schemas, &ty.name, Some(&field.name));
            if common {
                let code = "INCONSISTENT_RUNTIME_TYPES_FOR_SHAREABLE_RETURN";
                hints.push(Diagnostic::error(code, message).at(locations));
            } else {
                errors
                    .push(Diagnostic::error("SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES", message).at(locations));
            }
        }
    }
    errors
}

/// The runtime types of a field where the subgraph resolves it and knows them.
fn runtime_types<'a>(
    schema: &'a SubgraphSchema,
    schemas: &[SubgraphSchema],
    ty: &str,
    field: &str,
) -> Option<(&'a str, IndexSet<Name>)> {
    let own = schema.field(ty, field)?;
    let overridden = schemas.iter().any(|other| {
        other
            .field(ty, field)
            .and_then(|field| field.overriding.as_ref())
            .is_some_and(|over| over.from == schema.name)
    });
    let inner = own.ty.inner_named_type();
    let unknown = schema.types.get(inner).is_none_or(|ty| ty.interface_object);
    (!own.facts.external() && !overridden && !unknown)
        .then(|| (schema.name.as_str(), schema.runtime_types(inner)))
}
