//! `@link`: which specifications a subgraph uses, and what their directives are called there.
//!
//! In: the parsed document. Out: federation version, local directive names, linked specifications.
//!
//! # Source
//! <https://specs.apollo.dev/link/v1.0>, and Apollo's list of composition error codes.

use std::collections::{HashMap, HashSet};

use apollo_compiler::Node;
use apollo_compiler::ast::{Definition, Directive, Document, Value};

use super::{Problems, Reader};
use crate::federation::{DEFINITIONS, Fed, NEWEST_MINOR, SCALARS};
use crate::model::{Meaning, Spec, Version};

const FEDERATION: &str = "https://specs.apollo.dev/federation";
const LINK: &str = "https://specs.apollo.dev/link";
const APOLLO: &str = "https://specs.apollo.dev/";

/// What the `@link`s of one subgraph say.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) version: Version,
    names: HashMap<String, Fed>,
    /// Local names of types that belong to a specification, so not to the author.
    pub(super) type_names: HashSet<String>,
    pub(super) specs: Vec<Spec>,
}

impl Links {
    /// The meaning of a directive by its local name.
    pub(super) fn meaning(&self, name: &apollo_compiler::Name) -> Meaning {
        match self.names.get(name.as_str()) {
            Some(fed) => Meaning::Fed(*fed),
            None => Meaning::Other(name.clone()),
        }
    }

    /// Local names of federation's directives, each with its meaning, in a fixed order.
    pub(super) fn directive_names(&self) -> Vec<(&str, Fed)> {
        let mut names: Vec<_> = self.names.iter().map(|(name, fed)| (name.as_str(), *fed)).collect();
        names.sort_unstable();
        names
    }
}

/// Reads every `@link` of the schema definition and its extensions.
pub(super) fn read(document: &Document, reader: &Reader<'_>, problems: &mut Problems) -> Links {
    let applications = schema_directives(document);
    let link_name = link_directive_name(&applications);
    let mut links =
        Links { version: Version::One, names: HashMap::new(), type_names: HashSet::new(), specs: Vec::new() };
    for application in &applications {
        if application.name != link_name.as_str() {
            continue;
        }
        if let Some(spec) = read_spec(application, reader, problems) {
            if links.specs.iter().any(|known| known.identity == spec.identity) {
                problems.add(
                    "INVALID_LINK_DIRECTIVE_USAGE",
                    format!("cannot link \"{}\" twice", spec.identity),
                    spec.place,
                );
                continue;
            }
            links.specs.push(spec);
        }
    }
    require_versions(&links, problems);
    refuse_confusing_imports(&links, problems);
    refuse_foreign_execution(&links, problems);
    links.names.insert(link_name, Fed::Link);
    name_directives(&mut links, problems);
    if links.version.is_one() {
        adopt_definitions(&mut links, document);
        require_federation(&links, problems);
    }
    links
}

/// Directives of Federation 2 that a Federation 1 subgraph has by defining them itself.
const ADOPTED: &[Fed] =
    &[Fed::Shareable, Fed::Inaccessible, Fed::Override, Fed::ComposeDirective, Fed::InterfaceObject];

fn adopt_definitions(links: &mut Links, document: &Document) {
    for definition in &document.definitions {
        if let Definition::DirectiveDefinition(written) = definition
            && let Some(fed) = ADOPTED.iter().find(|fed| written.name == fed.name())
        {
            links.names.entry(written.name.to_string()).or_insert(*fed);
        }
    }
}

/// `@tag` and `@inaccessible` come with federation; linked alone, their place in it would be unclear.
fn require_federation(links: &Links, problems: &mut Problems) {
    for spec in &links.specs {
        let name = spec.identity.strip_prefix(APOLLO).unwrap_or_default();
        if name == "tag" || name == "inaccessible" {
            let message =
                format!("import \"@{name}\" from \"{FEDERATION}\" instead of linking \"{}\"", spec.identity);
            problems.add("INVALID_LINK_DIRECTIVE_USAGE", message, spec.place);
        }
    }
}

