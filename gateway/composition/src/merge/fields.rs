//! Merges the fields of objects and interfaces, and decides which `@join__field`s they need.
//!
//! Elsewhere: arguments (`arguments.rs`), who may share a field (`sharing.rs`), `@override` (`overrides.rs`).

use std::rc::Rc;

use apollo_compiler::Name;
use apollo_compiler::ast::Type;

use super::Merger;
use super::interface_objects::resolved_through;
use super::model::{FieldJoin, MergedField, MergedType};
use super::overrides::Fate;
use super::references::all_equal;
use super::types::Sources;
use crate::federation::Fed;
use crate::model::{FieldDef, Kind, Place, has};

/// One subgraph's declaration of a field, with what `@override` makes of it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) subgraph: usize,
    pub(super) field: &'a FieldDef,
    pub(super) fate: Fate,
    /// Label of a progressive override, on both of its sides.
    pub(super) label: Option<&'a str>,
}

impl Source<'_> {
    pub(super) fn at(&self) -> (usize, Place) {
        (self.subgraph, self.field.place)
    }
}

pub(super) fn merge_fields(merger: &mut Merger<'_>, merged: &mut MergedType, declarations: &Sources<'_>) {
    let mut names: Vec<&Name> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (_, ty) in declarations {
        names.extend(ty.fields.keys().filter(|name| seen.insert((*name).clone())));
    }
    let overrides = Rc::clone(&merger.overrides);
    for name in names {
        let sources: Vec<Source<'_>> = declarations
            .iter()
            .filter_map(|(subgraph, parent)| {
                let field = parent.fields.get(name)?;
                let (fate, label) = overrides.fate(*subgraph, &parent.name, name);
                let own_label = field.overriding.as_ref().and_then(|over| over.label.as_deref());
                Some(Source { subgraph: *subgraph, field, fate, label: own_label.or(label) })
            })
            .collect();
        if let Some(field) = merge_field(merger, merged, declarations, &sources) {
            merged.fields.insert(name.clone(), field);
        }
    }
    hint_partial_fields(merger, merged, declarations);
}

fn merge_field(
    merger: &mut Merger<'_>,
    parent: &MergedType,
    declarations: &Sources<'_>,
    sources: &[Source<'_>],
) -> Option<MergedField> {
    let name = sources.first()?.field.name.clone();
    let coordinate = format!("{}.{name}", parent.name);
    merger.refuse_directives_on_externals(&coordinate, sources);
    let own: Vec<Source<'_>> =
        sources.iter().copied().filter(|source| !source.field.facts.external()).collect();
    let through_interface = |schema| resolved_through(merger.schemas, schema, &parent.name, &name).is_some();
    let abstracted = own.is_empty() && merger.schemas.iter().any(through_interface);
    if own.is_empty() && !abstracted {
        without_owner(merger, &coordinate, sources);
        return None;
    }
    // A field that interface objects resolve has its declaration from those that mark it @external.
    let own = if abstracted { sources.to_vec() } else { own };
    if parent.kind == Kind::Object {
        merger.check_sharing(parent, &coordinate, sources);
    }
    let ty = merge_type(merger, &coordinate, &own)?;
    let arguments = merger.merge_arguments(&coordinate, &own);
    let mut field = MergedField {
        name,
        description: merger.description(
            &format!("field \"{coordinate}\""),
            sources.iter().map(|s| (s.subgraph, s.field.description.as_ref(), s.field.place)),
        ),
        ty,
        arguments,
        directives: merger.directives(
            &format!("field \"{coordinate}\""),
            sources.iter().map(|s| (s.subgraph, &s.field.directives)),
        ),
        joins: Vec::new(),
        sources: sources.iter().map(|source| source.subgraph).collect(),
    };
    if own.len() < sources.len() {
        merger.check_externals(&coordinate, sources, &field);
    }
    let types: Vec<&Type> = sources.iter().filter(|s| s.fate != Fate::Dropped).map(|s| &s.field.ty).collect();
    let same_types = all_equal(&types) && types.first().is_none_or(|ty| **ty == field.ty);
    if needs_joins(declarations, sources, same_types) {
        field.joins = sources
            .iter()
            .filter(|source| source.fate != Fate::Dropped)
            .map(|source| join(source, same_types))
            .collect();
    }
    Some(field)
}

/// Every declaration is `@external`.
fn without_owner(merger: &mut Merger<'_>, coordinate: &str, sources: &[Source<'_>]) {
    let subgraphs = merger.named(sources.iter().map(|source| source.subgraph));
    let message = format!(
        "field \"{coordinate}\" is marked @external on all the subgraphs in which it is listed ({subgraphs})"
    );
    merger.error("EXTERNAL_MISSING_ON_BASE", message, sources.iter().map(Source::at).collect::<Vec<_>>());
}

