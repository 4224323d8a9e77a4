//! Reviews by those who bought, and invoices as files, on SQLite and PostgreSQL.

use std::sync::Arc;

use crate::support::{ADA, BEANS, BOB, Bench, SITI, benches, manager, message, user};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::TimeDelta;
use kopitiam_kafka::Topic;
use kopitiam_kafka::messages::review::ReviewPosted;
use kopitiam_kafka::messages::user::UserRegistered;
use kopitiam_kit::auth::{Verifier, Viewer};
use kopitiam_kit::testing::{TestTokens, auth_config};
use kopitiam_kit::time;
use kopitiam_order::invoices;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

const POST: &str = "mutation($in: ReviewInput!, $key: ID!) { postReview(input: $in, idempotencyKey: $key) {
    review { id rating body author { id } } userErrors { code field } } }";

async fn post(bench: &Bench, who: Uuid, input: Value, key: &str) -> Value {
    bench.ask(user(who), POST, json!({ "in": input, "key": key })).await["postReview"].clone()
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("{payload}"))
}

#[tokio::test]
async fn only_who_bought_reviews_and_only_once() {
    for bench in benches().await {
        let order = bench.place().await;
        let of_beans = |rating: i32| json!({ "orderId": order, "subject": "PRODUCT", "rating": rating, "body": " Good. " });
        assert_eq!(code(&post(&bench, BOB, of_beans(5), "1").await), "NOT_REVIEWABLE", "not paid yet");
        bench.confirm(order).await;
        for (who, input, expected) in [
            (ADA, of_beans(5), "NOT_A_BUYER"),
            (SITI, of_beans(5), "NOT_A_BUYER"),
            (BOB, of_beans(0), "INVALID_RATING"),
            (BOB, of_beans(6), "INVALID_RATING"),
            (BOB, json!({ "orderId": order, "subject": "BUYER", "rating": 5 }), "NOT_A_BUYER"),
            (BOB, json!({ "orderId": Uuid::nil(), "subject": "PRODUCT", "rating": 5 }), "NOT_A_BUYER"),
            (BOB, json!({ "subject": "PRODUCT", "rating": 5 }), "INVALID_INPUT"),
            (
                BOB,
                json!({ "orderId": order, "subject": "PRODUCT", "rating": 5, "body": "x".repeat(4_001) }),
                "TEXT_TOO_LONG",
            ),
        ] {
            let key = Uuid::now_v7().to_string();
            assert_eq!(code(&post(&bench, who, input.clone(), &key).await), expected, "{input}");
        }
        let posted = post(&bench, BOB, of_beans(4), "2").await;
        assert_eq!((&posted["review"]["rating"], &posted["review"]["body"]), (&json!(4), &json!("Good.")));
        assert_eq!(post(&bench, BOB, of_beans(4), "2").await, posted, "same key, same answer");
        assert_eq!(code(&post(&bench, BOB, of_beans(5), "3").await), "ALREADY_REVIEWED");
        let seller = json!({ "orderId": order, "subject": "SELLER", "rating": 5 });
        assert_eq!(
            post(&bench, BOB, seller, "4").await["userErrors"],
            json!([]),
            "the seller is another subject"
        );
        let buyer = json!({ "orderId": order, "subject": "BUYER", "rating": 3 });
        assert_eq!(
            post(&bench, SITI, buyer, "5").await["userErrors"],
            json!([]),
            "sellers review their buyers"
        );
    }
}

#[tokio::test]
async fn stars_are_counted_with_the_review_and_announced() {
    for bench in benches().await {
        for (rating, sum, count) in [(5, 5, 1), (2, 7, 2)] {
            let order = bench.place().await;
            bench.confirm(order).await;
            let input = json!({ "orderId": order, "subject": "PRODUCT", "rating": rating });
            post(&bench, BOB, input, &Uuid::now_v7().to_string()).await;
            let (event, posted) = bench.last::<ReviewPosted>().await;
            assert_eq!(event.aggregate_id, BEANS);
            assert_eq!((posted.rating_sum, posted.rating_count), (sum, count));
        }
        let told = [1, 2].map(|version| ("ReviewPosted".to_owned(), version));
        assert_eq!(bench.told(Topic::ReviewEvents, BEANS).await, told, "each once");
        let query = "query($ids: [_Any!]!) { _entities(representations: $ids) { ... on Product { rating { average count } } } }";
        let ids = json!({ "ids": [{ "__typename": "Product", "id": BEANS }] });
        let rated = bench.ask(Viewer::anonymous(), query, ids).await;
        assert_eq!(rated["_entities"][0]["rating"], json!({ "average": 3.5, "count": 2 }));
    }
}

