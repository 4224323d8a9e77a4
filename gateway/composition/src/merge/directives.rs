//! Merges directive applications: which reach the supergraph, under which name, and how several become one.
//!
//! Elsewhere: their definitions and links (`definitions.rs`); `join` directives (`fields.rs`, `types.rs`).

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::{IntValue, Value};
use apollo_compiler::{Name, Node, name};
use indexmap::IndexMap;

use super::Merger;
use super::model::MergedDirective;
use crate::auth::{alternatives, both, literal};
use crate::federation::Fed;
use crate::model::{Applied, Meaning, SubgraphSchema};

/// Directives that travel to the supergraph besides the built-in ones.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Supergraph name of federation's own, where an import renames it.
    pub(super) renamed: HashMap<Fed, String>,
    /// Supergraph names of the author's, with the specification each belongs to.
    pub(super) composed: IndexMap<String, ComposedDirective>,
    /// Which of federation's are applied anywhere, filled while merging.
    pub(super) used: Vec<Fed>,
}

/// A directive that `@composeDirective` names.
#[derive(Debug, Clone)]
pub(super) struct ComposedDirective {
    pub(super) identity: String,
    pub(super) version: (u32, u32),
    pub(super) url: String,
    /// Name in its specification, without `@`.
    pub(super) original: String,
    pub(super) subgraph: usize,
    /// Every subgraph that composes it; applications elsewhere stay there.
    pub(super) composers: Vec<usize>,
}

pub(super) fn collect_names(merger: &mut Merger<'_>) -> Names {
    let mut names = Names::default();
    let applied: Vec<HashSet<Fed>> = merger.schemas.iter().map(applied).collect();
    for row in crate::federation::DEFINITIONS.iter().filter(|row| row.fed.merged().is_some()) {
        let given: Vec<(usize, String)> = merger
            .schemas
            .iter()
            .enumerate()
            .filter_map(|(index, schema)| {
                let local = schema.local_names.get(&row.fed)?;
                applied[index].contains(&row.fed).then(|| (index, format!("@{local}")))
            })
            .collect();
        let Some((_, first)) = given.first() else { continue };
        if given.iter().any(|(_, local)| local != first) {
            let message = format!(
                "the \"@{}\" directive is imported with mismatched name between subgraphs: it is imported as {}",
                row.name,
                merger.by_value(given.iter().map(|(index, local)| (*index, local)))
            );
            let links: Vec<_> = given
                .iter()
                .flat_map(|(index, _)| merger.schemas[*index].specs.iter().map(|spec| (*index, spec)))
                .filter(|(_, spec)| {
                    spec.imports.iter().any(|(name, _)| name.strip_prefix('@') == Some(row.name))
                })
                .map(|(index, spec)| (index, spec.place))
                .collect();
            merger.error("LINK_IMPORT_NAME_MISMATCH", message, links);
        }
        if first[1..] != *row.name {
            names.renamed.insert(row.fed, first[1..].to_owned());
        }
    }
    for index in 0..merger.schemas.len() {
        collect_composed(merger, &mut names, index);
    }
    names
}

/// Federation's directives that are applied somewhere in the subgraph; an import alone promises nothing.
fn applied(schema: &SubgraphSchema) -> HashSet<Fed> {
    let mut found = HashSet::new();
    let mut add = |directives: &[Applied]| {
        found.extend(directives.iter().filter_map(|applied| match applied.meaning {
            Meaning::Fed(fed) => Some(fed),
            Meaning::Other(_) => None,
        }));
    };
    add(&schema.schema_directives);
    for ty in schema.types.values() {
        add(&ty.directives);
        ty.inputs.values().for_each(|input| add(&input.directives));
        ty.values.values().for_each(|value| add(&value.directives));
        for field in ty.fields.values() {
            add(&field.directives);
            field.arguments.values().for_each(|argument| add(&argument.directives));
        }
    }
    found
}

