//! What subgraphs see of a client's headers: only what the rules name, under the names and with the values they give.

use axum::extract::Request;
use axum::routing::post;
use axum::{Json, Router};
use http::{HeaderName, HeaderValue};
use http_body_util::BodyExt;
use kopitiam_server::{
    AnswerHeaderRule, ClientAddress, Combine, HeaderRule, HeaderRules, Options, Server, ServerError,
    Transport,
};
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

/// Answers every field, with headers of its own.
fn answering(name: &'static str, cache: &'static str) -> Router {
    let answer = async move |request: Request| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let product = json!({ "__typename": "Product", "id": "1", "name": "kopi", "rating": 1 });
        let data = if body.starts_with(br#"{"query":"mutation"#) {
            json!({ "rename": product })
        } else {
            json!({ "products": [product], "_entities": [product] })
        };
        let headers = [("cache-control", cache), ("x-cache", name), ("set-cookie", "a=b"), ("x-other", "no")];
        (headers, Json(json!({ "data": data })))
    };
    Router::new().route("/graphql", post(answer))
}

#[tokio::test]
async fn clients_get_the_headers_of_answers_that_rules_name_and_how_long_all_are_fresh() {
    for share_client_queries in [false, true] {
        let transport = Transport::new()
            .with_in_process("products", answering("products", "max-age=90"))
            .with_in_process("reviews", answering("reviews", "public, max-age=60"));
        let mut options = Options::new(supergraph("", ""), transport);
        let rule = |from, to| AnswerHeaderRule { from: name(from), to: name(to), combine: Combine::All };
        options.answer_headers.forward = vec![rule("x-cache", "x-seen"), rule("set-cookie", "set-cookie")];
        options.answer_headers.merge_cache_control = true;
        options.traffic.share_client_queries = share_client_queries;
        let gateway = start(options).await;
        let get = async |query: &str| {
            let response = gateway.query(query).send().await.unwrap();
            let headers = response.headers().clone();
            let of = |name: &str| {
                let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap());
                values.collect::<Vec<_>>().join("; ")
            };
            assert_eq!(of("x-other"), "");
            (of("x-seen"), of("cache-control"), of("set-cookie"))
        };
        let is =
            |seen: &str, cache: &str, cookie: &str| (seen.to_owned(), cache.to_owned(), cookie.to_owned());
        let (none, both) = ("private, no-store", "{ products { name rating } }");
        assert_eq!(get("{ products { name } }").await, is("products", "public, max-age=90", ""));
        assert_eq!(get(both).await, is("products; reviews", "public, max-age=60", ""));
        assert_eq!(get("{ __typename }").await, is("", none, ""));
        assert_eq!(
            get("{ products { name } failing: products { name } }").await.1,
            none,
            "an error is in it"
        );
        let renamed = get(r#"mutation { rename(id: "1", name: "x") { name } }"#).await;
        assert_eq!(renamed, is("products", none, "a=b"));
    }
}

#[tokio::test]
async fn without_rules_a_client_gets_no_header_of_an_answer_and_stores_nothing() {
    let transport = Transport::new().with_in_process("products", answering("products", "max-age=90"));
    let gateway = start(Options::new(supergraph("", "http://127.0.0.1:9"), transport)).await;
    let response = gateway.query("{ products { name } }").send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "private, no-store");
    assert!(!response.headers().contains_key("x-cache") && !response.headers().contains_key("set-cookie"));
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
