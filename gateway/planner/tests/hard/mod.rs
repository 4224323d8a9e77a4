//! Operations that are hard to plan: each kind multiplies something. Used by the tests of the bounds and by the benches.
//!
//! Elsewhere: what must become of them (`bounds.rs`), how long they take (`benches/planning.rs`).

use std::fmt::Write;

/// A composed supergraph's subgraphs and operations on it.
pub(crate) struct Hard {
    pub(crate) name: &'static str,
    pub(crate) subgraphs: Vec<(String, String)>,
    pub(crate) operations: Vec<(&'static str, String)>,
    /// Those of them that are too much.
    pub(crate) refused: &'static [&'static str],
}

/// Every kind.
pub(crate) fn all() -> Vec<Hard> {
    vec![
        tree(),
        conditions(),
        shared(),
        interface("interfaces", 70, 1),
        interface("scattered", 70, 7),
        union(),
        mutation(),
        required(),
    ]
}

fn repeated(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).map(each).collect::<Vec<_>>().join(" ")
}

/// `text` with itself in place of `@` again and again, `depth` levels of it.
fn nested(depth: usize, text: &str, innermost: &str) -> String {
    (0..depth).fold(innermost.to_owned(), |inner, _| text.replace('@', &inner))
}

fn tree_subgraphs() -> Vec<(String, String)> {
    vec![
        (
            "left".to_owned(),
            r#"type Query { node: Node nodes: [Node!]! }
            type Node @key(fields: "id") { id: ID! left: Node right: Node name(at: Int): String }"#
                .to_owned(),
        ),
        (
            "right".to_owned(),
            r#"extend type Node @key(fields: "id") { id: ID! @external size: Int weight: Int }"#.to_owned(),
        ),
    ]
}

/// Fragments that each spread the next one `times` times, every time below another alias.
fn bomb(levels: usize, times: usize) -> String {
    let mut text = "{ node { ...F0 } }".to_owned();
    for level in 0..levels {
        let spread = repeated(times, |index| format!("a{index}: left {{ ...F{} }}", level + 1));
        let _ = write!(text, " fragment F{level} on Node {{ {spread} }}");
    }
    let _ = write!(text, " fragment F{levels} on Node {{ name size }}");
    text
}

/// Fields by the thousand, flat, as roots, nested, as a tree, and from fragments that multiply.
pub(crate) fn tree() -> Hard {
    let operations = vec![
        ("flat", format!("{{ node {{ {} }} }}", repeated(9_998, |index| format!("a{index}: name")))),
        (
            "flat with arguments",
            format!("{{ node {{ {} }} }}", repeated(9_998, |index| format!("a{index}: name(at: {index})"))),
        ),
        (
            "flat elsewhere",
            format!("{{ node {{ {} }} }}", repeated(9_998, |index| format!("a{index}: size"))),
        ),
        ("roots", format!("{{ {} }}", repeated(5_000, |index| format!("a{index}: node {{ name }}")))),
        (
            "roots elsewhere",
            format!("{{ {} }}", repeated(5_000, |index| format!("a{index}: node {{ size }}"))),
        ),
        (
            "roots, each asked otherwise",
            format!("{{ {} }}", repeated(3_000, |index| format!("a{index}: node {{ name b{index}: size }}"))),
        ),
        (
            "nested",
            format!(
                "{{ node {{ {} }} }}",
                nested(
                    95,
                    &format!("name size left {{ @ {} }}", repeated(100, |index| format!("a{index}: weight"))),
                    "name"
                )
            ),
        ),
        ("tree", format!("{{ node {{ {} }} }}", nested(10, "name size left { @ } right { @ }", "name"))),
        ("doubling 24", bomb(24, 2)),
        ("doubling 60", bomb(60, 2)),
        ("6 wide by 20", bomb(6, 20)),
        ("20 wide by 6", bomb(20, 6)),
    ];
    let refused = &["doubling 24", "doubling 60", "6 wide by 20", "20 wide by 6"];
    Hard { name: "tree", subgraphs: tree_subgraphs(), operations, refused }
}

