//! An `@external` declaration must agree with the field it stands for.

use apollo_compiler::ast::Type;

use super::Merger;
use super::fields::Source;
use super::model::MergedField;
use super::references::all_equal;
use crate::federation::Fed;
use crate::model::{Applied, find};

/// Directives that are copied to the supergraph, and so have no meaning on what is resolved elsewhere.
const MERGED: &[Fed] = &[
    Fed::Tag,
    Fed::Inaccessible,
    Fed::Authenticated,
    Fed::RequiresScopes,
    Fed::Policy,
    Fed::Cost,
    Fed::ListSize,
];

impl Merger<'_> {
    /// An `@external` declaration cannot say anything about the field.
    pub(super) fn refuse_directives_on_externals(&mut self, coordinate: &str, sources: &[Source<'_>]) {
        for source in sources.iter().filter(|source| source.field.facts.external()) {
            for fed in MERGED {
                let field = source.field;
                let on_argument =
                    || field.arguments.values().find_map(|argument| find(&argument.directives, *fed));
                let Some(applied) = find(&field.directives, *fed).or_else(on_argument) else { continue };
                let message = format!(
                    "[{}] cannot apply merged directive @{} to external field \"{coordinate}\"",
                    self.schemas[source.subgraph].name,
                    fed.name()
                );
                if *fed == Fed::Tag && self.tagged_elsewhere(source, applied, sources) {
                    continue;
                }
                let place = [(source.subgraph, applied.place)];
                self.error("MERGED_DIRECTIVE_APPLICATION_ON_EXTERNAL", message, place);
            }
        }
    }

    /// Federation 1 repeats the owner's tags where a field is external.
    fn tagged_elsewhere(&self, source: &Source<'_>, tag: &Applied, sources: &[Source<'_>]) -> bool {
        self.schemas[source.subgraph].version.is_one()
            && sources.iter().any(|other| {
                let same = |applied: &Applied| applied.is(Fed::Tag) && applied.arguments == tag.arguments;
                !other.field.facts.external() && other.field.directives.iter().any(same)
            })
    }

    pub(super) fn check_externals(&mut self, coordinate: &str, sources: &[Source<'_>], merged: &MergedField) {
        let external: Vec<&Source<'_>> =
            sources.iter().filter(|source| source.field.facts.external()).collect();
        // Where the owners differ among themselves, a declaration may follow one that says more than the merged type.
        let owners: Vec<&Type> = sources
            .iter()
            .filter(|source| !source.field.facts.external())
            .map(|source| &source.field.ty)
            .collect();
        let owners_agree = all_equal(&owners);
        let types_differ = external.iter().any(|source| {
            source.field.ty != merged.ty && (owners_agree || !self.is_subtype(&merged.ty, &source.field.ty))
        });
        if types_differ {
            let values = self.by_value(sources.iter().map(|source| (source.subgraph, &source.field.ty)));
            let message = format!(
                "type of field \"{coordinate}\" is incompatible across subgraphs (where marked @external): it has type {values}"
            );
            self.error("EXTERNAL_TYPE_MISMATCH", message, sources.iter().map(Source::at).collect::<Vec<_>>());
        }
        for argument in merged.arguments.values() {
            let name = &argument.name;
            let declared: Vec<_> = external
                .iter()
                .filter_map(|source| Some((source.subgraph, source.field.arguments.get(name)?)))
                .collect();
            let places: Vec<_> =
                declared.iter().map(|(subgraph, argument)| (*subgraph, argument.place)).collect();
            if declared.len() < external.len() {
                let missing = external
                    .iter()
                    .filter(|source| !source.field.arguments.contains_key(name))
                    .map(|source| source.subgraph);
                let message = format!(
                    "field \"{coordinate}\" is missing argument \"{name}\" in {}, where it is marked @external",
                    self.named(missing)
                );
                self.error(
                    "EXTERNAL_ARGUMENT_MISSING",
                    message,
                    external.iter().map(|source| source.at()).collect::<Vec<_>>(),
                );
            }
            if declared.iter().any(|(_, other)| !self.is_subtype(&other.ty, &argument.ty)) {
                let values = self.by_value(declared.iter().map(|(subgraph, other)| (*subgraph, &other.ty)));
                let message = format!(
                    "type of argument \"{coordinate}({name}:)\" is incompatible across subgraphs: it is \"{}\" but has type {values}, where the field is marked @external",
                    argument.ty
                );
                self.error("EXTERNAL_ARGUMENT_TYPE_MISMATCH", message, places.clone());
            }
            if declared.iter().any(|(_, other)| other.default != argument.default) {
                let message = format!(
                    "argument \"{coordinate}({name}:)\" has incompatible defaults across subgraphs, where the field is marked @external"
                );
                self.error("EXTERNAL_ARGUMENT_DEFAULT_MISMATCH", message, places);
            }
        }
    }
}
