//! What the clients' operations cost in SQL: each a known number of statements, and as many for pages of three as for pages
//! of thirty.
//!
//! Elsewhere: every mutation (`sql_mutations.rs`), every entity (`sql_entities.rs`); which batches each service's loaders read (its own `batching.rs` or `queries.rs`).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use axum::Router;
use kopitiam_kit::Db;
use kopitiam_kit::auth::Denylist;
use kopitiam_kit::config::{AuthConfig, JwksSource, KafkaConfig, LiveKeys, ServiceConfig};
use kopitiam_kit::signing::SigningKeys;
use kopitiam_kit::testing::queries;
use kopitiam_server::{JwtAlgorithm, JwtIssuer, KeySource, Options, Server, Transport};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Marketplace, PASSWORD, data_folder, free_port, operation};

const SUPERGRAPH: &str = include_str!("../../../../schema/supergraph.graphql");
const NAME: &str = "kopitiam";

pub(crate) fn config(name: &str, data: &Path, keys: &LiveKeys) -> ServiceConfig {
    ServiceConfig {
        name: name.to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        database_url: format!("sqlite://{}", data.join(format!("{name}.db")).display()),
        // Nothing listens there: reading needs no broker.
        kafka: KafkaConfig::new(format!("127.0.0.1:{}", free_port())),
        auth: AuthConfig {
            jwks: JwksSource::Live(keys.clone()),
            issuer: NAME.to_owned(),
            audience: NAME.to_owned(),
            gateway: SigningKeys::default(),
        },
        data_dir: data.to_owned(),
        denylist: Denylist::default(),
    }
}

/// All services on this thread. What runs behind them ends here.
pub(crate) async fn routers(
    data: &Path,
    keys: &LiveKeys,
    shutdown: &CancellationToken,
) -> [(&'static str, Router); 4] {
    let of = |name| config(name, data, keys);
    let user = kopitiam_user::app::start(of("user"), shutdown.clone()).await.unwrap();
    let product = kopitiam_product::app::start(of("product"), shutdown.clone()).await.unwrap();
    let order = kopitiam_order::app::start(of("order"), shutdown.clone()).await.unwrap();
    let listing = kopitiam_listing::app::start(of("listing"), shutdown.clone()).await.unwrap();
    [("user", user.router), ("product", product.router), ("order", order.router), ("listing", listing.router)]
}

/// The gateway with all services on this thread, without what runs behind them: every statement is an operation's own.
pub(crate) struct Reading {
    url: String,
    client: reqwest::Client,
    pub(crate) shutdown: CancellationToken,
}

impl Reading {
    pub(crate) async fn start(data: &Path) -> Self {
        let (keys, shutdown) = (LiveKeys::default(), CancellationToken::new());
        let mut transport = Transport::new();
        for (name, router) in routers(data, &keys, &shutdown).await {
            transport = transport.with_in_process(name, router);
        }
        let mut options = Options::new(SUPERGRAPH, transport);
        options.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        options.jwt = vec![JwtIssuer {
            issuer: NAME.to_owned(),
            audiences: vec![NAME.to_owned()],
            algorithms: vec![JwtAlgorithm::EdDSA],
            keys: KeySource::Static(serde_json::to_string(&*keys.get()).unwrap()),
            leeway: JwtIssuer::DEFAULT_LEEWAY,
        }];
        let server = Server::bind(options).await.unwrap();
        let url = format!("http://{}/graphql", server.local_addr());
        tokio::spawn(server.run(shutdown.clone()));
        Self { url, client: reqwest::Client::new(), shutdown }
    }

    pub(crate) async fn ask(&self, token: Option<&str>, query: &str, variables: &Value) -> Value {
        let request = self.client.post(&self.url).json(&json!({ "query": query, "variables": variables }));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer.get("errors"), None, "{query}: {answer:#}");
        answer["data"].clone()
    }

    pub(crate) async fn log_in(&self, email: &str) -> String {
        let query = "mutation($in: LoginInput!) { login(input: $in) { accessToken } }";
        let data = self.ask(None, query, &json!({ "in": { "email": email, "password": PASSWORD } })).await;
        data["login"]["accessToken"].as_str().unwrap().to_owned()
    }
}

/// The operation with pages of that many rows, however many it asks for.
fn with_pages_of(rows: usize, operation: &str) -> String {
    let mut parts = operation.split("first: ");
    let mut paged = parts.next().unwrap().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        // A variable stays as it is.
        let first = if rest.len() == part.len() { String::new() } else { rows.to_string() };
        paged.extend(["first: ", &first, rest]);
    }
    paged
}