fn collect_composed(merger: &mut Merger<'_>, names: &mut Names, index: usize) {
    let schema = &merger.schemas[index];
    for applied in schema.schema_directives.iter().filter(|applied| applied.is(Fed::ComposeDirective)) {
        let conflict = applied.text("name").and_then(|name| conflicting(merger.schemas, index, name));
        let result = match conflict {
            Some(message) => Err(message),
            None => compose_one(schema, index, applied, names),
        };
        let automatic = schema.local_names.iter().any(|(fed, name)| {
            fed.merged().is_some()
                && applied.text("name").and_then(|given| given.strip_prefix('@')) == Some(name.as_str())
        });
        if automatic && result.is_ok() {
            let message = format!(
                "directive \"{}\" should not be explicitly manually composed since it is a federation directive composed by default",
                applied.text("name").unwrap_or_default()
            );
            merger.hint("DIRECTIVE_COMPOSITION_INFO", message, [(index, applied.place)]);
        }
        if let Err(message) = result {
            merger.error("DIRECTIVE_COMPOSITION_ERROR", message, [(index, applied.place)]);
        }
    }
}

/// An author's directive may not take the name that a federation directive has in another subgraph.
fn conflicting(schemas: &[SubgraphSchema], index: usize, given: &str) -> Option<String> {
    let local = given.strip_prefix('@')?;
    if schemas[index].local_names.values().any(|name| name == local) {
        return None;
    }
    let other = schemas.iter().find(|schema| {
        schema.local_names.iter().any(|(fed, name)| fed.merged().is_some() && name == local)
    })?;
    Some(format!(
        "directive \"{given}\" in subgraph \"{}\" cannot be composed because it conflicts with the federation directive of that name in subgraph \"{}\"",
        schemas[index].name, other.name
    ))
}

fn compose_one(
    schema: &SubgraphSchema,
    index: usize,
    applied: &Applied,
    names: &mut Names,
) -> Result<(), String> {
    let subgraph = &schema.name;
    let Some(given) = applied.text("name").filter(|name| !name.is_empty()) else {
        return Err(format!(
            "argument to @composeDirective in subgraph \"{subgraph}\" cannot be null or empty"
        ));
    };
    let Some(local) = given.strip_prefix('@') else {
        return Err(format!(
            "argument to @composeDirective \"{given}\" in subgraph \"{subgraph}\" must have a leading \"@\""
        ));
    };
    if let Some((fed, _)) = schema.local_names.iter().find(|(_, name)| name.as_str() == local) {
        // Those that are always composed need no asking; the others never are.
        if fed.merged().is_some() {
            return Ok(());
        }
        return Err(format!(
            "composing federation directive \"{given}\" in subgraph \"{subgraph}\" is not supported"
        ));
    }
    if !schema.definitions.contains_key(local) {
        return Err(format!(
            "could not find matching directive definition for argument to @composeDirective \"{given}\" in subgraph \"{subgraph}\""
        ));
    }
    let found = schema.specs.iter().find_map(|spec| {
        let original = match spec.imports.iter().find(|(_, import)| import == given) {
            Some((original, _)) => original.trim_start_matches('@').to_owned(),
            None if spec.namespace == local => local.to_owned(),
            None => local.strip_prefix(&format!("{}__", spec.namespace))?.to_owned(),
        };
        Some((spec, original))
    });
    let Some((spec, original)) = found else {
        return Err(format!(
            "directive \"{given}\" in subgraph \"{subgraph}\" cannot be composed because it is not a member of a core feature"
        ));
    };
    if ["https://specs.apollo.dev/join", "https://specs.apollo.dev/link"].contains(&spec.identity.as_str()) {
        return Err(format!(
            "composing federation directive \"{given}\" in subgraph \"{subgraph}\" is not supported"
        ));
    }
    let version = spec.version.unwrap_or((0, 1));
    let this = ComposedDirective {
        identity: spec.identity.clone(),
        version,
        url: spec.url.clone(),
        original,
        subgraph: index,
        composers: vec![index],
    };
    record(names, local, given, this)
}

/// Two subgraphs that compose a directive must mean the same one, of one major version.
fn record(names: &mut Names, local: &str, given: &str, this: ComposedDirective) -> Result<(), String> {
    let clash = names.composed.iter().find(|(name, other)| {
        other.identity == this.identity && other.original == this.original && *name != local
    });
    if clash.is_some() {
        return Err(format!(
            "composed directive \"@{}\" has different names in the subgraphs that compose it",
            this.original
        ));
    }
    let other_major = names
        .composed
        .values()
        .any(|other| other.identity == this.identity && other.version.0 != this.version.0);
    if other_major {
        return Err(format!(
            "core feature \"{}\" requested to be merged has major version mismatch across subgraphs",
            this.identity
        ));
    }
    match names.composed.get_mut(local) {
        None => {
            names.composed.insert(local.to_owned(), this);
        }
        Some(other) if other.identity != this.identity || other.original != this.original => {
            return Err(format!("composed directive \"{given}\" is linked by different core features"));
        }
        Some(other) if other.version < this.version => {
            let earlier = std::mem::take(&mut other.composers);
            *other = this;
            other.composers.extend(earlier);
        }
        Some(other) => other.composers.extend(this.composers),
    }
    Ok(())
}

