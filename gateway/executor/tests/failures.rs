//! Errors: from subgraphs, from the network, from answers that are none.

mod common;

use common::{PlanBuilder, Script, respond, respond_within};
use kopitiam_executor::{AnswerLimits, ErrorRule, ErrorVisibility};
use serde_json::{Value as Json, json};

fn errors(response: &str) -> Vec<Json> {
    let response: Json = serde_json::from_str(response).expect("a response is JSON");
    response["errors"].as_array().cloned().unwrap_or_default()
}

fn paths(response: &str) -> Vec<Json> {
    errors(response).iter().map(|error| error["path"].clone()).collect()
}

fn reviews() -> PlanBuilder {
    PlanBuilder::query("best=products:[Product]{name:String says=reviews:[Review]{text=body:String}}")
        .root("a", "products{__typename id name}")
        .entities("b", &["products"], "Product(id)", "reviews{body}", &[0])
}

const TWICE: &str = r#"{"data":{"products":[{"__typename":"Product","id":"1","name":"x"},{"__typename":"Product","id":"2","name":"y"},{"__typename":"Product","id":"1","name":"z"}]}}"#;

#[tokio::test]
async fn an_entity_error_is_relocated_to_every_client_path_it_affects() {
    let answer = r#"{"data":{"_entities":[{"reviews":[{"body":"ok"},{"body":null}]},{"reviews":[]}]},
        "errors":[{"message":"lost","path":["_entities",0,"reviews",1,"body"],"extensions":{"code":"GONE","n":1}}]}"#;
    let response = respond(&reviews(), &Script::new(&[("a", TWICE), ("b", answer)]), &[]).await;
    assert_eq!(
        paths(&response),
        [json!(["best", 0, "says", 1, "text"]), json!(["best", 2, "says", 1, "text"])]
    );
    assert_eq!(errors(&response)[0]["message"], "lost");
    assert_eq!(errors(&response)[0]["extensions"], json!({"code": "GONE", "n": 1, "service": "b"}));
    assert!(response.contains(r#"[{"text":"ok"},{"text":null}]"#), "{response}");
}

#[tokio::test]
async fn an_error_on_a_whole_entity_shows_at_each_of_its_fields() {
    let answer =
        r#"{"data":{"_entities":[null,{"reviews":[]}]},"errors":[{"message":"no","path":["_entities",0]}]}"#;
    let response = respond(&reviews(), &Script::new(&[("a", TWICE), ("b", answer)]), &[]).await;
    assert_eq!(paths(&response), [json!(["best", 0, "says"]), json!(["best", 2, "says"])]);
    assert_eq!(errors(&response)[0]["extensions"]["code"], "DOWNSTREAM_SERVICE_ERROR");
}

#[tokio::test]
async fn an_error_below_the_null_it_caused_keeps_its_own_path() {
    let plan = PlanBuilder::query("me:User{cart:Cart{total:Int!}}").root("a", "me{cart{total}}");
    let answer =
        r#"{"data":{"me":{"cart":null}},"errors":[{"message":"no price","path":["me","cart","total"]}]}"#;
    let response = respond(&plan, &Script::new(&[("a", answer)]), &[]).await;
    assert_eq!(paths(&response), [json!(["me", "cart", "total"])]);
}

#[tokio::test]
async fn a_subgraph_error_explains_a_null_so_there_is_no_second_one() {
    let plan = PlanBuilder::query("me:User{name:String!}").root("a", "me{name}");
    let answer = r#"{"data":{"me":{"name":null}},"errors":[{"message":"hidden","path":["me","name"]}]}"#;
    let response = respond(&plan, &Script::new(&[("a", answer)]), &[]).await;
    assert_eq!(errors(&response).len(), 1);
    assert_eq!(errors(&response)[0]["message"], "hidden");
    assert!(response.starts_with(r#"{"data":{"me":null}"#));
}

#[tokio::test]
async fn an_error_without_a_place_is_passed_on_beside_the_data() {
    let plan = PlanBuilder::query("x:Int").root("a", "x");
    let answer =
        r#"{"data":{"x":1},"errors":[{"message":"warning"},{"message":"odd","path":["x"]},{"path":7},7]}"#;
    let response = respond(&plan, &Script::new(&[("a", answer)]), &[]).await;
    assert!(response.starts_with(r#"{"data":{"x":1},"errors":["#));
    let errors = errors(&response);
    assert_eq!(errors.len(), 4);
    assert_eq!(errors[0].get("path"), None);
    assert_eq!(errors[1]["path"], json!(["x"]));
    assert_eq!(errors[2]["message"], "the subgraph gave an error without a message");
}

#[tokio::test]
async fn a_failed_fetch_nulls_only_what_came_from_it_with_an_error_each() {
    let plan = PlanBuilder::query("top:[P]{name:String price:Int stock:Int} me:User{name:String}")
        .root("a", "top{__typename id name}")
        .root("u", "me{name}")
        .entities("b", &["top"], "P(id)", "price stock", &[0]);
    let answer = r#"{"data":{"top":[{"__typename":"P","id":"1","name":"x"}]}}"#;
    let script = Script::new(&[("a", answer), ("u", r#"{"data":{"me":{"name":"m"}}}"#)]);
    let response = respond(&plan, &script, &[]).await;
    assert!(
        response.starts_with(
            r#"{"data":{"top":[{"name":"x","price":null,"stock":null}],"me":{"name":"m"}},"errors":["#
        ),
        "{response}"
    );
    assert_eq!(paths(&response), [json!(["top", 0, "price"]), json!(["top", 0, "stock"])]);
    assert_eq!(errors(&response)[0]["extensions"], json!({"code": "SUBREQUEST_UNREACHABLE", "service": "b"}));
}

#[tokio::test]
async fn what_needs_a_failed_value_fails_with_the_same_error() {
    let plan = PlanBuilder::query("p:P{name:String quote:Int}")
        .root("a", "p{__typename id name}")
        .entities("b", &["p"], "P(id)", "weight", &[0])
        .entities("c", &["p"], "P(id !weight)", "quote", &[1]);
    let script = Script::new(&[("a", r#"{"data":{"p":{"__typename":"P","id":"1","name":"x"}}}"#)]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(paths(&response), [json!(["p", "quote"])]);
    assert_eq!(errors(&response)[0]["extensions"]["service"], "b");
    assert_eq!(script.requests().len(), 2, "no representation can be made for the third fetch");
}

#[tokio::test]
async fn a_failed_root_with_a_non_null_field_nulls_the_data() {
    let plan = PlanBuilder::query("x:Int! y:Int").root("a", "x").root("b", "y");
    let response = respond(&plan, &Script::new(&[("b", r#"{"data":{"y":1}}"#)]), &[]).await;
    assert!(response.starts_with(r#"{"data":null,"errors":["#), "{response}");
    assert_eq!(paths(&response), [json!(["x"])]);
}

#[tokio::test]
async fn without_data_each_root_field_shows_its_own_error_or_the_first() {
    let plan = PlanBuilder::query("x:Int y:Int z:Int").root("a", "x y z");
    let answer =
        r#"{"data":null,"errors":[{"message":"of y","path":["y"]},{"message":"of x","path":["x"]}]}"#;
    let response = respond(&plan, &Script::new(&[("a", answer)]), &[]).await;
    let messages: Vec<_> =
        errors(&response).iter().map(|error| (error["path"].clone(), error["message"].clone())).collect();
    assert_eq!(
        messages,
        [(json!(["x"]), json!("of x")), (json!(["y"]), json!("of y")), (json!(["z"]), json!("of y"))]
    );
}

#[tokio::test]
async fn a_part_of_a_shared_object_that_failed_is_told_from_one_that_is_null() {
    let plan = PlanBuilder::query("shared:S{x:Int y:Int}").root("a", "shared{x}").root("b", "shared{y}");
    for order in [["a", "b"], ["b", "a"]] {
        let x = r#"{"data":{"shared":{"x":1}}}"#;
        let script = Script::new(&[
            (order[0], if order[0] == "a" { x } else { "broken" }),
            (order[1], if order[1] == "a" { x } else { "broken" }),
        ]);
        let response = respond(&plan, &script, &[]).await;
        assert!(response.starts_with(r#"{"data":{"shared":{"x":1,"y":null}}"#), "{response}");
        assert_eq!(paths(&response), [json!(["shared", "y"])]);
    }
}

#[tokio::test]
async fn answers_that_are_no_graphql_are_one_coded_error_for_each_field() {
    let plan = PlanBuilder::query("x:Int").root("a", "x");
    let deep = format!(r#"{{"data":{{"x":{}}}}}"#, "[".repeat(100_000));
    let cases = [
        ("", "SUBREQUEST_MALFORMED_RESPONSE"),
        ("{}", "SUBREQUEST_MALFORMED_RESPONSE"),
        ("[]", "SUBREQUEST_MALFORMED_RESPONSE"),
        ("<html>", "SUBREQUEST_MALFORMED_RESPONSE"),
        (r#"{"data":{"x":1}"#, "SUBREQUEST_MALFORMED_RESPONSE"),
        (r#"{"data":{"x":1}}}"#, "SUBREQUEST_MALFORMED_RESPONSE"),
        (r#"{"data":{"x":01}}"#, "SUBREQUEST_MALFORMED_RESPONSE"),
        (r#"{"data":7}"#, "SUBREQUEST_MALFORMED_RESPONSE"),
        (r#"{"data":null}"#, "SUBREQUEST_MALFORMED_RESPONSE"),
        (r#"{"data":null,"errors":[]}"#, "SUBREQUEST_MALFORMED_RESPONSE"),
        (r#"{"errors":7}"#, "SUBREQUEST_MALFORMED_RESPONSE"),
        (&deep, "SUBREQUEST_TOO_LARGE"),
    ];
    for (answer, code) in cases {
        let response = respond(&plan, &Script::new(&[("a", answer)]), &[]).await;
        assert!(response.starts_with(r#"{"data":{"x":null},"errors":["#), "{answer:.40}: {response}");
        assert_eq!(errors(&response)[0]["extensions"]["code"], code, "{answer:.40}");
        assert_eq!(paths(&response), [json!(["x"])], "{answer:.40}");
    }
}

#[tokio::test]
async fn an_entities_list_of_the_wrong_length_is_malformed() {
    for answer in
        [r#"{"data":{"_entities":[{"reviews":[]}]}}"#, r#"{"data":{"_entities":7}}"#, r#"{"data":{}}"#]
    {
        let response = respond(&reviews(), &Script::new(&[("a", TWICE), ("b", answer)]), &[]).await;
        assert_eq!(errors(&response).len(), 3, "{answer}: {response}");
        assert_eq!(errors(&response)[0]["extensions"]["code"], "SUBREQUEST_MALFORMED_RESPONSE", "{answer}");
    }
}

#[tokio::test]
async fn an_answer_beyond_the_size_limit_is_refused() {
    let plan = PlanBuilder::query("x:String").root("a", "x");
    let limits = AnswerLimits { bytes_max: 64, ..AnswerLimits::default() };
    let long = format!(r#"{{"data":{{"x":"{}"}}}}"#, "a".repeat(64));
    let response = respond_within(&plan, &Script::new(&[("a", &long)]), &[], &limits).await;
    assert_eq!(errors(&response)[0]["extensions"]["code"], "SUBREQUEST_TOO_LARGE");
}

#[tokio::test]
async fn the_number_of_errors_is_bounded_and_the_last_one_says_so() {
    let plan = PlanBuilder::query("l:[Int]").root("a", "l");
    let limits = AnswerLimits { errors_max: 3, ..AnswerLimits::default() };
    let script = Script::new(&[("a", r#"{"data":{"l":["a","b","c","d","e"]}}"#)]);
    let response = respond_within(&plan, &script, &[], &limits).await;
    let errors = errors(&response);
    assert_eq!(errors.len(), 4);
    assert_eq!(
        errors[3],
        json!({"message": "2 more errors are left out", "extensions": {"code": "TOO_MANY_ERRORS"}})
    );
    assert!(response.starts_with(r#"{"data":{"l":[null,null,null,null,null]}"#));
}

#[tokio::test]
async fn a_response_that_grows_beyond_all_answers_is_refused() {
    let plan = PlanBuilder::query("a:[P]{r:[P]{r:[P]{r:[P]{id:ID}}}}")
        .root("a", "a{__typename id}")
        .entities("b", &["a"], "P(id)", "r{__typename id}", &[0])
        .entities("b", &["a.r"], "P(id)", "r{__typename id}", &[1])
        .entities("b", &["a.r.r"], "P(id)", "r{__typename id}", &[2]);
    let list: Vec<_> = (0..50).map(|id| format!(r#"{{"__typename":"P","id":"{id}"}}"#)).collect();
    let list = list.join(",");
    let script = Script::with(move |subgraph, body| {
        let count = body["variables"]["representations"].as_array().map_or(0, Vec::len);
        let entities = vec![format!(r#"{{"r":[{list}]}}"#); count].join(",");
        Ok(if subgraph == "a" {
            format!(r#"{{"data":{{"a":[{list}]}}}}"#)
        } else {
            format!(r#"{{"data":{{"_entities":[{entities}]}}}}"#)
        })
    });
    let limits = AnswerLimits { response_bytes_max: 1_000_000, ..AnswerLimits::default() };
    let response = respond_within(&plan, &script, &[], &limits).await;
    assert_eq!(
        response,
        r#"{"data":null,"errors":[{"message":"The response is too large.","extensions":{"code":"RESPONSE_TOO_LARGE"}}]}"#
    );
    let limits = AnswerLimits { objects_max: 2_000, ..AnswerLimits::default() };
    let response = respond_within(&plan, &script, &[], &limits).await;
    assert_eq!(errors(&response)[0]["extensions"]["code"], "SUBREQUEST_TOO_LARGE");
    assert!(response.len() < 1_000_000);
}

#[tokio::test]
async fn a_failure_of_root_fields_below_the_root_shows_at_each_object_that_asked() {
    let plan = PlanBuilder::query("orders:[Order]{query:Query{me:User{name:String}}}")
        .root("a", "orders{query{}}")
        .root_at("b", "orders.query", "me{name}", &[0]);
    let orders = r#"{"data":{"orders":[{"query":{}},{"query":{}}]}}"#;
    let expected = [json!(["orders", 0, "query", "me"]), json!(["orders", 1, "query", "me"])];
    let lost = r#"{"data":{"me":null},"errors":[{"message":"lost","path":["me"]}]}"#;
    let refused = r#"{"data":null,"errors":[{"message":"lost"}]}"#;
    for answer in [lost, refused, "no JSON"] {
        let response = respond(&plan, &Script::new(&[("a", orders), ("b", answer)]), &[]).await;
        assert_eq!(paths(&response), expected, "{answer}");
        assert!(
            response.starts_with(r#"{"data":{"orders":[{"query":{"me":null}},{"query":{"me":null}}]}"#),
            "{response}"
        );
    }
    let deep = r#"{"data":{"me":{"name":null}},"errors":[{"message":"lost","path":["me","name"]}]}"#;
    let response = respond(&plan, &Script::new(&[("a", orders), ("b", deep)]), &[]).await;
    assert_eq!(paths(&response)[1], json!(["orders", 1, "query", "me", "name"]));
}

#[tokio::test]
async fn of_a_subgraphs_errors_clients_see_what_the_rules_show() {
    let answer = r#"{"data":{"me":null},"errors":[{"message":"SELECT failed","path":["me"],
        "extensions":{"code":"NO_STOCK","left":3,"host":"10.0.0.7"}}]}"#;
    let plan = PlanBuilder::query("me:User{name:String}").root("a", "me{name}");
    let told = async |rule: ErrorRule, is_of_a: bool| {
        let mut errors = ErrorVisibility::hidden();
        if is_of_a {
            errors.by_subgraph.insert("a".to_owned(), rule);
        } else {
            errors.all = rule;
        }
        let limits = AnswerLimits { errors: errors.into(), ..AnswerLimits::default() };
        let response = respond_within(&plan, &Script::new(&[("a", answer)]), &[], &limits).await;
        let error = crate::errors(&response).remove(0);
        assert_eq!(error["path"], json!(["me"]));
        (error["message"].as_str().unwrap().to_owned(), error["extensions"].clone())
    };
    let hidden = ErrorVisibility::hidden().hidden_message;
    let only_code = json!({ "code": "NO_STOCK" });
    assert_eq!(told(ErrorRule::hidden(), false).await, (hidden.clone(), only_code));
    let named = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let rule = ErrorRule { messages: true, extensions: named(&["code", "left"]), subgraph_name: false };
    let shown = ("SELECT failed".to_owned(), json!({ "code": "NO_STOCK", "left": 3 }));
    assert_eq!(told(rule.clone(), true).await, shown, "a rule of its own wins");
    let rule = ErrorRule { messages: false, extensions: named(&[]), subgraph_name: true };
    let code = json!({ "code": "DOWNSTREAM_SERVICE_ERROR", "service": "a" });
    assert_eq!(told(rule, false).await, (hidden, code), "never without a code");
}

#[tokio::test]
async fn why_a_subgraph_could_not_be_asked_is_told_also_where_its_own_errors_are_hidden() {
    let limits = AnswerLimits { errors: ErrorVisibility::hidden().into(), ..AnswerLimits::default() };
    let plan = PlanBuilder::query("me:User{name:String}").root("a", "me{name}");
    let response = respond_within(&plan, &Script::new(&[]), &[], &limits).await;
    let error = &errors(&response)[0];
    assert_eq!(error["message"], "could not reach the subgraph");
    assert_eq!(error["extensions"], json!({ "code": "SUBREQUEST_UNREACHABLE" }));
}
