//! The whole marketplace as a user meets it: the real binary, spoken to through the gateway over HTTP.
//!
//! Elsewhere: sagas at every step (`sagas.rs`), the browser (`web/e2e`).

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::support::{Marketplace, WAIT_MAX, data_folder, free_port, operation};
use futures::StreamExt;
use serde_json::{Value, json};

#[tokio::test]
async fn one_request_joins_data_of_several_services() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let page = operation("01-ProductPage.graphql");
    let page = marketplace.data(None, &page, json!({ "slug": "copper-long-spout-kettle" })).await;
    let product = &page["product"];
    assert_eq!(product["price"]["amount"], "68.00", "product service: {page:#}");
    assert!(product["seller"]["displayName"].is_string(), "user service: {page:#}");
    assert_eq!(product["lowestListingPrice"]["amount"], "52.00", "listing service: {page:#}");
    assert_eq!(
        product["resaleDiscountPercent"], 23,
        "listing service, from the product service's price: {page:#}"
    );
    assert!(product["reviews"]["edges"].is_array(), "order service: {page:#}");

    let buyer = marketplace.log_in("buyer@kopitiam.example").await;
    let (_, number) = marketplace.check_out(&buyer, "pocket-poems-of-the-strait", 1).await;
    assert_eq!(marketplace.settled(&buyer, &number).await, ("CONFIRMED".to_owned(), None));
    let orders = marketplace.data(Some(&buyer), &operation("09-MyOrders.graphql"), json!({})).await;
    let orders = orders["me"]["orders"]["edges"].as_array().expect("orders");
    let order = orders.iter().find(|edge| edge["node"]["number"] == *number).expect("the new order");
    let line = &order["node"]["lines"][0];
    assert_eq!(line["product"]["slug"], "pocket-poems-of-the-strait");
    assert_eq!(line["seller"]["displayName"], "Night Market Books");

    let seller = marketplace.log_in("books@kopitiam.example").await;
    let dashboard = operation("11-SellerDashboard.graphql");
    let variables = json!({ "handle": "night-market-books" });
    let dashboard = marketplace.data(Some(&seller), &dashboard, variables).await;
    let dashboard = &dashboard["seller"];
    assert!(dashboard["products"]["totalCount"].as_i64() > Some(3));
    assert!(!dashboard["listings"]["edges"].as_array().expect("listings").is_empty());
    let sales = dashboard["sales"]["edges"].as_array().expect("sales");
    assert!(sales.iter().any(|edge| edge["node"]["number"] == *number), "{dashboard:#}");
}

