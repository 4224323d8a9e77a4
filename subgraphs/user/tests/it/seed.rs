//! Seed data: there after the first run, untouched by the second.

use crate::common::{manager, shops, viewer};
use kopitiam_kit::time;
use kopitiam_user::seed::{self, PASSWORD};
use serde_json::json;

#[tokio::test]
async fn seeding_twice_is_seeding_once() {
    const LIST: &str =
        "{ users(first: 100) { totalCount edges { node { id username version seller { handle verified }
        wallet { available { amount } } } } } }";
    for shop in shops().await {
        seed::seed(shop.db.db(), time::now()).await.unwrap();
        let first = shop.ask(&manager(), LIST, json!({})).await;
        assert_eq!(first["data"]["users"]["totalCount"], 44, "{first}");
        let people = first["data"]["users"]["edges"].as_array().unwrap();
        let sellers = people.iter().filter(|edge| edge["node"]["seller"]["verified"] == true).count();
        assert_eq!(sellers, 20);
        seed::seed(shop.db.db(), time::now()).await.unwrap();
        assert_eq!(shop.ask(&manager(), LIST, json!({})).await, first);
        let buyer = shop.commands.login("buyer@kopitiam.example", PASSWORD, None).await.unwrap();
        assert_eq!(buyer.user.id.to_string(), "01900000-0000-7000-8000-000000010003");
        let me =
            shop.ask(&viewer(&buyer), "{ me { notifications(first: 1) { unreadCount } } }", json!({})).await;
        assert_eq!(me["data"]["me"]["notifications"]["unreadCount"], 1);
        let admin = shop.commands.login("admin@kopitiam.example", PASSWORD, None).await.unwrap();
        assert!(admin.user.roles.scope().contains("users:roles"));
        shop.assert_books_close().await;
    }
}

#[tokio::test]
async fn a_person_who_took_a_seeded_name_first_keeps_it() {
    for shop in shops().await {
        shop.register("amir").await;
        seed::seed(shop.db.db(), time::now()).await.unwrap();
        assert_eq!(kopitiam_user::store::users::count(shop.db.read(), None).await.unwrap(), 44);
        seed::seed(shop.db.db(), time::now()).await.unwrap();
    }
}
