//! From a valid syntax tree to the model: definitions and extensions joined, root types renamed, federation's own left out.
//!
//! Elsewhere: parsing of field sets and facts about fields (`validate/facts.rs`).

use std::collections::HashMap;

use apollo_compiler::ast::{self, Definition, DirectiveList, Document, OperationType, Type};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::{Name, Node};
use indexmap::IndexMap;

use super::graphql::BUILT_IN;
use super::links::Links;
use super::{Problems, Reader};
use crate::Subgraph;
use crate::federation::Fed;
use crate::model::{
    Applied, EnumValueDef, FieldDef, FieldFacts, InputDef, Kind, Meaning, Place, SubgraphSchema, TypeDef, has,
};

struct Builder<'a> {
    links: &'a Links,
    reader: &'a Reader<'a>,
    renamed: HashMap<Name, Name>,
    types: IndexMap<Name, TypeDef>,
}

/// What a definition and an extension of a type have in common.
struct Header<'a> {
    name: &'a Name,
    description: Option<&'a Node<str>>,
    directives: &'a DirectiveList,
    extension: bool,
    span: Option<SourceSpan>,
}

pub(super) fn build(
    subgraph: &Subgraph,
    document: &Document,
    links: Links,
    reader: &Reader<'_>,
    problems: &mut Problems,
) -> SubgraphSchema {
    let renamed = root_names(document, reader, problems);
    let mut builder = Builder { links: &links, reader, renamed, types: IndexMap::new() };
    let mut definitions = IndexMap::new();
    let mut schema_directives = Vec::new();
    let mut schema_description = None;
    for definition in &document.definitions {
        match definition {
            Definition::DirectiveDefinition(written) => {
                if let Meaning::Other(name) = builder.links.meaning(&written.name) {
                    let place = reader.place(written.location());
                    definitions.insert(name, (written.as_ref().clone(), place));
                }
            }
            Definition::SchemaDefinition(schema) => {
                schema_description = schema.description.as_ref().map(|text| text.as_str().to_owned());
                schema_directives.extend(builder.applied(&schema.directives, false));
            }
            Definition::SchemaExtension(schema) => {
                schema_directives.extend(builder.applied(&schema.directives, true));
            }
            other
                if other.name().is_some_and(|name| {
                    links.type_names.contains(name.as_str()) || BUILT_IN.contains(&name.as_str())
                }) => {}
            other => builder.add_type(other),
        }
    }
    let local_names = local_names(&links);
    let mut types = builder.types;
    settle_roots(&mut types);
    let mut schema = SubgraphSchema {
        name: subgraph.name.clone(),
        url: subgraph.url.clone(),
        version: links.version,
        types,
        definitions,
        schema_description,
        schema_directives,
        specs: links.specs,
        local_names,
        implementations: IndexMap::new(),
    };
    schema.index_implementations();
    schema
}

/// Every subgraph has a query type, if only to be asked for entities; other empty roots go.
fn settle_roots(types: &mut IndexMap<Name, TypeDef>) {
    types.retain(|_, ty| !(ty.is_root() && ty.fields.is_empty()));
    let query = apollo_compiler::name!("Query");
    types.entry(query.clone()).or_insert_with(|| {
        let mut ty = TypeDef::new(query, Kind::Object, Place::default());
        ty.has_definition = true;
        ty.written_whole = true;
        ty
    });
}

fn local_names(links: &Links) -> IndexMap<Fed, String> {
    let mut names: IndexMap<Fed, String> = IndexMap::new();
    for (name, fed) in links.directive_names() {
        // The shortest is the imported one; the other has the name space in front.
        match names.get(&fed) {
            Some(known) if known.len() <= name.len() => {}
            _ => {
                names.insert(fed, name.to_owned());
            }
        }
    }
    names
}