fn merge_type(merger: &mut Merger<'_>, coordinate: &str, own: &[Source<'_>]) -> Option<Type> {
    let types: Vec<&Type> = own.iter().map(|source| &source.field.ty).collect();
    let places: Vec<_> = own.iter().map(Source::at).collect();
    let Some(widest) = merger.widest(&types) else {
        let values = merger.by_value(own.iter().map(|source| (source.subgraph, &source.field.ty)));
        let message =
            format!("type of field \"{coordinate}\" is incompatible across subgraphs: it has type {values}");
        merger.error("FIELD_TYPE_MISMATCH", message, places);
        return None;
    };
    let widest = widest.clone();
    if !all_equal(&types) {
        let values = merger.by_value(own.iter().map(|source| (source.subgraph, &source.field.ty)));
        let message = format!(
            "type of field \"{coordinate}\" is inconsistent but compatible across subgraphs: will use \"{widest}\", it has type {values}"
        );
        merger.hint("INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE", message, places);
    }
    Some(widest)
}

/// A field needs no joins when every subgraph of its type resolves it in the same way.
fn needs_joins(declarations: &Sources<'_>, sources: &[Source<'_>], same_types: bool) -> bool {
    !same_types
        || sources.len() < declarations.len()
        || sources.iter().any(|source| {
            let field = source.field;
            source.fate != Fate::Kept
                || field.requires.is_some()
                || field.provides.is_some()
                || field.facts.external()
                || source.label.is_some()
                || !field.context_arguments.is_empty()
        })
}

fn join(source: &Source<'_>, same_types: bool) -> FieldJoin {
    let field = source.field;
    FieldJoin {
        subgraph: Some(source.subgraph),
        requires: field.requires.as_ref().map(|used| used.text.clone()),
        provides: field.provides.as_ref().map(|used| used.text.clone()),
        ty: (!same_types).then(|| field.ty.to_string()),
        external: field.facts.external(),
        overrides: field.overriding.as_ref().map(|over| over.from.clone()),
        used_overridden: source.fate == Fate::Used,
        override_label: source.label.map(str::to_owned),
        context_arguments: field.context_arguments.clone(),
    }
}

/// Value types that differ between subgraphs compose, yet surprise; entities may differ freely.
fn hint_partial_fields(merger: &mut Merger<'_>, merged: &MergedType, declarations: &Sources<'_>) {
    let entity =
        declarations.iter().any(|(_, ty)| has(&ty.directives, Fed::Key)) || declarations[0].1.is_root();
    if declarations.len() < 2 || entity {
        return;
    }
    let code = if merged.kind == Kind::Interface {
        "INCONSISTENT_INTERFACE_VALUE_TYPE_FIELD"
    } else {
        "INCONSISTENT_OBJECT_VALUE_TYPE_FIELD"
    };
    for field in merged.fields.values() {
        let missing: Vec<usize> = declarations
            .iter()
            .filter(|(_, ty)| !ty.fields.contains_key(&field.name))
            .map(|(index, _)| *index)
            .collect();
        if missing.is_empty() {
            continue;
        }
        let message = format!(
            "field \"{0}.{1}\" of non-entity type \"{0}\" is defined in {2} but not in {3}",
            merged.name,
            field.name,
            merger.named(field.sources.iter().copied()),
            merger.named(missing),
        );
        let places: Vec<_> = declarations
            .iter()
            .filter_map(|(index, ty)| Some((*index, ty.fields.get(&field.name)?.place)))
            .collect();
        merger.hint(code, message, places);
    }
}
