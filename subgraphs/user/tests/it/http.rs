//! The service over HTTP: its key set, its tokens, and forged ones.

use std::sync::Arc;

use crate::common::{PASSWORD, Shop};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use http_body_util::BodyExt;
use jsonwebtoken::jwk::JwkSet;
use kopitiam_kit::auth::Verifier;
use kopitiam_kit::config::{AuthConfig, JwksSource};
use kopitiam_kit::signing::SigningKeys;
use kopitiam_kit::testing::{TestTokens, eventually, sqlite};
use kopitiam_kit::{SystemError, time};
use kopitiam_user::app::{self, Migrator};
use kopitiam_user::domain::account::Role;
use kopitiam_user::security::tokens::Signer;
use kopitiam_user::security::{key_ring, limits};
use kopitiam_user::store::attempts;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

async fn router() -> (Shop, Router) {
    let shop = Shop::new(sqlite::<Migrator>().await).await;
    let auth = AuthConfig {
        jwks: JwksSource::Live(shop.commands.signer.live_keys()),
        ..auth(JwkSet { keys: Vec::new() })
    };
    let verifier = Verifier::new(auth).with_denylist(shop.commands.denylist.clone());
    let router = app::router(shop.commands.clone(), Arc::new(verifier), CancellationToken::new());
    (shop, router)
}

fn auth(keys: JwkSet) -> AuthConfig {
    AuthConfig {
        jwks: JwksSource::Static(keys),
        issuer: "kopitiam".into(),
        audience: "kopitiam".into(),
        gateway: SigningKeys::default(),
    }
}

async fn send(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn me(router: &Router, token: &str) -> (StatusCode, Value) {
    let body = json!({ "query": "{ me { username email } }" }).to_string();
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(body))
        .unwrap();
    send(router, request).await
}

#[tokio::test]
async fn a_token_of_ours_is_verified_by_anyone_with_the_published_keys() {
    let (shop, router) = router().await;
    let bob = shop.register("bob").await;
    let request = Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap();
    let (status, keys) = send(&router, request).await;
    assert_eq!(status, StatusCode::OK);
    assert!(keys["keys"][0]["d"].is_null(), "the private half is never published: {keys}");
    let verifier = Verifier::new(auth(serde_json::from_value(keys).unwrap()));
    let identity = verifier.verify(&bob.access_token).await.unwrap();
    assert_eq!(identity.user_id, bob.user.id);
    assert_eq!((identity.roles, identity.scopes), (vec!["USER".to_owned()], vec!["self".to_owned()]));
    let claims = bob.access_token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: serde_json::Map<String, Value> = serde_json::from_slice(&claims).unwrap();
    let names: Vec<&str> = claims.keys().map(String::as_str).collect();
    let expected = ["sub", "roles", "scope", "sid", "ver", "iss", "aud", "iat", "exp"];
    assert_eq!(names, expected, "neither balance nor address, which would be stale");
    let (status, answer) = me(&router, &bob.access_token).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["data"]["me"], json!({ "username": "bob", "email": "bob@shop.example" }));
}

