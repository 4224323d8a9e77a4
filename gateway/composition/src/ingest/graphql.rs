//! Is the subgraph valid GraphQL? The general rules come from apollo-compiler; federation's leniencies are applied first.
//!
//! In: the parsed document and its links. Out: `INVALID_GRAPHQL` and the two "definition invalid" codes.
//! Leniencies: types may be extended without a definition, a subgraph needs no query type, federation's
//! definitions need not be written.

use std::collections::HashSet;
use std::fmt::Write as _;

use apollo_compiler::Schema;
use apollo_compiler::ast::{self, Definition, DirectiveDefinition, Document, OperationType, Type};
use apollo_compiler::{Name, Node};

use super::links::Links;
use super::{Problems, Reader, line_column};
use crate::federation::{Fed, SUPPORT_SDL};
use crate::model::Version;

/// Scalars that need no definition; some servers print one all the same.
pub(super) const BUILT_IN: &[&str] = &["Int", "Float", "String", "Boolean", "ID"];

/// Checks the author's definitions of federation directives, then the document as a whole.
pub(super) fn validate(document: &Document, links: &Links, reader: &Reader<'_>, problems: &mut Problems) {
    let names = links.directive_names();
    // Types the author defined, but for scalars named after federation's.
    let author: HashSet<&str> = document
        .definitions
        .iter()
        .filter(|definition| definition.as_scalar_type_definition().is_some())
        .filter_map(|definition| definition.name().map(Name::as_str))
        .collect();
    for definition in &document.definitions {
        if let Definition::DirectiveDefinition(written) = definition
            && let Some((_, fed)) = names.iter().find(|(name, _)| *name == written.name.as_str())
        {
            check_directive_definition(written, *fed, links, &author, (reader, problems));
        }
        check_type_definition(definition, links, reader, problems);
    }
    if !problems.is_empty() {
        return;
    }
    let prepared = prepare(document, links, &names);
    let result = Schema::builder().adopt_orphan_extensions().add_ast(&prepared).build();
    let errors = match result.map(Schema::validate) {
        Ok(Ok(_)) => return,
        Ok(Err(failed)) | Err(failed) => failed.errors,
    };
    for error in errors.iter() {
        let json = error.unstable_to_json_compat();
        let place = line_column(json.locations.first().copied());
        problems.add("INVALID_GRAPHQL", json.message, place);
    }
}

/// The document without what federation owns, with what it needs, and with a query type.
fn prepare(document: &Document, links: &Links, names: &[(&str, Fed)]) -> Document {
    let mut defined: HashSet<String> = document
        .definitions
        .iter()
        .filter(|definition| !definition.is_extension_definition())
        .filter_map(|definition| definition.name().map(ToString::to_string))
        .collect();
    let mut prepared = Document { sources: document.sources.clone(), definitions: Vec::new() };
    for definition in &document.definitions {
        let owned = match definition {
            Definition::DirectiveDefinition(written) => {
                names.iter().any(|(name, _)| *name == written.name.as_str())
            }
            _ => definition.name().is_some_and(|name| {
                links.type_names.contains(name.as_str())
                    || (BUILT_IN.contains(&name.as_str()) && definition.as_scalar_type_definition().is_some())
            }),
        };
        if owned {
            continue;
        }
        // The first extension of an undefined type stands for its definition.
        let first = definition.is_extension_definition()
            && definition.name().is_some_and(|name| defined.insert(name.to_string()));
        prepared.definitions.push(without_entities(if first {
            to_definition(definition)
        } else {
            definition.clone()
        }));
    }
    let mut support = SUPPORT_SDL.to_owned();
    for (name, fed) in names {
        let mut sdl = fed.definition().sdl_of(links.version).to_owned();
        // Who defines a directive as not repeatable means it.
        if defined_once(document, name) {
            sdl = sdl.replace(" repeatable ", " ").replace("repeatable on", "on");
        }
        write!(support, " directive @{name} {sdl}").expect("writing to a string does not fail");
    }
    for name in &links.type_names {
        let ours =
            ["link__Import", "link__Purpose"].contains(&name.as_str()) || name.starts_with("federation__");
        if !ours && name != "Query" {
            write!(support, " scalar {name}").expect("writing to a string does not fail");
        }
    }
    let named = names_query(document);
    if !named {
        name_query(&mut prepared.definitions);
    }
    if !named && !defines_query(document) {
        support.push_str(" type Query { _empty: Boolean }");
    }
    let support = Document::parse(support, "federation").expect("the definitions above are valid syntax");
    prepared.definitions.extend(support.definitions);
    prepared
}