/// The author's names of the root types, each with its standard name.
fn root_names(document: &Document, reader: &Reader<'_>, problems: &mut Problems) -> HashMap<Name, Name> {
    let mut roots: HashMap<Name, Name> = HashMap::new();
    let mut given: HashMap<OperationType, Name> = HashMap::new();
    for definition in &document.definitions {
        let operations = match definition {
            Definition::SchemaDefinition(schema) => &schema.root_operations,
            Definition::SchemaExtension(schema) => &schema.root_operations,
            _ => continue,
        };
        for operation in operations {
            given.insert(operation.0, operation.1.clone());
        }
    }
    let standards = [
        (OperationType::Query, apollo_compiler::name!("Query"), "ROOT_QUERY_USED"),
        (OperationType::Mutation, apollo_compiler::name!("Mutation"), "ROOT_MUTATION_USED"),
        (OperationType::Subscription, apollo_compiler::name!("Subscription"), "ROOT_SUBSCRIPTION_USED"),
    ];
    for (operation, standard, code) in standards {
        let Some(local) = given.get(&operation).filter(|local| **local != standard) else { continue };
        let clash = document.definitions.iter().find(|definition| {
            definition.as_directive_definition().is_none()
                && definition.name().is_some_and(|name| *name == standard)
        });
        if let Some(clash) = clash {
            let place = reader.place(clash.name().and_then(Name::location));
            problems.add(
                code,
                format!(
                    "the schema has a type named \"{standard}\" but sets \"{local}\" as its {operation} root type"
                ),
                place,
            );
        }
        roots.insert(local.clone(), standard);
    }
    roots
}