/// Variables by the hundred.
pub(crate) fn conditions() -> Hard {
    let head = |count: usize| format!("query({})", repeated(count, |index| format!("$v{index}: Boolean!")));
    let fields =
        |name: &'static str| move |index: usize| format!("a{index}: {name} @include(if: $v{})", index % 100);
    let alternatives = |level: usize, inner: &str| {
        repeated(10, |index| format!("left @include(if: $v{}) {{ name {inner} }}", level * 10 + index))
    };
    // Copies of copies would multiply the text: each level is a fragment.
    let mut products = format!("{} {{ node {{ ...L0 }} }}", head(90));
    for level in 0..9 {
        let _ = write!(
            products,
            " fragment L{level} on Node {{ {} }}",
            alternatives(level, &format!("...L{}", level + 1))
        );
    }
    products.push_str(" fragment L9 on Node { size }");
    let operations = vec![
        ("here", format!("{} {{ node {{ {} }} }}", head(100), repeated(9_998, fields("name")))),
        ("elsewhere", format!("{} {{ node {{ {} }} }}", head(100), repeated(9_998, fields("size")))),
        (
            "a variable for each",
            format!(
                "{} {{ node {{ {} }} }}",
                head(3_000),
                repeated(3_000, |index| format!(
                    "a{index}: size @include(if: $v{index}) b{index}: name @skip(if: $v{index})"
                ))
            ),
        ),
        (
            "one field, a variable for each",
            format!(
                "{} {{ node {{ {} }} }}",
                head(3_000),
                repeated(3_000, |index| format!("left @include(if: $v{index}) {{ size }}"))
            ),
        ),
        (
            "pairs",
            format!(
                "{} {{ node {{ {} }} }}",
                head(100),
                repeated(5_000, |index| format!(
                    "... @include(if: $v{}) {{ size @skip(if: $v{}) }}",
                    index % 100,
                    (index / 100 + index) % 100
                ))
            ),
        ),
        ("products", products),
    ];
    let refused = &["one field, a variable for each", "pairs", "products"];
    Hard { name: "conditions", subgraphs: tree_subgraphs(), operations, refused }
}

/// Thirty subgraphs that all have everything, by ten keys: whatever is asked can be had in many ways.
pub(crate) fn shared() -> Hard {
    let sdl = |subgraph: usize| {
        let keys = repeated(10, |index| format!("@key(fields: \"k{}\")", (index + subgraph) % 20));
        let ids = repeated(10, |index| format!("k{}: ID!", (index + subgraph) % 20));
        format!(
            r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])
            type Query {{ item: Item @shareable items: [Item] @shareable }}
            type Item {keys} {{ {ids} name: String @shareable next: Item @shareable value: Value @shareable own{subgraph}: Int }}
            type Value @shareable {{ text: String more: Value item: Item }}"#
        )
    };
    let own = repeated(30, |index| format!("own{index}"));
    let operations = vec![
        (
            "deep",
            format!("{{ item {{ {} }} }}", nested(90, "name next { @ value { text more { text } } }", &own)),
        ),
        (
            "own fields on each level",
            format!("{{ item {{ {} }} }}", nested(90, &format!("name {own} next {{ @ }}"), "name")),
        ),
        (
            "values",
            format!("{{ item {{ {} }} }}", nested(24, "value { text more { text item { name @ } } }", &own)),
        ),
        (
            "wide",
            format!(
                "{{ {} }}",
                repeated(280, |index| format!("a{index}: item {{ name {own} next {{ name }} }}"))
            ),
        ),
        (
            "flat",
            format!("{{ item {{ {} }} }}", repeated(9_998, |index| format!("a{index}: own{}", index % 30))),
        ),
    ];
    Hard {
        name: "shared",
        subgraphs: (0..30).map(|index| (format!("s{index}"), sdl(index))).collect(),
        operations,
        refused: &[],
    }
}