type Application<'a> = (usize, &'a Applied);

impl Merger<'_> {
    /// Merges the applications that all subgraphs have on one element.
    pub(super) fn directives<'d>(
        &mut self,
        coordinate: &str,
        sources: impl IntoIterator<Item = (usize, &'d Vec<Applied>)>,
    ) -> Vec<MergedDirective> {
        let mut groups: IndexMap<Meaning, Vec<Application<'d>>> = IndexMap::new();
        for (index, directives) in sources {
            for applied in directives {
                groups.entry(applied.meaning.clone()).or_default().push((index, applied));
            }
        }
        let mut merged = Vec::new();
        for (meaning, applications) in &groups {
            match meaning {
                Meaning::Fed(fed) => self.merge_federation(coordinate, *fed, applications, &mut merged),
                Meaning::Other(name) => self.merge_other(coordinate, name, applications, &mut merged),
            }
        }
        merged.sort_by_key(|directive| (directive.joined.is_empty(), directive.fed.is_none(), directive.fed));
        merged
    }

    fn merge_federation(
        &mut self,
        coordinate: &str,
        fed: Fed,
        applications: &[Application<'_>],
        merged: &mut Vec<MergedDirective>,
    ) {
        if fed == Fed::CacheTag {
            self.mark_used(fed);
            join_applications(fed, applications, merged);
            return;
        }
        if fed.merged().is_none() {
            return;
        }
        self.mark_used(fed);
        self.hint_if_combined(coordinate, fed, applications);
        let name = self.names.renamed.get(&fed).cloned().unwrap_or_else(|| fed.name().to_owned());
        let mut push = |arguments| {
            merged.push(MergedDirective {
                fed: Some(fed),
                name: name.clone(),
                arguments,
                joined: Vec::new(),
            });
        };
        match fed {
            Fed::Inaccessible | Fed::Authenticated => push(Vec::new()),
            Fed::RequiresScopes => push(vec![(name!("scopes"), conjunction(applications, "scopes"))]),
            Fed::Policy => push(vec![(name!("policies"), conjunction(applications, "policies"))]),
            Fed::Cost => push(largest(applications, "weight").into_iter().collect()),
            Fed::ListSize => push(list_size(applications)),
            Fed::Context => {
                for (index, applied) in applications {
                    if let Some(context) = applied.text("name") {
                        let unique = self.schemas[*index].context_name(context);
                        push(vec![(name!("name"), Value::String(unique))]);
                    }
                }
            }
            _ => distinct(applications).into_iter().for_each(|applied| push(applied.arguments.clone())),
        }
    }

    /// Arguments that differ and are combined into new ones deserve a remark.
    fn hint_if_combined(&mut self, coordinate: &str, fed: Fed, applications: &[Application<'_>]) {
        let combined = matches!(fed, Fed::RequiresScopes | Fed::Policy | Fed::Cost | Fed::ListSize);
        if combined && distinct(applications).len() > 1 {
            let places: Vec<_> =
                applications.iter().map(|(index, applied)| (*index, applied.place)).collect();
            let message = format!(
                "directive @{} is applied to {coordinate} in several subgraphs with different arguments; they are combined",
                fed.name()
            );
            self.hint("MERGED_NON_REPEATABLE_DIRECTIVE_ARGUMENTS", message, places);
        }
    }

    fn mark_used(&mut self, fed: Fed) {
        if !self.names.used.contains(&fed) {
            self.names.used.push(fed);
        }
    }

    fn merge_other(
        &mut self,
        coordinate: &str,
        name: &Name,
        applications: &[Application<'_>],
        merged: &mut Vec<MergedDirective>,
    ) {
        let built_in = matches!(name.as_str(), "deprecated" | "specifiedBy" | "oneOf");
        let composers = self.names.composed.get(name.as_str()).map(|composed| &composed.composers);
        let applications: Vec<Application<'_>> = applications
            .iter()
            .filter(|(index, _)| built_in || composers.is_some_and(|composers| composers.contains(index)))
            .copied()
            .collect();
        let applications = applications.as_slice();
        if applications.is_empty() {
            return;
        }
        let different = distinct(applications);
        let repeatable = !built_in
            && self
                .schemas
                .iter()
                .any(|schema| schema.definitions.get(name).is_some_and(|(def, _)| def.repeatable));
        let chosen: Vec<&Applied> = if repeatable || different.len() < 2 {
            different
        } else {
            let places: Vec<_> =
                applications.iter().map(|(index, applied)| (*index, applied.place)).collect();
            let message = format!(
                "non-repeatable directive \"@{name}\" is applied to {coordinate} with different arguments; the most common, or the first, are kept"
            );
            self.hint("INCONSISTENT_NON_REPEATABLE_DIRECTIVE_ARGUMENTS", message, places);
            let count = |candidate: &Applied| {
                applications.iter().filter(|(_, applied)| applied.arguments == candidate.arguments).count()
            };
            let most = different.iter().map(|candidate| count(candidate)).max();
            different.into_iter().filter(|candidate| Some(count(candidate)) == most).take(1).collect()
        };
        for applied in chosen {
            merged.push(MergedDirective {
                fed: None,
                name: name.to_string(),
                arguments: applied.arguments.clone(),
                joined: Vec::new(),
            });
        }
    }
}

fn distinct<'a>(applications: &[Application<'a>]) -> Vec<&'a Applied> {
    let mut seen: Vec<&Applied> = Vec::new();
    for (_, applied) in applications {
        if !seen.iter().any(|known| known.arguments == applied.arguments) {
            seen.push(applied);
        }
    }
    seen
}

