//! Subgraphs of any number of types, for measuring: deterministic, and all of it reachable.
//!
//! Types come in blocks of ten: six entities, a value type, an enum, an input and an interface, all at home in one
//! subgraph; neighbours refer to the entities and add fields to them.
//! Elsewhere: random operations (`random.rs`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

const LINK: &str = r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.3",
    import: ["@key", "@shareable", "@external", "@requires"])
"#;

/// How many types a block has.
const BLOCK: usize = 10;

/// Head (`type T1 @key(fields: "id")`) and fields of the object types of one subgraph, by name.
type Objects = BTreeMap<String, (String, Vec<String>)>;

/// `subgraphs` subgraphs with about `types` types in all (whole blocks of ten, at least one): name and SDL of each.
/// Block `b` gives the query fields `t{b}`, `node{b}` and `search{b}(input:)`; the entities of block `b` are `T{10 * b}` to
/// `T{10 * b + 5}`, and `next` leads from block to block.
pub fn generated(types: usize, subgraphs: usize) -> Vec<(String, String)> {
    let blocks = (types / BLOCK).max(1);
    let mut objects: Vec<Objects> = vec![Objects::new(); subgraphs];
    let mut others: Vec<String> = vec![String::new(); subgraphs];
    for block in 0..blocks {
        let home = block % subgraphs;
        for entity in 0..6 {
            add_entity(&mut objects, (block, entity), blocks);
        }
        let first = block * BLOCK;
        let (value, unit, input, node) = (first + 6, first + 7, first + 8, first + 9);
        let text = &mut others[home];
        let _ = writeln!(text, "type V{value} {{ text: String amount: Float unit: E{unit} }}");
        let _ = writeln!(text, "enum E{unit} {{ SMALL MEDIUM LARGE }}");
        let _ = writeln!(text, "input I{input} {{ term: String! first: Int = 10 unit: E{unit} }}");
        let _ = writeln!(text, "interface N{node} {{ id: ID! name: String }}");
        let _ = writeln!(
            text,
            "extend type Query {{ t{block}(id: ID): T{first} node{block}(id: ID!): N{node} search{block}(input: I{input}): [T{first}!] }}"
        );
    }
    let sdl = |(objects, others): (Objects, String)| {
        let mut text = format!("{LINK}{others}");
        for (head, fields) in objects.into_values() {
            let _ = writeln!(text, "{head} {{ {} }}", fields.join(" "));
        }
        text
    };
    let all = objects.into_iter().zip(others).map(sdl);
    all.enumerate().map(|(index, sdl)| (format!("s{index}"), sdl)).collect()
}

/// An entity at home, what two neighbours add to it, and the reference to it from the block before.
fn add_entity(objects: &mut [Objects], (block, entity): (usize, usize), blocks: usize) {
    let subgraphs = objects.len();
    let (home, priced, taxed) = (block % subgraphs, (block + 1) % subgraphs, (block + 3) % subgraphs);
    let number = block * BLOCK + entity;
    let name = format!("T{number}");
    let base = block * BLOCK;
    let (value, unit, node) = (base + 6, base + 7, base + 9);
    let interface = if entity < 3 { format!(" implements N{node}") } else { String::new() };
    let head = format!("type {name}{interface} @key(fields: \"id\")");
    let next = format!("T{}", ((block + 1) % blocks) * BLOCK + entity);
    let fields = objects[home].entry(name.clone()).or_default();
    fields.0 = head;
    for field in [
        "id: ID!".to_owned(),
        "name: String".to_owned(),
        format!("size(unit: E{unit} = SMALL): Float"),
        format!("detail: V{value}"),
        format!("next: {next}"),
        format!("all(first: Int! = 10): [T{}!]!", base + (entity + 1) % 6),
    ] {
        add_field(fields, field);
    }
    reference(&mut objects[home], &next);
    if priced != home {
        let fields = reference(&mut objects[priced], &name);
        add_field(fields, "price: Int".to_owned());
        add_field(fields, format!("related: [{name}]"));
    }
    if taxed != home && taxed != priced && priced != home {
        let fields = reference(&mut objects[taxed], &name);
        add_field(fields, "price: Int @external".to_owned());
        add_field(fields, "tax: Int @requires(fields: \"price\")".to_owned());
    }
}

/// An entity of which a subgraph knows at least the key.
fn reference<'a>(objects: &'a mut Objects, name: &str) -> &'a mut (String, Vec<String>) {
    let found = objects.entry(name.to_owned()).or_default();
    if found.0.is_empty() {
        found.0 = format!("type {name} @key(fields: \"id\")");
    }
    add_field(found, "id: ID!".to_owned());
    found
}

fn add_field(object: &mut (String, Vec<String>), field: String) {
    if !object.1.contains(&field) {
        object.1.push(field);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn generated_subgraphs_compose_and_their_fields_can_be_had_from_far_away() {
        use super::generated;

        for (types, subgraphs) in [(10, 1), (20, 2), (200, 10)] {
            let generated = generated(types, subgraphs);
            let borrowed: Vec<(&str, &str)> =
                generated.iter().map(|(name, sdl)| (name.as_str(), sdl.as_str())).collect();
            let query = if subgraphs < 4 {
                "{ t0 { name next { name detail { unit } } } node0(id: 1) { name } }"
            } else {
                "{ t0 { next { next { name price tax related { name } } } } node9(id: 1) { id name } }"
            };
            let plan = crate::plan_checked(&borrowed, query);
            assert!(!plan.fetches.is_empty());
        }
    }
}
