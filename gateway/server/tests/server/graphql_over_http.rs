//! What the audits of npm `graphql-http` ask, by their ids, over two tables: well-formed requests with their outcome in
//! either media type, and requests that are none.
//!
//! The suite itself: `npx graphql-http` against `gateway serve --dev`, with a header `apollo-require-preflight: 1` for
//! its requests by GET.

use serde_json::{Value, json};

use crate::common::{Gateway, in_process, start};

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";

async fn gateway() -> Gateway {
    let mut options = in_process();
    options.dev = true;
    start(options).await
}

/// Status, media type and body.
async fn sent(request: reqwest::RequestBuilder) -> (u16, String, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(media_type.ends_with("charset=utf-8"), "82A3: {media_type}");
    let essence = media_type.split(';').next().unwrap().to_owned();
    (status, essence, response.json().await.unwrap())
}

fn post(gateway: &Gateway, accept: &str, body: &Value) -> reqwest::RequestBuilder {
    gateway.post().header("accept", accept).header("content-type", JSON).body(body.to_string())
}

#[tokio::test]
async fn the_accept_header_chooses_the_media_type() {
    let gateway = gateway().await;
    let query = json!({ "query": "{ __typename }" });
    for (audit, accept, expected) in [
        ("22EB", Some(GRAPHQL), GRAPHQL),
        ("4655", Some(JSON), JSON),
        ("47DE", Some("*/*"), JSON),
        ("80D8", None, JSON),
    ] {
        let request = gateway.post().header("content-type", JSON).body(query.to_string());
        let request = match accept {
            Some(accept) => request.header("accept", accept),
            None => request,
        };
        let (status, media_type, body) = sent(request).await;
        assert_eq!((status, media_type.as_str()), (200, expected), "{audit}");
        assert_eq!(body["data"]["__typename"], "Query", "{audit}");
    }
    for charset in ["application/json; charset=utf-8", JSON] {
        let request = gateway.post().header("content-type", charset).body(query.to_string());
        assert_eq!(sent(request).await.0, 200, "BF61, 78D5: {charset}");
    }
}

#[tokio::test]
async fn what_is_well_formed_has_its_outcome_in_the_status_of_the_newer_type_alone() {
    let gateway = gateway().await;
    let typename = "{ __typename }";
    let type_of = "query Type($name: String!) { __type(name: $name) { name } }";
    for (audits, body, newer) in [
        ("34A2 13EE", json!({ "query": typename }), 200),
        ("8161 B8B3", json!({ "query": "query Query { __typename }", "operationName": "Query" }), 200),
        ("94B0 0220", json!({ "query": typename, "variables": null }), 200),
        ("94B1 0221", json!({ "query": typename, "operationName": null }), 200),
        ("94B2 0222", json!({ "query": typename, "extensions": null }), 200),
        ("2EA1 28B9", json!({ "query": type_of, "variables": { "name": "Product" } }), 200),
        ("428F 1B7A", json!({ "query": typename, "extensions": { "some": "value" } }), 200),
        ("572B 865D 556A D586", json!({ "query": "{" }), 400),
        ("FDE2 51FE 74FF 5E5B", json!({ "query": "{ 8f31403dfe404bccbb0e835f2629c6a7 }" }), 400),
        ("FDE2 51FE 74FF 5E5B", json!({ "query": "{ nothing }" }), 400),
        ("7B9B 86EE", json!({ "query": type_of, "variables": { "name": null } }), 400),
    ] {
        for (accept, expected) in [(JSON, 200), (GRAPHQL, newer)] {
            let (status, media_type, answer) = sent(post(&gateway, accept, &body)).await;
            assert_eq!((status, media_type.as_str()), (expected, accept), "{audits}: {answer}");
            assert_eq!(answer.get("data").is_some(), newer == 200, "{audits}: {answer}");
            assert_eq!(answer.get("errors").is_some(), newer != 200, "{audits}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_get_carries_its_parameters_in_the_url_and_changes_nothing() {
    let gateway = gateway().await;
    let type_of = "query Type($name: String!) { __type(name: $name) { name } }";
    let safe = |parameters: &[(&str, &str)]| gateway.get(parameters).header("apollo-require-preflight", "1");
    assert_eq!(sent(safe(&[("query", "{ __typename }")])).await.0, 200, "5A70");
    for accept in [GRAPHQL, JSON] {
        let request = safe(&[("query", type_of), ("variables", r#"{"name":"Product"}"#)]);
        let (status, _, body) = sent(request.header("accept", accept)).await;
        assert_eq!((status, &body["data"]["__type"]["name"]), (200, &json!("Product")), "D6D5, 6A70");
    }
    let mutation = safe(&[("query", "mutation { rename(id: 1, name: \"x\") { id } }")]);
    assert_eq!(sent(mutation).await.0, 405, "9C48");
}

#[tokio::test]
async fn what_is_no_request_is_refused_with_400_in_either_type() {
    let gateway = gateway().await;
    let wrong = [json!("x"), json!(7), json!(true), json!([]), json!({})];
    let mut bodies = vec![
        ("423L 8764 3E3A", json!({ "notquery": "{ __typename }" }).to_string()),
        ("A5BF", String::new()),
        ("B6DC BCF8 B7N8", "{ \"not a JSON".to_owned()),
    ];
    for (audits, member, right) in [
        ("LKJ0-LKJ3", "query", json!("x")),
        ("6C00-6C03", "operationName", json!("x")),
        ("4760-4763", "variables", json!({})),
        ("58B0-58B3", "extensions", json!({})),
    ] {
        for value in wrong.iter().filter(|value| **value != right) {
            let mut body = json!({ "query": "{ __typename }" });
            body[member] = value.clone();
            bodies.push((audits, body.to_string()));
        }
    }
    for (audits, body) in bodies {
        for accept in [JSON, GRAPHQL] {
            let request = gateway.post().header("accept", accept).header("content-type", JSON);
            let (status, _, answer) = sent(request.body(body.clone())).await;
            assert_eq!(status, 400, "{audits}: {body} {answer}");
            assert!(answer["errors"][0]["extensions"]["code"].is_string(), "{audits}");
        }
    }
    let untyped = gateway.post().body(json!({ "query": "{ __typename }" }).to_string());
    assert_eq!(sent(untyped).await.0, 415, "9ABE");
}
