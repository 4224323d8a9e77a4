//! What every mutation costs in SQL: each a known number of statements.
//!
//! Elsewhere: the operations of the clients (`sql_counts.rs`), what a mutation does when it is sent again (`retries.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kopitiam_kit::config::LiveKeys;
use kopitiam_kit::testing::{eventually, queries};
use kopitiam_kit::{Db, Tx};
use kopitiam_order::seed::seed_id;
use sea_orm::{ConnectionTrait, Statement, TryGetable};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::retries::mutations;
use crate::sql_counts::{Reading, config};
use crate::support::{Marketplace, PASSWORD, data_folder};

/// Statements of each mutation, those of the checks before it and of the answer among them.
const COSTS: [(&str, usize); 40] = [
    ("adjustStock", 9),
    ("archiveProduct", 5),
    ("banUser", 8),
    ("becomeSeller", 9),
    ("bookingTransition", 8),
    ("cancelListing", 8),
    ("cancelOrder", 17),
    ("cartLinesSet", 11),
    ("checkout", 17),
    ("createAuction", 10),
    ("createFixedPriceListing", 7),
    ("createItem", 5),
    ("createProduct", 14),
    ("createServiceListing", 7),
    ("deleteCategory", 6),
    ("deleteItem", 2),
    ("fulfilOrder", 11),
    ("grantCredit", 21),
    ("login", 6),
    ("logout", 1),
    ("markNotificationsRead", 2),
    ("payOrder", 11),
    ("placeBid", 12),
    ("postReview", 10),
    ("refreshSession", 5),
    ("refundOrder", 14),
    ("register", 24),
    ("requestBooking", 9),
    ("requestEmailVerification", 3),
    ("requestPasswordReset", 2),
    ("reserveListing", 14),
    ("resetPassword", 1),
    ("saveCategory", 4),
    ("setRoles", 8),
    ("startTopUp", 6),
    ("unbanUser", 7),
    ("updateListing", 5),
    ("updateProduct", 10),
    ("updateProfile", 5),
    ("verifyEmail", 1),
];

/// What is refused here, as it needs what only a letter or a payment provider gives; its checks are counted all the same.
/// The user service's tests (`batching.rs`) count what they cost with it.
const REFUSED: [(&str, &str); 3] =
    [("resetPassword", "TOKEN_INVALID"), ("startTopUp", "PAYMENT_REFUSED"), ("verifyEmail", "TOKEN_INVALID")];

/// An order that waits for its buyer to pay.
const UNPAID: &str = "FROM orders JOIN saga ON saga.subject_id = orders.id
    WHERE orders.status = 'AWAITING_PAYMENT' AND saga.step = 'payment' ORDER BY orders.id LIMIT 1";

/// What a service's database has, read before anything runs.
struct Found {
    databases: BTreeMap<&'static str, Db>,
}

impl Found {
    async fn open(data: &Path) -> Self {
        let mut databases = BTreeMap::new();
        for name in ["user", "product", "order", "listing"] {
            let url = config(name, data, &LiveKeys::default()).database_url;
            databases.insert(name, Db::connect(&url).await.unwrap());
        }
        Self { databases }
    }

    /// Nobody captures here: the seed's confirmed orders count as paid out.
    async fn settle(&self) {
        let settle = |tx: Tx| async move {
            tx.execute_unprepared(
                "UPDATE orders SET settled_at_ms = placed_at_ms, hold_id = id WHERE status = 'CONFIRMED'",
            )
            .await
        };
        self.databases["order"].transaction(settle).await.unwrap();
    }

    async fn one<T: TryGetable>(&self, service: &str, select: &str) -> T {
        let db = &self.databases[service];
        let row = db.read().query_one_raw(Statement::from_string(db.backend(), select)).await.unwrap();
        row.unwrap_or_else(|| panic!("the seed has no such row: {select}")).try_get_by_index(0).unwrap()
    }
}

/// The log-ins of seeded people, by the first part of their address.
struct People(BTreeMap<String, String>);

