//! A subgraph schema as composition sees it: types by name, directives by meaning, places for diagnostics.
//!
//! In: nothing; this is data. Always: federation directives are recognised whatever their local name, the root types
//! are called `Query`, `Mutation` and `Subscription`, and federation's own types and fields are gone.
//! Elsewhere: reading SDL into it (`ingest`), the rules over it (`validate`, `merge`).

use apollo_compiler::Name;
use apollo_compiler::ast::{DirectiveDefinition, Type, Value};
use indexmap::{IndexMap, IndexSet};

use crate::diagnostic::Location;
use crate::federation::Fed;
use crate::field_set::FieldSet;

/// A line and column in one subgraph's SDL, from 1; 0 when the element was not written by the author.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The federation version a subgraph is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    One,
    /// The minor number of 2.x.
    Two(u32),
}

impl Version {
    pub(crate) fn is_one(self) -> bool {
        self == Version::One
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    Object,
    Interface,
    Union,
    Enum,
    Input,
}

impl Kind {
    /// How an author would call it.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Kind::Scalar => "Scalar Type",
            Kind::Object => "Object Type",
            Kind::Interface => "Interface Type",
            Kind::Union => "Union Type",
            Kind::Enum => "Enum Type",
            Kind::Input => "Input Type",
        }
    }

    pub(crate) fn is_composite(self) -> bool {
        matches!(self, Kind::Object | Kind::Interface | Kind::Union)
    }
}

/// A directive's meaning: one of federation's, or the author's own (or GraphQL's) by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Meaning {
    Fed(Fed),
    Other(Name),
}

/// One application of a directive.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) meaning: Meaning,
    pub(crate) arguments: Vec<(Name, Value)>,
    pub(crate) place: Place,
    /// Written on an `extend` rather than on the definition.
    pub(crate) on_extension: bool,
}

impl Applied {
    pub(crate) fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.iter().find(|(given, _)| given == name).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.argument(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is(&self, fed: Fed) -> bool {
        self.meaning == Meaning::Fed(fed)
    }
}

/// The first application of a federation directive in a list.
pub(crate) fn find(directives: &[Applied], fed: Fed) -> Option<&Applied> {
    directives.iter().find(|applied| applied.is(fed))
}

pub(crate) fn has(directives: &[Applied], fed: Fed) -> bool {
    find(directives, fed).is_some()
}

/// `@key` of one type, parsed.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) fields: FieldSet,
    pub(crate) resolvable: bool,
    pub(crate) place: Place,
    pub(crate) on_extension: bool,
}

/// `@requires` or `@provides` of one field, parsed.
#[derive(Debug, Clone)]
pub(crate) struct FieldSetUse {
    pub(crate) text: String,
    pub(crate) fields: FieldSet,
}

/// `@override` of one field.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    pub(crate) from: String,
    pub(crate) label: Option<String>,
    pub(crate) place: Place,
}

/// `@fromContext` of one argument, resolved.
#[derive(Debug, Clone)]
pub(crate) struct ContextArgument {
    pub(crate) context: String,
    pub(crate) name: Name,
    pub(crate) ty: Type,
    pub(crate) selection: String,
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each asked for by name")]
pub(crate) struct TypeDef {
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    pub(crate) description: Option<String>,
    pub(crate) interfaces: IndexMap<Name, Place>,
    pub(crate) fields: IndexMap<Name, FieldDef>,
    pub(crate) inputs: IndexMap<Name, InputDef>,
    pub(crate) members: IndexMap<Name, Place>,
    pub(crate) values: IndexMap<Name, EnumValueDef>,
    pub(crate) directives: Vec<Applied>,
    pub(crate) place: Place,
    /// Declared by a plain definition somewhere in the subgraph.
    pub(crate) has_definition: bool,
    /// Declared without `extend`, be it marked `@extends`.
    pub(crate) written_whole: bool,
    /// Declared (also) by an `extend` or marked `@extends`.
    pub(crate) has_extension: bool,
    pub(crate) keys: Vec<Key>,
    pub(crate) interface_object: bool,
}

impl TypeDef {
    pub(crate) fn new(name: Name, kind: Kind, place: Place) -> TypeDef {
        TypeDef {
            name,
            kind,
            description: None,
            interfaces: IndexMap::new(),
            fields: IndexMap::new(),
            inputs: IndexMap::new(),
            members: IndexMap::new(),
            values: IndexMap::new(),
            directives: Vec::new(),
            place,
            has_definition: false,
            written_whole: false,
            has_extension: false,
            keys: Vec::new(),
            interface_object: false,
        }
    }

    pub(crate) fn is_root(&self) -> bool {
        self.kind == Kind::Object && is_root_name(&self.name)
    }

