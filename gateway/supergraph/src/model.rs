//! Types and fields of the supergraph, and what each subgraph knows of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use apollo_compiler::{Name, Node, Schema, ast, validation::Valid};
use indexmap::IndexMap;

use crate::{FieldSet, Overrides, SubgraphId, SupergraphError, TypeId, TypeSet, read};

/// A composed schema. Immutable; cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Supergraph {
    pub(crate) subgraphs: Vec<Subgraph>,
    pub(crate) types: IndexMap<Name, Arc<Type>>,
    pub(crate) roots: [Option<TypeId>; 3],
    pub(crate) api_schema: Arc<Valid<Schema>>,
    pub(crate) override_labels: BTreeSet<Box<str>>,
    pub(crate) contextual_names: BTreeSet<Name>,
}

/// A supergraph document that is parsed, for reading it with several choices of progressive overrides.
#[derive(Debug)]
pub struct SupergraphDocument {
    pub(crate) document: ast::Document,
    pub(crate) api_schema: Arc<Valid<Schema>>,
    pub(crate) override_labels: BTreeSet<Box<str>>,
}

impl SupergraphDocument {
    /// Parses supergraph SDL.
    ///
    /// # Errors
    /// [`SupergraphError`] when it is not GraphQL or has no valid schema for clients.
    pub fn parse(sdl: &str) -> Result<Self, SupergraphError> {
        read::document(sdl)
    }

    /// The labels of all progressive overrides.
    pub fn override_labels(&self) -> &BTreeSet<Box<str>> {
        &self.override_labels
    }

    /// Reads it as it is with these progressive overrides on. What is the same in `like` is shared with it.
    ///
    /// # Errors
    /// [`SupergraphError`] when the text is not a supergraph of the `join` specification.
    pub fn read(
        &self,
        overrides: &Overrides,
        like: Option<&Supergraph>,
    ) -> Result<Supergraph, SupergraphError> {
        read::supergraph(self, overrides, like)
    }
}

/// A subgraph's name and address.
#[derive(Debug, Clone)]
pub struct Subgraph {
    /// As in `@join__graph(name:)`.
    pub name: Box<str>,
    /// As in `@join__graph(url:)`; empty when only reachable in process.
    pub url: Box<str>,
}

/// A root operation type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Root {
    /// `schema { query: … }`
    Query,
    /// `schema { mutation: … }`
    Mutation,
    /// `schema { subscription: … }`
    Subscription,
}

/// What a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// An object type.
    Object,
    /// An interface.
    Interface,
    /// A union.
    Union,
    /// A scalar.
    Scalar,
    /// An enum.
    Enum,
    /// An input object.
    Input,
}

/// A named type of the supergraph.
#[derive(Debug, Clone, PartialEq)]
pub struct Type {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: TypeKind,
    /// The object types a value of it may have; itself for an object type, nothing for an input type.
    pub possible: TypeSet,
    /// Whether clients may see it (no `@inaccessible`).
    pub accessible: bool,
    /// Fields of an object or interface type.
    pub fields: IndexMap<Name, Field>,
    /// Values of an enum that clients may see.
    pub enum_values: Vec<Name>,
    /// What each subgraph knows of it, by [`SubgraphId`]; `None` where it is not defined.
    pub views: Vec<Option<TypeView>>,
}

/// A type as one subgraph defines it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TypeView {
    /// An `@interfaceObject`: an interface that this subgraph defines as if it were an object type.
    pub is_interface_object: bool,
    /// The keys by which this subgraph tells its entities apart.
    pub keys: Vec<Key>,
    /// The object types that a value of this type may have in this subgraph. For an `@interfaceObject`: all
    /// implementations in the supergraph, though this subgraph does not know them.
    pub possible: TypeSet,
    /// Interfaces that the type implements in this subgraph.
    pub implements: Vec<TypeId>,
}

/// One `@key`.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The key's fields.
    pub fields: FieldSet,
    /// Whether the subgraph answers `_entities` for it.
    pub resolvable: bool,
}

/// A field of an object or interface type.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its type in the supergraph.
    pub ty: ast::Type,
    /// The named type at the end of `ty`.
    pub base: TypeId,
    /// Whether clients may see it.
    pub accessible: bool,
    /// Its arguments in the supergraph.
    pub arguments: Vec<Node<ast::InputValueDefinition>>,
    /// What each subgraph knows of it, by [`SubgraphId`].
    pub views: Vec<Option<FieldView>>,
}

