//! The HTTP front of a schema, over loopback.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Object, Subscription};
use futures::Stream;
use kopitiam_kit::auth::{Denylist, HasScope, LoggedIn, Verifier, viewer};
use kopitiam_kit::config::AuthConfig;
use kopitiam_kit::graphql;
use kopitiam_kit::live::Hub;
use kopitiam_kit::migrations::kit_migrations;
use kopitiam_kit::serve::{ClientAddress, Endpoint, serve};
use kopitiam_kit::signing::{GATEWAY_SIGNATURE, SignedCall, SigningKeys};
use kopitiam_kit::testing::{TestDb, TestTokens, auth_config, sqlite};
use kopitiam_kit::{Money, SystemError};
use reqwest::{Client, Response, StatusCode};
use sea_orm_migration::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations()
    }
}

struct Query;

#[Object]
#[expect(clippy::unused_async, reason = "resolvers are asynchronous")]
impl Query {
    async fn hello(&self) -> &'static str {
        "world"
    }

    async fn price(&self) -> Money {
        Money::parse("12.5", "USD").expect("constant")
    }

    async fn viewer_id(&self, ctx: &Context<'_>) -> Option<String> {
        viewer(ctx).user_id().map(|id| id.to_string())
    }

    #[graphql(guard = "LoggedIn")]
    async fn own(&self) -> Option<i32> {
        Some(1)
    }

    #[graphql(guard = "HasScope(\"stock:write\")", requires_scopes = "stock:write")]
    async fn scoped(&self) -> Option<i32> {
        Some(1)
    }

    async fn broken(&self) -> async_graphql::Result<Option<i32>> {
        Err(SystemError::from(DbErr::Custom("password=hunter2 near SELECT".to_owned())).into())
    }

    // Says that it is at work, and answers when told to.
    async fn address(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.data_unchecked::<ClientAddress>().0.map(|address| address.to_string())
    }

    async fn slow(&self, ctx: &Context<'_>) -> i32 {
        let Slow { started, finish } = ctx.data_unchecked();
        started.notify_one();
        finish.notified().await;
        1
    }
}

/// The signals of the slow field.
#[derive(Clone, Default)]
struct Slow {
    started: Arc<Notify>,
    finish: Arc<Notify>,
}

struct Mutation;

#[Object]
impl Mutation {
    async fn bump(&self, ctx: &Context<'_>) -> i32 {
        ctx.data_unchecked::<Hub<u8>>().changed(&0);
        1
    }
}

struct Subscription_;

#[Subscription(name = "Subscription")]
impl Subscription_ {
    async fn bumps(&self, ctx: &Context<'_>, until: i32) -> impl Stream<Item = i32> + use<> {
        use futures::StreamExt;
        let changes = ctx.data_unchecked::<Hub<u8>>().changes(0);
        changes
            .scan(0, |count, ()| {
                *count += 1;
                futures::future::ready(Some(*count))
            })
            .take(usize::try_from(until).unwrap())
    }
}

struct Server {
    url: String,
    client: Client,
    tokens: TestTokens,
    denylist: Denylist,
    slow: Slow,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    _db: TestDb,
    _stop: DropGuard,
}

impl Server {
    async fn start() -> Self {
        Self::start_behind(SigningKeys::default()).await
    }

    /// Answers only what was signed with these keys.
    async fn start_behind(gateway: SigningKeys) -> Self {
        let (db, tokens, slow) = (sqlite::<Migrator>().await, TestTokens::new(), Slow::default());
        let shutdown = CancellationToken::new();
        let schema = graphql::schema(Query, Mutation, Subscription_)
            .data(Hub::<u8>::default())
            .data(slow.clone())
            .finish();
        let denylist = Denylist::default();
        let verifier = Arc::new(
            Verifier::new(AuthConfig { gateway, ..auth_config(&tokens) }).with_denylist(denylist.clone()),
        );
        let router = Endpoint::new(schema, verifier, db.db().clone(), shutdown.clone()).router();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(serve(listener, router, shutdown.clone()));
        let stop = shutdown.clone().drop_guard();
        Self { url, client: Client::new(), tokens, denylist, slow, shutdown, served, _db: db, _stop: stop }
    }

    fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        self.client.post(format!("{}/graphql", self.url)).json(body)
    }

    async fn query(&self, query: &str) -> Value {
        json_of(self.post(&json!({ "query": query })).send().await.unwrap()).await
    }
}

async fn json_of(response: Response) -> Value {
    response.json().await.unwrap()
}

#[tokio::test]
async fn a_query_is_answered() {
    let server = Server::start().await;
    let answer = server.query("{ hello price { amount currency } }").await;
    assert_eq!(
        answer,
        json!({ "data": { "hello": "world", "price": { "amount": "12.50", "currency": "USD" } } })
    );
}

/// A forged `_entities` call gives values for fields that another service owns: who can reach the port must not be believed.
#[tokio::test]
async fn behind_a_gateway_with_a_key_only_what_it_signed_is_answered() {
    let keys = SigningKeys::parse("the gateway's own key of 32 bytes").unwrap();
    let server = Server::start_behind(keys.clone()).await;
    let token = format!("Bearer {}", server.tokens.issue(Uuid::now_v7(), &["USER"], ""));
    let body = json!({ "query": "{ hello }" }).to_string();
    let call = SignedCall {
        method: "POST",
        path_and_query: "/graphql",
        body: body.as_bytes(),
        authorization: token.as_bytes(),
    };
    let send = |signature: Option<String>, authorization: Option<&str>, body: &str| {
        let mut request = server.client.post(format!("{}/graphql", server.url));
        request = request.header("content-type", "application/json").body(body.to_owned());
        if let Some(signature) = signature {
            request = request.header(GATEWAY_SIGNATURE, signature);
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        request.send()
    };
    let now = kopitiam_kit::time::now();
    let signed = call.sign(&keys, now);
    assert_eq!(send(signed.clone(), Some(&token), &body).await.unwrap().status(), StatusCode::OK);
    let other = json!({ "query": "{ __typename }" }).to_string();
    let late = call.sign(&keys, now - chrono::TimeDelta::minutes(1));
    let foreign = call.sign(&SigningKeys::parse("a key that the gateway does not have").unwrap(), now);
    for (signature, authorization, body) in [
        (None, Some(token.as_str()), body.as_str()),
        (signed.clone(), None, &body),
        (signed, Some(&token), &other),
        (late, Some(&token), &body),
        (foreign, Some(&token), &body),
    ] {
        let refused = send(signature, authorization, body).await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert_eq!(json_of(refused).await["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }
    let health = server.client.get(format!("{}/health", server.url)).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK, "whoever watches the service needs no key");
}

#[tokio::test]
async fn without_the_gateway_a_service_token_reads_the_schema_and_nothing_else() {
    let server = Server::start_behind(SigningKeys::parse("the gateway's own key of 32 bytes").unwrap()).await;
    let reader = server.tokens.issue(Uuid::now_v7(), &["SERVICE"], "schema:read");
    let person = server.tokens.issue(Uuid::now_v7(), &["USER"], "self");
    for (token, query, status) in [
        (&reader, "{ _service { sdl } __typename }", StatusCode::OK),
        (&reader, "{ _service { sdl } hello }", StatusCode::FORBIDDEN),
        (&reader, "{ ... on Query { hello } }", StatusCode::FORBIDDEN),
        (&reader, "{ ...h } fragment h on Query { hello }", StatusCode::FORBIDDEN),
        (&reader, "query a { _service { sdl } } query b { hello }", StatusCode::FORBIDDEN),
        (&reader, "mutation { bump }", StatusCode::FORBIDDEN),
        (&reader, "{", StatusCode::FORBIDDEN),
        (&person, "{ _service { sdl } }", StatusCode::FORBIDDEN),
    ] {
        let answer = server.post(&json!({ "query": query })).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), status, "{query}");
    }
}

#[tokio::test]
async fn what_a_browser_can_send_unasked_is_refused() {
    let server = Server::start().await;
    let body = json!({ "query": "mutation { bump }" }).to_string();
    let url = format!("{}/graphql", server.url);
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let request = server.client.post(&url).header("content-type", media_type).body(body.clone());
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{media_type}"
        );
    }
    let untyped = server.client.post(&url).body(body);
    assert_eq!(untyped.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let by_get = server.client.get(format!("{url}?query=mutation%20%7Bbump%7D"));
    assert_eq!(by_get.send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn malformed_and_oversized_bodies_are_refused() {
    let server = Server::start().await;
    let post = |body: String| {
        server
            .client
            .post(format!("{}/graphql", server.url))
            .header("content-type", "application/json")
            .body(body)
    };
    for body in ["", "{", "[]", r#"[{"query":"{hello}"}]"#, r#"{"query":7}"#] {
        assert_eq!(post(body.to_owned()).send().await.unwrap().status(), StatusCode::BAD_REQUEST, "{body}");
    }
    let long = json!({ "query": "{ hello }", "variables": { "x": "y".repeat(1024 * 1024) } }).to_string();
    assert_eq!(post(long).send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_token_decides_who_asks() {
    let server = Server::start().await;
    let user = Uuid::now_v7();
    let token = server.tokens.issue(user, &["USER"], "");
    let request = json!({ "query": "{ viewerId own scoped }" });
    let answer = json_of(server.post(&request).bearer_auth(token).send().await.unwrap()).await;
    assert_eq!(answer["data"], json!({ "viewerId": user, "own": 1, "scoped": null }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");

    let anonymous = server.query("{ viewerId own }").await;
    assert_eq!(anonymous["data"], json!({ "viewerId": null, "own": null }));
    assert_eq!(anonymous["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");

    let token = server.tokens.issue(user, &[], "stock:read stock:write");
    let answer = json_of(server.post(&request).bearer_auth(token).send().await.unwrap()).await;
    assert_eq!(answer["data"]["scoped"], 1);
}

#[tokio::test]
async fn a_bad_token_is_401_and_nothing_runs() {
    let server = Server::start().await;
    for value in ["Bearer nonsense", "Bearer", "Basic dXNlcjpwYXNz", "Bearer a.b.c"] {
        let request = server.post(&json!({ "query": "{ hello }" })).header("authorization", value);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{value}");
        let answer = json_of(response).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert_eq!(answer.get("data"), None);
    }
}

#[tokio::test]
async fn a_system_failure_does_not_tell_what_failed() {
    let server = Server::start().await;
    let answer = server.query("{ broken }").await;
    let error = &answer["errors"][0];
    assert_eq!(error["message"], "internal error");
    assert_eq!(error["extensions"]["code"], "INTERNAL_SERVER_ERROR");
    assert!(error["extensions"]["errorId"].is_string());
    assert!(!answer.to_string().contains("hunter2"));
}

#[tokio::test]
async fn every_refusal_has_a_code_and_no_suggestion() {
    let server = Server::start().await;
    for query in ["{ helo }", "{", "{ hello(x: 1) }", "query A { hello } query B { hello }"] {
        let answer = server.query(query).await;
        assert!(answer["errors"][0]["extensions"]["code"].is_string(), "{query}: {answer}");
        assert!(!answer.to_string().contains("did you mean"), "{answer}");
    }
}

#[tokio::test]
async fn a_chain_of_doubling_fragments_is_refused_before_it_is_walked() {
    let server = Server::start().await;
    let fragments: Vec<String> = (0..40)
        .map(|level| format!("fragment F{level} on Query {{ ...F{next} ...F{next} }}", next = level + 1))
        .collect();
    let query = format!("{{ ...F0 }} {} fragment F40 on Query {{ hello }}", fragments.join(" "));
    // Walking it would take years, so an answer at all is the proof.
    let answer = server.query(&query).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn the_running_service_answers_with_its_sdl() {
    let server = Server::start().await;
    let answer = server.query("{ _service { sdl } renamed: _service { text: sdl } }").await;
    let expected = graphql::sdl(&graphql::schema(Query, Mutation, Subscription_).finish());
    assert_eq!(answer["data"]["_service"]["sdl"], expected);
    assert_eq!(answer["data"]["renamed"]["text"], expected);
    insta::assert_snapshot!(expected, @r#"
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@shareable", "@requiresScopes"])

    """
    Decimal number as a string, such as `"12.50"`.
    """
    scalar Decimal

    type Money @shareable {
      amount: Decimal!
      currency: String!
    }

    type Mutation {
      bump: Int!
    }

    type Query {
      hello: String!
      price: Money!
      viewerId: String
      own: Int
      scoped: Int @requiresScopes(scopes: [["stock:write"]])
      broken: Int
      address: String
      slow: Int!
    }

    type Subscription {
      bumps(until: Int!): Int!
    }
    "#);
}

#[tokio::test]
async fn a_subscription_streams_and_completes() {
    let server = Server::start().await;
    let request = json!({ "query": "subscription { bumps(until: 2) }" });
    let mut response = server.post(&request).header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        if text.ends_with("{\"data\":{\"bumps\":1}}\n\n") {
            server.query("mutation { bump }").await;
        }
    }
    let expected = "event: next\ndata: {\"data\":{\"bumps\":1}}\n\nevent: next\ndata: {\"data\":{\"bumps\":2}}\n\nevent: complete\n\n";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn shutdown_answers_what_is_in_flight_and_ends_streams() {
    let server = Server::start().await;
    let slow = server.post(&json!({ "query": "{ slow }" })).send();
    let stream = server
        .post(&json!({ "query": "subscription { bumps(until: 9) }" }))
        .header("accept", "text/event-stream");
    let mut stream = stream.send().await.unwrap();
    stream.chunk().await.unwrap();
    let slow = tokio::spawn(slow);
    server.slow.started.notified().await;
    server.shutdown.cancel();
    server.slow.finish.notify_one();
    assert_eq!(json_of(slow.await.unwrap().unwrap()).await["data"]["slow"], 1);
    while stream.chunk().await.unwrap().is_some() {}
    tokio::time::timeout(Duration::from_secs(15), server.served).await.unwrap().unwrap().unwrap();
    assert!(server.client.get(format!("{}/health", server.url)).send().await.is_err(), "the port is closed");
}

#[tokio::test]
async fn a_ban_ends_streams_and_refuses_tokens() {
    let server = Server::start().await;
    let user = Uuid::now_v7();
    let token = server.tokens.issue(user, &["USER"], "");
    let stream = json!({ "query": "subscription { bumps(until: 9) }" });
    let stream = server.post(&stream).bearer_auth(&token).header("accept", "text/event-stream");
    let mut stream = stream.send().await.unwrap();
    stream.chunk().await.unwrap();
    server.denylist.deny(user, kopitiam_kit::time::now());
    let ended = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the stream ends");
    let refused = server.post(&json!({ "query": "{ hello }" })).bearer_auth(&token).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_stream_ends_with_the_token_it_was_asked_for_with() {
    let server = Server::start().await;
    let now = kopitiam_kit::time::now().timestamp();
    let token = server.tokens.sign(&json!({
        "sub": Uuid::now_v7(), "iss": "kopitiam", "aud": "kopitiam", "iat": now - 60, "exp": now + 1,
    }));
    let stream = json!({ "query": "subscription { bumps(until: 9) }" });
    let stream = server.post(&stream).bearer_auth(&token).header("accept", "text/event-stream");
    let mut stream = stream.send().await.unwrap();
    let ended = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the stream ends");
}

#[tokio::test]
async fn the_gateways_word_on_the_client_address_reaches_the_resolvers() {
    let server = Server::start().await;
    let query = json!({ "query": "{ address }" });
    let told = server.post(&query).header("x-client-address", "2001:db8::7").send().await.unwrap();
    assert_eq!(json_of(told).await["data"]["address"], "2001:db8::7");
    let nonsense = server.post(&query).header("x-client-address", "<script>").send().await.unwrap();
    assert_eq!(json_of(nonsense).await["data"]["address"], Value::Null);
}

#[tokio::test]
async fn health_and_readiness_are_told() {
    let server = Server::start().await;
    for path in ["health/live", "health/ready", "health", "ready"] {
        let response = server.client.get(format!("{}/{path}", server.url)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn raw_garbage_does_not_reach_the_schema() {
    let server = Server::start().await;
    let address = server.url.strip_prefix("http://").unwrap();
    for request in [
        "\0\0\0\0\r\n\r\n",
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{request:?}");
    }
}
