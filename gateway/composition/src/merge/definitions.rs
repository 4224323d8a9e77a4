//! Definitions and `@link`s of the directives the supergraph uses, and the executable directives all subgraphs share.

use apollo_compiler::ast::{DirectiveDefinition, DirectiveLocation};
use indexmap::IndexMap;

use super::Merger;
use super::directives::ComposedDirective;
use super::model::Merged;
use crate::federation::{DEFINITIONS, Fed};
use crate::model::{Applied, Place};

/// Order of links in the supergraph.
const ORDER: &[Fed] = &[
    Fed::Tag,
    Fed::Inaccessible,
    Fed::Authenticated,
    Fed::RequiresScopes,
    Fed::Policy,
    Fed::Context,
    Fed::Cost,
    Fed::ListSize,
];

pub(super) fn merge_definitions(merger: &mut Merger<'_>, merged: &mut Merged) {
    merge_schema(merger, merged);
    federation_definitions(merger, merged);
    composed_definitions(merger, merged);
    executable_definitions(merger, merged);
}

fn merge_schema(merger: &mut Merger<'_>, merged: &mut Merged) {
    let schemas = merger.schemas;
    merged.schema_description = merger.description(
        "the schema",
        schemas
            .iter()
            .enumerate()
            .map(|(index, schema)| (index, schema.schema_description.as_ref(), Place::default())),
    );
    let directives: Vec<(usize, Vec<Applied>)> = schemas
        .iter()
        .enumerate()
        .map(|(index, schema)| {
            let own = |applied: &&Applied| !applied.is(Fed::Link) && !applied.is(Fed::ComposeDirective);
            (index, schema.schema_directives.iter().filter(own).cloned().collect())
        })
        .collect();
    merged.schema_directives =
        merger.directives("the schema", directives.iter().map(|(index, list)| (*index, list)));
}

fn federation_definitions(merger: &Merger<'_>, merged: &mut Merged) {
    let used = &merger.names.used;
    let mut imports_of_cost = Vec::new();
    for fed in ORDER.iter().copied().filter(|fed| used.contains(fed)) {
        let spec = fed.merged().expect("only merged directives are in the order");
        let local = merger.names.renamed.get(&fed).map_or(fed.name(), String::as_str);
        merged.definitions.insert(local.to_owned(), spec.definition());
        if !spec.types.is_empty() {
            merged.support_scalars.insert(spec.types.to_owned());
        }
        let import = import_text(fed.name(), local);
        if spec.spec == "cost" {
            if fed == Fed::ListSize || local != fed.name() {
                imports_of_cost.push(import);
            }
            continue;
        }
        let import = if local == fed.name() { String::new() } else { format!(", import: [{import}]") };
        let purpose =
            if spec.purpose.is_empty() { String::new() } else { format!(", for: {}", spec.purpose) };
        merged.links.push(format!(
            "@link(url: \"https://specs.apollo.dev/{}/{}\"{purpose}{import})",
            spec.spec, spec.version
        ));
    }
    if used.contains(&Fed::Cost) || used.contains(&Fed::ListSize) {
        let import = if imports_of_cost.is_empty() {
            String::new()
        } else {
            format!(", import: [{}]", imports_of_cost.join(", "))
        };
        merged.links.push(format!("@link(url: \"https://specs.apollo.dev/cost/v0.1\"{import})"));
    }
    if used.contains(&Fed::ListSize) && !used.contains(&Fed::Cost) {
        let cost = Fed::Cost.merged().expect("@cost is merged");
        merged.definitions.insert(Fed::Cost.name().to_owned(), cost.definition());
    }
    if used.contains(&Fed::Context) {
        merged.definitions.insert(
            "context__fromContext".to_owned(),
            "(field: context__ContextFieldValue) on ARGUMENT_DEFINITION".to_owned(),
        );
    }
    if used.contains(&Fed::CacheTag) {
        merged
            .links
            .push("@link(url: \"https://specs.apollo.dev/cacheTag/v0.1\", for: EXECUTION)".to_owned());
    }
}

fn import_text(original: &str, local: &str) -> String {
    if original == local {
        format!("\"@{original}\"")
    } else {
        format!("{{name: \"@{original}\", as: \"@{local}\"}}")
    }
}

/// Newest version, its URL, and what is imported.
type SpecLink<'a> = ((u32, u32), &'a str, Vec<String>);

