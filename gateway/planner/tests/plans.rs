//! Plans, one federation feature each: subgraphs, query and plan on one screen. Every plan is proved by `plan::check`.

mod contexts;

use kopitiam_testkit::plan_checked;

#[test]
fn requires_fetches_the_needed_field_before_the_field_that_needs_it() {
    let plan = plan_checked(
        &[
            (
                "catalog",
                r#"type Query { product: Product }
                type Product @key(fields: "sku") { sku: ID! weightGrams: Int! }"#,
            ),
            (
                "shipping",
                r#"extend type Product @key(fields: "sku") {
                sku: ID! @external weightGrams: Int! @external quote: Int! @requires(fields: "weightGrams") }"#,
            ),
        ],
        "{ product { quote } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(catalog) { product { sku weightGrams } }
      Fetch(shipping) at product { ... on Product { quote } }
    }
    ");
}

#[test]
fn paths_that_ask_one_subgraph_the_same_share_one_request_and_one_group() {
    let plan = plan_checked(
        &[
            (
                "products",
                r#"type Query { top: [Product!]! sale: [Product!]! }
                type Product @key(fields: "sku") { sku: ID! name: String! }"#,
            ),
            (
                "stock",
                r#"extend type Product @key(fields: "sku") { sku: ID! @external inStock: Boolean! left: Int! }"#,
            ),
        ],
        "{ top { name inStock } sale { inStock } best: top { left } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(products) { top { name sku } sale { sku } best:top { sku } }
      Fetch(stock) {
        at top, sale { ... on Product { inStock } }
        at best { ... on Product { left } }
      }
    }
    ");
}

#[test]
fn a_key_that_the_source_lacks_is_fetched_on_the_way() {
    let plan = plan_checked(
        &[
            ("search", r#"type Query { hit: Book } type Book @key(fields: "isbn") { isbn: ID! }"#),
            (
                "registry",
                r#"extend type Book @key(fields: "isbn") @key(fields: "record { number }") {
                isbn: ID! @external record: Record! }
                type Record { number: Int! }"#,
            ),
            (
                "library",
                r#"extend type Book @key(fields: "record { number }") { record: Record! @external shelf: String! }
                extend type Record { number: Int! @external }"#,
            ),
        ],
        "{ hit { shelf } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(search) { hit { isbn } }
      Fetch(registry) at hit { ... on Book { record { number } } }
      Fetch(library) at hit { ... on Book { shelf } }
    }
    ");
}

#[test]
fn a_value_type_without_a_key_is_completed_through_its_parent() {
    let fields = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
        import: ["@key", "@shareable"])"#;
    let plan = plan_checked(
        &[
            (
                "a",
                &format!(
                    r#"{fields} type Query {{ user: User }}
                type User @key(fields: "id") {{ id: ID! address: Address @shareable }}
                type Address {{ city: String }}"#
                ),
            ),
            (
                "b",
                &format!(
                    r#"{fields} type User @key(fields: "id") {{ id: ID! address: Address @shareable }}
                type Address {{ street: String }}"#
                ),
            ),
        ],
        "{ user { address { city street } } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(a) { user { address { city } id } }
      Fetch(b) at user { ... on User { address { street } } }
    }
    ");
}