/// The author defines the directive, and not as repeatable.
fn defined_once(document: &Document, name: &str) -> bool {
    document.definitions.iter().any(|definition| {
        definition
            .as_directive_definition()
            .is_some_and(|written| written.name == name && !written.repeatable)
    })
}

/// A schema definition names some root type for queries.
fn names_query(document: &Document) -> bool {
    let is_query = |operation: &Node<(OperationType, Name)>| operation.0 == OperationType::Query;
    document.definitions.iter().any(|definition| match definition {
        Definition::SchemaDefinition(schema) => schema.root_operations.iter().any(is_query),
        Definition::SchemaExtension(schema) => schema.root_operations.iter().any(is_query),
        _ => false,
    })
}

fn defines_query(document: &Document) -> bool {
    document.definitions.iter().any(|definition| match definition {
        Definition::ObjectTypeDefinition(ty) => ty.name == "Query",
        Definition::ObjectTypeExtension(ty) => ty.name == "Query",
        _ => false,
    })
}

/// A subgraph may name other root types and leave the query type out.
fn name_query(definitions: &mut [Definition]) {
    let query = Node::new((OperationType::Query, apollo_compiler::name!("Query")));
    let defined = definitions.iter().any(|definition| definition.as_schema_definition().is_some());
    for definition in definitions {
        match definition {
            Definition::SchemaDefinition(schema) => schema.make_mut().root_operations.push(query.clone()),
            Definition::SchemaExtension(schema) if !defined && !schema.root_operations.is_empty() => {
                schema.make_mut().root_operations.push(query);
                return;
            }
            _ => {}
        }
    }
}

/// Federation's own root fields are dropped: their types are.
fn without_entities(definition: Definition) -> Definition {
    let own = |field: &Node<ast::FieldDefinition>| field.name != "_entities" && field.name != "_service";
    match definition {
        Definition::ObjectTypeDefinition(mut ty) if !ty.fields.iter().all(own) => {
            let owned = ty.make_mut();
            owned.fields.retain(own);
            if owned.fields.is_empty() {
                owned.fields.push(Node::new(ast::FieldDefinition {
                    description: None,
                    name: apollo_compiler::name!("_empty"),
                    arguments: Vec::new(),
                    ty: Type::Named(apollo_compiler::name!("Boolean")),
                    directives: ast::DirectiveList::new(),
                }));
            }
            Definition::ObjectTypeDefinition(ty)
        }
        Definition::ObjectTypeExtension(mut ty) if !ty.fields.iter().all(own) => {
            ty.make_mut().fields.retain(own);
            Definition::ObjectTypeExtension(ty)
        }
        other => other,
    }
}

fn to_definition(extension: &Definition) -> Definition {
    macro_rules! converted {
        ($ty:ident, $target:ident, $($field:ident),*) => {
            Definition::$target(
                $ty.same_location(ast::$target { description: None, $($field: $ty.$field.clone()),* }),
            )
        };
    }
    match extension {
        Definition::ScalarTypeExtension(ty) => converted!(ty, ScalarTypeDefinition, name, directives),
        Definition::ObjectTypeExtension(ty) => {
            converted!(ty, ObjectTypeDefinition, name, implements_interfaces, directives, fields)
        }
        Definition::InterfaceTypeExtension(ty) => {
            converted!(ty, InterfaceTypeDefinition, name, implements_interfaces, directives, fields)
        }
        Definition::UnionTypeExtension(ty) => converted!(ty, UnionTypeDefinition, name, directives, members),
        Definition::EnumTypeExtension(ty) => converted!(ty, EnumTypeDefinition, name, directives, values),
        Definition::InputObjectTypeExtension(ty) => {
            converted!(ty, InputObjectTypeDefinition, name, directives, fields)
        }
        other => other.clone(),
    }
}

