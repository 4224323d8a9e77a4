//! One schema as composers of each age write it: join v0.1 to v0.5. All of them are read alike.
//!
//! Two subgraphs: `a` has the query field and an entity of two keys, `b` adds a field to it that requires another.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use kopitiam_supergraph::Supergraph;

/// What every supergraph has whatever its version; `{spec}` names it, `{directives}` are its own.
fn supergraph(version: &str, link: &str, directives: &str, types: &str) -> Supergraph {
    let feature = if link == "core" { "feature" } else { "url" };
    let own = if link == "core" { "core/v0.2" } else { "link/v1.0" };
    let text = format!(
        r#"schema @{link}({feature}: "https://specs.apollo.dev/{own}")
            @{link}({feature}: "https://specs.apollo.dev/join/{version}", for: EXECUTION) {{ query: Query }}
        directive @{link}({feature}: String!, as: String, for: {link}__Purpose) repeatable on SCHEMA
        directive @join__graph(name: String!, url: String!) on ENUM_VALUE
        {directives}
        scalar join__FieldSet
        enum {link}__Purpose {{ SECURITY EXECUTION }}
        enum join__Graph {{ A @join__graph(name: "a", url: "http://a") B @join__graph(name: "b", url: "http://b") }}
        {types}"#
    );
    Supergraph::parse(&text).unwrap_or_else(|error| panic!("join {version}: {error}"))
}

/// The facts that every version can say.
fn says_the_same(version: &str, supergraph: &Supergraph) {
    let (a, b) = (supergraph.subgraph_id("a").unwrap(), supergraph.subgraph_id("b").unwrap());
    let item = supergraph.type_id("Item").unwrap();
    let query = supergraph.type_id("Query").unwrap();
    assert!(supergraph.field_in(a, query, "items").is_some(), "{version}: items is asked of a");
    assert!(supergraph.field_in(b, query, "items").is_none(), "{version}: items is not asked of b");
    let keys = |graph| supergraph.type_in(graph, item).unwrap().keys.len();
    assert_eq!((keys(a), keys(b)), (2, 1), "{version}: keys");
    assert!(!supergraph.field_in(a, item, "weight").unwrap().external, "{version}: a resolves weight");
    let quote = supergraph.field_in(b, item, "quote").unwrap();
    assert_eq!(quote.requires.as_ref().unwrap().fields[0].name, "weight", "{version}: requires");
    assert!(supergraph.field_in(a, item, "quote").is_none(), "{version}: only b has quote");
    let named = supergraph.type_id("Named").unwrap();
    let possible = &supergraph.type_in(a, named).unwrap().possible;
    assert_eq!(possible.iter().collect::<Vec<_>>(), [item], "{version}: an item is a named thing in a");
    assert!(supergraph.api_schema().types.contains_key("Size"), "{version}: clients see the enum");
    let machinery =
        |name: &str| name.starts_with("join__") || name.starts_with("core__") || name.starts_with("link__");
    assert!(
        !supergraph.api_schema().types.keys().any(|name| machinery(name)),
        "{version}: clients see no machinery"
    );
}

#[test]
fn join_0_1_names_owners_and_leaves_value_types_bare() {
    let read = supergraph(
        "v0.1",
        "core",
        "directive @join__owner(graph: join__Graph!) on OBJECT | INTERFACE
        directive @join__type(graph: join__Graph!, key: join__FieldSet) repeatable on OBJECT | INTERFACE
        directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet) on FIELD_DEFINITION",
        r#"type Query { items: [Item] @join__field(graph: A) }
        interface Named { name: String }
        type Item implements Named @join__owner(graph: A) @join__type(graph: A, key: "id") @join__type(graph: A, key: "sku")
            @join__type(graph: B, key: "id") {
            id: ID! @join__field(graph: A) sku: ID! @join__field(graph: A) name: String @join__field(graph: A)
            weight: Int @join__field(graph: A) size: Size @join__field(graph: A)
            quote: Int @join__field(graph: B, requires: "weight") }
        enum Size { SMALL LARGE }"#,
    );
    says_the_same("v0.1", &read);
}

const TYPE_0_2: &str =
    "directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, \
    resolvable: Boolean! = true) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR
    directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE";
const FIELD_0_2: &str = "graph: join__Graph!, requires: join__FieldSet, provides: join__FieldSet, type: String, \
    external: Boolean, override: String, usedOverridden: Boolean";
const TYPES_0_2: &str = r#"type Query @join__type(graph: A) @join__type(graph: B) { items: [Item] @join__field(graph: A) }
    interface Named @join__type(graph: A) { name: String }
    type Item implements Named @join__implements(graph: A, interface: "Named")
        @join__type(graph: A, key: "id") @join__type(graph: A, key: "sku") @join__type(graph: B, key: "id") {
        id: ID! sku: ID! @join__field(graph: A) name: String @join__field(graph: A)
        weight: Int @join__field(graph: A) @join__field(graph: B, external: true) size: Size @join__field(graph: A)
        quote: Int @join__field(graph: B, requires: "weight") }"#;

#[test]
fn join_0_2_says_neither_enum_values_nor_union_members() {
    let directives = format!(
        "{TYPE_0_2} directive @join__field({FIELD_0_2}) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION"
    );
    let types = format!(
        "{TYPES_0_2} enum Size @join__type(graph: A) {{ SMALL LARGE }} union Any @join__type(graph: A) = Item"
    );
    let read = supergraph("v0.2", "link", &directives, &types);
    says_the_same("v0.2", &read);
    let (a, any) = (read.subgraph_id("a").unwrap(), read.type_id("Any").unwrap());
    let item = read.type_id("Item").unwrap();
    assert_eq!(read.type_in(a, any).unwrap().possible.iter().collect::<Vec<_>>(), [item]);
}

#[test]
fn join_0_3_to_0_5_add_arguments_and_directives_that_change_nothing_else() {
    for version in ["v0.3", "v0.4", "v0.5"] {
        let field = FIELD_0_2.replace("join__Graph!", "join__Graph");
        let label = if version == "v0.3" { "" } else { ", overrideLabel: String" };
        let context = if version == "v0.5" { ", contextArguments: [join__ContextArgument!]" } else { "" };
        let newest = if version == "v0.5" {
            "directive @join__directive(graphs: [join__Graph!], name: String!, args: join__DirectiveArguments) repeatable on SCHEMA | OBJECT | INTERFACE | FIELD_DEFINITION
            scalar join__DirectiveArguments scalar join__FieldValue
            input join__ContextArgument { name: String! type: String! context: String! selection: join__FieldValue }"
        } else {
            ""
        };
        let directives = format!(
            "{} {newest} directive @join__field({field}{label}{context}) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
            directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE
            directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION",
            TYPE_0_2.replace("resolvable: Boolean! = true", "resolvable: Boolean! = true, isInterfaceObject: Boolean! = false")
        );
        let applied = if version == "v0.5" {
            r#"@join__directive(graphs: [A], name: "cacheTag", args: {format: "x"})"#
        } else {
            ""
        };
        let types = format!(
            r#"{} enum Size @join__type(graph: A) {{ SMALL @join__enumValue(graph: A) LARGE @join__enumValue(graph: A) }}
            union Any @join__type(graph: A) @join__unionMember(graph: A, member: "Item") = Item"#,
            TYPES_0_2.replace("quote: Int", &format!("quote: Int {applied}"))
        );
        says_the_same(version, &supergraph(version, "link", &directives, &types));
    }
}
