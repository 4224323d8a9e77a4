//! Random operations of a client that may not have some of the fields: as one server would answer whose resolvers for those fields
//! fail.

use std::sync::Arc;

use kopitiam_engine::{EngineSettings, Request, Variables};
use kopitiam_testkit::{Operations, Oracle, TestGateway, VARIABLES, compose};
use serde_json::{Value as Json, json};

use super::{data, seeds, subgraphs};

/// Fields that may be refused, and by which others they are required. No `id`: by it the data's objects find each other.
const FIELDS: [(&str, &[&str], &[&str]); 7] = [
    ("Query", &["products", "top", "search", "media", "latest", "me", "users"], &[]),
    (
        "Product",
        &[
            "name",
            "sku",
            "weight",
            "size",
            "stock",
            "quote",
            "volume",
            "warehouse",
            "reviews",
            "best",
            "related",
            "fans",
            "media",
        ],
        &["weight quote", "size volume"],
    ),
    ("Book", &["title", "isbn", "creator", "reviews"], &[]),
    ("Film", &["title", "length", "creator"], &[]),
    ("Review", &["body", "stars", "author", "product", "about"], &[]),
    ("User", &["name", "email", "friends", "address", "favorite", "wrote"], &[]),
    ("Warehouse", &["city", "stored"], &[]),
];

/// Some fields of some types: the same for the same number.
fn chosen(number: u64) -> Vec<(&'static str, &'static str)> {
    let all: Vec<(&str, &str)> =
        FIELDS.iter().flat_map(|(ty, fields, _)| fields.iter().map(|field| (*ty, *field))).collect();
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).expect("31 bits fit") % bound
    };
    (0..=draw(4)).map(|_| all[draw(all.len())]).collect()
}

/// With what cannot be had without them.
fn with_dependents(mut refused: Vec<(&'static str, &'static str)>) -> Vec<(&'static str, &'static str)> {
    for (ty, _, required) in FIELDS {
        for pair in required {
            let (needed, by) = pair.split_once(' ').expect("two names");
            if refused.contains(&(ty, needed)) {
                refused.push((ty, by));
            }
        }
    }
    refused
}

/// The data of a server that fails for these fields.
fn failing(refused: &[(&str, &str)]) -> Json {
    let mut data = data();
    for (ty, field) in refused {
        let fail = |object: &mut Json| object[*field] = json!({"$error": "refused"});
        match *ty {
            "Query" => fail(&mut data["Query"]),
            _ => data["entities"][*ty].as_array_mut().expect("entities").iter_mut().for_each(fail),
        }
    }
    data
}

/// The supergraph with a directive on these fields, also where composition would ask for it on others as well.
fn guarded(supergraph: &str, refused: &[(&str, &str)]) -> String {
    let link = "schema\n  @link(url: \"https://specs.apollo.dev/authenticated/v0.1\", for: SECURITY)\n";
    let mut sdl = String::new();
    let (mut ty, mut found) = ("", 0);
    for line in supergraph.replacen("schema\n", link, 1).lines() {
        if let Some(rest) = line.strip_prefix("type ") {
            ty = rest.split([' ', '{']).next().unwrap_or_default();
        } else if line.starts_with(|letter: char| letter.is_ascii_lowercase()) {
            ty = "";
        }
        let field =
            line.strip_prefix("  ").and_then(|line| line.split([':', '(']).next()).unwrap_or_default();
        if refused.contains(&(ty, field)) {
            found += 1;
            let (before, after) = line
                .split_once(" @")
                .map_or((line, String::new()), |(before, after)| (before, format!(" @{after}")));
            sdl.extend([before, " @authenticated", &after]);
        } else {
            sdl.push_str(line);
        }
        sdl.push('\n');
    }
    let mut distinct = refused.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(found, distinct.len(), "{refused:?} in\n{sdl}");
    sdl + "directive @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM\n"
}

#[tokio::test]
async fn what_is_left_is_what_one_server_answers_whose_refused_fields_fail() {
    let subgraphs = subgraphs();
    let sdls: Vec<_> = subgraphs.iter().map(|one| (one.name.as_str(), one.sdl.as_str())).collect();
    let supergraph = compose(&sdls).unwrap_or_else(|errors| panic!("{errors:?}")).supergraph_sdl;
    let (mut compared, mut refused_something) = (0, 0);
    let sets = seeds(20);
    for set in 0..sets {
        let refused = chosen(set);
        let gateway =
            TestGateway::over(&guarded(&supergraph, &refused), &subgraphs, EngineSettings::default());
        let oracle =
            Oracle::new(&gateway.engine.supergraph().api_sdl, failing(&with_dependents(refused.clone())));
        for seed in 20 * set..20 * (set + 1) {
            let query = Operations::new(oracle.schema(), seed).operation(4);
            let Some(expected) = oracle.data(&query, VARIABLES) else { continue };
            let variables = Variables::from_json(VARIABLES).expect("an object");
            let request =
                Request { query: query.clone(), variables, grants: Arc::default(), ..Request::default() };
            let Ok(prepared) = gateway.engine.prepare(&request) else { panic!("{query}") };
            let response = gateway.engine.execute(&prepared, &request, &()).await;
            let answer: Json = serde_json::from_slice(&response.body).expect("a response is JSON");
            let expected: Json = serde_json::from_str(&expected).expect("data is JSON");
            assert_eq!(
                answer["data"],
                expected,
                "seed {seed} without {refused:?}: {query}\n{answer}\n{}",
                prepared.plan()
            );
            compared += 1;
            refused_something += u64::from(prepared.refused().is_some());
        }
    }
    assert!(compared > 10 * sets && refused_something * 4 > compared, "{compared}: {refused_something}");
}
