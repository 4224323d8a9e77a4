//! The service over HTTP: tokens, and forged ones.

use std::sync::Arc;

use crate::common::{Shop, seeded};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use kopitiam_kit::auth::Verifier;
use kopitiam_kit::testing::{TestTokens, auth_config, sqlite};
use kopitiam_product::app::{self, Migrator};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

async fn adjust(router: &Router, token: &str, key: &str) -> (StatusCode, Value) {
    let query = "mutation($id: ID!, $k: ID!) { adjustStock(productId: $id, delta: 5, reason: \"Delivery\", idempotencyKey: $k) {
        product { availability { available } } userErrors { code } } }";
    let body = json!({ "query": query, "variables": { "id": seeded(3, 2), "k": key } }).to_string();
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(body))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn only_a_signed_token_with_the_scope_writes() {
    let shop = Shop::new(sqlite::<Migrator>().await).await;
    let tokens = TestTokens::new();
    let verifier = Arc::new(Verifier::new(auth_config(&tokens)));
    let router = app::router(shop.commands.clone(), verifier, CancellationToken::new());
    let forged = TestTokens::new().issue(seeded(1, 1), &["MANAGER"], "stock:write");
    let (status, answer) = adjust(&router, &forged, "k1").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let weak = tokens.issue(seeded(1, 3), &["USER"], "self");
    let (_, answer) = adjust(&router, &weak, "k2").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(shop.stock(seeded(3, 2)).await.on_hand, 30);
    let good = tokens.issue(seeded(1, 1), &["MANAGER"], "stock:write");
    let (status, answer) = adjust(&router, &good, "k3").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["data"]["adjustStock"]["product"]["availability"]["available"], 35, "{answer}");
}