/// Status, media type and bytes of an invoice's file.
async fn file(
    bench: &Bench,
    tokens: &TestTokens,
    path: &str,
    bearer: Option<&str>,
) -> (StatusCode, String, Vec<u8>) {
    let verifier = Arc::new(Verifier::new(auth_config(tokens)));
    let router = invoices::router(Arc::clone(&bench.shop), verifier);
    let mut request = Request::get(path);
    if let Some(token) = bearer {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let media = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, media.unwrap_or_default(), bytes.to_vec())
}

#[tokio::test]
async fn invoice_opens_by_its_link_or_for_who_may_see_the_order_and_nobody_else() {
    for bench in benches().await {
        let registered = UserRegistered {
            username: "bob".into(),
            email: "b@x.example".into(),
            full_name: None,
            roles: vec![],
        };
        bench.receive(&message(Uuid::nil(), BOB, 1, &registered)).await;
        let order = bench.place().await;
        bench.confirm(order).await;
        let query = "query($ids: [_Any!]!) { _entities(representations: $ids) { ... on Order { invoice { number pdfUrl } } } }";
        let ids = json!({ "ids": [{ "__typename": "Order", "id": order }] });
        let invoice = bench.ask(user(BOB), query, ids.clone()).await["_entities"][0]["invoice"].clone();
        let (number, link) = (invoice["number"].as_str().unwrap(), invoice["pdfUrl"].as_str().unwrap());
        let tokens = TestTokens::new();

        let (status, media, bytes) = file(&bench, &tokens, link, None).await;
        assert_eq!((status, media.as_str()), (StatusCode::OK, "application/pdf"));
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("%PDF-1.4") && text.ends_with("%%EOF\n"));
        for says in [format!("Invoice {number}"), "For bob".into(), "Beans".into(), "25.00".into()] {
            assert!(text.contains(&says), "{says}");
        }

        let bare = format!("/invoices/{number}.pdf");
        let bob = tokens.issue(BOB, &["USER"], "");
        assert_eq!(file(&bench, &tokens, &bare, Some(&bob)).await.0, StatusCode::OK);
        let reader = tokens.issue(ADA, &["USER", "MANAGER"], "orders:read:any");
        assert_eq!(file(&bench, &tokens, &bare, Some(&reader)).await.0, StatusCode::OK);
        let stranger = tokens.issue(ADA, &["USER"], "");
        let forged = format!("{bare}?token={}", TestTokens::new().issue(BOB, &["USER"], ""));
        let other = bench.shop.links.address(bench.db.db(), "INV-2026-999999", time::now()).await.unwrap();
        let other = format!("{bare}?{}", other.split_once('?').unwrap().1);
        let old = time::now() - TimeDelta::minutes(16);
        let old = bench.shop.links.address(bench.db.db(), number, old).await.unwrap();
        for (path, bearer) in [
            (bare.as_str(), None),
            (bare.as_str(), Some(stranger.as_str())),
            (bare.as_str(), Some("nonsense")),
            (forged.as_str(), None),
            (other.as_str(), None),
            (old.as_str(), None),
            ("/invoices/INV-2026-999999.pdf", Some(reader.as_str())),
            ("/invoices/..%2f..%2fetc%2fpasswd", Some(reader.as_str())),
        ] {
            assert_eq!(file(&bench, &tokens, path, bearer).await.0, StatusCode::NOT_FOUND, "{path}");
        }
        // A seller sees the order's lines but neither invoice nor link.
        let sold = bench.ask(user(SITI), query, ids.clone()).await;
        assert_eq!(sold["_entities"][0]["invoice"], Value::Null);
        assert!(bench.ask(manager(), query, ids).await["_entities"][0]["invoice"]["pdfUrl"].is_string());
    }
}
