//! The service over HTTP: its key set, its tokens, and forged ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use common::{PASSWORD, Shop};
use http_body_util::BodyExt;
use jsonwebtoken::jwk::JwkSet;
use kopitiam_kit::auth::Verifier;
use kopitiam_kit::config::{AuthConfig, JwksSource};
use kopitiam_kit::testing::{TestTokens, sqlite};
use kopitiam_user::app::{self, Migrator};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

async fn router() -> (Shop, Router) {
    let shop = Shop::new(sqlite::<Migrator>().await).await;
    let auth = auth(shop.commands.signer.public_keys().clone());
    let router = app::router(shop.commands.clone(), Arc::new(Verifier::new(auth)), CancellationToken::new());
    (shop, router)
}

fn auth(keys: JwkSet) -> AuthConfig {
    AuthConfig { jwks: JwksSource::Static(keys), issuer: "kopitiam".into(), audience: "kopitiam".into() }
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
async fn keys_outlive_a_restart() {
    let (shop, _) = router().await;
    shop.register("bob").await;
    let keys = shop.commands.signer.public_keys().clone();
    let again = Shop::new(shop.db).await;
    assert_eq!(again.commands.signer.public_keys(), &keys);
    let bob = again.commands.login("bob@shop.example", PASSWORD, None).await.unwrap();
    assert!(Verifier::new(auth(keys)).verify(&bob.access_token).await.is_ok());
}