/// Name spaces the supergraph itself links.
const RESERVED: &[(&str, &str)] = &[("join", "https://specs.apollo.dev/join"), ("link", LINK)];

/// An imported name must not look like a name from another specification's name space.
fn refuse_confusing_imports(links: &Links, problems: &mut Problems) {
    for spec in &links.specs {
        for (name, local) in &spec.imports {
            let (bare, original) = (local.trim_start_matches('@'), name.trim_start_matches('@'));
            let other = match bare.split_once("__") {
                Some((space, rest)) if space == spec.namespace => {
                    (rest != original).then_some(spec.identity.as_str())
                }
                Some((space, _)) => owner(links, spec, space),
                None if local.starts_with('@') && bare == spec.namespace => {
                    let own = spec.identity.rsplit('/').next().unwrap_or_default();
                    (original != own).then_some(spec.identity.as_str())
                }
                None if local.starts_with('@') => owner(links, spec, bare),
                None => None,
            };
            if let Some(other) = other {
                let message = format!(
                    "cannot import \"{name}\" as \"{local}\" from \"{}\": it can be confused with a name of \"{other}\"; \
                     rename the import or the specification with \"as\"",
                    spec.identity
                );
                problems.add("INVALID_LINK_DIRECTIVE_USAGE", message, spec.place);
            }
        }
    }
}

/// The other specification that a name space belongs to.
fn owner<'a>(links: &'a Links, spec: &Spec, space: &str) -> Option<&'a str> {
    let linked = links.specs.iter().find(|other| other.identity != spec.identity && other.namespace == space);
    let reserved = || {
        let found = RESERVED.iter().find(|(name, identity)| *name == space && spec.identity != *identity);
        found.map(|(_, identity)| *identity)
    };
    linked.map(|other| other.identity.as_str()).or_else(reserved)
}

/// A connector is executed by the router it is written for; composing one would promise what this gateway cannot do.
fn refuse_foreign_execution(links: &Links, problems: &mut Problems) {
    for spec in links.specs.iter().filter(|spec| spec.identity == "https://specs.apollo.dev/connect") {
        let message = format!("connectors are not supported: \"{}\"", spec.url);
        problems.add("UNSUPPORTED_LINKED_FEATURE", message, spec.place);
    }
}

fn schema_directives(document: &Document) -> Vec<&Node<Directive>> {
    document
        .definitions
        .iter()
        .flat_map(|definition| match definition {
            Definition::SchemaDefinition(schema) => schema.directives.iter().collect::<Vec<_>>(),
            Definition::SchemaExtension(schema) => schema.directives.iter().collect(),
            _ => Vec::new(),
        })
        .collect()
}

/// `@link` may link its own specification under another name.
fn link_directive_name(applications: &[&Node<Directive>]) -> String {
    applications
        .iter()
        .find(|application| {
            text_argument(application, "url")
                .is_some_and(|url| url.starts_with("https://specs.apollo.dev/link/"))
        })
        .map_or_else(|| "link".to_owned(), |application| application.name.to_string())
}

fn text_argument<'a>(application: &'a Node<Directive>, name: &str) -> Option<&'a str> {
    application.arguments.iter().find(|argument| argument.name == name)?.value.as_str()
}

