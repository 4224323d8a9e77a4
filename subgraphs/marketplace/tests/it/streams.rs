//! The marketplace's subscriptions, all of them, over each of the gateway's three protocols for clients.
//!
//! Elsewhere: the protocols themselves (the gateway's own tests), what each service tells (its own tests).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{Marketplace, WAIT_MAX, data_folder};

const ORDER: &str = "subscription($id: ID!) { orderChanged(id: $id) { status lines { product { name } } } }";
const WALLET: &str = "subscription { walletChanged { available { amount } } }";
const STOCK: &str =
    "subscription($id: ID!) { stockChanged(productId: $id) { id availability { available } } }";
const LISTING: &str = "subscription($id: ID!) { listingChanged(id: $id) { id seller { displayName } } }";
const NOTICE: &str = "subscription { notificationAdded { kind } }";
const BOOKING: &str = "subscription($id: ID!) { bookingChanged(id: $id) { state listing { title } } }";
const BID: &str = "subscription($id: ID!) { bidChanged(listingId: $id) { status isViewer listing { currentPrice { amount } } } }";
const ALL: [&str; 7] = [ORDER, WALLET, STOCK, LISTING, NOTICE, BOOKING, BID];
/// Seeded: a service of the seller, and an auction.
const SERVICE: u16 = 12;
const LOT: u16 = 16;

#[derive(Debug, Clone, Copy)]
enum Protocol {
    Events,
    Parts,
    WebSocket,
}

const PROTOCOLS: [Protocol; 3] = [Protocol::Events, Protocol::Parts, Protocol::WebSocket];

/// What one stream has brought so far.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Value>>>);

impl Heard {
    fn push(&self, response: &Value) {
        assert!(response.get("errors").is_none(), "{response}");
        self.0.lock().unwrap().push(response["data"].clone());
    }

