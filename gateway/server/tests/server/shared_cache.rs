//! Answers that several gateways share, in a real Redis server: what one was answered the other knows, what is somebody's own
//! stays that, what is invalidated at one is gone at all, and a server that is away costs a bounded time and no answer.

use std::time::{Duration, Instant};

use kopitiam_server::config::Config;
use kopitiam_server::{
    CacheSettings, HeaderRule, InvalidationSettings, KeySource, Options, RedisSettings, SubgraphSettings,
    Tls, Transport,
};
use redis::AsyncCommands;
use serde_json::json;

use crate::caching::{
    ALL, Reviews, SECRET, invalidate, product, products, rating, ratings, settings, tagged, token,
};
use crate::common::certificates::Authority;
use crate::common::redis::RedisServer;
use crate::common::tokens::{issuer, key_set};
use crate::common::{Gateway, PATIENCE, body, eventually, start, subgraphs, supergraph};

/// What waits to be kept in the server.
const WAITING: &str = "gateway_cache_store_waiting";
/// Parts of the reviews' answers that were kept.
const STORED: &str = r#"gateway_cache_stores_total{subgraph="reviews"}"#;
const SHARED_SECRET: &str = "planted-secret-of-the-gateways";

/// A Redis server and two subgraphs, for as many gateways as are wanted.
struct Shared {
    redis: RedisServer,
    reviews: Reviews,
    supergraph: String,
}

impl Shared {
    /// `None`: Redis is not installed.
    async fn new(cache_control: &'static str) -> Option<Self> {
        let (redis, reviews) = (RedisServer::start().await?, Reviews::new(cache_control));
        let urls = (subgraphs::listen(products()).await, subgraphs::listen(reviews.router()).await);
        Some(Self { redis, reviews, supergraph: tagged(&supergraph(&urls.0, &urls.1)) })
    }

    fn store(&self) -> RedisSettings {
        RedisServer::settings(&self.redis.url(), SHARED_SECRET)
    }

    fn options(&self, store: RedisSettings) -> Options {
        let transport = Transport::new().with_settings("reviews", settings());
        let mut options = Options::new(self.supergraph.clone(), transport);
        options.jwt = vec![issuer(KeySource::Static(key_set(&[7])))];
        options.headers.all = vec![HeaderRule::forward("x-tenant".parse().unwrap())];
        options.telemetry.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
        let listen = "127.0.0.1:0".parse().unwrap();
        options.cache.invalidation = Some(InvalidationSettings::new(listen, SECRET).unwrap());
        options.cache.redis = Some(Box::new(store));
        options
    }

    async fn gateway(&self) -> Gateway {
        start(self.options(self.store())).await
    }

    /// Every key in the server, and for how long it lives.
    async fn keys(&self) -> Vec<(String, i64)> {
        let mut connection = self.redis.connection().await;
        let mut keys = Vec::new();
        for key in connection.keys::<_, Vec<String>>("*").await.unwrap() {
            let left = connection.pttl::<_, i64>(&key).await.unwrap();
            keys.push((key, left));
        }
        keys.sort();
        keys
    }
}

/// The number of a line of the metrics, 0 where there is none.
async fn metric(gateway: &Gateway, line: &str) -> u64 {
    let metrics = format!("http://{}/metrics", gateway.metrics.unwrap());
    let metrics = gateway.client.get(metrics).send().await.unwrap().text().await.unwrap();
    let count = metrics.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
    count.map_or(0, |count| count.parse().unwrap())
}

async fn store_requests(gateway: &Gateway, what: &str, outcome: &str) -> u64 {
    let line = format!("gateway_cache_store_requests_total{{what=\"{what}\",outcome=\"{outcome}\"}}");
    metric(gateway, &line).await
}

/// Waits until the server has what is to be kept.
async fn kept(gateway: &Gateway) {
    until("what was answered is kept", async || metric(gateway, WAITING).await == 0).await;
}

/// All products, and waits until what came of them is kept.
async fn all(gateway: &Gateway) -> serde_json::Value {
    let data = gateway.data(ALL).await;
    kept(gateway).await;
    data
}

/// The rating in an answer, when what came of it is kept.
async fn rating_by(gateway: &Gateway, request: reqwest::RequestBuilder) -> i64 {
    let answer = body(request).await;
    kept(gateway).await;
    rating(&answer)
}

