//! What of the schema only some clients may ask for: `@authenticated`, `@requiresScopes`, `@policy`.
//!
//! In: the supergraph's SDL, where the directives may have other names; an operation; what the client was granted. Out: what the
//! operation needs, found once for each of its plans, and the operation without what the client may not have: null with an error,
//! or refused whole where the settings say so.
//! Always: what is needed does not depend on the way: aliases, fragments, interfaces and unions lead to the same fields and
//! types. What a field reads through `@requires` or `@fromContext` is needed for the field. Nothing that is refused is fetched,
//! but for keys: by those entities are found, and no client sees them.
//! Elsewhere: where the directives are merged from (`composition`), what a token grants (`server/auth`), marking the fields
//! (`operation/refusal.rs`).
//!
//! # Source
//! The federation specifications `authenticated/v0.1`, `requiresScopes/v0.1` and `policy/v0.1`: the outer list of scopes or
//! policies is "or", the inner one "and".

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::rc::Rc;

use apollo_compiler::Name;
use apollo_compiler::Node;
use apollo_compiler::ast::{Definition, DirectiveList, Document, FieldDefinition, Value};
use apollo_compiler::parser::Parser;
use kopitiam_operation::{FieldNode, NormalisedOperation, Selection};
use kopitiam_supergraph::{SetField, Supergraph, TypeId, TypeKind, TypeSet};

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

/// A [`Need`] of the schema: an index into [`Requirements::needs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct NeedId(u32);

/// What fields and types need. See the module's header.
#[derive(Debug, Default)]
pub(crate) struct Requirements {
    /// Each once.
    needs: Vec<Need>,
    types: HashMap<Name, NeedId>,
    fields: HashMap<(Name, Name), NeedId>,
}

/// What an operation needs.
#[derive(Debug, Default)]
pub(crate) struct Needed {
    /// In order, each once.
    needs: Vec<NeedId>,
    /// Response keys from the root, and what is needed there.
    places: Vec<(Box<str>, NeedId)>,
}

/// What an operation needs and its client was not granted: never nothing.
#[derive(Debug)]
pub(crate) struct Missing(BTreeSet<NeedId>);

impl Missing {
    /// As text, which tells operations apart that lack other things.
    pub(crate) fn name(&self) -> Box<str> {
        let mut name = String::from("without");
        for need in &self.0 {
            let _ = write!(name, " {}", need.0);
        }
        name.into()
    }

    fn has(&self, needs: &[NeedId]) -> bool {
        needs.iter().any(|need| self.0.contains(need))
    }
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
            let need = self.intern(need);
            self.types.insert(name.clone(), need);
        }
        for field in fields {
            if let Some(need) = need(names, &field.directives) {
                let need = self.intern(need);
                self.fields.insert((name.clone(), field.name.clone()), need);
            }
        }
    }

    fn intern(&mut self, need: Need) -> NeedId {
        let index = self.needs.iter().position(|known| *known == need).unwrap_or_else(|| {
            self.needs.push(need);
            self.needs.len() - 1
        });
        NeedId(u32::try_from(index).expect("a schema has fewer directives"))
    }

    /// What an operation needs.
    pub(crate) fn of(&self, supergraph: &Supergraph, operation: &NormalisedOperation) -> Needed {
        let mut needed = Needed::default();
        if !self.needs.is_empty() {
            let mut look = Look { requirements: self, supergraph, known: HashMap::new() };
            look.walk(&operation.selection, "", &mut needed);
            needed.needs = needed.places.iter().map(|(_, need)| *need).collect();
            needed.needs.sort_unstable();
            needed.needs.dedup();
        }
        needed
    }

    /// What an operation needs and was not granted; `None`: nothing.
    pub(crate) fn missing(&self, needed: &Needed, grants: &Grants) -> Option<Missing> {
        let is_missing = |need: &&NeedId| !self.needs[need.0 as usize].is_met(grants);
        let missing: BTreeSet<NeedId> = needed.needs.iter().filter(is_missing).copied().collect();
        (!missing.is_empty()).then_some(Missing(missing))
    }

    /// The refusal of an operation as a whole.
    pub(crate) fn refusal(needed: &Needed, missing: &Missing) -> Response {
        let places = needed.places.iter().filter(|(_, need)| missing.0.contains(need));
        let errors: Vec<RequestError> = places
            .take(Response::REFUSAL_ERRORS_MAX)
            .map(|(path, _)| RequestError {
                message: format!("Not allowed to ask for `{path}`."),
                locations: Vec::new(),
                code: ErrorCode::UnauthorizedFieldOrType,
            })
            .collect();
        Response::refused(Outcome::ValidationError, &errors)
    }

    /// Marks the fields of an operation that need what is missing.
    pub(crate) fn refuse(
        &self,
        supergraph: &Supergraph,
        operation: &mut NormalisedOperation,
        missing: &Missing,
    ) {
        let mut look = Look { requirements: self, supergraph, known: HashMap::new() };
        kopitiam_operation::refuse_fields(operation, &mut |field| look.refused_on(field, missing));
    }
}

