//! Seed data: there after the first run, untouched by the second.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{manager, shops};
use kopitiam_kit::time;
use kopitiam_user::seed::{self, PASSWORD};
use serde_json::json;

#[tokio::test]
async fn seeding_twice_is_seeding_once() {
    const LIST: &str =
        "{ users(first: 20) { totalCount edges { node { id username version seller { handle verified }
        wallet { available { amount } } } } } }";
    for shop in shops().await {
        seed::seed(shop.db.db(), time::now()).await.unwrap();
        let first = shop.ask(&manager(), LIST, json!({})).await;
        assert_eq!(first["data"]["users"]["totalCount"], 8, "{first}");
        seed::seed(shop.db.db(), time::now()).await.unwrap();
        assert_eq!(shop.ask(&manager(), LIST, json!({})).await, first);
        let buyer = shop.commands.login("buyer@kopitiam.example", PASSWORD, None).await.unwrap();
        assert_eq!(buyer.user.id.to_string(), "01900000-0000-7000-8000-000000010003");
        let admin = shop.commands.login("admin@kopitiam.example", PASSWORD, None).await.unwrap();
        assert!(admin.user.roles.scope().contains("users:roles"));
        shop.assert_books_close().await;
    }
}