    async fn eventually(&self, what: &str, is_there: impl Fn(&[Value]) -> bool) {
        let started = Instant::now();
        while !is_there(&self.0.lock().unwrap()) {
            assert!(started.elapsed() < WAIT_MAX, "{what}: {:?}", self.0.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Listens in the background, until the test ends.
fn listen(
    marketplace: &Marketplace,
    protocol: Protocol,
    token: &str,
    query: &str,
    variables: &Value,
) -> Heard {
    let heard = Heard::default();
    let (url, token) = (marketplace.url(), token.to_owned());
    let request = json!({ "query": query, "variables": variables });
    let told = heard.clone();
    tokio::spawn(async move {
        match protocol {
            Protocol::Events => over_http(&url, &token, &request, "text/event-stream", "\n\n", &told).await,
            Protocol::Parts => {
                let accept = "multipart/mixed;subscriptionSpec=1.0";
                over_http(&url, &token, &request, accept, "\r\n--graphql", &told).await;
            }
            Protocol::WebSocket => over_websocket(&url, &token, &request, &told).await,
        }
    });
    heard
}

async fn over_http(url: &str, token: &str, request: &Value, accept: &str, delimiter: &str, told: &Heard) {
    let sent = reqwest::Client::new().post(url).header("accept", accept).bearer_auth(token).json(request);
    let mut chunks = sent.send().await.expect("the gateway opens the stream").bytes_stream();
    let mut text = String::new();
    while let Some(Ok(chunk)) = chunks.next().await {
        text.push_str(std::str::from_utf8(&chunk).expect("whole characters"));
        while let Some((part, rest)) = text.split_once(delimiter) {
            let json = part.split_once("data: ").or_else(|| part.split_once("\r\n\r\n"));
            let message = json.map(|(_, json)| serde_json::from_str::<Value>(json).expect("JSON"));
            match message {
                // A part holds the response, and an empty one is a sign of life.
                Some(Value::Object(part)) if part.is_empty() => {}
                Some(part) if part.get("payload").is_some() => told.push(&part["payload"]),
                Some(response) => told.push(&response),
                None => {}
            }
            text = rest.to_owned();
        }
    }
}

async fn over_websocket(url: &str, token: &str, request: &Value, told: &Heard) {
    let mut handshake = url.replacen("http", "ws", 1).into_client_request().expect("a request");
    let protocol = "graphql-transport-ws".parse().expect("a header");
    handshake.headers_mut().insert("sec-websocket-protocol", protocol);
    let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("an address");
    let stream = TcpStream::connect(address).await.expect("the gateway listens");
    let (mut socket, _) = client_async(handshake, stream).await.expect("the gateway opens a socket");
    let payload = json!({ "authorization": format!("Bearer {token}") });
    let init = json!({ "type": "connection_init", "payload": payload });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": request });
    socket.send(Message::text(init.to_string())).await.expect("it takes messages");
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        match message["type"].as_str() {
            Some("connection_ack") => {
                socket.send(Message::text(subscribe.to_string())).await.expect("it takes messages");
            }
            Some("next") => told.push(&message["payload"]),
            _ => panic!("{message}"),
        }
    }
}

#[test]
fn every_subscription_of_the_schema_is_tried_below() {
    let schema = include_str!("../../../../schema/supergraph.graphql");
    let start = schema.find("type Subscription").expect("there are subscriptions");
    let body = &schema[start..start + schema[start..].find("\n}").expect("a type ends")];
    let fields: Vec<&str> =
        body.lines().filter_map(|line| line.trim().split_once([':', '(']).map(|(name, _)| name)).collect();
    let of_schema = fields.iter().filter(|name| name.chars().all(char::is_alphanumeric) && !name.is_empty());
    let missing: Vec<&&str> =
        of_schema.filter(|name| !ALL.iter().any(|query| query.contains(*name))).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

#[tokio::test]
async fn orders_wallets_stock_listings_and_notices_are_told_over_all_three_protocols() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let buyer = marketplace.log_in("buyer@kopitiam.example").await;
    let found =
        r#"{ product(slug: "house-blend-beans") { id } listings(first: 1) { edges { node { id } } } }"#;
    let found = marketplace.data(None, found, json!({})).await;
    let product = &found["product"]["id"];
    let listing = &found["listings"]["edges"][0]["node"]["id"];
    let open = |query: &str, variables: Value| {
        PROTOCOLS.map(|protocol| listen(&marketplace, protocol, &buyer, query, &variables))
    };
    let wallets = open(WALLET, json!({}));
    let stocks = open(STOCK, json!({ "id": product }));
    let listings = open(LISTING, json!({ "id": listing }));
    let notices = open(NOTICE, json!({}));
    for (first, protocol) in wallets.iter().chain(&stocks).zip(PROTOCOLS.iter().cycle()) {
        first.eventually(&format!("{protocol:?}: as it is now"), |heard| !heard.is_empty()).await;
    }
    for (heard, protocol) in listings.iter().zip(PROTOCOLS) {
        heard
            .eventually(&format!("{protocol:?}: the listing, with its seller of another service"), |heard| {
                heard.iter().any(|data| {
                    data["listingChanged"]["id"] == *listing
                        && data["listingChanged"]["seller"]["displayName"].is_string()
                })
            })
            .await;
    }
    let (order, _) = marketplace.check_out(&buyer, "house-blend-beans", 2).await;
    let orders = open(ORDER, json!({ "id": order }));
    for (index, protocol) in PROTOCOLS.iter().enumerate() {
        let confirmed = |heard: &[Value]| {
            heard.iter().any(|data| {
                let order = &data["orderChanged"];
                order["status"] == "CONFIRMED" && order["lines"][0]["product"]["name"].is_string()
            })
        };
        orders[index].eventually(&format!("{protocol:?}: the confirmed order"), confirmed).await;
        let changes = |heard: &[Value]| heard.iter().any(|data| *data != heard[0]);
        wallets[index].eventually(&format!("{protocol:?}: the wallet"), changes).await;
        stocks[index].eventually(&format!("{protocol:?}: the stock"), changes).await;
        let told =
            |heard: &[Value]| heard.iter().any(|data| data["notificationAdded"]["kind"] == "ORDER_CONFIRMED");
        notices[index].eventually(&format!("{protocol:?}: the notice"), told).await;
    }
}

#[tokio::test]
async fn bookings_and_bids_are_told_over_all_three_protocols() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let buyer = marketplace.log_in("buyer@kopitiam.example").await;
    let open = |query: &str, variables: Value| {
        PROTOCOLS.map(|protocol| listen(&marketplace, protocol, &buyer, query, &variables))
    };
    let seller = marketplace.log_in("seller@kopitiam.example").await;
    let request =
        "mutation($id: ID!) { requestBooking(listingId: $id, idempotencyKey: \"b\") { booking { id } } }";
    let service = kopitiam_order::seed::seed_id(6, SERVICE);
    let asked = marketplace.data(Some(&buyer), request, json!({ "id": service })).await;
    let booking = &asked["requestBooking"]["booking"]["id"];
    let bookings = open(BOOKING, json!({ "id": booking }));
    let lot = kopitiam_order::seed::seed_id(6, LOT);
    let bids = open(BID, json!({ "id": lot }));
    for (first, protocol) in bookings.iter().zip(PROTOCOLS) {
        first.eventually(&format!("{protocol:?}: the booking as it is"), |heard| !heard.is_empty()).await;
    }
    let accept = "mutation($id: ID!) { bookingTransition(id: $id, action: ACCEPT, expectedVersion: 1, idempotencyKey: \"a\") {
        userErrors { code } } }";
    let accepted = marketplace.data(Some(&seller), accept, json!({ "id": booking })).await;
    assert_eq!(accepted["bookingTransition"]["userErrors"], json!([]));
    // The bids of the seed are decided first.
    let waits = "query($id: ID!) { listing(id: $id) { ... on AuctionListing { bids(first: 9) { edges { node { status } } } } } }";
    let started = Instant::now();
    loop {
        let seeded = marketplace.data(None, waits, json!({ "id": lot })).await.to_string();
        if seeded.contains("ACCEPTED") && !seeded.contains("PENDING") {
            break;
        }
        assert!(started.elapsed() < WAIT_MAX, "{seeded}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let look = "query($id: ID!) { listing(id: $id) { ... on AuctionListing { minNextBid { amount } } } }";
    let next =
        marketplace.data(None, look, json!({ "id": lot })).await["listing"]["minNextBid"]["amount"].take();
    let place = "mutation($id: ID!, $amount: Decimal!) { placeBid(listingId: $id, amount: $amount, currency: \"USD\", idempotencyKey: \"k\") {
        userErrors { code } } }";
    let placed = marketplace.data(Some(&buyer), place, json!({ "id": lot, "amount": next })).await;
    assert_eq!(placed["placeBid"]["userErrors"], json!([]));
    for (index, protocol) in PROTOCOLS.iter().enumerate() {
        let accepted = |heard: &[Value]| {
            heard.iter().any(|data| {
                let booking = &data["bookingChanged"];
                booking["state"] == "ACCEPTED" && booking["listing"]["title"].is_string()
            })
        };
        bookings[index].eventually(&format!("{protocol:?}: the accepted booking"), accepted).await;
        let leads = |heard: &[Value]| {
            heard.iter().any(|data| {
                let bid = &data["bidChanged"];
                bid["status"] == "ACCEPTED"
                    && bid["isViewer"] == true
                    && bid["listing"]["currentPrice"]["amount"] == next
            })
        };
        bids[index].eventually(&format!("{protocol:?}: the bid that leads"), leads).await;
    }
}
