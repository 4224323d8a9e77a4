//! Random operations of a client that may not have some of the fields: as one server would answer whose resolvers for those fields
//! fail. Also where some of it is deferred or streamed.

use std::sync::Arc;

use futures::stream::StreamExt;
use kopitiam_engine::{DocumentLimits, EngineSettings, IncrementalFormat, Request, Response, Variables};
use kopitiam_testkit::simulation::{RandomOperation, deferred};
use kopitiam_testkit::{Operations, Oracle, TestGateway, VARIABLES, compose, merge_payloads};
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
    let (mut compared, mut refused_something, mut in_payloads) = (0, 0, 0);
    let sets = seeds(20);
    for set in 0..sets {
        let refused = chosen(set);
        let limits = DocumentLimits { deferred_max: 1_000, ..DocumentLimits::default() };
        let settings = EngineSettings { limits, ..EngineSettings::default() };
        let gateway = TestGateway::over(&guarded(&supergraph, &refused), &subgraphs, settings);
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
            in_payloads += in_parts(&gateway, &oracle, &query, seed, &expected).await;
            compared += 1;
            refused_something += u64::from(prepared.refused().is_some());
        }
    }
    assert!(compared > 10 * sets && refused_something * 4 > compared, "{compared}: {refused_something}");
    assert!(in_payloads > compared, "each in two formats, but for few: {in_payloads} of {compared}");
}

/// Asks for the same with some of it deferred or streamed; how many responses had several payloads and agree.
async fn in_parts(gateway: &TestGateway, oracle: &Oracle, query: &str, seed: u64, expected: &Json) -> u64 {
    let variables = serde_json::from_str(VARIABLES).expect("an object");
    let plain = RandomOperation { query: query.to_owned(), variables };
    let Some(operation) = deferred(oracle.schema(), &plain, seed) else { return 0 };
    let parse = |response: Response| -> Json { serde_json::from_slice(&response.body).expect("JSON") };
    let mut agree = 0;
    for format in [IncrementalFormat::Current, IncrementalFormat::August2022] {
        let request = Request {
            query: operation.query.clone(),
            variables: Variables::from_json(VARIABLES).expect("an object"),
            incremental: Some(format),
            ..Request::default()
        };
        let prepared = match gateway.engine.prepare(&request) {
            Ok(prepared) => prepared,
            Err(error) => {
                let error = parse(error).to_string();
                assert!(error.contains("different @stream directives"), "{error}");
                continue;
            }
        };
        let response = gateway.engine.execute_incremental(&prepared, &request, &()).await;
        let Some(rest) = response.rest else { continue };
        let mut payloads = vec![parse(response.first)];
        payloads.extend(rest.map(parse).collect::<Vec<_>>().await);
        let merged = merge_payloads(&payloads, format).unwrap_or_else(|problem| {
            panic!("seed {seed}, {format:?}: {problem}\n{}\n{payloads:?}", operation.query)
        });
        assert!(
            is_left_of(&merged["data"], expected),
            "seed {seed}, {format:?}: {}\n{payloads:?}\nput together {merged}\nexpected {expected}\n{}",
            operation.query,
            prepared.plan()
        );
        agree += 1;
    }
    agree
}

/// Whether this is what is expected. Where a null has spread there, here it may have ended at a fragment or a streamed list; a
/// value of a field that is null there, it is nowhere.
fn is_left_of(found: &Json, expected: &Json) -> bool {
    match (expected, found) {
        (Json::Null, Json::Null | Json::Object(_)) => true,
        (Json::Null, Json::Array(items)) => items.iter().all(|item| is_left_of(item, &Json::Null)),
        (Json::Object(expected), Json::Object(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .all(|(key, expected)| found.get(key).is_some_and(|found| is_left_of(found, expected)))
        }
        (Json::Array(expected), Json::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| is_left_of(found, expected))
        }
        _ => expected == found,
    }
}
