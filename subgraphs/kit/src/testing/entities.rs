//! The entities of a schema, each with a selection of everything that can be asked of it: so that a test sees what a batch of
//! them costs, also of a field that is added later.
//!
//! Elsewhere: how many statements reach a database (`queries`).

use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ConstDirective, FieldDefinition, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Positioned, Value};

/// One entity of a service's schema.
#[derive(Debug, PartialEq, Eq)]
pub struct Entity {
    pub name: String,
    /// The fields of each key.
    pub keys: Vec<String>,
    /// Of its own fields, those that other services give (`@external`) left out: all, and of what they lead to the plain ones;
    /// lists in pages of two.
    pub selection: String,
}

/// The types with a key, by name.
///
/// # Panics
/// When the SDL is none, or a field needs an argument that is no page.
pub fn entities(sdl: &str) -> Vec<Entity> {
    let document = parse_schema(sdl).expect("SDL");
    let types: BTreeMap<&str, &TypeDefinition> = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => {
                Some((definition.node.name.node.as_str(), &definition.node))
            }
            _ => None,
        })
        .collect();
    let with_keys = types.iter().filter_map(|(name, definition)| {
        let keys: Vec<String> = keys(&definition.directives);
        let selection = || {
            let own = fields(definition).iter().filter(|field| !has(&field.node.directives, "external"));
            own.filter_map(|field| select(&field.node, &types, 2)).collect::<Vec<_>>().join(" ")
        };
        (!keys.is_empty()).then(|| Entity { name: (*name).to_owned(), selection: selection(), keys })
    });
    with_keys.collect()
}

fn keys(directives: &[Positioned<ConstDirective>]) -> Vec<String> {
    let keys = directives.iter().filter(|directive| directive.node.name.node == "key");
    let fields = keys.map(|key| key.node.get_argument("fields").map(|fields| &fields.node));
    fields
        .map(|fields| match fields {
            Some(Value::String(fields)) => fields.clone(),
            other => panic!("a key has fields: {other:?}"),
        })
        .collect()
}

fn has(directives: &[Positioned<ConstDirective>], name: &str) -> bool {
    directives.iter().any(|directive| directive.node.name.node == name)
}

fn fields(definition: &TypeDefinition) -> &[Positioned<FieldDefinition>] {
    match &definition.kind {
        TypeKind::Object(object) => &object.fields,
        TypeKind::Interface(interface) => &interface.fields,
        _ => &[],
    }
}

/// The field with a selection below it, so many levels deep; pages do not count as levels.
fn select(field: &FieldDefinition, types: &BTreeMap<&str, &TypeDefinition>, levels: usize) -> Option<String> {
    let name = &field.name.node;
    let mut base = &field.ty.node.base;
    while let BaseType::List(inner) = base {
        base = &inner.base;
    }
    let BaseType::Named(of) = base else { unreachable!("a list ends") };
    let leads_to = types.get(of.as_str()).filter(|definition| {
        matches!(definition.kind, TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_))
    });
    let below = match leads_to {
        None => String::new(),
        Some(_) if levels == 1 => return None,
        Some(definition) => {
            let is_page = of.ends_with("Connection") || of.ends_with("Edge");
            let levels = if is_page { levels } else { levels - 1 };
            let fields = fields(definition).iter();
            let own = fields.filter_map(|field| select(&field.node, types, levels));
            format!(" {{ __typename {} }}", own.collect::<Vec<_>>().join(" "))
        }
    };
    let mut arguments = "";
    for argument in field.arguments.iter().map(|argument| &argument.node) {
        match argument.name.node.as_str() {
            "first" => arguments = "(first: 2)",
            _ if argument.ty.node.nullable || argument.default_value.is_some() => {}
            other => panic!("{name} needs {other}"),
        }
    }
    Some(format!("{name}{arguments}{below}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_of_an_entity_is_asked_for_and_nothing_that_others_give() {
        let sdl = "
            type A @key(fields: \"id\") @key(fields: \"slug\") {
                id: ID! slug: String! price: Money @external
                all(first: Int!, after: String): BConnection! others: [[B!]!] all2(first: Int = 3): BConnection!
            }
            type Money { amount: String! }
            type BConnection { edges: [BEdge!]! totalCount: Int! }
            type BEdge { node: B! cursor: String! }
            type B { name: String price: Money }
            union U = A | B";
        let b = "{ __typename name }";
        let page = format!("{{ __typename edges {{ __typename node {b} cursor }} totalCount }}");
        let selection = format!("id slug all(first: 2) {page} others {b} all2(first: 2) {page}");
        let keys = vec!["id".to_owned(), "slug".to_owned()];
        assert_eq!(entities(sdl), [Entity { name: "A".to_owned(), keys, selection }]);
    }
}