impl People {
    async fn log_in(reading: &Reading) -> Self {
        let mut tokens = BTreeMap::new();
        for name in ["admin", "manager", "buyer", "carol", "seller", "batik"] {
            tokens.insert(name.to_owned(), reading.log_in(&format!("{name}@kopitiam.example")).await);
        }
        Self(tokens)
    }
}

struct Costs<'test> {
    reading: &'test Reading,
    people: People,
    counted: BTreeMap<String, usize>,
}

impl Costs<'_> {
    /// Logs the person of that id in; the name to call them by.
    async fn of(&mut self, found: &Found, id: Uuid) -> String {
        let select = format!("SELECT email FROM users WHERE id = X'{}'", id.simple());
        let email: String = found.one("user", &select).await;
        let name = email.split('@').next().unwrap().to_owned();
        if !self.people.0.contains_key(&name) {
            self.people.0.insert(name.clone(), self.reading.log_in(&email).await);
        }
        name
    }

    /// Runs a mutation and notes what it cost; what it gives.
    async fn count(&mut self, who: &str, mutation: &str, gives: &str) -> Value {
        let name = mutation.split('(').next().unwrap().trim();
        let arguments = &mutation[name.len()..];
        let query =
            format!("mutation {{ done: {name}{arguments} {{ {gives} userErrors {{ code message }} }} }}");
        let token = self.people.0.get(who).map(String::as_str);
        // Who asks is known by then: a first request may look for keys.
        let (answer, statements) = queries(self.reading.ask(token, &query, &json!({}))).await;
        let done = answer["done"].clone();
        match REFUSED.iter().find(|(refused, _)| *refused == name) {
            Some((_, code)) => assert_eq!(done["userErrors"][0]["code"], *code, "{query}: {done}"),
            None => assert_eq!(done["userErrors"], json!([]), "{query}: {done}"),
        }
        let before = self.counted.insert(name.to_owned(), statements);
        assert_eq!(before, None, "{name} is counted once");
        done
    }
}

fn id_of(done: &Value, what: &str) -> String {
    done[what]["id"].as_str().unwrap_or_else(|| panic!("no {what}: {done}")).to_owned()
}

async fn goods(costs: &mut Costs<'_>) {
    let form = format!(
        "name: \"A new cup\", description: \"Round.\", price: \"3.00\", currency: \"USD\", categoryIds: [\"{}\"]",
        seed_id(2, 1)
    );
    let made = costs
        .count(
            "seller",
            &format!("createProduct(input: {{ {form}, stock: 5 }}, idempotencyKey: \"1\")"),
            "product { id version }",
        )
        .await;
    let product = id_of(&made, "product");
    costs
        .count(
            "seller",
            &format!("updateProduct(id: \"{product}\", input: {{ {form} }}, expectedVersion: 1)"),
            "",
        )
        .await;
    let adjust = format!(
        "adjustStock(productId: \"{product}\", delta: 2, reason: \"Delivery\", idempotencyKey: \"2\")"
    );
    costs.count("seller", &adjust, "").await;
    costs.count("seller", &format!("archiveProduct(id: \"{product}\", expectedVersion: 2)"), "").await;
    let shelf = costs.count("manager", "saveCategory(name: \"Shelf\")", "category { id }").await;
    costs.count("manager", &format!("deleteCategory(id: \"{}\")", id_of(&shelf, "category")), "").await;
    let item =
        costs.count("seller", "createItem(title: \"A thing\", idempotencyKey: \"3\")", "item { id }").await;
    costs.count("seller", &format!("deleteItem(id: \"{}\")", id_of(&item, "item")), "").await;
}

