//! What of the schema only some clients may ask for: `@authenticated`, `@requiresScopes`, `@policy`.
//!
//! In: the supergraph's SDL, where the directives may have other names; an operation; what the client was granted. Out: what the
//! operation needs, found once for each plan, and a refusal when the client does not have all of it.
//! Always: what is needed does not depend on the way: aliases, fragments, interfaces and unions lead to the same fields and
//! types. Of a field asked on an interface, what any object that it may stand on needs is needed. Nothing is fetched for an
//! operation that is refused.
//! Elsewhere: where the directives are merged from (`composition`), what a token grants (`server/auth`).
//!
//! # Source
//! The federation specifications `authenticated/v0.1`, `requiresScopes/v0.1` and `policy/v0.1`: the outer list of scopes or
//! policies is "or", the inner one "and".

use std::collections::{BTreeSet, HashMap};

use apollo_compiler::Name;
use apollo_compiler::Node;
use apollo_compiler::ast::{Definition, DirectiveList, Document, FieldDefinition, Value};
use apollo_compiler::parser::Parser;
use kopitiam_operation::{FieldNode, NormalisedOperation, Selection};
use kopitiam_supergraph::{Supergraph, TypeId};

use crate::{ErrorCode, Outcome, RequestError, Response};

const SPECIFICATIONS: [&str; 3] = [
    "https://specs.apollo.dev/authenticated/",
    "https://specs.apollo.dev/requiresScopes/",
    "https://specs.apollo.dev/policy/",
];

/// What a client was granted; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Whether it is known who asks.
    pub authenticated: bool,
    /// Scopes, as in `@requiresScopes`.
    pub scopes: BTreeSet<String>,
    /// Policies that hold, as in `@policy`.
    pub policies: BTreeSet<String>,
}

/// One of several sets of names, all of which are needed.
type Alternatives = Vec<Vec<Box<str>>>;

/// What one field or type needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Need {
    authenticated: bool,
    scopes: Option<Alternatives>,
    policies: Option<Alternatives>,
}

/// What fields and types need. See the module's header.
#[derive(Debug, Default)]
pub(crate) struct Requirements {
    types: HashMap<Name, Need>,
    fields: HashMap<(Name, Name), Need>,
}

/// A place of an operation that needs something.
#[derive(Debug)]
pub(crate) struct Needed {
    /// Response keys from the root.
    path: Box<str>,
    need: Need,
}

impl Need {
    fn is_met(&self, grants: &Grants) -> bool {
        let any = |alternatives: &Option<Alternatives>, granted: &BTreeSet<String>| {
            alternatives.as_ref().is_none_or(|alternatives| {
                alternatives.iter().any(|all| all.iter().all(|name| granted.contains(&**name)))
            })
        };
        (!self.authenticated || grants.authenticated)
            && any(&self.scopes, &grants.scopes)
            && any(&self.policies, &grants.policies)
    }
}

/// The refusal of an operation that needs what was not granted; `None` when everything was.
pub(crate) fn refusal(needed: &[Needed], grants: &Grants) -> Option<Response> {
    let missing = needed.iter().filter(|needed| !needed.need.is_met(grants));
    let errors: Vec<RequestError> = missing
        .take(Response::REFUSAL_ERRORS_MAX)
        .map(|needed| RequestError {
            message: format!("Not allowed to ask for `{}`.", needed.path),
            locations: Vec::new(),
            code: ErrorCode::UnauthorizedFieldOrType,
        })
        .collect();
    (!errors.is_empty()).then(|| Response::refused(Outcome::ValidationError, &errors))
}

impl Requirements {
    /// Reads them; an SDL without the specifications has none.
    pub(crate) fn read(supergraph_sdl: &str) -> Self {
        if !SPECIFICATIONS.iter().any(|url| supergraph_sdl.contains(url)) {
            return Self::default();
        }
        // The supergraph reader has taken this text before, so it parses.
        let Ok(document) = Parser::new().parse_ast(supergraph_sdl, "supergraph.graphql") else {
            return Self::default();
        };
        let mut read = Self::default();
        let names = SPECIFICATIONS.map(|url| directive_name(&document, url));
        for definition in &document.definitions {
            match definition {
                Definition::ScalarTypeDefinition(ty) => read.ty(&names, &ty.name, &ty.directives, &[]),
                Definition::EnumTypeDefinition(ty) => read.ty(&names, &ty.name, &ty.directives, &[]),
                Definition::ObjectTypeDefinition(ty) => read.ty(&names, &ty.name, &ty.directives, &ty.fields),
                Definition::InterfaceTypeDefinition(ty) => {
                    read.ty(&names, &ty.name, &ty.directives, &ty.fields);
                }
                _ => {}
            }
        }
        read
    }

