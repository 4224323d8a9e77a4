//! Supergraphs composed elsewhere may promise fields that no subgraph can give: whoever asks for one gets an error, no
//! subgraph gets a request, and everything else is answered.

use kopitiam_engine::{EngineSettings, Outcome};
use kopitiam_testkit::{TestGateway, TestSubgraph};
use serde_json::json;

const PREAMBLE: &str = r#"
    schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION) { query: Query }
    directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE
    directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean, overrideLabel: String) repeatable on FIELD_DEFINITION
    directive @join__graph(name: String!, url: String!) on ENUM_VALUE
    directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE
    directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR
    directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION
    directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
    scalar join__FieldSet
    scalar link__Import
    enum link__Purpose { SECURITY EXECUTION }
    enum join__Graph { A @join__graph(name: "a", url: "") B @join__graph(name: "b", url: "") }
    type Query @join__type(graph: A) @join__type(graph: B) { box: Box @join__field(graph: A) known: Int @join__field(graph: A) "#;

/// A way in which `missing` of a box cannot be had: the rest of the supergraph, and what is asked.
const WAYS: [(&str, &str, &str); 9] = [
    (
        "no key",
        "} type Box @join__type(graph: A) @join__type(graph: B) { size: Int @join__field(graph: A) missing: Int @join__field(graph: B) }",
        "{ known box { size missing } }",
    ),
    (
        "a key that the other subgraph does not have",
        r#"} type Box @join__type(graph: A) @join__type(graph: B, key: "id") {
            id: ID! @join__field(graph: B) size: Int @join__field(graph: A) missing: Int @join__field(graph: B) }"#,
        "{ known box { size missing } }",
    ),
    (
        "a key that does not resolve",
        r#"} type Box @join__type(graph: A, key: "id") @join__type(graph: B, key: "id", resolvable: false) {
            id: ID! size: Int @join__field(graph: A) missing: Int @join__field(graph: B) }"#,
        "{ known box { size missing } }",
    ),
    (
        "a type that nobody leads to",
        r#"other: Lost @join__field(graph: A) }
            type Box @join__type(graph: A, key: "id") { id: ID! size: Int }
            type Lost @join__type(graph: B, key: "id") { id: ID! missing: Int }"#,
        "{ known other { missing } }",
    ),
    (
        "external everywhere",
        r#"} type Box @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") {
            id: ID! size: Int @join__field(graph: A) missing: Int @join__field(graph: B, external: true) }"#,
        "{ known box { size missing } }",
    ),
    (
        "an override that is off, of a field whose old owner is gone",
        r#"} type Box @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") {
            id: ID! size: Int @join__field(graph: A) missing: Int @join__field(graph: B, override: "gone", overrideLabel: "off") }"#,
        "{ known box { size missing } }",
    ),
    (
        "a requirement that nobody fulfils",
        r#"} type Box @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") {
            id: ID! size: Int @join__field(graph: A) weight: Int @join__field(graph: B, external: true)
            missing: Int @join__field(graph: B, requires: "weight") }"#,
        "{ known box { size missing } }",
    ),
    (
        "requirements in a circle",
        r#"} type Box @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") {
            id: ID! size: Int @join__field(graph: A)
            other: Int @join__field(graph: A, requires: "missing") @join__field(graph: B, external: true)
            missing: Int @join__field(graph: B, requires: "other") @join__field(graph: A, external: true) }"#,
        "{ known box { size missing } }",
    ),
    (
        "an interface object without anybody who knows its types",
        r#"node: Node @join__field(graph: B) }
            type Box implements Node @join__type(graph: A) @join__implements(graph: A, interface: "Node") { id: ID! size: Int missing: Int }
            interface Node @join__type(graph: A) @join__type(graph: B, key: "id", isInterfaceObject: true) { id: ID! }"#,
        "{ known node { ... on Box { missing } } }",
    ),
];

#[tokio::test]
async fn a_field_that_no_subgraph_can_give_is_refused_before_anything_is_asked() {
    for (way, rest, query) in WAYS {
        let box_of_a = json!({"Query": {"known": 7, "box": {"id": "1", "size": 3}}});
        let subgraphs = [
            TestSubgraph::new(
                "a",
                "type Query { box: Box known: Int } type Box { id: ID! size: Int }",
                box_of_a,
            ),
            TestSubgraph::new("b", "type Query { unused: Int }", json!({})),
        ];
        let gateway = TestGateway::over(&format!("{PREAMBLE}{rest}"), &subgraphs, EngineSettings::default());
        let (text, outcome) = gateway.text(query, "{}").await;
        assert_eq!(outcome, Outcome::PlanError, "{way}: {text}");
        let refused: serde_json::Value = serde_json::from_str(&text).expect("a response is JSON");
        assert!(refused.get("data").is_none(), "{way}: {text}");
        assert_eq!(refused["errors"].as_array().map(Vec::len), Some(1), "{way}: {text}");
        let error = &refused["errors"][0];
        let place = if query.contains("other") { "Query.other" } else { "missing" };
        assert_eq!(error["extensions"]["code"], "QUERY_PLAN_UNSATISFIABLE", "{way}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(place)), "{way}: {text}");
        assert!(gateway.requests().is_empty(), "{way}: {:?}", gateway.requests());

        let answered = gateway.query("{ known box { size } }").await;
        assert_eq!(answered, json!({"data": {"known": 7, "box": {"size": 3}}}), "{way}");
    }
}
