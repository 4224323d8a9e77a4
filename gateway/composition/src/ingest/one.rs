//! Federation 1 subgraphs brought to the meaning of Federation 2; needs all subgraphs at once.
//!
//! Federation 1 marks fields of an extension `@external` whether or not they are used, and leaves out `@key` where
//! the owner has it. Elsewhere: sharing (`validate/facts.rs`).

use apollo_compiler::Name;

use crate::field_set::Selection;
use crate::model::SubgraphSchema;

/// Corrects the facts of Federation 1 subgraphs and drops what they never use.
pub(crate) fn upgrade(schemas: &mut [SubgraphSchema]) {
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
        drop_unused_externals(schema);
        schema.index_implementations();
    }
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

fn drop_unused_externals(schema: &mut SubgraphSchema) {
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
    for (ty, field) in dropped {
        let emptied = schema.types.get_mut(&ty).is_some_and(|ty| {
            ty.fields.shift_remove(&field);
            ty.fields.is_empty()
        });
        if emptied {
            schema.types.shift_remove(&ty);
        }
    }
}
