//! The merged schema: what `emit` writes, and what the checks after the merge read.

use std::collections::HashMap;

use apollo_compiler::Name;
use apollo_compiler::ast::{Type, Value};
use indexmap::{IndexMap, IndexSet};

use crate::federation::Fed;
use crate::model::{ContextArgument, Kind};

#[derive(Debug, Clone, Default)]
pub(crate) struct Merged {
    pub(crate) types: IndexMap<Name, MergedType>,
    /// Implementing object types per interface.
    pub(crate) implementations: HashMap<Name, Vec<Name>>,
    pub(crate) schema_description: Option<String>,
    pub(crate) schema_directives: Vec<MergedDirective>,
    /// Text of each `@link` application after the standard two, in order.
    pub(crate) links: Vec<String>,
    /// Directive definitions besides the join machinery: name and the rest of the definition.
    pub(crate) definitions: IndexMap<String, String>,
    /// Scalars the definitions need.
    pub(crate) support_scalars: IndexSet<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct MergedType {
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    pub(crate) description: Option<String>,
    pub(crate) interfaces: IndexSet<Name>,
    pub(crate) fields: IndexMap<Name, MergedField>,
    pub(crate) inputs: IndexMap<Name, MergedInput>,
    pub(crate) values: IndexMap<Name, MergedValue>,
    pub(crate) members: IndexSet<Name>,
    pub(crate) directives: Vec<MergedDirective>,
    pub(crate) joins: Vec<TypeJoin>,
    /// Subgraph and interface.
    pub(crate) implements: Vec<(usize, Name)>,
    /// Subgraph and union member.
    pub(crate) union_members: Vec<(usize, Name)>,
    /// Subgraphs that declare the type.
    pub(crate) subgraphs: Vec<usize>,
}

/// One `@join__type`.
#[derive(Debug, Clone)]
pub(crate) struct TypeJoin {
    pub(crate) subgraph: usize,
    pub(crate) key: Option<String>,
    pub(crate) extension: bool,
    pub(crate) resolvable: bool,
    pub(crate) interface_object: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct MergedField {
    pub(crate) name: Name,
    pub(crate) description: Option<String>,
    pub(crate) ty: Type,
    pub(crate) arguments: IndexMap<Name, MergedInput>,
    pub(crate) directives: Vec<MergedDirective>,
    /// Empty when every subgraph of the type resolves the field alike.
    pub(crate) joins: Vec<FieldJoin>,
    /// Subgraphs that declare the field, each with its declared type.
    pub(crate) sources: Vec<usize>,
}

/// One `@join__field`; without a subgraph it says that interface objects resolve the field.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldJoin {
    pub(crate) subgraph: Option<usize>,
    pub(crate) requires: Option<String>,
    pub(crate) provides: Option<String>,
    pub(crate) ty: Option<String>,
    pub(crate) external: bool,
    pub(crate) overrides: Option<String>,
    pub(crate) used_overridden: bool,
    pub(crate) override_label: Option<String>,
    pub(crate) context_arguments: Vec<ContextArgument>,
}

#[derive(Debug, Clone)]
pub(crate) struct MergedInput {
    pub(crate) name: Name,
    pub(crate) description: Option<String>,
    pub(crate) ty: Type,
    pub(crate) default: Option<Value>,
    pub(crate) directives: Vec<MergedDirective>,
    /// Subgraph and, where it differs, its own type.
    pub(crate) joins: Vec<(usize, Option<String>)>,
}

#[derive(Debug, Clone)]
pub(crate) struct MergedValue {
    pub(crate) name: Name,
    pub(crate) description: Option<String>,
    pub(crate) directives: Vec<MergedDirective>,
    pub(crate) subgraphs: Vec<usize>,
}

/// A directive application as it appears in the supergraph.
#[derive(Debug, Clone)]
pub(crate) struct MergedDirective {
    /// Federation's directive, when it is one.
    pub(crate) fed: Option<Fed>,
    /// Its name in the supergraph.
    pub(crate) name: String,
    pub(crate) arguments: Vec<(Name, Value)>,
    /// Set when it is carried by `@join__directive` for these subgraphs.
    pub(crate) joined: Vec<usize>,
}

pub(crate) fn is_inaccessible(directives: &[MergedDirective]) -> bool {
    directives.iter().any(|directive| directive.fed == Some(Fed::Inaccessible))
}

impl Merged {
    /// Object types below a type, in the merged schema.
    pub(crate) fn runtime_types(&self, name: &str) -> Vec<Name> {
        let Some(ty) = self.types.get(name) else { return Vec::new() };
        match ty.kind {
            Kind::Object => vec![ty.name.clone()],
            Kind::Union => ty.members.iter().cloned().collect(),
            Kind::Interface => self.implementations.get(name).cloned().unwrap_or_default(),
            Kind::Scalar | Kind::Enum | Kind::Input => Vec::new(),
        }
    }
}
