//! Supergraph SDL → [`Supergraph`]: the `join` directives of every type, then of every field.
//!
//! Elsewhere: the directives' arguments (`join.rs`), fields (`fields.rs`), field sets (`sets.rs`), contexts (`contexts.rs`).

mod contexts;
mod fields;
mod join;
mod sets;

use std::sync::Arc;

use apollo_compiler::{Name, ast};
use indexmap::IndexMap;

use crate::{
    Overrides, Root, Subgraph, SubgraphId, Supergraph, SupergraphDocument, SupergraphError, Type, TypeId,
    TypeKind, TypeSet, TypeView, api,
};
use join::Graphs;
pub(crate) use join::{arg_bool, arg_str, is_machinery};

/// Parses a supergraph document.
pub(crate) fn document(sdl: &str) -> Result<SupergraphDocument, SupergraphError> {
    let document = ast::Document::parse(sdl, "supergraph.graphql")
        .map_err(|errors| SupergraphError::Syntax(errors.errors.to_string()))?;
    // A document that is no supergraph is refused as that, not for what is wrong with it besides.
    Graphs::read(&document)?;
    let api_schema = Arc::new(api::api_schema(&document)?);
    let override_labels = fields::override_labels(&document);
    Ok(SupergraphDocument { document, api_schema, override_labels })
}

/// Reads a supergraph document.
pub(crate) fn supergraph(
    parsed: &SupergraphDocument,
    overrides: &Overrides,
    like: Option<&Supergraph>,
) -> Result<Supergraph, SupergraphError> {
    let document = &parsed.document;
    let graphs = Graphs::read(document)?;
    let defined = defined_types(document);
    let inaccessible = api::inaccessible_name(document);

    let context_directive = contexts::directive_name(document);
    let mut reader = Reader {
        document,
        graphs: &graphs,
        defined: &defined,
        overrides,
        context_directive,
        types: IndexMap::new(),
    };
    reader.types =
        defined.iter().map(|(name, found)| (name.clone(), empty_type(name, found, &inaccessible))).collect();
    reader.fill_possible()?;
    reader.fill_views()?;
    reader.fill_fields(&inaccessible)?;
    reader.fill_field_sets()?;

    let roots = [ast::OperationType::Query, ast::OperationType::Mutation, ast::OperationType::Subscription]
        .map(|kind| reader.root(kind));
    let types = reader.types;
    let contextual_names = contexts::selected_names(&types);
    let shared = |name: &Name, ty: &Type| like?.types.get(name).filter(|known| ***known == *ty).cloned();
    let types = types.into_iter().map(|(name, ty)| {
        let ty = shared(&name, &ty).unwrap_or_else(|| Arc::new(ty));
        (name, ty)
    });
    Ok(Supergraph {
        subgraphs: graphs.subgraphs,
        types: types.collect(),
        roots,
        api_schema: Arc::clone(&parsed.api_schema),
        override_labels: parsed.override_labels.clone(),
        contextual_names,
    })
}

/// A type's definition and its directives.
pub(crate) type Definition<'a> = &'a ast::Definition;

struct Reader<'a> {
    document: &'a ast::Document,
    graphs: &'a Graphs,
    defined: &'a IndexMap<Name, Definition<'a>>,
    overrides: &'a Overrides,
    context_directive: String,
    types: IndexMap<Name, Type>,
}

/// The type definitions, object types first so that sets of them are small.
fn defined_types(document: &ast::Document) -> IndexMap<Name, Definition<'_>> {
    let kinds: [fn(&ast::Definition) -> bool; 2] =
        [|d| d.as_object_type_definition().is_some(), |d| d.as_object_type_definition().is_none()];
    let mut found = IndexMap::new();
    for wanted in kinds {
        for definition in document.definitions.iter().filter(|definition| wanted(definition)) {
            let name = definition
                .name()
                .filter(|_| kind_of(definition).is_some() && !join::is_machinery(definition));
            if let Some(name) = name {
                found.insert(name.clone(), definition);
            }
        }
    }
    for builtin in BUILTIN_SCALARS.values() {
        let ast::Definition::ScalarTypeDefinition(scalar) = builtin else { continue };
        found.entry(scalar.name.clone()).or_insert(builtin);
    }
    found
}