/// Asks until the answer is so.
async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !ask().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_one_gateway_was_answered_the_other_knows_also_after_a_restart() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let one = shared.gateway().await;
    assert_eq!(rating_by(&one, product(&one, "2")).await, 2);
    assert_eq!(shared.reviews.asked(), ["2"]);
    *shared.reviews.change.lock().unwrap() = 10;
    let other = shared.gateway().await;
    assert_eq!(all(&other).await, ratings([11, 2, 13]));
    assert_eq!(shared.reviews.asked(), ["1 3"]);
    assert_eq!(all(&one).await, ratings([11, 2, 13]));
    drop((one, other));
    let third = shared.gateway().await;
    assert_eq!(all(&third).await, ratings([11, 2, 13]));
    assert_eq!(shared.reviews.asked(), [""; 0]);
    let hits = r#"gateway_cache_lookups_total{subgraph="reviews",result="hit"}"#;
    assert_eq!((metric(&third, hits).await, store_requests(&third, "find", "ok").await), (3, 1));
}

/// Everything is kept, whole responses too.
fn keeping_all() -> Transport {
    let cache = CacheSettings { default_ttl: Some(Duration::from_mins(1)), ..CacheSettings::default() };
    Transport::new().with_defaults(SubgraphSettings { cache: Some(cache), ..SubgraphSettings::default() })
}

#[tokio::test]
async fn whole_responses_are_shared() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let known = r#"gateway_cache_lookups_total{subgraph="(responses)",result="hit"}"#;
    for round in 0..2 {
        let mut options = shared.options(shared.store());
        options.cache.responses = true;
        options.transport = keeping_all();
        let gateway = start(options).await;
        assert_eq!(all(&gateway).await, ratings([1, 2, 3]));
        assert_eq!(metric(&gateway, known).await, round);
    }
    assert_eq!(shared.reviews.asked().len(), 1);
}

#[tokio::test]
async fn what_was_answered_to_one_user_is_nobody_elses_at_any_gateway() {
    for cache_control in ["private, max-age=60", "max-age=60"] {
        let Some(shared) = Shared::new(cache_control).await else { return };
        let (one, other) = (shared.gateway().await, shared.gateway().await);
        // Made once: one of another second is another credential.
        let [token, others] = ["u1", "u2"].map(token);
        let ask = async |gateway: &Gateway, token: Option<&str>| {
            let request = match token {
                Some(token) => product(gateway, "2").bearer_auth(token),
                None => product(gateway, "2"),
            };
            (rating_by(gateway, request).await, shared.reviews.asked().len())
        };
        assert_eq!(ask(&one, Some(&token)).await, (1002, 1), "{cache_control}");
        assert_eq!(ask(&other, Some(&others)).await, (2002, 1), "{cache_control}");
        assert_eq!(ask(&other, None).await, (2, 1), "{cache_control}");
        let again = [&one, &other].map(|gateway| body(product(gateway, "2").bearer_auth(&token)));
        for answer in futures::future::join_all(again).await {
            assert_eq!(rating(&answer), 1002, "{cache_control}");
        }
        futures::join!(kept(&one), kept(&other));
        shared.reviews.asked();
        assert_eq!(rating_by(&other, product(&other, "2").bearer_auth(&token)).await, 1002);
        assert_eq!(shared.reviews.asked(), [""; 0], "{cache_control}");
    }
}

#[tokio::test]
async fn gateways_with_other_headers_another_place_or_another_secret_share_nothing() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let elsewhere = Reviews::new("public, max-age=60");
    let place = subgraphs::listen(elsewhere.router()).await;
    let options = || {
        let mut options = shared.options(shared.store());
        options.cache.responses = true;
        options.transport = keeping_all();
        options
    };
    let one = start(options()).await;
    assert_eq!(rating_by(&one, product(&one, "2")).await, 2);
    shared.reviews.asked();
    let [mut headers, mut secret, mut prefix, mut placed] = [(); 4].map(|()| options());
    let insert = HeaderRule::Insert { name: "x-place".parse().unwrap(), value: "here".parse().unwrap() };
    headers.headers.all.push(insert);
    let store = RedisServer::settings(&shared.redis.url(), "another secret of some length");
    secret.cache.redis = Some(Box::new(store));
    prefix.cache.redis.as_mut().unwrap().key_prefix = "other:".to_owned();
    placed.transport = keeping_all().with_http("reviews", &place).unwrap();
    for (options, reviews) in [
        (headers, &shared.reviews),
        (secret, &shared.reviews),
        (prefix, &shared.reviews),
        (placed, &elsewhere),
    ] {
        let gateway = start(options).await;
        assert_eq!(rating_by(&gateway, product(&gateway, "2")).await, 2);
        assert_eq!(reviews.asked(), ["2"]);
    }
    assert_eq!(rating_by(&one, product(&one, "2")).await, 2);
    assert_eq!(shared.reviews.asked(), [""; 0]);
}