impl Builder<'_> {
    fn renamed(&self, name: &Name) -> Name {
        self.renamed.get(name).unwrap_or(name).clone()
    }

    fn ty(&self, ty: &Type) -> Type {
        match ty {
            Type::Named(name) => Type::Named(self.renamed(name)),
            Type::NonNullNamed(name) => Type::NonNullNamed(self.renamed(name)),
            Type::List(inner) => Type::List(Box::new(self.ty(inner))),
            Type::NonNullList(inner) => Type::NonNullList(Box::new(self.ty(inner))),
        }
    }

    fn place(&self, span: Option<SourceSpan>) -> Place {
        self.reader.place(span)
    }

    fn applied(&self, directives: &DirectiveList, on_extension: bool) -> Vec<Applied> {
        directives
            .iter()
            .map(|directive| Applied {
                meaning: self.links.meaning(&directive.name),
                arguments: directive
                    .arguments
                    .iter()
                    .map(|argument| (argument.name.clone(), argument.value.as_ref().clone()))
                    .collect(),
                place: self.place(directive.location()),
                on_extension,
            })
            .collect()
    }

    fn add_type(&mut self, definition: &Definition) {
        macro_rules! header {
            ($ty:ident, $extension:literal, $description:expr) => {
                Header {
                    name: &$ty.name,
                    description: $description,
                    directives: &$ty.directives,
                    extension: $extension,
                    span: $ty.location(),
                }
            };
        }
        match definition {
            Definition::ScalarTypeDefinition(ty) => {
                self.open(Kind::Scalar, &header!(ty, false, ty.description.as_ref()));
            }
            Definition::ScalarTypeExtension(ty) => {
                self.open(Kind::Scalar, &header!(ty, true, None));
            }
            Definition::ObjectTypeDefinition(ty) => {
                let header = header!(ty, false, ty.description.as_ref());
                self.add_composite(Kind::Object, &header, &ty.implements_interfaces, &ty.fields);
            }
            Definition::ObjectTypeExtension(ty) => {
                let header = header!(ty, true, None);
                self.add_composite(Kind::Object, &header, &ty.implements_interfaces, &ty.fields);
            }
            Definition::InterfaceTypeDefinition(ty) => {
                let header = header!(ty, false, ty.description.as_ref());
                self.add_composite(Kind::Interface, &header, &ty.implements_interfaces, &ty.fields);
            }
            Definition::InterfaceTypeExtension(ty) => {
                let header = header!(ty, true, None);
                self.add_composite(Kind::Interface, &header, &ty.implements_interfaces, &ty.fields);
            }
            Definition::UnionTypeDefinition(ty) => {
                self.add_union(&header!(ty, false, ty.description.as_ref()), &ty.members);
            }
            Definition::UnionTypeExtension(ty) => self.add_union(&header!(ty, true, None), &ty.members),
            Definition::EnumTypeDefinition(ty) => {
                self.add_enum(&header!(ty, false, ty.description.as_ref()), &ty.values);
            }
            Definition::EnumTypeExtension(ty) => self.add_enum(&header!(ty, true, None), &ty.values),
            Definition::InputObjectTypeDefinition(ty) => {
                self.add_input(&header!(ty, false, ty.description.as_ref()), &ty.fields);
            }
            Definition::InputObjectTypeExtension(ty) => {
                self.add_input(&header!(ty, true, None), &ty.fields);
            }
            Definition::OperationDefinition(_)
            | Definition::FragmentDefinition(_)
            | Definition::DirectiveDefinition(_)
            | Definition::SchemaDefinition(_)
            | Definition::SchemaExtension(_) => {}
        }
    }

    /// The model's entry of a type, with what the header adds to it.
    fn open(&mut self, kind: Kind, header: &Header<'_>) -> &mut TypeDef {
        let name = self.renamed(header.name);
        let place = self.place(header.span);
        let directives = self.applied(header.directives, header.extension);
        let ty = self.types.entry(name.clone()).or_insert_with(|| TypeDef::new(name, kind, place));
        ty.written_whole |= !header.extension;
        if header.extension || has(&directives, Fed::Extends) {
            ty.has_extension = true;
        } else {
            ty.has_definition = true;
            ty.place = place;
        }
        if let Some(description) = header.description {
            ty.description = Some(description.as_str().to_owned());
        }
        ty.interface_object |= has(&directives, Fed::InterfaceObject);
        ty.directives.extend(directives);
        ty
    }

    fn add_composite(
        &mut self,
        kind: Kind,
        header: &Header<'_>,
        interfaces: &[Name],
        fields: &[Node<ast::FieldDefinition>],
    ) {
        let is_query = self.renamed(header.name) == "Query";
        let fields: Vec<FieldDef> = fields
            .iter()
            .filter(|field| !(is_query && (field.name == "_entities" || field.name == "_service")))
            .map(|field| self.field(field, header.extension))
            .collect();
        let interfaces: Vec<(Name, Place)> =
            interfaces.iter().map(|name| (name.clone(), self.place(name.location()))).collect();
        let ty = self.open(kind, header);
        ty.interfaces.extend(interfaces);
        ty.fields.extend(fields.into_iter().map(|field| (field.name.clone(), field)));
    }

    fn field(&self, field: &Node<ast::FieldDefinition>, on_extension: bool) -> FieldDef {
        FieldDef {
            name: field.name.clone(),
            description: text(field.description.as_ref()),
            ty: self.ty(&field.ty),
            arguments: field
                .arguments
                .iter()
                .map(|argument| (argument.name.clone(), self.input(argument)))
                .collect(),
            directives: self.applied(&field.directives, on_extension),
            place: self.place(field.location()),
            on_extension,
            requires: None,
            provides: None,
            overriding: None,
            context_arguments: Vec::new(),
            facts: FieldFacts::default(),
        }
    }

    fn input(&self, input: &Node<ast::InputValueDefinition>) -> InputDef {
        InputDef {
            name: input.name.clone(),
            description: text(input.description.as_ref()),
            ty: self.ty(&input.ty),
            default: input.default_value.as_ref().map(|value| value.as_ref().clone()),
            directives: self.applied(&input.directives, false),
            place: self.place(input.location()),
        }
    }

    fn add_union(&mut self, header: &Header<'_>, members: &[Name]) {
        let members: Vec<(Name, Place)> =
            members.iter().map(|name| (self.renamed(name), self.place(name.location()))).collect();
        self.open(Kind::Union, header).members.extend(members);
    }

    fn add_enum(&mut self, header: &Header<'_>, values: &[Node<ast::EnumValueDefinition>]) {
        let values: Vec<EnumValueDef> = values
            .iter()
            .map(|value| EnumValueDef {
                name: value.value.clone(),
                description: text(value.description.as_ref()),
                directives: self.applied(&value.directives, header.extension),
                place: self.place(value.location()),
            })
            .collect();
        let ty = self.open(Kind::Enum, header);
        ty.values.extend(values.into_iter().map(|value| (value.name.clone(), value)));
    }

    fn add_input(&mut self, header: &Header<'_>, fields: &[Node<ast::InputValueDefinition>]) {
        let fields: Vec<InputDef> = fields.iter().map(|field| self.input(field)).collect();
        let ty = self.open(Kind::Input, header);
        ty.inputs.extend(fields.into_iter().map(|field| (field.name.clone(), field)));
    }
}

fn text(description: Option<&Node<str>>) -> Option<String> {
    description.map(|text| text.as_str().to_owned())
}