#[tokio::test]
async fn a_forged_token_is_refused_before_anything_runs() {
    let (shop, router) = router().await;
    let bob = shop.register("bob").await;
    let forged = TestTokens::new().issue(bob.user.id, &["ADMIN"], "users:roles");
    let (head, rest) = bob.access_token.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let flipped = signature.replacen(&signature[..1], if &signature[..1] == "A" { "B" } else { "A" }, 1);
    for token in
        [forged.as_str(), "", "x.y.z", &format!("{head}.{claims}."), &format!("{head}.{claims}.{flipped}")]
    {
        let (status, answer) = me(&router, token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{token}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn a_change_of_roles_or_password_ends_the_access_tokens_issued_before_it() {
    let (shop, router) = router().await;
    let first = shop.register("bob").await;
    let other = shop.register("amy").await;
    let admin = Uuid::now_v7();
    shop.commands.set_roles(admin, first.user.id, vec![Role::User, Role::Manager]).await.unwrap();
    assert_eq!(me(&router, &first.access_token).await.0, StatusCode::UNAUTHORIZED, "it has the old roles");
    let second = shop.commands.refresh(&first.refresh_token, None).await.unwrap();
    assert_eq!(me(&router, &second.access_token).await.0, StatusCode::OK, "issued within the same second");

    let body = json!({ "query": "mutation($input: ProfileInput!) { updateProfile(input: $input) { userErrors { code } } }",
        "variables": { "input": { "newPassword": "teh tarik, less sweet", "currentPassword": PASSWORD, "expectedVersion": second.user.version } } });
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", second.access_token))
        .body(Body::from(body.to_string()))
        .unwrap();
    let (status, answer) = send(&router, request).await;
    assert_eq!(
        (status, &answer["data"]["updateProfile"]["userErrors"]),
        (StatusCode::OK, &json!([])),
        "{answer}"
    );
    assert_eq!(me(&router, &second.access_token).await.0, StatusCode::UNAUTHORIZED);
    let third = shop.commands.login("bob@shop.example", "teh tarik, less sweet", None).await.unwrap();
    assert_eq!(me(&router, &third.access_token).await.0, StatusCode::OK);
    assert_eq!(me(&router, &other.access_token).await.0, StatusCode::OK, "others keep theirs");
}

/// An open stream of server-sent events.
async fn listen(router: &Router, token: &str, query: &str) -> Body {
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(json!({ "query": query }).to_string()))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{query}");
    response.into_body()
}

async fn ended(mut stream: Body) {
    let ended = async { while stream.frame().await.is_some() {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.expect("the stream ends");
}

#[tokio::test]
async fn live_wallets_and_notifications_end_with_the_right_to_see_them() {
    let (shop, router) = router().await;
    let tokens = TestTokens::new();
    let verifier = Verifier::new(auth(tokens.jwks()));
    let elsewhere = app::router(shop.commands.clone(), Arc::new(verifier), CancellationToken::new());
    let admin = Uuid::now_v7();
    for (at, query) in ["subscription { walletChanged { id } }", "subscription { notificationAdded { id } }"]
        .iter()
        .enumerate()
    {
        let banned = shop.register(&format!("bob{at}")).await;
        let stream = listen(&router, &banned.access_token, query).await;
        shop.commands.ban(admin, banned.user.id, "Shill bids").await.unwrap();
        ended(stream).await;

        let changed = shop.register(&format!("amy{at}")).await;
        let stream = listen(&router, &changed.access_token, query).await;
        shop.commands.set_roles(admin, changed.user.id, vec![Role::User, Role::Manager]).await.unwrap();
        ended(stream).await;

        let now = time::now().timestamp();
        let short = tokens
            .sign(&json!({ "sub": changed.user.id, "roles": ["USER"], "scope": "self", "iss": "kopitiam",
            "aud": "kopitiam", "iat": now, "exp": now + 1 }));
        ended(listen(&elsewhere, &short, query).await).await;
    }
}

#[tokio::test]
async fn keys_outlive_a_restart() {
    let (shop, _) = router().await;
    shop.register("bob").await;
    let keys = (*shop.commands.signer.public_keys()).clone();
    let again = Shop::new(shop.db).await;
    assert_eq!(*again.commands.signer.public_keys(), keys);
    let bob = again.commands.login("bob@shop.example", PASSWORD, None).await.unwrap();
    assert!(Verifier::new(auth(keys)).verify(&bob.access_token).await.is_ok());
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

#[tokio::test]
async fn signing_keys_are_replaced_while_the_service_runs_and_no_token_dies_of_it() {
    let (shop, router) = router().await;
    let bob = shop.register("bob").await;
    let replica = shop.beside().await;
    let old = kid(&bob.access_token);
    let due = time::now() + key_ring::KEY_LIFE;
    let sign = |signer: &Signer, at| signer.sign(&bob.user, Uuid::now_v7(), at).unwrap().token;
    let published = || async {
        let request = Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap();
        send(&router, request).await.1["keys"].as_array().unwrap().len()
    };
    assert_eq!(published().await, 1);
    app::rotate_keys(&shop.commands, due).await.unwrap();
    app::rotate_keys(&replica, due).await.unwrap();
    assert_eq!(published().await, 2);
    assert_eq!(kid(&sign(&shop.commands.signer, due)), old, "not before everyone could hear of the new one");
    let later = due + key_ring::PUBLISHED_AHEAD;
    let new = sign(&shop.commands.signer, later);
    assert_ne!(kid(&new), old);
    assert_eq!(kid(&sign(&replica.signer, later)), kid(&new), "replicas sign with the same");
    for token in [&bob.access_token, &new] {
        assert_eq!(me(&router, token).await.0, StatusCode::OK);
    }
    app::rotate_keys(&shop.commands, later + chrono::Duration::minutes(17)).await.unwrap();
    assert_eq!(published().await, 1, "the last token of the old key has ended");
}

#[tokio::test]
async fn a_ban_refuses_the_next_request_and_ends_open_streams() {
    let (shop, router) = router().await;
    let bob = shop.register("bob").await;
    assert_eq!(me(&router, &bob.access_token).await.0, StatusCode::OK);
    let body = json!({ "query": "subscription { walletChanged { available { amount } } }" }).to_string();
    let subscribe = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .header("authorization", format!("Bearer {}", bob.access_token))
        .body(Body::from(body))
        .unwrap();
    let mut stream = router.clone().oneshot(subscribe).await.unwrap().into_body();
    let patience = std::time::Duration::from_secs(10);
    tokio::time::timeout(patience, stream.frame()).await.unwrap().unwrap().unwrap();
    shop.commands.ban(Uuid::now_v7(), bob.user.id, "Shill bids").await.unwrap();
    assert_eq!(me(&router, &bob.access_token).await.0, StatusCode::UNAUTHORIZED);
    let ended = async { while let Some(Ok(_)) = stream.frame().await {} };
    tokio::time::timeout(patience, ended).await.expect("the stream of a banned person ends");
    shop.commands.unban(Uuid::now_v7(), bob.user.id).await.unwrap();
    assert_eq!(me(&router, &bob.access_token).await.0, StatusCode::UNAUTHORIZED, "it was issued before");
    eventually("a new token", || async {
        let bob = shop.commands.login("bob@shop.example", PASSWORD, None).await.unwrap();
        (me(&router, &bob.access_token).await.0 == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn log_ins_are_bounded_for_the_address_that_the_gateway_names() {
    let (shop, router) = router().await;
    shop.register("bob").await;
    let limit = limits::log_in_from("192.0.2.7".parse().unwrap());
    let wear_out = |tx| {
        let limit = limit.clone();
        async move {
            for _ in 0..limit.max {
                attempts::take(&tx, &limit, time::now()).await?;
            }
            Ok::<_, SystemError>(())
        }
    };
    shop.db.transaction(wear_out).await.unwrap();
    let log_in = |address: &'static str| {
        let query = "mutation($p: String!) { login(input: { email: \"bob@shop.example\", password: $p }) { userErrors { code } } }";
        let body = json!({ "query": query, "variables": { "p": PASSWORD } }).to_string();
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("x-client-address", address)
            .body(Body::from(body))
            .unwrap();
        async { send(&router, request).await.1["data"]["login"]["userErrors"].clone() }
    };
    assert_eq!(log_in("192.0.2.7").await[0]["code"], "TOO_MANY_ATTEMPTS");
    assert_eq!(log_in("192.0.2.8").await, json!([]));
}

#[tokio::test]
async fn each_service_gets_tokens_with_its_own_scopes_for_its_own_secret() {
    let (shop, router) = router().await;
    let secret = shop.commands.issue_service_secret("order").await.unwrap();
    assert!(shop.commands.issue_service_secret("bob").await.is_err());
    let ask = |name: &str, secret: &str, grant: &'static str| {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{secret}"));
        let request = Request::post("/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", format!("Basic {basic}"))
            .body(Body::from(grant))
            .unwrap();
        async { send(&router, request).await }
    };
    let grant = "grant_type=client_credentials";
    let (status, granted) = ask("order", &secret, grant).await;
    assert_eq!(status, StatusCode::OK);
    assert!(granted["expires_in"].as_i64().unwrap() <= 300);
    let token = granted["access_token"].as_str().unwrap();
    let verifier = Verifier::new(auth((*shop.commands.signer.public_keys()).clone()));
    let identity = verifier.verify(token).await.unwrap();
    assert_eq!(identity.roles, ["SERVICE"]);
    assert!(
        identity.scopes.contains(&"wallet:hold".to_owned())
            && !identity.scopes.contains(&"users:read".to_owned())
    );
    let (_, nobody) = me(&router, token).await;
    assert_eq!(nobody["data"]["me"], Value::Null, "a program is no person");
    for (name, secret, grant, status, code) in [
        ("listing", secret.as_str(), grant, StatusCode::UNAUTHORIZED, "invalid_client"),
        ("order", "guess", grant, StatusCode::UNAUTHORIZED, "invalid_client"),
        ("order", secret.as_str(), "grant_type=password", StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        ("order", secret.as_str(), "", StatusCode::BAD_REQUEST, "invalid_request"),
    ] {
        let (found, body) = ask(name, secret, grant).await;
        assert_eq!((found, &body["error"]), (status, &json!(code)));
    }
    let newer = shop.commands.issue_service_secret("order").await.unwrap();
    assert_eq!(ask("order", &secret, grant).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask("order", &newer, grant).await.0, StatusCode::OK);
    shop.commands.disable_service("order").await.unwrap();
    assert_eq!(ask("order", &newer, grant).await.0, StatusCode::UNAUTHORIZED);
    for _ in 0..20 {
        ask("order", "guess", grant).await;
    }
    assert_eq!(ask("order", &newer, grant).await.0, StatusCode::TOO_MANY_REQUESTS);
}
