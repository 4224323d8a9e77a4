//! Which types the supergraph has, their kinds and `@join__type`s; fields and values are merged by kind.

use apollo_compiler::Name;
use indexmap::{IndexMap, IndexSet};

use super::model::{Merged, MergedType, TypeJoin};
use super::{Merger, fields, values};
use crate::model::{Kind, Place, SubgraphSchema, TypeDef};

/// The declarations of one type: subgraph index and definition.
pub(super) type Sources<'a> = [(usize, &'a TypeDef)];

pub(super) fn sources<'a>(schemas: &'a [SubgraphSchema], name: &str) -> Vec<(usize, &'a TypeDef)> {
    schemas.iter().enumerate().filter_map(|(index, schema)| Some((index, schema.types.get(name)?))).collect()
}

pub(super) fn places(sources: &Sources<'_>) -> Vec<(usize, Place)> {
    sources.iter().map(|(index, ty)| (*index, ty.place)).collect()
}

/// Merges everything but enum values, which need to know how their enum is used.
pub(super) fn merge_types(merger: &mut Merger<'_>) -> Merged {
    let schemas = merger.schemas;
    let mut names: Vec<&Name> = schemas.iter().flat_map(|schema| schema.types.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut merged = Merged::default();
    let asked = |schema: &SubgraphSchema| schema.types.get("Query").is_some_and(|ty| !ty.fields.is_empty());
    if !schemas.iter().any(asked) {
        merger.error(
            "NO_QUERIES",
            "no queries found in any subgraph: a supergraph must have a query root type",
            [],
        );
    }
    for name in names {
        let sources = sources(schemas, name);
        if let Some(ty) = merge_type(merger, name, &sources) {
            if ty.kind == Kind::Object {
                for interface in &ty.interfaces {
                    merged.implementations.entry(interface.clone()).or_default().push(name.clone());
                }
            }
            merged.types.insert(name.clone(), ty);
        }
    }
    merged
}

fn merge_type(merger: &mut Merger<'_>, name: &Name, sources: &Sources<'_>) -> Option<MergedType> {
    let kind = sources.first()?.1.merged_kind();
    if sources.iter().any(|(_, ty)| ty.merged_kind() != kind) {
        let kinds = merger.by_value(sources.iter().map(|(index, ty)| {
            let marker = if ty.interface_object { " (Object Type with @interfaceObject)" } else { "" };
            (*index, format!("{}{marker}", ty.merged_kind().describe()))
        }));
        let message = format!("type \"{name}\" has mismatched kind: it is defined as {kinds}");
        merger.error("TYPE_KIND_MISMATCH", message, places(sources));
        return None;
    }
    check_base(merger, name, sources);
    hint_partial_entity(merger, name, sources);
    if sources.iter().all(|(_, ty)| ty.interface_object) && sources.iter().any(|(_, ty)| ty.interface_object)
    {
        let message = format!(
            "type \"{name}\" is declared with @interfaceObject in all the subgraphs in which it is defined: \
             at least one must define it as an interface"
        );
        merger.error("INTERFACE_OBJECT_USAGE_ERROR", message, places(sources));
        return None;
    }
    let coordinate = format!("type \"{name}\"");
    let description = merger.description(
        &coordinate,
        sources.iter().map(|(index, ty)| (*index, ty.description.as_ref(), ty.place)),
    );
    let directives =
        merger.directives(&coordinate, sources.iter().map(|(index, ty)| (*index, &ty.directives)));
    let mut merged = MergedType {
        name: name.clone(),
        kind,
        description,
        interfaces: IndexSet::new(),
        fields: IndexMap::new(),
        inputs: IndexMap::new(),
        values: IndexMap::new(),
        members: IndexSet::new(),
        directives,
        joins: sources.iter().flat_map(|(index, ty)| joins(&merger.schemas[*index], *index, ty)).collect(),
        implements: Vec::new(),
        union_members: Vec::new(),
        subgraphs: sources.iter().map(|(index, _)| *index).collect(),
    };
    match kind {
        Kind::Object | Kind::Interface => {
            for (index, ty) in sources {
                for interface in ty.interfaces.keys() {
                    merged.interfaces.insert(interface.clone());
                    merged.implements.push((*index, interface.clone()));
                }
            }
            fields::merge_fields(merger, &mut merged, sources);
        }
        Kind::Union => values::merge_union(merger, &mut merged, sources),
        Kind::Input => values::merge_input(merger, &mut merged, sources),
        Kind::Scalar | Kind::Enum => {}
    }
    Some(merged)
}

/// Something must be extended by an extension.
fn check_base(merger: &mut Merger<'_>, name: &Name, sources: &Sources<'_>) {
    let root = sources.iter().all(|(_, ty)| ty.is_root());
    let whole = |ignored: Option<usize>| {
        sources.iter().any(|(index, ty)| Some(*index) != ignored && ty.written_whole)
    };
    // To Federation 1, a definition marked @extends is an extension of somebody else's.
    let orphan = sources.iter().any(|(index, ty)| {
        merger.schemas[*index].version.is_one() && !ty.has_definition && !whole(Some(*index))
    });
    if !root && (orphan || !whole(None)) {
        let subgraphs = merger.named(sources.iter().map(|(index, _)| *index));
        let message = format!(
            "[{}] type \"{name}\" is an extension type, but there is no type definition for \"{name}\" in any subgraph ({subgraphs} extend it)",
            merger.schemas[sources[0].0].name
        );
        merger.error("EXTENSION_WITH_NO_BASE", message, places(sources));
    }
}

/// An entity here and a plain type there: the plain one can be left but not come back to.
fn hint_partial_entity(merger: &mut Merger<'_>, name: &Name, sources: &Sources<'_>) {
    let (with, without): (Vec<_>, Vec<_>) = sources.iter().partition(|(_, ty)| !ty.keys.is_empty());
    if sources[0].1.kind != Kind::Object || with.is_empty() || without.is_empty() {
        return;
    }
    let message = format!(
        "type \"{name}\" is declared as an entity (has a @key applied) in {} but not in {}",
        merger.named(with.iter().map(|(index, _)| *index)),
        merger.named(without.iter().map(|(index, _)| *index)),
    );
    merger.hint("INCONSISTENT_ENTITY", message, places(sources));
}

/// One join per key, or one without a key.
fn joins(schema: &SubgraphSchema, subgraph: usize, ty: &TypeDef) -> Vec<TypeJoin> {
    let base = TypeJoin {
        subgraph,
        key: None,
        extension: false,
        resolvable: true,
        interface_object: ty.interface_object,
    };
    if ty.keys.is_empty() {
        return vec![base];
    }
    ty.keys
        .iter()
        .map(|key| TypeJoin {
            key: Some(key.text.clone()),
            // An extension of a type that the same subgraph defines adds a key of its own. In Federation 1 every
            // reference to an entity is an extension, which says nothing.
            extension: !schema.version.is_one()
                && (key.on_extension || (ty.has_extension && !ty.has_definition)),
            resolvable: key.resolvable,
            ..base.clone()
        })
        .collect()
}
