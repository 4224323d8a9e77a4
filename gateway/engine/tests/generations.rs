//! Replacing the supergraph while requests run, and the plan cache that lives in each generation.

#[path = "generations/streams.rs"]
mod streams;

use std::sync::Arc;

use kopitiam_engine::{EngineError, EngineSettings, Request};
use kopitiam_testkit::{TestGateway, TestSubgraph, compose};
use serde_json::json;

const OLD: &str = "type Query { old: Int both: Int }";
const NEW: &str = "type Query { new: Int both: Int }";

fn gateway() -> TestGateway {
    // The subgraph itself knows both versions, as during a roll-out.
    let data = json!({"Query": {"old": 1, "new": 2, "both": 3}});
    let subgraph = TestSubgraph::new("a", "type Query { old: Int new: Int both: Int }", data);
    TestGateway::over(
        &compose(&[("a", OLD)]).expect("it composes").supergraph_sdl,
        &[subgraph],
        EngineSettings::default(),
    )
}

fn request(query: &str) -> Request {
    Request { query: query.to_owned(), ..Request::default() }
}

#[tokio::test]
async fn a_request_ends_on_the_schema_it_began_with() {
    let gateway = gateway();
    let old = request("{ old both }");
    let prepared = gateway.engine.prepare(&old).unwrap();
    gateway.engine.replace(&compose(&[("a", NEW)]).unwrap().supergraph_sdl).unwrap();
    let response = gateway.engine.execute(&prepared, &old, &()).await;
    assert_eq!(response.body, r#"{"data":{"old":1,"both":3}}"#);
    assert!(
        gateway.engine.prepare(&old).is_err(),
        "later requests see the new schema, and no plan of the old one"
    );
    assert_eq!(gateway.query("{ new both }").await, json!({"data": {"new": 2, "both": 3}}));
}

#[test]
fn what_is_asked_most_is_planned_before_another_supergraph_is_served() {
    let settings = EngineSettings { warm_up_operations: 1, ..EngineSettings::default() };
    let gateway = TestGateway::over(&compose(&[("a", OLD)]).unwrap().supergraph_sdl, &[], settings);
    let planned_in = |query: &str| gateway.engine.prepare(&request(query)).unwrap().planned_in();
    for _ in 0..3 {
        planned_in("{ both }");
    }
    assert!(planned_in("{ other: both }").is_some());
    // It is of no use to plan what the next supergraph does not have.
    assert!(planned_in("{ old }").is_some());
    gateway.engine.replace(&compose(&[("a", NEW)]).unwrap().supergraph_sdl).unwrap();
    assert_eq!(planned_in("{ both }"), None, "the one that was asked most is planned");
    assert!(planned_in("{ other: both }").is_some(), "one was to be planned");
    let hottest = gateway.engine.hottest(2);
    assert_eq!(hottest[0].query, "{ both }");
}

#[tokio::test]
async fn a_broken_supergraph_is_refused_and_the_old_one_stays() {
    let gateway = gateway();
    for broken in ["", "type Query {", "type Query { a: Int }"] {
        let refused = gateway.engine.replace(broken);
        assert!(matches!(refused, Err(EngineError::Supergraph(_))), "{broken:?}");
    }
    assert_eq!(gateway.query("{ old }").await, json!({"data": {"old": 1}}));
    let info = gateway.engine.supergraph();
    assert_eq!(info.subgraphs.len(), 1);
    assert_eq!(info.subgraphs[0].name, "a");
    assert!(info.api_sdl.contains("old: Int") && !info.api_sdl.contains("join__"));
}

#[tokio::test]
async fn a_thousand_supergraphs_leave_one_in_memory() {
    let gateway = gateway();
    let schemas = [OLD, NEW].map(|sdl| compose(&[("a", sdl)]).unwrap().supergraph_sdl);
    let both = request("{ both }");
    let held = gateway.engine.prepare(&both).unwrap();
    for round in 0..1_000 {
        gateway.query("{ both }").await;
        gateway.engine.replace(&schemas[round % 2]).unwrap();
    }
    assert_eq!(gateway.engine.generations_alive(), 2, "the current one, and that of the request in flight");
    assert_eq!(gateway.engine.execute(&held, &both, &()).await.body, r#"{"data":{"both":3}}"#);
    drop(held);
    assert_eq!(gateway.engine.generations_alive(), 1);
}

#[test]
fn equal_requests_at_the_same_time_share_one_preparation() {
    let gateway = Arc::new(gateway());
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let gateway = Arc::clone(&gateway);
            std::thread::spawn(move || {
                let prepared = gateway.engine.prepare(&request("{ both }")).unwrap();
                std::ptr::from_ref(prepared.plan()).addr()
            })
        })
        .collect();
    let plans: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(plans.iter().all(|plan| *plan == plans[0]), "one plan in memory for all: {plans:?}");
}

#[test]
fn the_operation_name_is_part_of_the_cached_operation() {
    let gateway = gateway();
    let named = |name: &str| Request {
        operation_name: Some(name.to_owned()),
        ..request("query A { old } query B { both }")
    };
    let a = gateway.engine.prepare(&named("A")).unwrap();
    let b = gateway.engine.prepare(&named("B")).unwrap();
    assert_ne!(a.plan().fetches[0].document, b.plan().fetches[0].document);
    assert!(gateway.engine.prepare(&named("C")).is_err());
}