    /// The kind the merged type has: an interface object stands for an interface.
    pub(crate) fn merged_kind(&self) -> Kind {
        if self.interface_object { Kind::Interface } else { self.kind }
    }
}

pub(crate) fn is_root_name(name: &str) -> bool {
    matches!(name, "Query" | "Mutation" | "Subscription")
}

#[derive(Debug, Clone)]
pub(crate) struct FieldDef {
    pub(crate) name: Name,
    pub(crate) description: Option<String>,
    pub(crate) ty: Type,
    pub(crate) arguments: IndexMap<Name, InputDef>,
    pub(crate) directives: Vec<Applied>,
    pub(crate) place: Place,
    pub(crate) on_extension: bool,
    pub(crate) requires: Option<FieldSetUse>,
    pub(crate) provides: Option<FieldSetUse>,
    pub(crate) overriding: Option<Override>,
    pub(crate) context_arguments: Vec<ContextArgument>,
    pub(crate) facts: FieldFacts,
}

/// What the directives of the whole subgraph say about one field.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each asked for by name")]
pub(crate) struct FieldFacts {
    /// `@external` is on the field or on its type.
    pub(crate) marked_external: bool,
    /// `@external` in name only: the key of an extension, which the subgraph does resolve.
    pub(crate) fake_external: bool,
    /// Part of some `@provides`.
    pub(crate) provided: bool,
    /// Part of some `@key`.
    pub(crate) in_key: bool,
    /// Part of some `@requires`, or of a context selection.
    pub(crate) required: bool,
    /// `@shareable`, on itself or on its type's declaration.
    pub(crate) marked_shareable: bool,
}

impl FieldFacts {
    /// Not resolved by the subgraph, except on providing paths.
    pub(crate) fn external(self) -> bool {
        self.marked_external && !self.fake_external
    }

    /// Not resolved by the subgraph on any path.
    pub(crate) fn fully_external(self) -> bool {
        self.external() && !self.provided
    }

    pub(crate) fn shareable(self) -> bool {
        self.marked_shareable || self.in_key || self.provided
    }

    pub(crate) fn used(self) -> bool {
        self.in_key || self.provided || self.required
    }
}

/// An argument or an input object field.
#[derive(Debug, Clone)]
pub(crate) struct InputDef {
    pub(crate) name: Name,
    pub(crate) description: Option<String>,
    pub(crate) ty: Type,
    pub(crate) default: Option<Value>,
    pub(crate) directives: Vec<Applied>,
    pub(crate) place: Place,
}

#[derive(Debug, Clone)]
pub(crate) struct EnumValueDef {
    pub(crate) name: Name,
    pub(crate) description: Option<String>,
    pub(crate) directives: Vec<Applied>,
    pub(crate) place: Place,
}

/// One `@link`.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// The URL up to the version, such as `https://specs.apollo.dev/federation`.
    pub(crate) identity: String,
    pub(crate) version: Option<(u32, u32)>,
    pub(crate) url: String,
    /// The name space of elements that are not imported.
    pub(crate) namespace: String,
    /// Imported elements: name in the specification, local name; directives keep their `@`.
    pub(crate) imports: Vec<(String, String)>,
    pub(crate) place: Place,
}

#[derive(Debug, Clone)]
pub(crate) struct SubgraphSchema {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) version: Version,
    pub(crate) types: IndexMap<Name, TypeDef>,
    /// The author's own directive definitions.
    pub(crate) definitions: IndexMap<Name, (DirectiveDefinition, Place)>,
    pub(crate) schema_description: Option<String>,
    pub(crate) schema_directives: Vec<Applied>,
    pub(crate) specs: Vec<Spec>,
    /// Local name of each federation directive that has one other than its own.
    pub(crate) local_names: IndexMap<Fed, String>,
    /// Implementing object types per interface.
    pub(crate) implementations: IndexMap<Name, IndexSet<Name>>,
}

impl SubgraphSchema {
    pub(crate) fn location(&self, place: Place) -> Location {
        Location { subgraph: self.name.clone(), line: place.line, column: place.column }
    }

    /// The supergraph's name for one of the subgraph's contexts: they are never shared between subgraphs.
    pub(crate) fn context_name(&self, context: &str) -> String {
        let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        format!("{}__{context}", self.name.chars().map(letter).collect::<String>())
    }

    pub(crate) fn kind_of(&self, name: &str) -> Option<Kind> {
        self.types.get(name).map(|ty| ty.kind)
    }

    pub(crate) fn field(&self, type_name: &str, field: &str) -> Option<&FieldDef> {
        self.types.get(type_name)?.fields.get(field)
    }

    pub(crate) fn field_mut(&mut self, type_name: &str, field: &str) -> Option<&mut FieldDef> {
        self.types.get_mut(type_name)?.fields.get_mut(field)
    }

    /// Object types that a value of the given type can have at run time in this subgraph.
    pub(crate) fn runtime_types(&self, name: &str) -> IndexSet<Name> {
        let Some(ty) = self.types.get(name) else { return IndexSet::new() };
        match ty.kind {
            Kind::Object => IndexSet::from([ty.name.clone()]),
            Kind::Union => ty.members.keys().cloned().collect(),
            Kind::Interface => self.implementations.get(name).cloned().unwrap_or_default(),
            Kind::Scalar | Kind::Enum | Kind::Input => IndexSet::new(),
        }
    }

    /// Recomputes [`SubgraphSchema::implementations`] after types changed.
    pub(crate) fn index_implementations(&mut self) {
        self.implementations.clear();
        for ty in self.types.values().filter(|ty| ty.kind == Kind::Object) {
            for interface in ty.interfaces.keys() {
                self.implementations.entry(interface.clone()).or_default().insert(ty.name.clone());
            }
        }
    }
}