fn read_spec(application: &Node<Directive>, reader: &Reader<'_>, problems: &mut Problems) -> Option<Spec> {
    let place = reader.place(application.location());
    let Some(url) = text_argument(application, "url") else {
        problems.add("INVALID_LINK_DIRECTIVE_USAGE", "@link needs a \"url\" that is a string", place);
        return None;
    };
    let (identity, version) = match split_url(url) {
        Ok(parts) => parts,
        Err(message) => {
            problems.add("INVALID_LINK_IDENTIFIER", message, place);
            return None;
        }
    };
    let default_name = identity.rsplit('/').next().unwrap_or(identity).to_owned();
    let alias = text_argument(application, "as");
    if let Some(alias) = alias.filter(|alias| alias.contains("__") || alias.ends_with('_')) {
        let message =
            format!("cannot link \"{identity}\" as \"{alias}\", which contains \"__\" or ends in \"_\"");
        problems.add("INVALID_LINK_DIRECTIVE_USAGE", message, place);
    }
    let imports = application
        .arguments
        .iter()
        .find(|argument| argument.name == "import")
        .map(|argument| read_imports(&argument.value))
        .unwrap_or_default();
    let mut good = Vec::new();
    for import in imports {
        match import {
            Ok(import) => good.push(import),
            Err(message) => problems.add("INVALID_LINK_DIRECTIVE_USAGE", message, place),
        }
    }
    Some(Spec {
        identity: identity.to_owned(),
        version,
        url: url.to_owned(),
        namespace: alias.map_or(default_name, str::to_owned),
        imports: good,
        place,
    })
}

/// Major and minor.
type SpecVersion = (u32, u32);

/// Splits `https://host/name/v1.2` into identity and version; a foreign URL may lack the version.
fn split_url(url: &str) -> Result<(&str, Option<SpecVersion>), String> {
    let trimmed = url.trim_end_matches('/');
    let version = trimmed.rsplit_once('/').and_then(|(identity, last)| {
        let (major, minor) = last.strip_prefix('v')?.split_once('.')?;
        Some((identity, (major.parse().ok()?, minor.parse().ok()?)))
    });
    match version {
        Some((identity, version)) => Ok((identity, Some(version))),
        None if url.starts_with(APOLLO) || url.is_empty() => {
            let last = trimmed.rsplit('/').next().unwrap_or_default();
            Err(format!("expected a version (of the form v1.2) at the end of \"{url}\", got \"{last}\""))
        }
        None => Ok((trimmed, None)),
    }
}

/// Where federation is linked, every link must say its version; elsewhere `@link` may mean something else.
fn require_versions(links: &Links, problems: &mut Problems) {
    if !links.specs.iter().any(|spec| spec.identity == FEDERATION) {
        return;
    }
    for spec in links.specs.iter().filter(|spec| spec.version.is_none()) {
        let last = spec.url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let message =
            format!("expected a version (of the form v1.2) at the end of \"{}\", got \"{last}\"", spec.url);
        problems.add("INVALID_LINK_IDENTIFIER", message, spec.place);
    }
}

fn read_imports(value: &Value) -> Vec<Result<(String, String), String>> {
    let Value::List(items) = value else {
        return vec![Err("\"import\" must be a list".to_owned())];
    };
    items.iter().map(|item| read_import(item)).collect()
}

fn read_import(item: &Value) -> Result<(String, String), String> {
    match item {
        Value::String(name) => Ok((name.clone(), name.clone())),
        Value::Object(entries) => {
            let entry = |key: &str| {
                entries.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.as_str())
            };
            if let Some((unknown, _)) = entries.iter().find(|(name, _)| name != "name" && name != "as") {
                return Err(format!("unknown field \"{unknown}\" in an import of @link"));
            }
            let name = entry("name").ok_or("an import of @link needs a \"name\" that is a string")?;
            let local = entry("as").unwrap_or(name);
            if name.starts_with('@') != local.starts_with('@') {
                return Err(format!(
                    "invalid @link import renaming: \"{name}\" cannot be named \"{local}\"; both or neither are directives"
                ));
            }
            Ok((name.to_owned(), local.to_owned()))
        }
        other => Err(format!("invalid import {other} in @link: expected a string or an object")),
    }
}

