//! The order of fetches, mutations and subscriptions.

mod common;

use common::{PlanBuilder, Script, respond, stream};
use kopitiam_executor::transport::TransportError;
use kopitiam_plan::OperationKind;

#[tokio::test]
async fn mutations_run_one_after_the_other_even_when_one_fails() {
    let plan = PlanBuilder::new(OperationKind::Mutation, "first:Int second:Int third:Int")
        .root("a", "first")
        .with(&[], &[])
        .root("b", "second")
        .with(&[0], &[])
        .root("a", "third")
        .with(&[1], &[]);
    let script = Script::new(&[("a", r#"{"data":{"first":1}}"#), ("a", r#"{"data":{"third":3}}"#)]);
    let response = respond(&plan, &script, &[]).await;
    assert!(response.starts_with(r#"{"data":{"first":1,"second":null,"third":3},"errors":["#), "{response}");
    let order: Vec<_> = script.requests().iter().map(|request| request[..1].to_owned()).collect();
    assert_eq!(order, ["a", "b", "a"]);
}

#[tokio::test]
async fn a_fetch_waits_for_all_it_depends_on_and_for_nothing_else() {
    let plan = PlanBuilder::query("p:P{x:Int y:Int z:Int}")
        .root("root", "p{__typename id}")
        .entities("x", &["p"], "P(id)", "x", &[0])
        .entities("y", &["p"], "P(id)", "y", &[0])
        .entities("z", &["p"], "P(id x y)", "z", &[1, 2]);
    let script = Script::new(&[
        ("root", r#"{"data":{"p":{"__typename":"P","id":"1"}}}"#),
        ("x", r#"{"data":{"_entities":[{"x":1}]}}"#),
        ("y", r#"{"data":{"_entities":[{"y":2}]}}"#),
        ("z", r#"{"data":{"_entities":[{"z":3}]}}"#),
    ]);
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(response, r#"{"data":{"p":{"x":1,"y":2,"z":3}}}"#);
    assert!(script.requests()[3].ends_with(r#"[{"__typename":"P","id":"1","x":1,"y":2}]}}"#));
}

fn order_changed() -> PlanBuilder {
    PlanBuilder::new(OperationKind::Subscription, "orderChanged:Order{id:ID! buyer:User{name:String}}")
        .root("order", "orderChanged{id buyer{__typename id}}")
        .entities("user", &["orderChanged.buyer"], "User(id)", "name", &[0])
}

#[expect(clippy::unnecessary_wraps, reason = "an event as the transport gives it")]
fn event(id: u32) -> Result<String, TransportError> {
    Ok(format!(
        r#"{{"data":{{"orderChanged":{{"id":"{id}","buyer":{{"__typename":"User","id":"u{id}"}}}}}}}}"#
    ))
}

#[tokio::test]
async fn each_event_of_a_subscription_is_completed_by_its_own_fetches() {
    let script = Script::with(|_, body| {
        let id = body["variables"]["representations"][0]["id"].as_str().unwrap().to_owned();
        Ok(format!(r#"{{"data":{{"_entities":[{{"name":"name of {id}"}}]}}}}"#))
    });
    let responses = stream(&order_changed(), script.events(vec![event(1), event(2)])).await.unwrap();
    assert_eq!(
        responses,
        [
            r#"{"data":{"orderChanged":{"id":"1","buyer":{"name":"name of u1"}}}}"#,
            r#"{"data":{"orderChanged":{"id":"2","buyer":{"name":"name of u2"}}}}"#,
        ]
    );
}

#[tokio::test]
async fn an_event_with_errors_is_one_response_and_the_stream_goes_on() {
    let script = Script::with(|_, _| Err(TransportError::Timeout));
    let broken = Ok(r#"{"errors":[{"message":"boom"}],"data":null}"#.to_owned());
    let responses = stream(&order_changed(), script.events(vec![broken, event(2)])).await.unwrap();
    assert_eq!(responses.len(), 2);
    assert!(
        responses[0].starts_with(r#"{"data":{"orderChanged":null},"errors":[{"message":"boom""#),
        "{}",
        responses[0]
    );
    assert!(
        responses[1].starts_with(r#"{"data":{"orderChanged":{"id":"2","buyer":{"name":null}}}"#),
        "{}",
        responses[1]
    );
    assert!(responses[1].contains("SUBREQUEST_TIMEOUT"));
}

#[tokio::test]
async fn a_source_that_cannot_be_opened_is_one_refusal() {
    let refused = stream(&order_changed(), Script::new(&[])).await.unwrap_err();
    assert_eq!(
        refused,
        r#"{"errors":[{"message":"could not reach the subgraph","extensions":{"code":"SUBREQUEST_UNREACHABLE","service":"order"}}]}"#
    );
}

/// Two orders, each with a field of the query type, which another subgraph completes.
fn queries_below() -> PlanBuilder {
    PlanBuilder::new(
        OperationKind::Mutation,
        "orders:[Order]{id:ID! query:Query{here:Int me:User{name:String}}}",
    )
    .root("order", "orders{id query{here}}")
    .root_at("user", "orders.query", "me{name}", &[0])
}

#[tokio::test]
async fn root_fields_below_the_root_are_asked_once_for_all_objects_there() {
    let script = Script::new(&[
        (
            "order",
            r#"{"data":{"orders":[{"id":"1","query":{"here":1}},{"id":"2","query":{"here":2}},{"id":"3","query":null}]}}"#,
        ),
        ("user", r#"{"data":{"me":{"name":"Ana"}}}"#),
    ]);
    let response = respond(&queries_below(), &script, &[]).await;
    assert_eq!(
        response,
        concat!(
            r#"{"data":{"orders":[{"id":"1","query":{"here":1,"me":{"name":"Ana"}}},"#,
            r#"{"id":"2","query":{"here":2,"me":{"name":"Ana"}}},{"id":"3","query":null}]}}"#
        )
    );
    assert_eq!(script.requests().len(), 2);
}

#[tokio::test]
async fn one_request_may_complete_queries_at_several_paths() {
    let query = "query:Query{me:User{name:String}}";
    let plan = PlanBuilder::query(&format!("top:Order{{{query}}} orders:[Order]{{{query}}}"))
        .root("order", "top{query{here}} orders{query{here}}")
        .root_at("user", "top.query orders.query", "me{name}", &[0]);
    let order = r#"{"data":{"top":{"query":{"here":1}},"orders":[{"query":{"here":2}}]}}"#;
    let script = Script::new(&[("order", order), ("user", r#"{"data":{"me":{"name":"Ana"}}}"#)]);
    let ana = r#"{"query":{"me":{"name":"Ana"}}}"#;
    let response = respond(&plan, &script, &[]).await;
    assert_eq!(response, format!(r#"{{"data":{{"top":{ana},"orders":[{ana}]}}}}"#));
    assert_eq!(script.requests().len(), 2);
    let failing = Script::new(&[("order", order)]);
    let response = respond(&plan, &failing, &[]).await;
    assert!(response.contains(r#""path":["top","query","me"]"#), "{response}");
    assert!(response.contains(r#""path":["orders",0,"query","me"]"#), "{response}");
}

#[tokio::test]
async fn root_fields_below_the_root_are_not_asked_when_nothing_is_there() {
    let script = Script::new(&[("order", r#"{"data":{"orders":[{"id":"1","query":null}]}}"#)]);
    let response = respond(&queries_below(), &script, &[]).await;
    assert_eq!(response, r#"{"data":{"orders":[{"id":"1","query":null}]}}"#);
    assert_eq!(script.requests().len(), 1);
}