#[tokio::test]
async fn what_is_invalidated_at_one_gateway_is_gone_at_all() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let (one, other) = (shared.gateway().await, shared.gateway().await);
    all(&one).await;
    shared.reviews.asked();
    for (selection, gone) in [
        (json!({ "kind": "cache_tag", "cache_tag": "product-2" }), "2"),
        (json!({ "kind": "cache_tag", "cache_tag": "product-2", "subgraphs": ["products"] }), ""),
        (json!({ "kind": "cache_tag", "cache_tag": "product-22" }), ""),
        (json!({ "kind": "type", "type": "Product" }), "1 2 3"),
        (json!({ "kind": "type", "type": "Query" }), ""),
        (json!({ "kind": "subgraph", "subgraph": "reviews" }), "1 2 3"),
    ] {
        let answer = invalidate(&one, SECRET, &json!([selection])).await;
        assert_eq!(answer, (202, json!({ "count": u64::from(!gone.is_empty()) })), "{selection}");
        *shared.reviews.change.lock().unwrap() += 10;
        all(&other).await;
        all(&one).await;
        let asked = if gone.is_empty() { vec![] } else { vec![gone] };
        assert_eq!(shared.reviews.asked(), asked, "{selection}");
    }
}

#[tokio::test]
async fn what_was_asked_before_an_invalidation_at_another_gateway_is_not_given_out_after_it() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let (one, other) = (shared.gateway().await, shared.gateway().await);
    // Whether the label was there before, or is made by what comes too late.
    for (id, is_known) in [("2", false), ("3", true)] {
        if is_known {
            assert_eq!(rating_by(&one, product(&one, id)).await, 10 + id.parse::<i64>().unwrap());
            invalidate(&one, SECRET, &json!([{ "kind": "subgraph", "subgraph": "reviews" }])).await;
            assert_eq!(rating_by(&one, product(&one, "1")).await, 11);
            shared.reviews.asked();
        }
        shared.reviews.gate.send_replace(false);
        let before = tokio::spawn(body(product(&other, id)));
        eventually("the subgraph is asked", || shared.reviews.asked.lock().unwrap().len() == 1).await;
        let tag = json!([{ "kind": "cache_tag", "cache_tag": format!("product-{id}") }]);
        assert_eq!(invalidate(&one, SECRET, &tag).await.0, 202);
        shared.reviews.gate.send_replace(true);
        before.await.unwrap();
        kept(&other).await;
        *shared.reviews.change.lock().unwrap() += 10;
        let expected = i64::from(*shared.reviews.change.lock().unwrap()) + id.parse::<i64>().unwrap();
        for gateway in [&other, &one] {
            assert_eq!(rating_by(gateway, product(gateway, id)).await, expected, "{id}");
        }
        shared.reviews.asked();
    }
}