    fn ty(
        &mut self,
        names: &[Option<String>; 3],
        name: &Name,
        directives: &DirectiveList,
        fields: &[Node<FieldDefinition>],
    ) {
        if let Some(need) = need(names, directives) {
            self.types.insert(name.clone(), need);
        }
        for field in fields {
            if let Some(need) = need(names, &field.directives) {
                self.fields.insert((name.clone(), field.name.clone()), need);
            }
        }
    }

    /// What an operation needs, by the places in it.
    pub(crate) fn of(&self, supergraph: &Supergraph, operation: &NormalisedOperation) -> Vec<Needed> {
        let mut needed = Vec::new();
        if !self.types.is_empty() || !self.fields.is_empty() {
            self.walk(supergraph, &operation.selection, "", &mut needed);
        }
        needed
    }

    fn walk(&self, supergraph: &Supergraph, selection: &Selection, above: &str, needed: &mut Vec<Needed>) {
        for field in &selection.fields {
            let path = if above.is_empty() {
                field.response_key.to_string()
            } else {
                format!("{above}.{}", field.response_key)
            };
            let mut needs: Vec<&Need> = Vec::new();
            for ty in concerned(supergraph, field) {
                needs.extend(self.types.get(&ty));
                needs.extend(self.fields.get(&(ty, field.name.clone())));
            }
            needs.extend(self.types.get(&supergraph.ty(field.base).name));
            needed.extend(
                needs.into_iter().map(|need| Needed { path: path.as_str().into(), need: need.clone() }),
            );
            self.walk(supergraph, &field.selection, &path, needed);
        }
    }
}

/// The type that a field is asked on, and the objects that it may stand on.
fn concerned(supergraph: &Supergraph, field: &FieldNode) -> Vec<Name> {
    let name = |id: TypeId| supergraph.ty(id).name.clone();
    field.on.iter().chain([field.parent]).map(name).collect()
}

/// What the directives of a field or type say; `None`: nothing.
fn need(names: &[Option<String>; 3], directives: &DirectiveList) -> Option<Need> {
    let [authenticated, scopes, policies] = names;
    let has = |name: &Option<String>| name.as_ref().is_some_and(|name| directives.has(name));
    let need = Need {
        authenticated: has(authenticated),
        scopes: alternatives(scopes.as_deref(), "scopes", directives),
        policies: alternatives(policies.as_deref(), "policies", directives),
    };
    (need != Need::default()).then_some(need)
}

fn alternatives(name: Option<&str>, argument: &str, directives: &DirectiveList) -> Option<Alternatives> {
    let directive = directives.get(name?)?;
    let outer = directive.specified_argument_by_name(argument)?.as_list()?;
    let inner = |all: &Node<Value>| {
        all.as_list().unwrap_or_default().iter().filter_map(|name| name.as_str().map(Into::into)).collect()
    };
    Some(outer.iter().map(inner).collect())
}

/// The name under which a supergraph uses a specification's directive.
fn directive_name(document: &Document, specification: &str) -> Option<String> {
    let schemas = document.definitions.iter().filter_map(|definition| match definition {
        Definition::SchemaDefinition(schema) => Some(&schema.directives),
        Definition::SchemaExtension(schema) => Some(&schema.directives),
        _ => None,
    });
    let text = |name: &str, link: &apollo_compiler::ast::Directive| {
        link.specified_argument_by_name(name).and_then(|value| value.as_str()).map(str::to_owned)
    };
    let link = schemas
        .flat_map(|directives| directives.iter())
        .find(|link| text("url", link).is_some_and(|url| url.starts_with(specification)))?;
    let own = specification.trim_end_matches('/').rsplit('/').next();
    text("as", link).or_else(|| own.map(str::to_owned))
}