/// A field as one subgraph defines it.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldView {
    /// Its type there (`@join__field(type:)`, else the supergraph's).
    pub ty: ast::Type,
    /// The named type at the end of `ty`.
    pub base: TypeId,
    /// `@external`, or overridden by another subgraph: only usable where `@provides` says so.
    pub external: bool,
    /// What the subgraph needs of the entity before it can answer this field.
    pub requires: Option<FieldSet>,
    /// External fields below this one that the subgraph answers all the same.
    pub provides: Option<FieldSet>,
    /// Arguments that clients do not see: their values come from objects above (`@fromContext`).
    pub contexts: Vec<ContextArgument>,
}

/// An argument that takes its value from the nearest object above that sets a context
/// (`contextArguments` of `@join__field`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextArgument {
    /// The argument's name.
    pub name: Name,
    /// Its type in the subgraph.
    pub ty: ast::Type,
    /// What to take from the objects that set the context, by their types; the first that fits applies.
    pub values: Vec<ContextValue>,
}

/// What a context takes from objects of some types.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextValue {
    /// The object types that set the context this way.
    pub on: TypeSet,
    /// For each runtime type the first field that applies is the value, and so on below it; it may be `__typename`. None of
    /// a type: null.
    pub selection: FieldSet,
}

impl FieldView {
    /// Whether the subgraph must be entered (again) by key for this field, once other values are there.
    pub fn needs_inputs(&self) -> bool {
        self.requires.is_some() || !self.contexts.is_empty()
    }
}

impl Supergraph {
    /// Reads supergraph SDL.
    ///
    /// # Errors
    /// [`SupergraphError`] when the text is not a supergraph of the `join` specification.
    pub fn parse(sdl: &str) -> Result<Self, SupergraphError> {
        Self::parse_with(sdl, &Overrides::default())
    }

    /// Reads supergraph SDL as it is with these progressive overrides on.
    ///
    /// # Errors
    /// As [`Supergraph::parse`].
    pub fn parse_with(sdl: &str, overrides: &Overrides) -> Result<Self, SupergraphError> {
        SupergraphDocument::parse(sdl)?.read(overrides, None)
    }

    /// The labels of all progressive overrides.
    pub fn override_labels(&self) -> &BTreeSet<Box<str>> {
        &self.override_labels
    }

    /// The names of all fields that contexts select of the objects that set them.
    pub fn contextual_names(&self) -> &BTreeSet<Name> {
        &self.contextual_names
    }

    /// The schema that clients see: no `join` machinery, nothing `@inaccessible`.
    pub fn api_schema(&self) -> &Arc<Valid<Schema>> {
        &self.api_schema
    }

    /// All subgraphs, in the order of their [`SubgraphId`]s.
    pub fn subgraphs(&self) -> &[Subgraph] {
        &self.subgraphs
    }

    /// The ids of all subgraphs.
    pub fn subgraph_ids(&self) -> impl Iterator<Item = SubgraphId> + use<> {
        (0..self.subgraphs.len()).map(SubgraphId::from_index)
    }

    /// A subgraph by id.
    pub fn subgraph(&self, id: SubgraphId) -> &Subgraph {
        &self.subgraphs[id.index()]
    }

    /// A type by id.
    pub fn ty(&self, id: TypeId) -> &Type {
        &self.types[id.index()]
    }

    /// The id of a type name.
    pub fn type_id(&self, name: &str) -> Option<TypeId> {
        self.types.get_index_of(name).map(TypeId::from_index)
    }

    /// All types with their ids.
    pub fn types(&self) -> impl Iterator<Item = (TypeId, &Type)> {
        self.types.values().enumerate().map(|(index, ty)| (TypeId::from_index(index), &**ty))
    }

    /// A root operation type, when the supergraph has it.
    pub fn root(&self, root: Root) -> Option<TypeId> {
        self.roots[root as usize]
    }

    /// A field of a type.
    pub fn field(&self, parent: TypeId, name: &str) -> Option<&Field> {
        self.ty(parent).fields.get(name)
    }

    /// A type as a subgraph defines it.
    pub fn type_in(&self, subgraph: SubgraphId, id: TypeId) -> Option<&TypeView> {
        self.ty(id).views[subgraph.index()].as_ref()
    }

    /// A field as a subgraph defines it.
    pub fn field_in(&self, subgraph: SubgraphId, parent: TypeId, name: &str) -> Option<&FieldView> {
        self.field(parent, name)?.views[subgraph.index()].as_ref()
    }
}