/// Looks up what fields need.
struct Look<'a> {
    requirements: &'a Requirements,
    supergraph: &'a Supergraph,
    known: HashMap<(TypeId, Name), Rc<[NeedId]>>,
}

impl Look<'_> {
    fn walk(&mut self, selection: &Selection, above: &str, needed: &mut Needed) {
        for field in selection.fields.iter().filter(|field| !field.is_refused) {
            let path = if above.is_empty() {
                field.response_key.to_string()
            } else {
                format!("{above}.{}", field.response_key)
            };
            let mut needs: BTreeSet<NeedId> = self.whole(field).into_iter().collect();
            for ty in field.on.iter() {
                needs.extend(&*self.of_object(ty, &field.name));
            }
            needed.places.extend(needs.into_iter().map(|need| (path.as_str().into(), need)));
            self.walk(&field.selection, &path, needed);
        }
    }

    /// The objects for which a field is refused.
    fn refused_on(&mut self, field: &FieldNode, missing: &Missing) -> TypeSet {
        if missing.has(&self.whole(field)) {
            return field.on.clone();
        }
        field.on.iter().filter(|&ty| missing.has(&self.of_object(ty, &field.name))).collect()
    }

    /// What a field needs whatever object it stands on: by its type, and by the interface that it is asked on.
    fn whole(&self, field: &FieldNode) -> Vec<NeedId> {
        let parent = self.supergraph.ty(field.parent);
        let mut needs: Vec<NeedId> = self.of_type(field.base).into_iter().collect();
        if parent.kind != TypeKind::Object {
            needs.extend(self.of_type(field.parent));
            needs.extend(self.of_field(field.parent, &field.name));
        }
        needs
    }

    fn of_type(&self, ty: TypeId) -> Option<NeedId> {
        self.requirements.types.get(&self.supergraph.ty(ty).name).copied()
    }

    fn of_field(&self, ty: TypeId, name: &Name) -> Option<NeedId> {
        let place = (self.supergraph.ty(ty).name.clone(), name.clone());
        self.requirements.fields.get(&place).copied()
    }

    /// What a field of one object type needs, with all that it reads in any subgraph before it can be answered.
    fn of_object(&mut self, ty: TypeId, name: &Name) -> Rc<[NeedId]> {
        if let Some(known) = self.known.get(&(ty, name.clone())) {
            return Rc::clone(known);
        }
        let mut needs = BTreeSet::new();
        let mut seen: HashSet<(TypeId, Name)> = HashSet::new();
        let mut open = vec![(ty, name.clone())];
        while let Some((ty, name)) = open.pop() {
            needs.extend(self.of_type(ty));
            needs.extend(self.of_field(ty, &name));
            let field = self.supergraph.field(ty, &name);
            for view in field.into_iter().flat_map(|field| field.views.iter().flatten()) {
                needs.extend(self.of_type(view.base));
                let from_above = view.contexts.iter().flat_map(|argument| &argument.values);
                let sets = view.requires.iter().chain(from_above.map(|value| &value.selection));
                let mut read: Vec<&SetField> = sets.flat_map(|set| &set.fields).collect();
                while let Some(field) = read.pop() {
                    let places = field.on.iter().map(|ty| (ty, field.name.clone()));
                    open.extend(places.filter(|place| seen.insert(place.clone())));
                    read.extend(&field.selection.fields);
                }
            }
        }
        let needs: Rc<[NeedId]> = needs.into_iter().collect();
        self.known.insert((ty, name.clone()), Rc::clone(&needs));
        needs
    }
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