async fn listings(costs: &mut Costs<'_>, found: &Found) {
    let ends_at = (kopitiam_kit::time::now() + chrono::TimeDelta::days(1)).to_rfc3339();
    let auction = format!(
        "createAuction(input: {{ itemId: \"{}\", title: \"A thing\", startPrice: \"10.00\", currency: \"USD\", endsAt: \"{ends_at}\" }}, idempotencyKey: \"1\")",
        Uuid::now_v7()
    );
    costs.count("seller", &auction, "").await;
    let fixed = "createFixedPriceListing(input: { title: \"A seat\", price: \"10.00\", currency: \"USD\", quantity: 1 }, idempotencyKey: \"2\")";
    let listing = id_of(&costs.count("seller", fixed, "listing { id }").await, "listing");
    let service = "createServiceListing(input: { title: \"A lesson\", description: \"An hour.\", price: \"10.00\", depositPercent: 20, currency: \"USD\" }, idempotencyKey: \"3\")";
    costs.count("seller", service, "").await;
    costs
        .count(
            "seller",
            &format!("updateListing(id: \"{listing}\", price: \"11.00\", expectedVersion: 1)"),
            "",
        )
        .await;
    costs.count("seller", &format!("cancelListing(id: \"{listing}\", expectedVersion: 2)"), "").await;
    let open = "SELECT id FROM listing WHERE kind = 'AUCTION' AND status = 'ACTIVE' AND bid_count = 0 ORDER BY id LIMIT 1";
    let lot: Uuid = found.one("listing", open).await;
    let bid = format!(
        "placeBid(listingId: \"{lot}\", amount: \"400.00\", currency: \"USD\", idempotencyKey: \"4\")"
    );
    costs.count("buyer", &bid, "").await;
}

async fn orders(costs: &mut Costs<'_>, found: &Found) {
    let set = format!("cartLinesSet(lines: [{{ productId: \"{}\", quantity: 2 }}])", seed_id(3, 1));
    let cart = costs.count("buyer", &set, "cart { id subtotal { amount } }").await["cart"].clone();
    let check_out = format!(
        "checkout(input: {{ cartId: {}, expectedTotal: {}, currency: \"USD\" }}, idempotencyKey: \"1\")",
        cart["id"], cart["subtotal"]["amount"]
    );
    let order = id_of(&costs.count("buyer", &check_out, "order { id }").await, "order");
    costs.count("buyer", &format!("cancelOrder(id: \"{order}\", idempotencyKey: \"2\")"), "").await;
    let seat = format!("reserveListing(listingId: \"{}\", idempotencyKey: \"3\")", seed_id(6, 46));
    costs.count("buyer", &seat, "").await;
    let order: Uuid = found.one("order", &format!("SELECT orders.id {UNPAID}")).await;
    let buyer = costs.of(found, found.one("order", &format!("SELECT buyer_id {UNPAID}")).await).await;
    costs.count(&buyer, &format!("payOrder(id: \"{order}\", idempotencyKey: \"6\")"), "").await;
    for (offset, field, more) in [(0, "fulfilOrder", ""), (1, "refundOrder", ", reason: \"Broken\"")] {
        let line = format!(
            "FROM order_line JOIN orders ON orders.id = order_line.order_id WHERE orders.status = 'CONFIRMED'
             AND orders.settled_at_ms IS NOT NULL AND order_line.status = 'OPEN' AND order_line.product_id IS NOT NULL
             ORDER BY order_line.id LIMIT 1 OFFSET {offset}"
        );
        let order: Uuid = found.one("order", &format!("SELECT orders.id {line}")).await;
        let id: Uuid = found.one("order", &format!("SELECT order_line.id {line}")).await;
        let seller = costs.of(found, found.one("order", &format!("SELECT seller_id {line}")).await).await;
        let mutation = format!("{field}(id: \"{order}\", lineIds: [\"{id}\"]{more}, idempotencyKey: \"7\")");
        costs.count(&seller, &mutation, "").await;
    }
    let line =
        "FROM order_line JOIN orders ON orders.id = order_line.order_id WHERE orders.status = 'CONFIRMED'
        AND order_line.product_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM review
            WHERE review.author_id = orders.buyer_id AND review.subject_id = order_line.product_id)
        ORDER BY order_line.id DESC LIMIT 1";
    let id: Uuid = found.one("order", &format!("SELECT order_line.id {line}")).await;
    let buyer = costs.of(found, found.one("order", &format!("SELECT orders.buyer_id {line}")).await).await;
    let order: Uuid = found.one("order", &format!("SELECT orders.id {line}")).await;
    let review = format!(
        "postReview(input: {{ orderId: \"{order}\", lineId: \"{id}\", subject: PRODUCT, rating: 4 }}, idempotencyKey: \"8\")"
    );
    costs.count(&buyer, &review, "").await;
    let service = format!("requestBooking(listingId: \"{}\", idempotencyKey: \"4\")", seed_id(6, 13));
    let booking = id_of(&costs.count("buyer", &service, "booking { id }").await, "booking");
    let accept = format!(
        "bookingTransition(id: \"{booking}\", action: ACCEPT, expectedVersion: 1, idempotencyKey: \"5\")"
    );
    costs.count("batik", &accept, "").await;
}