/// One link per specification, with the newest version any subgraph uses.
fn composed_definitions(merger: &mut Merger<'_>, merged: &mut Merged) {
    refuse_hidden_arguments(merger);
    require_newest_definitions(merger);
    let mut links: IndexMap<&str, SpecLink<'_>> = IndexMap::new();
    for (local, composed) in &merger.names.composed {
        let entry = links
            .entry(composed.identity.as_str())
            .or_insert_with(|| (composed.version, composed.url.as_str(), Vec::new()));
        if entry.0 < composed.version {
            (entry.0, entry.1) = (composed.version, composed.url.as_str());
        }
        entry.2.push(import_text(&composed.original, local));
        if let Some(definition) = newest_definition(merger, local, composed) {
            // Applications of all that compose it are kept, so their places are allowed.
            let mut locations = definition.locations.clone();
            let composers = composed.composers.iter().map(|index| &merger.schemas[*index]);
            let all = composers.filter_map(|schema| schema.definitions.get(local.as_str()));
            for location in all.flat_map(|(other, _)| &other.locations) {
                if !locations.contains(location) {
                    locations.push(*location);
                }
            }
            merged.definitions.insert(local.clone(), definition_text(definition, &locations, |_| true));
        }
    }
    for (_, url, imports) in links.into_values() {
        merged.links.push(format!("@link(url: \"{url}\", import: [{}])", imports.join(", ")));
    }
}

/// A directive of a specification is the same for everyone: nothing of it can be hidden.
fn refuse_hidden_arguments(merger: &mut Merger<'_>) {
    let mut found = Vec::new();
    for local in merger.names.composed.keys() {
        for (index, schema) in merger.schemas.iter().enumerate() {
            let Some((definition, place)) = schema.definitions.get(local.as_str()) else { continue };
            let hidden = schema.local_names.get(&Fed::Inaccessible).is_some_and(|inaccessible| {
                definition.arguments.iter().any(|argument| argument.directives.has(inaccessible))
            });
            if hidden {
                found.push((
                    format!("core feature directive \"@{local}\" cannot use @inaccessible"),
                    index,
                    *place,
                ));
            }
        }
    }
    for (message, index, place) in found {
        merger.error("DISALLOWED_INACCESSIBLE", message, [(index, place)]);
    }
}

/// The definition of a composed directive in a subgraph that composes of the specification's newest version.
fn newest_definition<'a>(
    merger: &'a Merger<'_>,
    local: &str,
    composed: &ComposedDirective,
) -> Option<&'a DirectiveDefinition> {
    let of_feature = || merger.names.composed.values().filter(|other| other.identity == composed.identity);
    let newest = of_feature().map(|other| other.version).max()?;
    let subgraphs = of_feature().filter(|other| other.version == newest).map(|other| other.subgraph);
    subgraphs.map(|index| &merger.schemas[index]).find_map(|schema| {
        let spec = schema.specs.iter().find(|spec| spec.identity == composed.identity)?;
        let spaced = format!("{}__{}", spec.namespace, composed.original);
        let found = schema.definitions.get(local).or_else(|| schema.definitions.get(spaced.as_str()))?;
        Some(&found.0)
    })
}

/// Whoever uses the newest version of a specification defines what is composed of it.
fn require_newest_definitions(merger: &mut Merger<'_>) {
    let mut found = Vec::new();
    for (local, composed) in &merger.names.composed {
        if newest_definition(merger, local, composed).is_some() {
            continue;
        }
        let schema = &merger.schemas[composed.subgraph];
        let link = schema.specs.iter().find(|spec| spec.identity == composed.identity);
        let message = format!(
            "no subgraph with the newest version of core feature \"{}\" has a directive definition for \"@{local}\", \
             which subgraph \"{}\" composes",
            composed.identity, schema.name
        );
        found.push((message, composed.subgraph, link.map(|spec| spec.place).unwrap_or_default()));
    }
    for (message, index, place) in found {
        merger.error("DIRECTIVE_COMPOSITION_ERROR", message, [(index, place)]);
    }
}