#[tokio::test]
async fn a_confirmed_order_moves_stock_and_money_and_is_told_as_it_happens() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let buyer = marketplace.log_in("buyer@kopitiam.example").await;
    let (stock, (available, held)) =
        (marketplace.available("house-blend-beans").await, marketplace.wallet(&buyer).await);
    let (id, number) = marketplace.check_out(&buyer, "house-blend-beans", 2).await;

    let query = "subscription($id: ID!) { orderChanged(id: $id) { number status } }";
    let stream = reqwest::Client::new()
        .post(marketplace.url())
        .header("accept", "text/event-stream")
        .bearer_auth(&buyer)
        .json(&json!({ "query": query, "variables": { "id": id } }))
        .send()
        .await
        .expect("the gateway opens the stream");
    let mut chunks = stream.bytes_stream();
    let mut told = String::new();
    let reading = async {
        while !told.contains(r#""status":"CONFIRMED""#) {
            let chunk = chunks.next().await.expect("the stream stays open").expect("a chunk");
            told.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    tokio::time::timeout(WAIT_MAX, reading).await.expect("CONFIRMED arrives over the stream");

    assert_eq!(marketplace.settled(&buyer, &number).await.0, "CONFIRMED");
    let started = Instant::now();
    // After the pivot the capture and the commit only go forward; wait for both.
    while marketplace.wallet(&buyer).await != (available - 2_500, held)
        || marketplace.available("house-blend-beans").await != stock - 2
    {
        assert!(started.elapsed() < WAIT_MAX, "money or stock did not move");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn killed_between_checkout_and_confirmation_it_finishes_the_order_after_the_restart() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let buyer = marketplace.log_in("buyer@kopitiam.example").await;
    let (stock, (available, held)) =
        (marketplace.available("hawker-cookbook").await, marketplace.wallet(&buyer).await);
    let (_, number) = marketplace.check_out(&buyer, "hawker-cookbook", 1).await;
    let folder = marketplace.kill();

    let marketplace = Marketplace::start(&folder);
    let (status, reason) = marketplace.settled(&buyer, &number).await;
    let started = Instant::now();
    let expected = match status.as_str() {
        "CONFIRMED" => (stock - 1, (available - 3_400, held)),
        "REJECTED" => (stock, (available, held)),
        other => panic!("{other} {reason:?}"),
    };
    loop {
        let found = (marketplace.available("hawker-cookbook").await, marketplace.wallet(&buyer).await);
        if found == expected {
            break;
        }
        assert!(started.elapsed() < WAIT_MAX, "{status}: stock and money are {found:?}, not {expected:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn of_two_checkouts_for_the_last_unit_one_is_confirmed_and_one_rejected() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let buyers = [
        marketplace.log_in("buyer@kopitiam.example").await,
        marketplace.log_in("carol@kopitiam.example").await,
    ];
    let check_out = |buyer: usize| {
        let (marketplace, token) = (&marketplace, &buyers[buyer]);
        async move {
            let (_, number) = marketplace.check_out(token, "hand-drawn-batik-shawl", 1).await;
            marketplace.settled(token, &number).await
        }
    };
    let (one, other) = tokio::join!(check_out(0), check_out(1));
    let mut outcomes = [one, other];
    outcomes.sort();
    let rejected = ("REJECTED".to_owned(), Some("OUT_OF_STOCK".to_owned()));
    assert_eq!(outcomes, [("CONFIRMED".to_owned(), None), rejected]);
    assert_eq!(marketplace.available("hand-drawn-batik-shawl").await, 0);
}

#[tokio::test]
async fn bad_input_gets_a_code_and_changes_nothing() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let buyer = marketplace.log_in("buyer@kopitiam.example").await;
    let code = |answer: &Value| answer["errors"][0]["extensions"]["code"].as_str().map(str::to_owned);

    let unknown = marketplace.ask(None, "{ product(slug: \"x\") { nonsense } }", json!({})).await;
    assert_eq!(code(&unknown).as_deref(), Some("GRAPHQL_VALIDATION_FAILED"), "{unknown}");
    let set = "mutation($l: [CartLineInput!]!) { cartLinesSet(lines: $l) { cart { lines { id } } userErrors { code } } }";
    let wrong =
        marketplace.ask(Some(&buyer), set, json!({ "l": [{ "productId": "x", "quantity": "many" }] })).await;
    assert_eq!(code(&wrong).as_deref(), Some("BAD_USER_INPUT"), "{wrong}");

    let product = marketplace.data(None, "{ product(slug: \"house-blend-beans\") { id } }", json!({})).await;
    let lines = json!([{ "productId": product["product"]["id"], "quantity": -1 }]);
    let negative = marketplace.data(Some(&buyer), set, json!({ "l": lines })).await;
    assert!(negative["cartLinesSet"]["userErrors"][0]["code"].is_string(), "{negative}");

    let (header, rest) = buyer.split_once('.').expect("a token");
    let forged = format!("{header}.{}", rest.replacen(char::is_alphabetic, "A", 3));
    let (status, refused) = marketplace.ask_status(Some(&forged), "{ me { id } }", json!({})).await;
    assert_eq!((status, refused["data"].is_null()), (401, true), "{refused}");
    assert!(code(&refused).is_some(), "{refused}");

    let cart = marketplace.data(Some(&buyer), "{ cart { lines { id } } }", json!({})).await;
    let lines = cart["cart"]["lines"].as_array().map_or(0, Vec::len);
    assert_eq!(lines, 0, "nothing was written: {cart}");
}

#[tokio::test]
async fn a_second_start_keeps_what_the_first_one_wrote() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let register = "mutation { register(input: { email: \"new@kopitiam.example\", username: \"newcomer\", password: \"kopitiam-2026\" }) {
        user { username } userErrors { code } } }";
    let registered = marketplace.data(None, register, json!({})).await;
    assert_eq!(registered["register"]["user"]["username"], "newcomer", "{registered}");
    let count = "{ search(first: 1) { totalCount } }";
    let before = marketplace.data(None, count, json!({})).await;
    assert_eq!(marketplace.stop(), Some(0), "Ctrl-C ends it cleanly");

    let marketplace = Marketplace::start(data.path());
    marketplace.log_in("new@kopitiam.example").await;
    assert_eq!(marketplace.data(None, count, json!({})).await, before, "the seed is not written twice");
}

#[tokio::test]
async fn a_taken_port_and_a_data_folder_in_use_are_told_in_one_line() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let taken = marketplace
        .url()
        .split(':')
        .nth(2)
        .and_then(|rest| rest.split('/').next())
        .expect("a port")
        .to_owned();
    let free = free_port().to_string();
    for (port, expected) in
        [(taken.as_str(), "GATEWAY_PORT"), (free.as_str(), "in use by another marketplace")]
    {
        let second = Command::new(env!("CARGO_BIN_EXE_marketplace"))
            .args(["run", "--gateway-port", port])
            .env("DATA_DIR", data.path())
            .stdout(Stdio::null())
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&second.stderr);
        assert!(!second.status.success() && told.lines().count() == 1 && told.contains(expected), "{told}");
    }
}