/// An author may write federation's definitions out, but only compatibly.
fn check_directive_definition(
    written: &Node<DirectiveDefinition>,
    fed: Fed,
    links: &Links,
    author: &HashSet<&str>,
    problems: (&Reader<'_>, &mut Problems),
) {
    let (reader, problems) = problems;
    let place = reader.place(written.location());
    let name = &written.name;
    let mut complain = |what: String| {
        problems.add(
            "DIRECTIVE_DEFINITION_INVALID",
            format!("invalid definition for directive \"@{name}\": {what}"),
            place,
        );
    };
    let text = format!("directive @{name} {}", fed.definition().sdl_of(links.version));
    let document = Document::parse(text, "federation").expect("the table holds valid syntax");
    let Some(Definition::DirectiveDefinition(expected)) = document.definitions.first() else { return };
    for argument in &written.arguments {
        if !expected.arguments.iter().any(|known| known.name == argument.name) {
            complain(format!("unknown argument \"{}\"", argument.name));
        }
    }
    // Some servers print the three without any argument.
    let bare = written.arguments.is_empty() && matches!(fed, Fed::Key | Fed::Requires | Fed::Provides);
    for argument in expected.arguments.iter().filter(|_| !bare) {
        match written.arguments.iter().find(|given| given.name == argument.name) {
            None if argument.ty.is_non_null() && argument.default_value.is_none() => {
                complain(format!("missing required argument \"{}\"", argument.name));
            }
            Some(given) if !compatible(&given.ty, &argument.ty, author, links.version) => {
                complain(format!(
                    "argument \"{}\" should have type {} but is of type {}",
                    argument.name, argument.ty, given.ty
                ));
            }
            Some(given)
                if !given.ty.is_non_null()
                    && !argument.ty.is_non_null()
                    && given.default_value != argument.default_value =>
            {
                let default = |value: Option<&Node<ast::Value>>| {
                    value.map_or_else(|| "none".to_owned(), |value| value.serialize().no_indent().to_string())
                };
                complain(format!(
                    "argument \"{}\" should have the default value {} but has {}",
                    argument.name,
                    default(argument.default_value.as_ref()),
                    default(given.default_value.as_ref())
                ));
            }
            _ => {}
        }
    }
    if written.repeatable && !expected.repeatable {
        complain("it should not be repeatable".to_owned());
    }
    let extra: Vec<String> = written
        .locations
        .iter()
        .filter(|location| !expected.locations.contains(location))
        .map(ToString::to_string)
        .collect();
    if !extra.is_empty() {
        complain(format!("it cannot be used on {}", extra.join(", ")));
    }
}

/// Lists and nullability must agree, but for a stricter nullability outside. Where a scalar of the specification is
/// expected, anything does that is no scalar of the author's own, and the specification's under the names it is known by.
fn compatible(given: &Type, expected: &Type, author: &HashSet<&str>, version: Version) -> bool {
    if version.is_one() {
        return fits(&given.clone().nullable(), &expected.clone().nullable(), author);
    }
    let relaxed = if expected.is_non_null() { given.clone() } else { given.clone().nullable() };
    fits(&relaxed, expected, author)
}

fn fits(given: &Type, expected: &Type, author: &HashSet<&str>) -> bool {
    match (given, expected) {
        (Type::List(given), Type::List(expected))
        | (Type::NonNullList(given), Type::NonNullList(expected)) => fits(given, expected, author),
        (
            Type::Named(_) | Type::NonNullList(_) | Type::NonNullNamed(_) | Type::List(_),
            Type::Named(name),
        ) if name.contains("__") => {
            let own = given.inner_named_type().as_str();
            let known = own.trim_start_matches('_').rsplit("__").next() == name.rsplit("__").next();
            known || given.is_list() || !author.contains(own)
        }
        (Type::NonNullList(_) | Type::NonNullNamed(_), Type::NonNullNamed(name)) => {
            fits(&given.clone().nullable(), &Type::Named(name.clone()), author)
        }
        (Type::Named(given), Type::Named(expected)) => given == expected,
        _ => false,
    }
}

/// Types that belong to a specification have a fixed kind.
fn check_type_definition(
    definition: &Definition,
    links: &Links,
    reader: &Reader<'_>,
    problems: &mut Problems,
) {
    let Some(name) = definition.name() else { return };
    if definition.as_directive_definition().is_some() || !links.type_names.contains(name.as_str()) {
        return;
    }
    let good = match name.as_str() {
        "_Entity" => definition.as_union_type_definition().is_some(),
        "_Service" => definition.as_object_type_definition().is_some(),
        "link__Purpose" => definition.as_enum_type_definition().map_or_else(
            || definition.as_scalar_type_definition().is_some(),
            |purpose| {
                let mut values: Vec<&str> = purpose.values.iter().map(|value| value.value.as_str()).collect();
                values.sort_unstable();
                values == ["EXECUTION", "SECURITY"]
            },
        ),
        // Code-first servers are known to print this one in several ways.
        "_Any" | "link__Import" => true,
        local => {
            definition.as_scalar_type_definition().is_some()
                || links.specs.iter().any(|spec| {
                    spec.identity == "https://specs.apollo.dev/link"
                        && spec.imports.iter().any(|(_, import)| import == local)
                })
        }
    };
    if !good {
        let place = reader.place(name.location());
        problems.add(
            "TYPE_DEFINITION_INVALID",
            format!("invalid definition for type \"{name}\": it belongs to a specification and has another kind there"),
            place,
        );
    }
}