#[test]
fn root_fields_that_several_subgraphs_share_are_asked_in_parallel() {
    let link =
        r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@shareable"])"#;
    let plan = plan_checked(
        &[
            ("names", &format!("{link} type Query {{ me: Me @shareable }} type Me {{ name: String }}")),
            ("mails", &format!("{link} type Query {{ me: Me @shareable }} type Me {{ mail: String }}")),
        ],
        "{ me { name mail } }",
    );
    insta::assert_snapshot!(plan, @r"
    Parallel {
      Fetch(mails) { me { mail } }
      Fetch(names) { me { name } }
    }
    ");
}

#[test]
fn provided_fields_are_taken_where_they_are_provided_and_fetched_elsewhere() {
    let plan = plan_checked(
        &[
            (
                "reviews",
                r#"type Query { latest: Review oldest: Review }
                type Review { author: User @provides(fields: "name") editor: User }
                extend type User @key(fields: "id") { id: ID! @external name: String @external }"#,
            ),
            ("users", r#"type User @key(fields: "id") { id: ID! name: String }"#),
        ],
        "{ latest { author { name } editor { name } } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(reviews) { latest { author { name } editor { id } } }
      Fetch(users) at latest.editor { ... on User { name } }
    }
    ");
}

const MEDIA: [(&str, &str); 2] = [
    (
        "catalog",
        r#"type Query { media: [Media!]! }
        interface Media { id: ID! title: String! }
        type Book implements Media @key(fields: "id") { id: ID! title: String! pages: Int! }
        type Film implements Media @key(fields: "id") { id: ID! title: String! minutes: Int! }"#,
    ),
    (
        "ratings",
        r#"extend type Book @key(fields: "id") { id: ID! @external stars: Int! }
        extend type Film @key(fields: "id") { id: ID! @external stars: Int! }"#,
    ),
];

#[test]
fn an_interface_field_that_every_type_has_is_asked_once_and_needs_no_runtime_type() {
    let plan = plan_checked(&MEDIA, "{ media { id title } }");
    insta::assert_snapshot!(plan, @"Fetch(catalog) { media { id title } }");
}

#[test]
fn entities_behind_an_interface_enter_by_their_runtime_type() {
    let plan =
        plan_checked(&MEDIA, "{ media { title ... on Book { stars } ... on Film { minutes stars } } }");
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(catalog) { media { __typename title id ... on Film { minutes } } }
      Fetch(ratings) at media { ... on Book { stars } ... on Film { stars } }
    }
    ");
}

#[test]
fn an_interface_object_is_asked_by_the_interface_and_tells_no_runtime_type() {
    let link = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
        import: ["@key", "@interfaceObject"])"#;
    let plan = plan_checked(
        &[
            (
                "catalog",
                &format!(
                    r#"{link} interface Media @key(fields: "id") {{ id: ID! title: String! }}
                type Book implements Media @key(fields: "id") {{ id: ID! title: String! pages: Int! }}
                type Film implements Media @key(fields: "id") {{ id: ID! title: String! }}"#
                ),
            ),
            (
                "reviews",
                &format!(
                    r#"{link} type Query {{ reviewed: [Media!]! }}
                type Media @key(fields: "id") @interfaceObject {{ id: ID! stars: Int! }}"#
                ),
            ),
        ],
        "{ reviewed { stars ... on Book { pages } } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(reviews) { reviewed { id stars } }
      Fetch(catalog) at reviewed { ... on Media { __typename ... on Book { pages } } }
    }
    ");
}

#[test]
fn conditions_reach_the_fetches_and_the_inputs_that_only_they_need() {
    let plan = plan_checked(
        &MEDIA,
        "query($stars: Boolean!) { media { title ... on Book { stars @include(if: $stars) } } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(catalog) { media { __typename title ... on Book { id @include(if:$stars) } } }
      Fetch(ratings) if $stars at media { ... on Book { stars } }
    }
    ");
}

#[test]
fn two_requires_with_other_arguments_and_the_clients_own_all_keep_their_values() {
    let plan = plan_checked(
        &[
            (
                "prices",
                r#"type Query { item: Item }
                type Item @key(fields: "id") { id: ID! price(in: String!): Int! }"#,
            ),
            (
                "duty",
                r#"extend type Item @key(fields: "id") { id: ID! @external price(in: String!): Int! @external
                usDuty: Int! @requires(fields: "price(in: \"USD\")")
                euDuty: Int! @requires(fields: "price(in: \"EUR\")") }"#,
            ),
        ],
        r#"{ item { price(in: "GBP") usDuty euDuty } }"#,
    );
    insta::assert_snapshot!(plan, @r#"
    Sequence {
      Fetch(prices) { item { price(in:"GBP") id _0_price:price(in:"USD") _1_price:price(in:"EUR") } }
      Fetch(duty) {
        at item { ... on Item { usDuty } }
        at item { ... on Item { euDuty } }
      }
    }
    "#);
}

#[test]
fn fields_whose_types_do_not_merge_in_the_subgraph_get_other_names_there() {
    // For clients `User.id` may be null, as one subgraph says; in the other it may not, and there `Bot.id` may.
    let link =
        r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@shareable"])"#;
    let plan = plan_checked(
        &[
            ("users", &format!("{link} type Query {{ user: User }} type User {{ id: ID @shareable }}")),
            (
                "accounts",
                &format!(
                    "{link} type Query {{ accounts: [Account!]! }} union Account = User | Bot
                    type User {{ id: ID! @shareable }} type Bot {{ id: ID }}"
                ),
            ),
        ],
        "{ accounts { ... on User { id } ... on Bot { id } } }",
    );
    insta::assert_snapshot!(plan, @"Fetch(accounts) { accounts { __typename ... on User { id } ... on Bot { _a1_id:id } } }");
}

const ORDERS: [(&str, &str); 2] = [
    (
        "orders",
        r#"type Query { order: Order } type Mutation { place: Order! cancel: Order! }
        type Subscription { placed: Order! }
        type Order @key(fields: "id") { id: ID! total: Int! }"#,
    ),
    (
        "parcels",
        r#"type Mutation { send: Boolean! }
        extend type Order @key(fields: "id") { id: ID! @external parcel: String! }"#,
    ),
];