/// The scalars that every schema has without defining them.
static BUILTIN_SCALARS: std::sync::LazyLock<IndexMap<Name, ast::Definition>> =
    std::sync::LazyLock::new(|| {
        let document = ast::Document::parse(
            "scalar Int scalar Float scalar String scalar Boolean scalar ID",
            "builtin.graphql",
        )
        .expect("five scalar definitions parse");
        document
            .definitions
            .iter()
            .map(|definition| (definition.name().expect("a scalar has a name").clone(), definition.clone()))
            .collect()
    });

fn kind_of(definition: &ast::Definition) -> Option<TypeKind> {
    match definition {
        ast::Definition::ObjectTypeDefinition(_) => Some(TypeKind::Object),
        ast::Definition::InterfaceTypeDefinition(_) => Some(TypeKind::Interface),
        ast::Definition::UnionTypeDefinition(_) => Some(TypeKind::Union),
        ast::Definition::ScalarTypeDefinition(_) => Some(TypeKind::Scalar),
        ast::Definition::EnumTypeDefinition(_) => Some(TypeKind::Enum),
        ast::Definition::InputObjectTypeDefinition(_) => Some(TypeKind::Input),
        _ => None,
    }
}

fn empty_type(name: &Name, definition: &ast::Definition, inaccessible: &str) -> Type {
    let enum_values = definition.as_enum_type_definition().map_or_else(Vec::new, |found| {
        let visible = found.values.iter().filter(|value| !value.directives.has(inaccessible));
        visible.map(|value| value.value.clone()).collect()
    });
    Type {
        name: name.clone(),
        kind: kind_of(definition).expect("only type definitions are collected"),
        possible: TypeSet::empty(),
        accessible: !definition.directives().has(inaccessible),
        fields: IndexMap::new(),
        enum_values,
        views: Vec::new(),
    }
}

pub(crate) fn implements(definition: &ast::Definition) -> &[Name] {
    match definition {
        ast::Definition::ObjectTypeDefinition(found) => &found.implements_interfaces,
        ast::Definition::InterfaceTypeDefinition(found) => &found.implements_interfaces,
        _ => &[],
    }
}

