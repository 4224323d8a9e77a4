//! However many rows a request asks for, each kind is read by one query.

use std::sync::Arc;

use crate::common::{Shop, manager, viewer};
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::{queries, sqlite};
use kopitiam_kit::time;
use kopitiam_user::app::Migrator;
use kopitiam_user::payments::Stripe;
use kopitiam_user::payments::simulator::Simulator;
use serde_json::{Value, json};

async fn seeded() -> Shop {
    let shop = Shop::new(sqlite::<Migrator>().await).await;
    kopitiam_user::seed::seed(shop.db.db(), time::now()).await.unwrap();
    shop
}

#[tokio::test]
async fn a_batch_of_representations_is_one_query_per_kind() {
    let shop = seeded().await;
    let ids = shop.ask(&manager(), "{ users(first: 8) { edges { node { id } } } }", json!({})).await;
    let edges = ids["data"]["users"]["edges"].as_array().unwrap();
    let of = |kind: &'static str| {
        edges.iter().map(move |edge| json!({ "__typename": kind, "id": edge["node"]["id"] }))
    };
    let representations: Vec<Value> = of("User").chain(of("Seller")).collect();
    assert_eq!(representations.len(), 16);
    let query = "query($r: [_Any!]!) { _entities(representations: $r) {
        ... on User { username seller { handle } wallet { available { amount } } } ... on Seller { displayName } } }";
    let (found, statements) = queries(shop.ask(&manager(), query, json!({ "r": representations }))).await;
    assert!(found["data"]["_entities"][2]["wallet"]["available"]["amount"].is_string(), "{found}");
    // Stalls are asked for as entities and below the users: by one query when the users are there before the first has
    // left, by two otherwise.
    assert!((3..=4).contains(&statements), "users, stalls (perhaps twice), wallets: {statements}");
}

#[tokio::test]
async fn statements_and_notifications_of_many_people_are_one_query_each() {
    let shop = seeded().await;
    let query = "{ users(first: 30) { totalCount edges { node { username
        wallet { entries(first: 2) { edges { node { kind amount { amount } } } } }
        notifications(first: 2) { unreadCount edges { node { kind } } } } } } }";
    let (found, statements) = queries(shop.ask(&manager(), query, json!({}))).await;
    let edges = found["data"]["users"]["edges"].as_array().unwrap_or_else(|| panic!("{found}"));
    assert_eq!(edges.len(), 30);
    for edge in edges {
        assert_eq!(edge["node"]["wallet"]["entries"]["edges"][0]["node"]["kind"], "GRANT", "{edge}");
        assert_eq!(edge["node"]["notifications"]["unreadCount"], 1, "{edge}");
        assert_eq!(edge["node"]["notifications"]["edges"][0]["node"]["kind"], "CREDIT_GRANTED", "{edge}");
    }
    assert_eq!(statements, 6, "users, their number, wallets, statements, notifications, unread");
}

/// What no operation of the whole shop can do, as its letters and its provider are outside.
#[tokio::test]
async fn what_needs_a_letter_or_a_provider_costs_exactly_these_statements() {
    let mut shop = Shop::new(sqlite::<Migrator>().await).await;
    let simulator = Simulator::start(false).await.unwrap();
    shop.pay_by(Arc::new(Stripe::new(simulator.settings()).unwrap()));
    let bob = shop.register("bob").await;
    let (bob, nobody) = (viewer(&bob), Viewer::anonymous());
    let letter = shop.token("bob@shop.example", "Confirm").await;
    let ask = async |who: &Viewer, mutation: String| {
        let query = format!("mutation {{ done: {mutation} {{ userErrors {{ code }} }} }}");
        let (answer, statements) = queries(shop.ask(who, &query, json!({}))).await;
        assert_eq!(answer["data"]["done"]["userErrors"], json!([]), "{query}: {answer}");
        statements
    };
    let verify = ask(&nobody, format!("verifyEmail(token: \"{letter}\")")).await;
    ask(&nobody, "requestPasswordReset(email: \"bob@shop.example\")".to_owned()).await;
    let letter = shop.token("bob@shop.example", "password").await;
    let reset = format!("resetPassword(token: \"{letter}\", newPassword: \"a-whole-new-password\")");
    let reset = ask(&nobody, reset).await;
    let top_up =
        ask(&bob, "startTopUp(amount: \"5.00\", currency: \"USD\", idempotencyKey: \"1\")".to_owned()).await;
    assert_eq!((verify, reset, top_up), (7, 14, 7));
}