#[test]
fn mutation_fields_run_in_the_clients_order_and_join_only_neighbours() {
    let plan =
        plan_checked(&ORDERS, "mutation { place { parcel } cancel { total } send again: place { total } }");
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(orders) { place { id } cancel { total } }
      Fetch(parcels) at place { ... on Order { parcel } }
      Fetch(parcels) { send }
      Fetch(orders) { again:place { total } }
    }
    ");
}

#[test]
fn a_subscription_starts_with_its_stream_and_completes_each_event() {
    let plan = plan_checked(&ORDERS, "subscription { placed { total parcel } }");
    assert_eq!(plan.fetches[0].operation, kopitiam_plan::OperationKind::Subscription);
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(orders) { placed { total id } }
      Fetch(parcels) at placed { ... on Order { parcel } }
    }
    ");
}

#[test]
fn the_json_form_names_paths_representations_and_dependencies() {
    let plan = plan_checked(&ORDERS, "{ order { parcel } }");
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan.to_json()).unwrap(), @r#"
    {
      "kind": "query",
      "fetches": [
        {
          "id": 0,
          "subgraph": "orders",
          "operation": "query",
          "document": "{order{id}}",
          "variables": [],
          "dependsOn": []
        },
        {
          "id": 1,
          "subgraph": "parcels",
          "operation": "query",
          "document": "query($representations:[_Any!]!){_entities(representations:$representations){...on Order{parcel}}}",
          "variables": [],
          "dependsOn": [
            0
          ],
          "entities": [
            {
              "responseKey": "_entities",
              "variable": "representations",
              "paths": [
                "order"
              ],
              "representations": [
                {
                  "on": [],
                  "__typename": "Order",
                  "fields": "id"
                }
              ]
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn a_shared_mutation_is_called_once_in_the_subgraph_that_answers_most() {
    let link = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
        import: ["@key", "@shareable"])"#;
    let plan = plan_checked(
        &[
            (
                "a",
                &format!(
                    r#"{link} type Query {{ a: Int }} type Mutation {{ add: Item @shareable }}
                type Item @key(fields: "id") {{ id: ID! }}"#
                ),
            ),
            (
                "b",
                &format!(
                    r#"{link} type Mutation {{ add: Item @shareable }}
                type Item @key(fields: "id") {{ id: ID! name: String }}"#
                ),
            ),
        ],
        "mutation { add { id name } }",
    );
    insta::assert_snapshot!(plan, @"Fetch(b) { add { id name } }");
}

#[test]
fn a_flowchart_has_one_box_for_each_fetch_and_an_arrow_for_each_wait() {
    let plan = plan_checked(
        &[
            (
                "catalog",
                r#"type Query { product(name: String): Product }
                type Product @key(fields: "sku") { sku: ID! name: String! weightGrams: Int! }"#,
            ),
            (
                "shipping",
                r#"extend type Product @key(fields: "sku") {
                sku: ID! @external weightGrams: Int! @external quote: Int! @requires(fields: "weightGrams") }"#,
            ),
            (
                "reviews",
                r#"extend type Product @key(fields: "sku") { sku: ID! @external stars: Float! count: Int! }"#,
            ),
        ],
        r#"query($full: Boolean!) { product(name: "a<b> #1") { name quote stars @include(if: $full) } }"#,
    );
    insta::assert_snapshot!(plan.to_mermaid(), @r##"
    flowchart TD
      f0["Fetch(catalog) { product(name:#quot;a#lt;b#gt; #35;1#quot;) { name sku weightGrams } }"]
      f1["Fetch(shipping) at product { ... on Product { quote } }"]
      f2["Fetch(reviews) if $full at product { ... on Product { stars } }"]
      f0 --> f1
      f0 --> f2
    "##);
}

#[test]
fn a_flowchart_of_nothing_says_so() {
    let plan = plan_checked(&[("only", "type Query { a: Int }")], "{ __typename }");
    assert_eq!(plan.to_mermaid(), "flowchart TD\n  none[\"nothing to fetch\"]\n");
}

const PAYLOAD_WITH_QUERY: [(&str, &str); 3] = [
    (
        "orders",
        r"type Query { orders: [String!]! } type Mutation { order: Payload! cancel: Payload! }
        type Payload { id: ID! query: Query! }",
    ),
    ("users", "type Query { me: String you: String }"),
    (
        "catalog",
        r#"type Query { product: Product } type Product @key(fields: "sku") { sku: ID! name: String! }"#,
    ),
];

#[test]
fn the_query_of_a_payload_is_asked_in_other_subgraphs_after_its_mutation() {
    let plan = plan_checked(
        &PAYLOAD_WITH_QUERY,
        "mutation { order { id query { orders me product { name } } } cancel { query { me } } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(orders) { order { id query { orders } } }
      Parallel {
        Fetch(users) at order.query { me }
        Fetch(catalog) at order.query { product { name } }
      }
      Fetch(orders) { cancel { query { __typename } } }
      Fetch(users) at cancel.query { me }
    }
    ");
}

#[test]
fn the_query_of_a_payload_shows_nothing_of_the_mutation_after_it() {
    let query = "mutation { a: order { id } order { query { me } } cancel { id } order { query { you } } }";
    insta::assert_snapshot!(plan_checked(&PAYLOAD_WITH_QUERY, query), @r"
    Sequence {
      Fetch(orders) { a:order { id } order { query { __typename } } }
      Fetch(users) at order.query { me you }
      Fetch(orders) { cancel { id } }
    }
    ");
    let own = "mutation { order { query { orders } } cancel { id } }";
    assert_eq!(plan_checked(&PAYLOAD_WITH_QUERY, own).fetches.len(), 1, "its own subgraph does so by itself");
}

#[test]
fn the_query_of_a_payload_needs_nothing_of_the_subgraph_it_comes_from() {
    let plan = plan_checked(
        &PAYLOAD_WITH_QUERY,
        "mutation($me: Boolean!) { order { query { me @include(if: $me) query: __typename you @skip(if: $me) } } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(orders) { order { query { __typename } } }
      Fetch(users) if !$me | $me at order.query { me @include(if:$me) you @skip(if:$me) }
    }
    ");
}

#[test]
fn the_query_type_as_one_of_several_leads_on_for_its_own_objects_alone() {
    let plan = plan_checked(
        &[
            (
                "a",
                "type Query implements Versioned { here: Int version: Int outcomes: [Outcome] latest: Versioned }
                interface Versioned { version: Int } union Outcome = Query | Failure
                type Failure implements Versioned { why: String version: Int }",
            ),
            ("b", "type Query { there: Int }"),
        ],
        "{ outcomes { ... on Query { here there } ... on Failure { why } } latest { version ... on Query { there } } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Fetch(a) { outcomes { __typename ... on Query { here } ... on Failure { why } } latest { __typename version } }
      Fetch(b) at outcomes[Query], latest[Query] { there }
    }
    ");
}

#[test]
fn a_field_of_the_query_type_leads_to_the_other_subgraphs() {
    let plan = plan_checked(
        &[
            ("a", "type Query { again: Query! here: Int nodes: [Node!]! } type Node { query: Query }"),
            ("b", "type Query { there: Int }"),
        ],
        "{ there again { here there again { there } } nodes { query { there } } }",
    );
    insta::assert_snapshot!(plan, @r"
    Sequence {
      Parallel {
        Fetch(b) { there }
        Fetch(a) { again { here again { __typename } } nodes { query { __typename } } }
      }
      Fetch(b) at again, again.again, nodes.query { there }
    }
    ");
}

#[test]
fn equal_queries_below_the_root_are_one_request_and_others_have_failures_of_their_own() {
    let subgraphs = [
        ("a", "type Query { here: Int first: Query second: Query }"),
        ("b", "type Query { there(x: Int): Int! }"),
    ];
    let requests = |query: &str| plan_checked(&subgraphs, query).fetches.len();
    assert_eq!(requests("query($x: Int) { first { there(x: $x) } second { there(x: $x) } }"), 2);
    assert_eq!(requests("{ first { there(x: 1) } second { there(x: 2) } }"), 3);
    assert_eq!(requests("{ first { there } second { there other: there(x: 1) } }"), 3);
    assert_eq!(requests("query($s: Boolean!) { first { there } second { there @skip(if: $s) } }"), 3);
}

#[test]
fn root_fields_below_the_root_that_wait_for_no_object_are_no_answer() {
    let subgraphs = [("a", "type Query { again: Query! }"), ("b", "type Query { there: Int }")];
    let query = "{ again { there } }";
    let mut plan = plan_checked(&subgraphs, query);
    plan.fetches[1].depends_on.clear();
    let sdl = kopitiam_testkit::compose(&subgraphs).expect("the subgraphs compose").supergraph_sdl;
    let supergraph = kopitiam_supergraph::Supergraph::parse(&sdl).expect("composition gives a supergraph");
    let document =
        apollo_compiler::ExecutableDocument::parse_and_validate(supergraph.api_schema(), query, "q.graphql")
            .expect("the query is valid");
    let limits = kopitiam_operation::Limits::default();
    let operation = kopitiam_operation::normalise(&supergraph, &document, None, &limits)
        .expect("the query is within the limits");
    let gaps = kopitiam_plan::check(&supergraph, &operation, &plan).expect_err("it comes too early");
    assert_eq!(gaps[0].to_string(), "fetch 1 (b): does not wait for the objects at its path");
}