#[tokio::test]
async fn a_page_of_thirty_costs_as_many_statements_as_one_of_three() {
    let data = data_folder();
    assert_eq!(Marketplace::start(data.path()).stop(), Some(0), "the shop has its seed");
    let reading = Reading::start(data.path()).await;
    let manager = reading.log_in("manager@kopitiam.example").await;
    let seller = reading.log_in("books@kopitiam.example").await;
    let buyer = reading.log_in("buyer@kopitiam.example").await;
    let year = json!({ "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" });
    let operations = [
        ("02-Search.graphql", None, json!({})),
        ("09-MyOrders.graphql", Some(&buyer), json!({})),
        ("11-SellerDashboard.graphql", Some(&seller), json!({ "handle": "night-market-books" })),
        ("12-ManagerDashboard.graphql", Some(&manager), year),
    ];
    for (file, who, variables) in operations {
        let token = who.map(String::as_str);
        let mut costs = Vec::new();
        for rows in [3, 30] {
            let query = with_pages_of(rows, &operation(file));
            // Once before: a first request may look for keys.
            let before = reading.ask(token, &query, &variables).await;
            let (found, statements) = queries(reading.ask(token, &query, &variables)).await;
            // The links of invoices say to the second until when they open.
            let (found, before) = (found.to_string(), before.to_string());
            assert_eq!(found.len(), before.len(), "nothing changes meanwhile: {found} {before}");
            costs.push((statements, found.len()));
        }
        let [(few, small), (many, large)] = costs[..] else { panic!("two") };
        eprintln!("{file}: {few} statements for {small} bytes, {many} for {large}");
        assert!(large > 2 * small, "{file}: there is more to show: {small} and {large} bytes");
        assert!(few > 0 && many <= few, "{file}: {few} statements for pages of three, {many} for thirty");
    }
    reading.shutdown.cancel();
}

/// The statements of the operation; of one that only reads, the fewest of several times: a first request may look for keys,
/// and a batch may be two when the machine does something else meanwhile.
async fn cost(reading: &Reading, file: &str, token: Option<&str>, variables: &Value) -> (Value, usize) {
    let query = operation(file);
    let mut fewest = queries(reading.ask(token, &query, variables)).await;
    if query.contains("\nquery ") {
        for _ in 0..4 {
            let (_, statements) = queries(reading.ask(token, &query, variables)).await;
            fewest.1 = fewest.1.min(statements);
        }
    }
    fewest
}

#[tokio::test]
async fn each_operation_of_the_clients_costs_exactly_these_statements() {
    let data = data_folder();
    assert_eq!(Marketplace::start(data.path()).stop(), Some(0), "the shop has its seed");
    let orders = Db::connect(&config("order", data.path(), &LiveKeys::default()).database_url).await.unwrap();
    let select = Statement::from_string(orders.backend(), "SELECT id FROM booking LIMIT 1");
    let booking = orders.read().query_one_raw(select).await.unwrap().expect("the seed has bookings");
    let booking: Uuid = booking.try_get("", "id").unwrap();
    let reading = Reading::start(data.path()).await;
    let manager = reading.log_in("manager@kopitiam.example").await;
    let seller = reading.log_in("books@kopitiam.example").await;
    let buyer = reading.log_in("buyer@kopitiam.example").await;
    let auctions = "{ listings(filter: { kinds: [AUCTION] }, first: 1) { edges { node { id
        ... on AuctionListing { minNextBid { amount currency } } } } } }";
    let auction = reading.ask(None, auctions, &json!({})).await["listings"]["edges"][0]["node"].clone();
    let product = reading.ask(None, "{ product(slug: \"house-blend-beans\") { id } }", &json!({})).await;
    let fill = "mutation($lines: [CartLineInput!]!) { cartLinesSet(lines: $lines) {
        cart { id subtotal { amount currency } } userErrors { code } } }";
    let lines = json!({ "lines": [{ "productId": product["product"]["id"], "quantity": 2 }] });
    let cart = reading.ask(Some(&buyer), fill, &lines).await["cartLinesSet"]["cart"].clone();
    let checkout = json!({ "key": "c", "in": { "cartId": cart["id"],
        "expectedTotal": cart["subtotal"]["amount"], "currency": cart["subtotal"]["currency"] } });
    let bid = json!({ "id": auction["id"], "amount": auction["minNextBid"]["amount"],
        "cur": auction["minNextBid"]["currency"], "key": "b" });
    let year = json!({ "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" });
    let operations = [
        ("01-ProductPage.graphql", None, json!({ "slug": "house-blend-beans" })),
        ("02-Search.graphql", None, json!({ "q": "coffee" })),
        ("03-ListingPage.graphql", Some(&buyer), json!({ "id": auction["id"] })),
        ("04-PlaceBid.graphql", Some(&buyer), bid),
        ("06-CartView.graphql", Some(&buyer), json!({})),
        ("07-Checkout.graphql", Some(&buyer), checkout),
        ("09-MyOrders.graphql", Some(&buyer), json!({})),
        ("10-BookingPage.graphql", Some(&manager), json!({ "id": booking })),
        ("11-SellerDashboard.graphql", Some(&seller), json!({ "handle": "night-market-books" })),
        ("12-ManagerDashboard.graphql", Some(&manager), year),
    ];
    let mut costs = Vec::new();
    for (file, who, variables) in operations {
        let (found, statements) = cost(&reading, file, who.map(String::as_str), &variables).await;
        let fields = found.as_object().unwrap();
        for (name, value) in fields {
            assert!(!value.is_null(), "{file}: {name}");
            assert!(value.get("userErrors").is_none_or(|errors| *errors == json!([])), "{file}: {value}");
        }
        costs.push((file, statements));
    }
    let expected = [
        ("01-ProductPage.graphql", 13),
        ("02-Search.graphql", 13),
        ("03-ListingPage.graphql", 11),
        ("04-PlaceBid.graphql", 12),
        ("06-CartView.graphql", 10),
        ("07-Checkout.graphql", 17),
        ("09-MyOrders.graphql", 10),
        ("10-BookingPage.graphql", 5),
        ("11-SellerDashboard.graphql", 15),
        ("12-ManagerDashboard.graphql", 15),
    ];
    assert_eq!(costs, expected);
    reading.shutdown.cancel();
}