async fn people(costs: &mut Costs<'_>) {
    let register = format!(
        "register(input: {{ email: \"new@example.com\", username: \"newcomer\", password: \"{PASSWORD}-new\" }})"
    );
    let new = costs.count("nobody", &register, "accessToken user { id }").await;
    costs.people.0.insert("new".to_owned(), new["accessToken"].as_str().unwrap().to_owned());
    let log_in = format!("login(input: {{ email: \"carol@kopitiam.example\", password: \"{PASSWORD}\" }})");
    let session = costs.count("nobody", &log_in, "refreshToken").await;
    let refresh = format!("refreshSession(input: {{ refreshToken: {} }})", session["refreshToken"]);
    costs.count("nobody", &refresh, "").await;
    costs.count("new", "requestEmailVerification", "").await;
    costs.count("new", "verifyEmail(token: \"none\")", "").await;
    costs.count("nobody", "requestPasswordReset(email: \"carol@kopitiam.example\")", "").await;
    let reset = format!("resetPassword(token: \"none\", newPassword: \"{PASSWORD}-other\")");
    costs.count("nobody", &reset, "").await;
    costs.count("new", "updateProfile(input: { fullName: \"New Comer\", expectedVersion: 1 })", "").await;
    costs.count("new", "becomeSeller(handle: \"newcomer\", displayName: \"New\")", "").await;
    costs.count("new", "startTopUp(amount: \"5.00\", currency: \"USD\", idempotencyKey: \"1\")", "").await;
    costs.count("buyer", "markNotificationsRead(ids: [])", "").await;
    let user = id_of(&new, "user");
    let grant = format!(
        "grantCredit(input: {{ userId: \"{user}\", amount: \"5.00\", currency: \"USD\", reason: \"Sorry\" }}, idempotencyKey: \"2\")"
    );
    costs.count("manager", &grant, "").await;
    costs.count("admin", &format!("setRoles(id: \"{user}\", roles: [USER, MANAGER])"), "").await;
    costs.count("manager", &format!("banUser(id: \"{user}\", reason: \"Spam\")"), "").await;
    costs.count("manager", &format!("unbanUser(id: \"{user}\")"), "").await;
    costs.count("carol", "logout", "").await;
}

#[tokio::test]
async fn each_mutation_costs_exactly_these_statements() {
    let data = data_folder();
    let marketplace = Marketplace::start(data.path());
    let found = Found::open(data.path()).await;
    eventually("a seeded order waits to be paid", || async {
        let count = format!("SELECT COUNT(*) FROM (SELECT 1 {UNPAID}) AS unpaid");
        (found.one::<i64>("order", &count).await > 0).then_some(())
    })
    .await;
    assert_eq!(marketplace.stop(), Some(0), "the shop has its seed");
    let reading = Reading::start(data.path()).await;
    let people_of = People::log_in(&reading).await;
    let mut costs = Costs { reading: &reading, people: people_of, counted: BTreeMap::new() };
    found.settle().await;
    goods(&mut costs).await;
    listings(&mut costs, &found).await;
    orders(&mut costs, &found).await;
    people(&mut costs).await;
    let counted: BTreeSet<String> = costs.counted.keys().cloned().collect();
    assert_eq!(counted, mutations(), "every mutation of the schema");
    let expected: BTreeMap<String, usize> =
        COSTS.iter().map(|(name, cost)| ((*name).to_owned(), *cost)).collect();
    assert_eq!(costs.counted, expected);
    reading.shutdown.cancel();
}
