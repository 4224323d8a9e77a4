//! Objects of one answer that are equal byte for byte, and become one object of the tree: nobody can tell.

mod common;

use common::{PlanBuilder, Script, respond};
use serde_json::{Value as Json, json};

fn reviews() -> PlanBuilder {
    PlanBuilder::query(
        "reviews:[Review]{body:String author:User{id:ID! name:String books:[Book]{title:String}}}",
    )
    .root("reviews", "reviews{body author{__typename id books{title}}}")
    .entities("users", &["reviews.author"], "User(id)", "name", &[0])
}

const ANSWER: &str = r#"{"data":{"reviews":[
    {"body":"a","author":{"__typename":"User","id":"1","books":[{"title":"x"},{"title":"x"}]}},
    {"body":"b","author":{"__typename":"User","id":"2","books":[{"title":"x"},{"title":null}]}},
    {"body":"c","author":{"__typename":"User","id":"1","books":[{"title":"x"},{"title":"x"}]}},
    {"body":"d","author":{"__typename":"User","id":"2","books":[{"title":"x"},{"title":null}]}}]}"#;

fn answer(errors: &str) -> String {
    format!("{ANSWER}{errors}}}")
}

fn review(body: &str, id: &str, name: &Json, last: &Json) -> Json {
    json!({ "body": body, "author": { "id": id, "name": name, "books": [{ "title": "x" }, { "title": last }] } })
}

#[tokio::test]
async fn equal_objects_get_what_is_fetched_later_at_every_place() {
    let script = Script::new(&[
        ("reviews", &answer("")),
        ("users", r#"{"data":{"_entities":[{"name":"Ann"},{"name":"Bo"}]}}"#),
    ]);
    let response: Json = serde_json::from_str(&respond(&reviews(), &script, &[]).await).unwrap();
    let (ann, bo, x) = (json!("Ann"), json!("Bo"), json!("x"));
    let expected = [
        review("a", "1", &ann, &x),
        review("b", "2", &bo, &Json::Null),
        review("c", "1", &ann, &x),
        review("d", "2", &bo, &Json::Null),
    ];
    assert_eq!(response, json!({ "data": { "reviews": expected } }));
    assert!(
        script.requests()[1]
            .ends_with(r#"[{"__typename":"User","id":"1"},{"__typename":"User","id":"2"}]}}"#)
    );
}

/// The parser remembers a few objects only: one that it has forgotten is another object of the tree, and so are those equal
/// to it that follow.
#[tokio::test]
async fn an_object_that_comes_again_after_many_others_gets_what_is_fetched_later_at_every_place() {
    let plan = PlanBuilder::query("reviews:[Review]{body:String author:User{name:String!}}")
        .root("reviews", "reviews{body author{__typename id}}")
        .entities("users", &["reviews.author"], "User(id)", "name", &[0]);
    let authors = [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 2, 1];
    let asked: Vec<Json> = authors
        .iter()
        .enumerate()
        .map(|(n, id)| json!({ "body": n.to_string(), "author": { "__typename": "User", "id": id.to_string() } }))
        .collect();
    let names: Vec<Json> = (1..=9).map(|id| json!({ "name": format!("{id}") })).collect();
    let script = Script::new(&[
        ("reviews", &json!({ "data": { "reviews": asked } }).to_string()),
        ("users", &json!({ "data": { "_entities": names } }).to_string()),
    ]);
    let response: Json = serde_json::from_str(&respond(&plan, &script, &[]).await).unwrap();
    let expected: Vec<Json> = authors
        .iter()
        .enumerate()
        .map(|(n, id)| json!({ "body": n.to_string(), "author": { "name": id.to_string() } }))
        .collect();
    assert_eq!(response, json!({ "data": { "reviews": expected } }));
}

#[tokio::test]
async fn an_error_at_one_of_two_equal_objects_stays_there() {
    let errors = r#","errors":[{"message":"torn","path":["reviews",3,"author","books",1,"title"]}]"#;
    let script = Script::new(&[
        ("reviews", &answer(errors)),
        ("users", r#"{"data":{"_entities":[{"name":"Ann"},{"name":"Bo"}]}}"#),
    ]);
    let response: Json = serde_json::from_str(&respond(&reviews(), &script, &[]).await).unwrap();
    let errors = response["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{response}");
    assert_eq!(errors[0]["path"], json!(["reviews", 3, "author", "books", 1, "title"]));
    assert_eq!(response["data"]["reviews"][1]["author"]["name"], "Bo");
    assert_eq!(response["data"]["reviews"][3]["author"]["name"], "Bo");
}

#[tokio::test]
async fn a_failed_fetch_is_reported_at_every_place_of_an_equal_object() {
    let script = Script::new(&[("reviews", &answer("")), ("users", r#"{"errors":[{"message":"away"}]}"#)]);
    let response: Json = serde_json::from_str(&respond(&reviews(), &script, &[]).await).unwrap();
    let paths: Vec<_> =
        response["errors"].as_array().unwrap().iter().map(|error| error["path"].clone()).collect();
    let expected: Vec<_> = (0..4).map(|index| json!(["reviews", index, "author", "name"])).collect();
    assert_eq!(paths, expected, "{response}");
}

#[tokio::test]
async fn places_that_two_fetches_build_stay_apart() {
    // Both subgraphs give the list; the second one's items differ where the first one's are equal.
    let plan =
        PlanBuilder::query("items:[Item]{a:Int b:Int}").root("one", "items{a}").root("two", "items{b}");
    let script = Script::new(&[
        ("one", r#"{"data":{"items":[{"a":1},{"a":1},{"a":1}]}}"#),
        ("two", r#"{"data":{"items":[{"b":1},{"b":2},{"b":1}]}}"#),
    ]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(response, r#"{"data":{"items":[{"a":1,"b":1},{"a":1,"b":2},{"a":1,"b":1}]}}"#);
}

#[tokio::test]
async fn an_equal_object_nested_deeper_than_allowed_is_still_too_deep() {
    let plan = PlanBuilder::query("grid:[[Item]]{a:Int}").root("one", "grid{a}");
    let script = Script::new(&[("one", r#"{"data":{"grid":[{"a":[1]},[[{"a":[1]}]]]}}"#)]);
    let limits = kopitiam_executor::AnswerLimits { depth_max: 5, ..Default::default() };
    let response = common::respond_within(&plan, &script, &[], &limits).await;
    assert!(response.contains("nested too deeply"), "{response}");
}
