//! Access tokens: who is let in, and that nobody else is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::tokens::{claims, encode, fresh_key, good_token, issuer, key_set, now, sign};
use crate::common::{Gateway, body, in_process, refusal, start, subgraphs};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::StatusCode;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use kopitiam_server::{ClientAddress, JwtAlgorithm, KeySource};
use serde_json::{Value, json};

async fn gateway_with_key() -> Gateway {
    let mut options = in_process();
    options.jwt = vec![issuer(KeySource::Static(key_set(&[7])))];
    start(options).await
}

const SEEN: &str = r#"{ header(name: "authorization") }"#;

#[tokio::test]
async fn a_good_token_is_let_in_and_reaches_the_subgraph() {
    let gateway = gateway_with_key().await;
    let token = good_token(7);
    let answer = body(gateway.query(SEEN).bearer_auth(&token)).await;
    assert_eq!(answer["data"]["header"], format!("Bearer {token}"));
}

#[tokio::test]
async fn without_a_token_a_client_is_anonymous() {
    let gateway = gateway_with_key().await;
    assert_eq!(gateway.data(SEEN).await["header"], Value::Null);
}

#[tokio::test]
async fn identity_headers_of_a_client_never_reach_a_subgraph() {
    let gateway = start(in_process()).await;
    for name in ["x-user-id", "x-roles", "authorization", "cookie", "x-forwarded-user"] {
        let query = format!(r#"{{ header(name: "{name}") }}"#);
        let answer = body(gateway.query(&query).header(name, "forged")).await;
        assert_eq!(answer["data"]["header"], Value::Null, "{name}");
    }
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = body(gateway.query(r#"{ header(name: "traceparent") }"#).header("traceparent", trace)).await;
    assert_eq!(answer["data"]["header"], trace);
}

#[tokio::test]
async fn subgraphs_are_told_the_true_address_of_a_client_when_asked_for() {
    let name: http::HeaderName = "x-client-address".parse().unwrap();
    let query = r#"{ header(name: "x-client-address") }"#;
    let asked = async |trusted: &[&str]| {
        let mut options = in_process();
        options.headers.all = vec![kopitiam_server::HeaderRule::forward(name.clone())];
        let trusted_proxies = trusted.iter().map(|address| address.parse().unwrap()).collect();
        options.client_address = Some(ClientAddress { header: name.clone(), trusted_proxies });
        let gateway = start(options).await;
        let request = gateway.query(query).header(&name, "203.0.113.1");
        body(request.header("x-forwarded-for", "203.0.113.2, 203.0.113.3")).await["data"]["header"].clone()
    };
    assert_eq!(asked(&[]).await, "127.0.0.1");
    assert_eq!(asked(&["127.0.0.1"]).await, "203.0.113.3");
}

#[tokio::test]
async fn a_forged_or_stale_token_is_refused_with_401() {
    let gateway = gateway_with_key().await;
    let header = json!({ "alg": "EdDSA", "kid": "7" });
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        sign(&header, &claims.to_string(), 7)
    };
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        sign(&header, &claims.to_string(), 7)
    };
    let good = good_token(7);
    let (message, _) = good.rsplit_once('.').unwrap();
    let public_key: Value = serde_json::from_str(&key_set(&[7])).unwrap();
    let hmac_message =
        format!("{}.{}", encode(br#"{"alg":"HS256","kid":"7"}"#), encode(claims().to_string().as_bytes()));
    let hmac_key = EncodingKey::from_base64_secret(
        &(public_key["keys"][0]["x"].as_str().unwrap().replace('-', "+").replace('_', "/") + "="),
    )
    .unwrap();
    let hmac = jsonwebtoken::crypto::sign(hmac_message.as_bytes(), &hmac_key, Algorithm::HS256).unwrap();
    let doubled = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    for (what, token) in [
        ("signature stripped", format!("{message}.")),
        ("other key, our kid", sign(&header, &claims().to_string(), 8)),
        ("unknown kid", sign(&json!({ "alg": "EdDSA", "kid": "../../dev/null" }), &claims().to_string(), 7)),
        (
            "alg none",
            format!(
                "{}.{}.",
                encode(br#"{"alg":"none","kid":"7"}"#),
                encode(claims().to_string().as_bytes())
            ),
        ),
        ("public key as HMAC secret", format!("{hmac_message}.{hmac}")),
        ("other algorithm named", sign(&json!({ "alg": "ES256", "kid": "7" }), &claims().to_string(), 7)),
        ("key in the header", {
            let foreign: Value = serde_json::from_str(&key_set(&[8])).unwrap();
            sign(&json!({ "alg": "EdDSA", "kid": "8", "jwk": foreign["keys"][0] }), &claims().to_string(), 8)
        }),
        (
            "key set in the header",
            sign(&json!({ "alg": "EdDSA", "kid": "8", "jku": "http://x/" }), &claims().to_string(), 8),
        ),
        (
            "critical extension",
            sign(&json!({ "alg": "EdDSA", "kid": "7", "crit": ["b64"] }), &claims().to_string(), 7),
        ),
        ("expired", with("exp", json!(now() - 61))),
        ("not yet valid", with("nbf", json!(now() + 120))),
        ("other issuer", with("iss", json!("kopitiam "))),
        ("other audience", with("aud", json!(["a", "b"]))),
        ("no exp", without("exp")),
        ("no iss", without("iss")),
        ("no aud", without("aud")),
        ("exp of another type", with("exp", json!("9999999999"))),
        ("a claim twice", sign(&header, &doubled, 7)),
        ("8 kB", with("padding", json!("x".repeat(6000)))),
        ("not a token", "x".to_owned()),
    ] {
        let answer = refusal(gateway.query("{__typename}").bearer_auth(&token)).await;
        assert_eq!(answer, (401, "INVALID_TOKEN".to_owned()), "{what}");
    }
}

#[tokio::test]
async fn a_key_is_used_only_with_the_algorithm_that_is_configured_for_it() {
    for (algorithm, configured) in
        [(Algorithm::ES256, JwtAlgorithm::ES256), (Algorithm::RS256, JwtAlgorithm::RS256)]
    {
        let key = fresh_key(algorithm);
        let mut jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
        jwk.common.key_id = Some("other".to_owned());
        let mut keys: Value = serde_json::from_str(&key_set(&[7])).unwrap();
        keys["keys"].as_array_mut().unwrap().push(serde_json::to_value(jwk).unwrap());
        let mut header = jsonwebtoken::Header::new(algorithm);
        header.kid = Some("other".to_owned());
        let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();

        for (algorithms, status) in
            [(vec![configured, JwtAlgorithm::EdDSA], 200), (vec![JwtAlgorithm::EdDSA], 401)]
        {
            let mut issuer = issuer(KeySource::Static(keys.to_string()));
            issuer.algorithms = algorithms;
            let mut options = in_process();
            options.jwt = vec![issuer];
            let gateway = start(options).await;
            let answer = gateway.query("{__typename}").bearer_auth(&token).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway() {
    let gateway = gateway_with_key().await;
    let mut claims = claims();
    claims["exp"] = json!(now() - 30);
    claims["nbf"] = json!(now() + 30);
    let token = sign(&json!({ "alg": "EdDSA", "kid": "7" }), &claims.to_string(), 7);
    let answer = body(gateway.query("{__typename}").bearer_auth(token)).await;
    assert_eq!(answer["data"]["__typename"], "Query");
}

#[tokio::test]
async fn another_scheme_or_two_headers_are_refused() {
    let gateway = gateway_with_key().await;
    let basic = gateway.query("{__typename}").basic_auth("a", Some("b"));
    assert_eq!(refusal(basic).await, (401, "UNAUTHENTICATED".to_owned()));
    let two = gateway.query("{__typename}").bearer_auth(good_token(7)).bearer_auth(good_token(7));
    assert_eq!(refusal(two).await, (401, "UNAUTHENTICATED".to_owned()));
    let response = gateway.query("{__typename}").bearer_auth("x").send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
}

/// A key server that counts; its set has the keys 7 and, from the second fetch on, 8.
async fn key_server() -> (String, Arc<AtomicUsize>) {
    let fetches = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&fetches);
    let router = Router::new().route(
        "/graphql",
        get(move || async move {
            let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
            key_set(if first { &[7] } else { &[7, 8] })
        }),
    );
    (subgraphs::listen(router).await, fetches)
}

#[tokio::test]
async fn a_flood_of_unknown_keys_fetches_the_key_set_once() {
    let (url, fetches) = key_server().await;
    let mut options = in_process();
    options.jwt = vec![issuer(KeySource::Url(url))];
    let gateway = start(options).await;
    let good = gateway.query("{__typename}").bearer_auth(good_token(7)).send().await.unwrap();
    assert_eq!(good.status(), 200);
    for _ in 0..20 {
        let token = sign(&json!({ "alg": "EdDSA", "kid": "99" }), &claims().to_string(), 7);
        assert_eq!(refusal(gateway.query("{__typename}").bearer_auth(token)).await.0, 401);
    }
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn known_keys_serve_over_a_change_of_settings_while_their_server_is_down() {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    let answer = move || async move {
        if down.load(Ordering::SeqCst) { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok(key_set(&[7])) }
    };
    let url = subgraphs::listen(Router::new().route("/graphql", get(answer))).await;
    let with_keys = |url: String| {
        let mut options = in_process();
        options.jwt = vec![issuer(KeySource::Url(url))];
        options
    };
    let gateway = start(with_keys(url.clone())).await;
    let status = async || {
        gateway.query("{__typename}").bearer_auth(good_token(7)).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status().await, 200);
    is_down.store(true, Ordering::SeqCst);
    gateway.schema.reconfigure(with_keys(url.clone())).await.unwrap();
    assert_eq!(status().await, 200);
    gateway.schema.reconfigure(with_keys(format!("{url}?other"))).await.unwrap();
    assert_eq!(status().await, 503, "keys from elsewhere are not taken");
}

#[tokio::test]
async fn a_key_set_that_never_comes_or_never_ends_is_none_in_bounded_time_and_memory() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let endless = Router::new().fallback(move || {
        let counted = Arc::clone(&counted);
        let chunks = futures::stream::repeat_with(move || {
            counted.fetch_add(1 << 16, Ordering::SeqCst);
            Ok::<_, std::convert::Infallible>(vec![b' '; 1 << 16])
        });
        async { Body::from_stream(chunks) }
    });
    let silent = Router::new().fallback(std::future::pending::<String>);
    let ask = async |server: Router| {
        let mut options = in_process();
        options.jwt = vec![issuer(KeySource::Url(subgraphs::listen(server).await))];
        let gateway = start(options).await;
        let answer = refusal(gateway.query("{__typename}").bearer_auth(good_token(7))).await;
        assert_eq!(answer, (503, "KEYS_UNAVAILABLE".to_owned()));
    };
    futures::join!(ask(endless), ask(silent));
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 16 << 20, "no more was read than the connection holds beyond the bound: {sent} bytes");
}

#[tokio::test]
async fn without_a_key_set_the_fault_is_not_the_clients() {
    let mut options = in_process();
    options.jwt = vec![issuer(KeySource::Url("http://127.0.0.1:1/".to_owned()))];
    let gateway = start(options).await;
    let answer = refusal(gateway.query("{__typename}").bearer_auth(good_token(7))).await;
    assert_eq!(answer, (503, "KEYS_UNAVAILABLE".to_owned()));
    assert_eq!(gateway.data("{__typename}").await["__typename"], "Query");
}