fn definition_text(
    definition: &DirectiveDefinition,
    locations: &[DirectiveLocation],
    keeps: impl Fn(&str) -> bool,
) -> String {
    let arguments: Vec<String> = definition
        .arguments
        .iter()
        .filter(|argument| keeps(&argument.name))
        .map(|argument| match &argument.default_value {
            Some(default) => {
                format!("{}: {} = {}", argument.name, argument.ty, default.serialize().no_indent())
            }
            None => format!("{}: {}", argument.name, argument.ty),
        })
        .collect();
    let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
    let repeatable = if definition.repeatable { " repeatable" } else { "" };
    let locations: Vec<&str> = locations.iter().map(|location| location.name()).collect();
    format!("{arguments}{repeatable} on {}", locations.join(" | "))
}

fn is_executable(location: DirectiveLocation) -> bool {
    matches!(
        location,
        DirectiveLocation::Query
            | DirectiveLocation::Mutation
            | DirectiveLocation::Subscription
            | DirectiveLocation::Field
            | DirectiveLocation::FragmentDefinition
            | DirectiveLocation::FragmentSpread
            | DirectiveLocation::InlineFragment
            | DirectiveLocation::VariableDefinition
    )
}

/// A client may use a directive only when every subgraph understands it.
fn executable_definitions(merger: &mut Merger<'_>, merged: &mut Merged) {
    let schemas = merger.schemas;
    let Some(first) = schemas.first() else { return };
    for (name, (definition, place)) in &first.definitions {
        // Every subgraph has the specification's own, written out or not.
        let known = merged.definitions.contains_key(name.as_str())
            || ["skip", "include"].contains(&name.as_str())
            || DEFINITIONS.iter().any(|row| row.name == name.as_str());
        if known || !definition.locations.iter().copied().any(is_executable) {
            continue;
        }
        let all: Vec<&DirectiveDefinition> =
            schemas.iter().filter_map(|schema| Some(&schema.definitions.get(name)?.0)).collect();
        let locations: Vec<DirectiveLocation> = definition
            .locations
            .iter()
            .copied()
            .filter(|location| {
                is_executable(*location) && all.iter().all(|other| other.locations.contains(location))
            })
            .collect();
        if all.len() < schemas.len() || locations.is_empty() {
            let message = format!(
                "executable directive \"@{name}\" will not be part of the supergraph as not all subgraphs have it with a common location"
            );
            merger.hint("INCONSISTENT_EXECUTABLE_DIRECTIVE_PRESENCE", message, [(0, *place)]);
            continue;
        }
        if all
            .iter()
            .any(|other| other.locations.iter().any(|here| is_executable(*here) && !locations.contains(here)))
        {
            let message = format!(
                "executable directive \"@{name}\" has inconsistent locations across subgraphs; those common to all are kept"
            );
            merger.hint("INCONSISTENT_EXECUTABLE_DIRECTIVE_LOCATIONS", message, [(0, *place)]);
        }
        let kept = common_arguments(merger, name, &all, *place);
        let text =
            definition_text(definition, &locations, |argument| kept.iter().any(|name| name == argument));
        merged.definitions.insert(name.to_string(), text);
    }
}

/// Arguments that every definition has with one type.
fn common_arguments(
    merger: &mut Merger<'_>,
    name: &str,
    all: &[&DirectiveDefinition],
    place: Place,
) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for argument in all.iter().flat_map(|definition| &definition.arguments) {
        if seen.contains(&argument.name.as_str()) {
            continue;
        }
        seen.push(&argument.name);
        let same: Vec<_> = all
            .iter()
            .filter_map(|definition| definition.arguments.iter().find(|other| other.name == argument.name))
            .collect();
        if same.len() == all.len() {
            if same.iter().all(|other| other.ty == argument.ty) {
                kept.push(argument.name.to_string());
            } else {
                let message = format!(
                    "type of argument \"@{name}({}:)\" is incompatible across subgraphs",
                    argument.name
                );
                merger.error("FIELD_ARGUMENT_TYPE_MISMATCH", message, [(0, place)]);
            }
        } else if same.iter().any(|other| other.ty.is_non_null() && other.default_value.is_none()) {
            let message = format!(
                "argument \"@{name}({}:)\" is required in some subgraphs but does not appear in all",
                argument.name
            );
            merger.error("REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH", message, [(0, place)]);
        } else {
            let message = format!(
                "optional argument \"@{name}({}:)\" will not be in the supergraph as it does not appear in all subgraphs",
                argument.name
            );
            merger.hint("INCONSISTENT_ARGUMENT_PRESENCE", message, [(0, place)]);
        }
    }
    kept
}