impl Reader<'_> {
    fn id(&self, name: &str, place: &str) -> Result<TypeId, SupergraphError> {
        self.types.get_index_of(name).map(TypeId::from_index).ok_or_else(|| SupergraphError::Join {
            place: place.to_owned(),
            message: format!("type {name} is not defined"),
        })
    }

    fn root(&self, kind: ast::OperationType) -> Option<TypeId> {
        let schema = self.document.definitions.iter().find_map(|found| found.as_schema_definition());
        let name = match schema {
            Some(schema) => {
                schema.root_operations.iter().find(|root| root.0 == kind).map(|root| root.1.to_string())
            }
            None => Some(kind.default_type_name().to_string()),
        };
        name.and_then(|name| self.types.get_index_of(name.as_str())).map(TypeId::from_index)
    }

    /// The object types behind every composite type, over the whole supergraph.
    fn fill_possible(&mut self) -> Result<(), SupergraphError> {
        for (name, definition) in self.defined {
            match definition {
                ast::Definition::ObjectTypeDefinition(_) => {
                    let id = self.id(name, name)?;
                    self.types[id.index()].possible.insert(id);
                    for interface in implements(definition) {
                        let interface = self.id(interface, name)?;
                        self.types[interface.index()].possible.insert(id);
                    }
                }
                ast::Definition::UnionTypeDefinition(found) => {
                    let union = self.id(name, name)?;
                    for member in &found.members {
                        let member = self.id(member, name)?;
                        self.types[union.index()].possible.insert(member);
                    }
                }
                _ => {}
            }
        }
        for (index, ty) in self.types.values_mut().enumerate() {
            // Nothing implements it (its only other definition is an @interfaceObject): it stands for its objects.
            if ty.kind == TypeKind::Interface && ty.possible.is_empty() {
                ty.possible.insert(TypeId::from_index(index));
            }
        }
        Ok(())
    }

    /// What each subgraph knows of each type; the possible types of abstract ones after all others.
    fn fill_views(&mut self) -> Result<(), SupergraphError> {
        for (name, definition) in self.defined {
            let id = self.id(name, name)?;
            let mut views = vec![None; self.graphs.subgraphs.len()];
            let joins: Vec<_> = definition.directives().get_all("join__type").collect();
            for directive in &joins {
                let graph = self.graphs.argument(directive, name)?;
                let view: &mut TypeView = views[graph.index()].get_or_insert_default();
                view.is_interface_object |= arg_bool(directive, "isInterfaceObject").unwrap_or(false);
            }
            if joins.is_empty() {
                // join v0.1: a value type carries no directive and belongs to every subgraph.
                views.fill(Some(TypeView::default()));
            }
            for (graph, view) in views.iter_mut().enumerate() {
                let Some(view) = view else { continue };
                view.implements = self.implemented_in(definition, SubgraphId::from_index(graph), name)?;
            }
            self.types[id.index()].views = views;
        }
        self.fill_possible_in_subgraphs()
    }

    fn implemented_in(
        &self,
        definition: &ast::Definition,
        graph: SubgraphId,
        place: &str,
    ) -> Result<Vec<TypeId>, SupergraphError> {
        let names: Vec<&str> = if self.graphs.says_implements {
            let here = definition.directives().get_all("join__implements");
            here.filter(|found| self.graphs.is(found, graph))
                .filter_map(|found| arg_str(found, "interface"))
                .collect()
        } else {
            implements(definition).iter().map(Name::as_str).collect()
        };
        names.into_iter().map(|name| self.id(name, place)).collect()
    }

    fn fill_possible_in_subgraphs(&mut self) -> Result<(), SupergraphError> {
        for graph in (0..self.graphs.subgraphs.len()).map(SubgraphId::from_index) {
            let mut possible = vec![TypeSet::empty(); self.types.len()];
            for (index, ty) in self.types.values().enumerate() {
                let id = TypeId::from_index(index);
                let Some(view) = &ty.views[graph.index()] else { continue };
                if view.is_interface_object || ty.possible == TypeSet::one(id) {
                    possible[index] = possible[index].or(&ty.possible);
                }
                if view.is_interface_object {
                    continue;
                }
                if ty.kind == TypeKind::Object {
                    view.implements.iter().for_each(|interface| possible[interface.index()].insert(id));
                } else if ty.kind == TypeKind::Union {
                    possible[index] = self.members_in(id, graph)?;
                }
            }
            for (ty, possible) in self.types.values_mut().zip(possible) {
                if let Some(view) = &mut ty.views[graph.index()] {
                    view.possible = possible;
                }
            }
        }
        Ok(())
    }

    fn members_in(&self, union: TypeId, graph: SubgraphId) -> Result<TypeSet, SupergraphError> {
        let ty = &self.types[union.index()];
        if !self.graphs.says_members {
            let known = |id: &TypeId| self.types[id.index()].views[graph.index()].is_some();
            return Ok(ty.possible.iter().filter(known).collect());
        }
        let members = self.defined[union.index()].directives().get_all("join__unionMember");
        let here =
            members.filter(|found| self.graphs.is(found, graph)).filter_map(|found| arg_str(found, "member"));
        here.map(|member| self.id(member, &ty.name)).collect()
    }
}

impl Supergraph {
    /// The root operation that a type is, if any.
    pub fn root_of(&self, id: TypeId) -> Option<Root> {
        [Root::Query, Root::Mutation, Root::Subscription]
            .into_iter()
            .find(|&root| self.root(root) == Some(id))
    }

    /// Finds a subgraph by name.
    pub fn subgraph_id(&self, name: &str) -> Option<SubgraphId> {
        let position = self.subgraphs.iter().position(|subgraph: &Subgraph| &*subgraph.name == name);
        position.map(SubgraphId::from_index)
    }
}