fn name_directives(links: &mut Links, problems: &mut Problems) {
    let specs = links.specs.clone();
    links.type_names.extend(
        ["link__Import", "link__Purpose", "_Any", "_Service", "_Entity", "_FieldSet"].map(str::to_owned),
    );
    for spec in &specs {
        if spec.identity == FEDERATION {
            name_federation(links, spec, problems);
        } else if spec.identity == LINK {
            if spec.version != Some((1, 0)) {
                problems.add(
                    "UNKNOWN_LINK_VERSION",
                    format!("unknown version of @link: \"{}\"", spec.url),
                    spec.place,
                );
            }
            for (_, local) in &spec.imports {
                links.type_names.insert(local.trim_start_matches('@').to_owned());
            }
        } else if let Some(name) = spec.identity.strip_prefix(APOLLO) {
            name_core_spec(links, spec, name);
        }
    }
    if links.version.is_one() {
        for row in DEFINITIONS.iter().filter(|row| row.in_one) {
            links.names.entry(row.name.to_owned()).or_insert(row.fed);
        }
    }
}

fn name_federation(links: &mut Links, spec: &Spec, problems: &mut Problems) {
    let minor = match spec.version {
        Some((2, minor)) if minor <= NEWEST_MINOR => minor,
        _ => {
            problems.add(
                "UNKNOWN_FEDERATION_LINK_VERSION",
                format!("invalid version in \"{}\": versions 2.0 to 2.{NEWEST_MINOR} are known", spec.url),
                spec.place,
            );
            return;
        }
    };
    links.version = Version::Two(minor);
    for row in DEFINITIONS.iter().filter(|row| row.since <= minor && row.fed != Fed::Link) {
        links.names.insert(format!("{}__{}", spec.namespace, row.name), row.fed);
    }
    for (scalar, since) in SCALARS {
        if *since <= minor {
            links.type_names.insert(format!("{}__{scalar}", spec.namespace));
        }
    }
    for (name, local) in &spec.imports {
        if let Some(fed) = name.strip_prefix('@').and_then(Fed::by_name) {
            if fed.definition().since <= minor && fed != Fed::Link {
                let local = local.trim_start_matches('@').to_owned();
                if let Some(earlier) = links.names.insert(local.clone(), fed)
                    && earlier != fed
                {
                    problems.add(
                        "INVALID_LINK_DIRECTIVE_USAGE",
                        format!("the name \"@{local}\" is imported for two directives"),
                        spec.place,
                    );
                }
                continue;
            }
        } else if SCALARS.iter().any(|(scalar, since)| scalar == name && *since <= minor) {
            links.type_names.insert(local.clone());
            continue;
        }
        let hint = match Fed::by_name(name) {
            Some(_) => format!("; did you mean directive \"@{name}\"?"),
            None => String::new(),
        };
        problems.add(
            "INVALID_LINK_DIRECTIVE_USAGE",
            format!("cannot import unknown element \"{name}\" from \"{}\"{hint}", spec.url),
            spec.place,
        );
    }
}

/// A specification such as `tag` or `cost` linked on its own and not through federation.
fn name_core_spec(links: &mut Links, spec: &Spec, name: &str) {
    let offered: &[Fed] = match name {
        "tag" => &[Fed::Tag],
        "inaccessible" => &[Fed::Inaccessible],
        "authenticated" => &[Fed::Authenticated],
        "requiresScopes" => &[Fed::RequiresScopes],
        "policy" => &[Fed::Policy],
        "cost" => &[Fed::Cost, Fed::ListSize],
        "cacheTag" => &[Fed::CacheTag],
        _ => return,
    };
    for fed in offered {
        let imported = spec.imports.iter().find(|(import, _)| import.strip_prefix('@') == Some(fed.name()));
        let local = match imported {
            Some((_, local)) => local.trim_start_matches('@').to_owned(),
            None if fed.name() == name => spec.namespace.clone(),
            None => format!("{}__{}", spec.namespace, fed.name()),
        };
        links.names.insert(local, *fed);
    }
    for scalar in ["Scope", "Policy"] {
        links.type_names.insert(format!("{}__{scalar}", spec.namespace));
    }
}
