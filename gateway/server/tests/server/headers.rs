//! What subgraphs see of a client's headers: only what the rules name, under the names and with the values they give.

use axum::extract::Request;
use axum::routing::post;
use axum::{Json, Router};
use http::{HeaderName, HeaderValue};
use kopitiam_server::{ClientAddress, HeaderRule, HeaderRules, Options, Server, ServerError, Transport};
use serde_json::json;

use crate::common::{Gateway, in_process, start, supergraph};

fn name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

/// Answers every field with the headers it got whose name begins with `x-` or is `authorization`, sorted.
fn mirror() -> Router {
    let answer = async |request: Request| {
        let seen = request.headers().iter().filter(|(name, _)| {
            let name = name.as_str();
            (name.starts_with("x-") && name != "x-request-id") || name == "authorization"
        });
        let mut seen: Vec<_> =
            seen.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        seen.sort_unstable();
        let product = json!({ "__typename": "Product", "id": "1", "name": seen.join("; ") });
        Json(json!({ "data": { "products": [product], "product": product } }))
    };
    Router::new().route("/graphql", post(answer))
}

async fn gateway(rules: HeaderRules) -> Gateway {
    let transport =
        Transport::new().with_in_process("products", mirror()).with_in_process("reviews", mirror());
    let mut options = Options::new(supergraph("", ""), transport);
    options.headers = rules;
    start(options).await
}

async fn seen(gateway: &Gateway) -> String {
    let mut request = gateway.query("{ products { name } }");
    for header in
        ["x-tenant", "X-User-Id", "x_user_id", "x-roles", "x-gateway-signature", "authorization", "cookie"]
    {
        request = request.header(header, "sent");
    }
    let answer = crate::common::body(request.header("x-tenant", "twice")).await;
    answer["data"]["products"][0]["name"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test]
async fn nothing_of_a_client_travels_that_no_rule_names() {
    assert_eq!(seen(&gateway(HeaderRules::default()).await).await, "");
}

#[tokio::test]
async fn headers_are_forwarded_renamed_given_a_default_inserted_and_removed() {
    let forward = |from, to, default| HeaderRule::Forward { from: name(from), to: name(to), default };
    let value = HeaderValue::from_static;
    let all = vec![
        HeaderRule::forward(name("x-tenant")),
        forward("x-tenant", "x-shop", None),
        forward("x-region", "x-region", Some(value("eu"))),
        HeaderRule::Insert { name: name("x-gateway"), value: value("kopitiam") },
        HeaderRule::Insert { name: name("x-secret"), value: value("for reviews") },
    ];
    let by_subgraph = [("products".to_owned(), vec![HeaderRule::Remove { name: name("x-secret") }])].into();
    let gateway = gateway(HeaderRules { all, by_subgraph }).await;
    let expected =
        "x-gateway: kopitiam; x-region: eu; x-shop: sent; x-shop: twice; x-tenant: sent; x-tenant: twice";
    assert_eq!(seen(&gateway).await, expected);
}

#[tokio::test]
async fn no_rule_touches_what_belongs_to_the_connection_or_to_the_gateway() {
    for header in ["host", "content-length", "transfer-encoding", "connection", "x-gateway-signature"] {
        let rules = [
            HeaderRule::forward(name(header)),
            HeaderRule::Forward { from: name(header), to: name("x-other"), default: None },
            HeaderRule::Insert { name: name(header), value: HeaderValue::from_static("x") },
            HeaderRule::Remove { name: name(header) },
        ];
        for rule in rules {
            let mut options = in_process();
            options.listen.set_port(0);
            options.headers.all = vec![rule];
            assert!(matches!(Server::bind(options).await, Err(ServerError::Header(_))), "{header}");
        }
        let mut options = in_process();
        options.listen.set_port(0);
        options.client_address = Some(ClientAddress { header: name(header), trusted_proxies: Vec::new() });
        assert!(matches!(Server::bind(options).await, Err(ServerError::Header(_))), "{header}");
    }
}