#[tokio::test]
async fn everything_in_the_server_goes_by_itself_and_no_key_tells_who_asked() {
    let Some(shared) = Shared::new("private, max-age=60").await else { return };
    let gateway = shared.gateway().await;
    let token = token("u1");
    rating_by(&gateway, product(&gateway, "2").bearer_auth(&token)).await;
    let keys = shared.keys().await;
    let names: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
    let (entry, rest) = names.split_first().unwrap();
    assert!(entry.starts_with("gateway:entry:"), "{names:?}");
    let labels = ["subgraph:reviews", "tag:reviews:product-2", "type:reviews:Product"];
    let labels = labels.map(|label| format!("gateway:label:{label}"));
    assert_eq!(rest, [&["gateway:epoch"][..], &labels.each_ref().map(String::as_str)].concat(), "{names:?}");
    for (key, left) in &keys {
        let expected = if key == "gateway:epoch" { -1..=-1 } else { 1..=121_000 };
        assert!(expected.contains(left), "{key}: {left}");
    }
    let mut connection = shared.redis.connection().await;
    let entry: Vec<u8> = connection.get(entry).await.unwrap();
    let all = format!("{names:?} {}", String::from_utf8_lossy(&entry));
    for secret in [token.as_str(), SHARED_SECRET, "planted-password"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[tokio::test]
async fn what_the_server_lost_or_somebody_spoiled_is_asked_again() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let gateway = shared.gateway().await;
    let mut connection = shared.redis.connection().await;
    let entry = async |connection: &mut redis::aio::MultiplexedConnection| {
        let keys: Vec<String> = connection.keys("gateway:entry:*").await.unwrap();
        assert_eq!(keys.len(), 1);
        keys[0].clone()
    };
    let known = async || {
        shared.reviews.asked();
        let answer = rating_by(&gateway, product(&gateway, "2")).await;
        (answer, shared.reviews.asked().is_empty())
    };
    assert_eq!(known().await, (2, false));
    assert_eq!(known().await, (2, true));
    let key = entry(&mut connection).await;
    let whole: Vec<u8> = connection.get(key).await.unwrap();
    for spoiled in [&b""[..], b"{}", &whole[..40], &[&[9], &whole[1..]].concat()] {
        let key = entry(&mut connection).await;
        connection.set::<_, _, ()>(key, spoiled).await.unwrap();
        assert_eq!(known().await, (2, false), "{spoiled:?}");
        assert_eq!(known().await, (2, true));
    }
    for evicted in ["label:tag:reviews:product-2", "epoch"] {
        connection.del::<_, ()>(format!("gateway:{evicted}")).await.unwrap();
        *shared.reviews.change.lock().unwrap() = 0;
        let was_known = known().await;
        assert_eq!(was_known, (2, evicted == "epoch"), "{evicted}");
        assert_eq!(known().await, (2, true), "{evicted}");
    }
    connection.del::<_, ()>("gateway:epoch").await.unwrap();
    invalidate(&gateway, SECRET, &json!([{ "kind": "type", "type": "Product" }])).await;
    assert_eq!(known().await, (2, false));
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
    assert_eq!(known().await, (2, false));
    assert_eq!(known().await, (2, true));
}

#[tokio::test]
async fn requests_are_answered_while_the_server_is_away_and_it_is_used_again_after() {
    let Some(mut shared) = Shared::new("public, max-age=60").await else { return };
    let (one, other) = (shared.gateway().await, shared.gateway().await);
    assert_eq!(all(&one).await, ratings([1, 2, 3]));
    shared.redis.kill().await;
    *shared.reviews.change.lock().unwrap() = 10;
    for gateway in [&one, &other, &one] {
        assert_eq!(all(gateway).await, ratings([11, 12, 13]));
    }
    let everything = json!([{ "kind": "subgraph", "subgraph": "reviews" }]);
    let (status, answer) = invalidate(&one, SECRET, &everything).await;
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (503, &json!("STORE_UNAVAILABLE")));
    // One that starts meanwhile serves, too.
    let mut store = shared.store();
    store.connect_timeout = Duration::from_millis(200);
    let late = start(shared.options(store)).await;
    assert_eq!(all(&late).await, ratings([11, 12, 13]));
    assert!(store_requests(&late, "find", "down").await > 0);
    shared.redis.restart().await;
    for gateway in [&one, &other, &late] {
        until("the server is used again", async || {
            all(gateway).await;
            store_requests(gateway, "find", "ok").await > 1
        })
        .await;
    }
    *shared.reviews.change.lock().unwrap() = 20;
    let known = [all(&one).await, all(&other).await, all(&late).await];
    assert_eq!(known, [(); 3].map(|()| ratings([11, 12, 13])));
    assert_eq!(invalidate(&one, SECRET, &everything).await.0, 202);
    assert_eq!(all(&late).await, ratings([21, 22, 23]));
}