/// An interface of `types` types whose fields are in other subgraphs; `peer` leads from each to all, in one of `homes` subgraphs.
pub(crate) fn interface(name: &'static str, types: usize, homes: usize) -> Hard {
    let link = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"]) "#;
    let list = format!(
        "{link} type Query {{ all: [Thing!]! }} interface Thing {{ id: ID! }} {}",
        repeated(types, |index| format!(
            r#"type T{index} implements Thing @key(fields: "id") {{ id: ID! }}"#
        ))
    );
    let mut subgraphs = vec![("list".to_owned(), list)];
    for home in 0..homes {
        let own = (0..types).filter(|index| index % homes == home);
        let peers: Vec<String> = own
            .map(|index| {
                format!(r#"type T{index} implements Thing @key(fields: "id") {{ id: ID! peer: Thing name: String }}"#)
            })
            .collect();
        subgraphs.push((
            format!("peers{home}"),
            format!("{link} interface Thing {{ id: ID! peer: Thing name: String }} {}", peers.join(" ")),
        ));
    }
    let sizes =
        repeated(types, |index| format!(r#"type T{index} @key(fields: "id") {{ id: ID! size: Int }}"#));
    subgraphs.push(("sizes".to_owned(), format!("{link} {sizes}")));
    let each = repeated(types, |index| format!("... on T{index} {{ size }}"));
    let peers = repeated(types, |index| {
        format!(
            "... on T{index} {{ peer {{ name {} }} }}",
            repeated(types, |inner| format!("... on T{inner} {{ size }}"))
        )
    });
    let operations = vec![
        ("one field, five deep", format!("{{ all {{ {} }} }}", nested(5, "peer { @ }", "name"))),
        ("all types at the end, five deep", format!("{{ all {{ {} }} }}", nested(5, "peer { @ }", &each))),
        (
            "all types on each level",
            format!("{{ all {{ {} }} }}", nested(5, &format!("name {each} peer {{ @ }}"), &each)),
        ),
        ("all types below all types", format!("{{ all {{ {peers} }} }}")),
    ];
    Hard { name, subgraphs, operations, refused: &[] }
}

/// Unions of seventy members, each with fields of its own in two subgraphs.
pub(crate) fn union() -> Hard {
    let members = 70;
    let names = (0..members).map(|index| format!("M{index}")).collect::<Vec<_>>().join(" | ");
    let here = repeated(members, |index| {
        format!(r#"type M{index} @key(fields: "id") {{ id: ID! a: Int text{index}: String other: Any2 }}"#)
    });
    let there = repeated(members, |index| {
        format!(r#"type M{index} @key(fields: "id") {{ id: ID! b: Int same: String! }}"#)
    });
    let subgraphs = vec![
        ("here".to_owned(), format!("type Query {{ any: [Any2] }} union Any2 = {names} {here}")),
        ("there".to_owned(), there),
    ];
    let each = |inner: &str| {
        repeated(members, |index| format!("... on M{index} {{ a text{index} b same {inner} }}"))
    };
    let operations = vec![
        ("members", format!("{{ any {{ {} }} }}", each(""))),
        (
            "members in members",
            format!("{{ any {{ {} }} }}", each("other { ... on M1 { a b } ... on M69 { text69 same } }")),
        ),
        (
            "fragments of members",
            format!(
                "{{ any {{ ...F0 }} }} fragment F0 on Any2 {{ {} }} fragment F1 on Any2 {{ {} }}",
                repeated(members, |index| format!("... on M{index} {{ other {{ ...F1 }} }}")),
                each("")
            ),
        ),
    ];
    Hard { name: "union", subgraphs, operations, refused: &[] }
}

/// Mutations that change the subgraph at each field, or never.
pub(crate) fn mutation() -> Hard {
    let sdl = |name: &str| {
        format!(
            r#"type Query {{ {name}: Int }} type Mutation {{ set{name}(to: Int): Thing }} type Thing @key(fields: "id") {{ id: ID! {name}: Int }}"#
        )
    };
    let operations = vec![
        (
            "alternating",
            format!(
                "mutation {{ {} }}",
                repeated(1_000, |index| format!(
                    "a{index}: setA(to: 1) {{ A B }} b{index}: setB(to: 2) {{ B }}"
                ))
            ),
        ),
        (
            "in a row",
            format!(
                "mutation {{ {} }}",
                repeated(3_000, |index| format!("a{index}: setA(to: {index}) {{ A B }}"))
            ),
        ),
    ];
    let subgraphs = ["A", "B"].map(|name| (name.to_lowercase(), sdl(name))).to_vec();
    Hard { name: "mutation", subgraphs, operations, refused: &[] }
}

/// Fields that need others of the same entity, which need others in their turn.
pub(crate) fn required() -> Hard {
    let link = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@external", "@requires"]) "#;
    let first = format!(
        r#"{link} type Query {{ things: [Thing] }} type Thing @key(fields: "id") {{ id: ID! f0: Int part: Part }} type Part {{ x: Int y: Int }}"#
    );
    let mut subgraphs = vec![("s0".to_owned(), first)];
    for index in 1..12 {
        let before = index - 1;
        let by = if before > 0 { "(by: Int)" } else { "" };
        let sdl = format!(
            r#"{link} type Thing @key(fields: "id") {{ id: ID! f{before}{by}: Int @external f{index}(by: Int): Int @requires(fields: "f{before}") }}"#
        );
        subgraphs.push((format!("s{index}"), sdl));
    }
    let operations = vec![
        ("chain", "{ things { f11 } }".to_owned()),
        ("all", format!("{{ things {{ {} }} }}", repeated(12, |index| format!("f{index}")))),
        (
            "often",
            format!("{{ things {{ {} }} }}", repeated(3_000, |index| format!("a{index}: f{}", index % 4))),
        ),
        (
            "with arguments",
            format!(
                "{{ things {{ {} }} }}",
                repeated(3_000, |index| format!("a{index}: f{}(by: {index})", 1 + index % 11))
            ),
        ),
    ];
    Hard { name: "required", subgraphs, operations, refused: &[] }
}