/// Equal applications of several subgraphs become one `@join__directive` naming them all.
fn join_applications(fed: Fed, applications: &[Application<'_>], merged: &mut Vec<MergedDirective>) {
    for distinct in distinct(applications) {
        let joined = applications
            .iter()
            .filter(|(_, applied)| applied.arguments == distinct.arguments)
            .map(|(index, _)| *index)
            .collect();
        merged.push(MergedDirective {
            fed: Some(fed),
            name: format!("federation__{}", fed.name()),
            arguments: distinct.arguments.clone(),
            joined,
        });
    }
}

/// What every subgraph asks, at once.
fn conjunction(applications: &[Application<'_>], argument: &str) -> Value {
    let mut needs =
        applications.iter().filter_map(|(_, applied)| applied.argument(argument)).map(alternatives);
    let first = needs.next().unwrap_or_default();
    literal(needs.fold(first, |known, next| both(&known, &next)))
}

fn largest(applications: &[Application<'_>], argument: &str) -> Option<(Name, Value)> {
    let number = |applied: &Applied| match applied.argument(argument) {
        Some(Value::Int(number)) => number.try_to_i32().ok(),
        _ => None,
    };
    let most = applications.iter().filter_map(|(_, applied)| number(applied)).max()?;
    Some((Name::new(argument).ok()?, Value::Int(IntValue::from(most))))
}

fn list_size(applications: &[Application<'_>]) -> Vec<(Name, Value)> {
    if let [(_, only)] = applications {
        return only.arguments.clone();
    }
    let mut arguments: Vec<(Name, Value)> = largest(applications, "assumedSize").into_iter().collect();
    for argument in [name!("slicingArguments"), name!("sizedFields")] {
        let mut items: Vec<Node<Value>> = Vec::new();
        for (_, applied) in applications {
            if let Some(Value::List(given)) = applied.argument(&argument) {
                for item in given {
                    if !items.contains(item) {
                        items.push(item.clone());
                    }
                }
            }
        }
        if !items.is_empty() {
            arguments.push((argument, Value::List(items)));
        }
    }
    let one = applications.iter().all(|(_, applied)| {
        !matches!(applied.argument("requireOneSlicingArgument"), Some(Value::Boolean(false)))
    });
    if !one {
        arguments.push((name!("requireOneSlicingArgument"), Value::Boolean(false)));
    }
    arguments
}