#[tokio::test]
async fn a_server_that_is_full_keeps_nothing_more_and_costs_no_answer() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let gateway = shared.gateway().await;
    assert_eq!(rating_by(&gateway, product(&gateway, "2")).await, 2);
    let mut connection = shared.redis.connection().await;
    let full = async |bytes: u32, connection: &mut redis::aio::MultiplexedConnection| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("maxmemory").arg(bytes).exec_async(connection).await.unwrap();
    };
    full(1, &mut connection).await;
    for change in [10, 20] {
        *shared.reviews.change.lock().unwrap() = change;
        assert_eq!(all(&gateway).await, ratings([change + 1, 2, change + 3]));
    }
    assert_eq!(store_requests(&gateway, "put", "error").await, 2);
    full(0, &mut connection).await;
    assert_eq!(all(&gateway).await, ratings([21, 2, 23]));
    *shared.reviews.change.lock().unwrap() = 30;
    assert_eq!(all(&gateway).await, ratings([21, 2, 23]));
}

#[tokio::test]
async fn an_answer_does_not_wait_until_it_is_kept_and_is_kept_when_the_server_takes_it() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let mut store = shared.store();
    store.waiting_bytes_max = 1024;
    let (one, other) = (start(shared.options(store)).await, shared.gateway().await);
    // The server's epoch: without it even a lookup would write.
    assert_eq!(rating_by(&one, product(&one, "1")).await, 1);
    shared.redis.pause_writes().await;
    for id in ["2", "3"] {
        assert_eq!(rating(&body(product(&one, id)).await), id.parse::<i64>().unwrap());
        assert_eq!(metric(&one, WAITING).await, 1);
    }
    assert_eq!(store_requests(&one, "put", "full").await, 1);
    shared.redis.resume_writes().await;
    kept(&one).await;
    assert_eq!((store_requests(&one, "put", "ok").await, metric(&one, STORED).await), (2, 2));
    *shared.reviews.change.lock().unwrap() = 10;
    for (id, rating) in [("2", 2), ("3", 13)] {
        assert_eq!(rating_by(&other, product(&other, id)).await, rating);
    }
}

#[tokio::test]
async fn what_is_still_to_be_kept_is_kept_at_the_end_or_given_up_after_a_while() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    for (id, goes_on) in [("2", true), ("3", false)] {
        let mut store = shared.store();
        if !goes_on {
            store.connect_timeout = Duration::from_millis(200);
        }
        let mut gateway = start(shared.options(store)).await;
        assert_eq!(rating_by(&gateway, product(&gateway, "1")).await, 1);
        shared.redis.pause_writes().await;
        body(product(&gateway, id)).await;
        gateway.shutdown.cancel();
        until("the gateway takes no connections", async || {
            tokio::net::TcpStream::connect(gateway.address).await.is_err()
        })
        .await;
        assert!(!goes_on || !gateway.task.is_finished());
        if goes_on {
            shared.redis.resume_writes().await;
        }
        (&mut gateway.task).await.unwrap();
        shared.redis.resume_writes().await;
    }
    let kept = shared.keys().await;
    let has = |id: &str| kept.iter().any(|(key, _)| key.ends_with(&format!("product-{id}")));
    assert_eq!([has("1"), has("2")], [true, true], "{kept:?}");
}

#[tokio::test]
async fn what_was_to_be_kept_before_other_settings_came_is_kept_at_the_end_too() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let mut gateway = shared.gateway().await;
    assert_eq!(rating_by(&gateway, product(&gateway, "1")).await, 1);
    shared.redis.pause_writes().await;
    body(product(&gateway, "2")).await;
    // The new settings keep nothing, so only the old ones' cache knows of what is to be written.
    let mut options = shared.options(shared.store());
    options.transport = Transport::new();
    options.cache.redis = None;
    gateway.schema.reconfigure(options).await.unwrap();
    gateway.shutdown.cancel();
    until("the gateway takes no connections", async || {
        tokio::net::TcpStream::connect(gateway.address).await.is_err()
    })
    .await;
    assert!(!gateway.task.is_finished());
    shared.redis.resume_writes().await;
    (&mut gateway.task).await.unwrap();
    let kept = shared.keys().await;
    assert!(kept.iter().any(|(key, _)| key.ends_with("product-2")), "{kept:?}");
}

#[tokio::test]
async fn a_server_that_is_stopped_costs_three_waits_and_then_nothing() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let mut store = shared.store();
    (store.timeout, store.connect_timeout) = (Duration::from_millis(300), Duration::from_millis(500));
    let gateway = start(shared.options(store)).await;
    assert_eq!(all(&gateway).await, ratings([1, 2, 3]));
    shared.redis.stop().await;
    *shared.reviews.change.lock().unwrap() = 10;
    for _ in 0..3 {
        let asked = Instant::now();
        assert_eq!(all(&gateway).await, ratings([11, 12, 13]));
        let took = asked.elapsed();
        assert!(took >= Duration::from_millis(300), "it was not waited for: {took:?}");
        assert!(took < Duration::from_millis(300) + Duration::from_secs(5), "{took:?}");
    }
    for _ in 0..20 {
        assert_eq!(all(&gateway).await, ratings([11, 12, 13]));
    }
    let outcomes = ["timeout", "down", "error"].map(|outcome| store_requests(&gateway, "find", outcome));
    assert_eq!(futures::future::join_all(outcomes).await, [3, 20, 0]);
    let selection = json!([{ "kind": "subgraph", "subgraph": "reviews" }]);
    assert_eq!(invalidate(&gateway, SECRET, &selection).await.0, 503);
    shared.redis.go_on().await;
    until("what was kept before is found again", async || all(&gateway).await == ratings([1, 2, 3])).await;
}

#[tokio::test]
async fn the_server_is_reached_by_tls_and_by_a_socket_and_never_with_a_foreign_certificate() {
    let authority = Authority::new();
    let Some((redis, port)) = RedisServer::with_tls(&authority.identity("localhost")).await else { return };
    let shared = Shared { redis, ..Shared::new("public, max-age=60").await.unwrap() };
    let store = |url: &str, tls: Tls| {
        let mut store = RedisServer::settings(url, SHARED_SECRET);
        store.tls = tls;
        store
    };
    let trusted = Tls::load(Some(&authority.file), None).unwrap();
    let by_tls = start(shared.options(store(&RedisServer::tls_url(port), trusted))).await;
    let by_socket = start(shared.options(store(&shared.redis.socket_url(), Tls::default()))).await;
    for (gateway, asked) in [(&by_tls, 1), (&by_socket, 0)] {
        assert_eq!(all(gateway).await, ratings([1, 2, 3]));
        assert_eq!(shared.reviews.asked().len(), asked);
    }
    let foreign = start(shared.options(store(&RedisServer::tls_url(port), Tls::default()))).await;
    assert_eq!(all(&foreign).await, ratings([1, 2, 3]));
    assert_eq!(store_requests(&foreign, "find", "ok").await, 0);
}

#[tokio::test]
async fn the_settings_of_the_manual_make_gateways_share() {
    let Some(shared) = Shared::new("public, max-age=60").await else { return };
    let manual = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let mut snippets = manual.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let snippet = snippets.find(|snippet| snippet.contains("redis:")).unwrap();
    let placed = snippet.replace("redis://cache.internal:6379", &shared.redis.url());
    assert_ne!(placed, snippet);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cache-secret"), SHARED_SECRET).unwrap();
    let file = folder.path().join("gateway.yaml");
    std::fs::write(&file, placed).unwrap();
    for asked in [1, 0] {
        let config = Config::load(&file).unwrap();
        let mut options = config.into_options(&file, shared.supergraph.clone()).unwrap();
        let store = options.cache.redis.as_mut().unwrap();
        (store.timeout, store.connect_timeout) = (PATIENCE, PATIENCE);
        options.telemetry.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
        let gateway = start(options).await;
        assert_eq!(all(&gateway).await, ratings([1, 2, 3]));
        assert_eq!(shared.reviews.asked().len(), asked);
    }
}

#[test]
fn what_is_wrong_with_the_settings_is_said_without_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    std::fs::write(folder.path().join("secret"), SHARED_SECRET).unwrap();
    for (redis, says) in [
        ("{ url: 'redis://u:planted@h', secret_fil: secret }", "did you mean `secret_file`?"),
        ("{ url: 'redis://u:planted@h' }", "secret"),
        ("{ url: 'http://u:planted@h', secret_file: secret }", "redis://"),
        ("{ url: 'redis://u:planted@h', url_file: secret, secret_file: secret }", "exactly one"),
        ("{ secret_file: secret }", "url"),
    ] {
        std::fs::write(&file, format!("cache: {{ redis: {redis} }}\n")).unwrap();
        let options = Config::load(&file).and_then(|config| config.into_options(&file, supergraph("", "")));
        let error = options.unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("planted"), "{redis}: {error}");
    }
}
