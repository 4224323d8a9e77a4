//! The place-order saga over the real services and a real broker: order, product and user started in this process,
//! killed at named points and started again on the same files. After each test stock and money must add up.
//!
//! Elsewhere: the saga's decisions alone (kit, order), the whole system through the gateway (`system.rs`).

#![allow(clippy::unwrap_used, reason = "in a test it is a claim that fails the test")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use kopitiam_kit::config::{KafkaConfig, ServiceConfig};
use kopitiam_kit::testing::{TestBroker, TestTokens, auth_config, eventually};
use kopitiam_kit::{Db, Service, Tasks, outbox, time};
use sea_orm::{ConnectionTrait, Statement, TryGetable};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

/// Seeded people and products, by their numbers.
const BOB: u16 = 3;
const CAROL: u16 = 4;
const BEANS: u16 = 1;
const SHAWL: u16 = 3;
const PIXEL_CLOCK: u16 = 19;
const FIELD_RECORDER: u16 = 20;

fn user(number: u16) -> Uuid {
    kopitiam_order::seed::seed_id(1, number)
}

fn product(number: u16) -> Uuid {
    kopitiam_order::seed::seed_id(3, number)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Order,
    Product,
    User,
}

const ALL: [Name; 3] = [Name::Order, Name::Product, Name::User];

/// A service that runs; dropped, its tasks end where they stand.
struct Running {
    router: Router,
    _tasks: Tasks,
}

/// Each world is a broker and three services: more of them at once than cores only makes all of them slow.
static WORLDS: Semaphore = Semaphore::const_new(2);

/// Fields in the order of their end: the services before the broker they talk to.
struct World {
    running: BTreeMap<Name, Running>,
    broker: TestBroker,
    files: TempDir,
    tokens: TestTokens,
    _turn: SemaphorePermit<'static>,
    databases: BTreeMap<Name, Db>,
    at_start: Books,
}

/// What may only move between places, never come or go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Books {
    on_hand: BTreeMap<Uuid, i64>,
    available: BTreeMap<Uuid, i64>,
}

impl World {
    /// Seeded services that run, with the catalogue known to the order service.
    async fn new() -> Self {
        let turn = WORLDS.acquire().await.unwrap();
        let files = tempfile::tempdir().unwrap();
        let mut world = Self {
            running: BTreeMap::new(),
            broker: TestBroker::start().await,
            files,
            tokens: TestTokens::new(),
            _turn: turn,
            databases: BTreeMap::new(),
            at_start: Books { on_hand: BTreeMap::new(), available: BTreeMap::new() },
        };
        for name in ALL {
            world.start(name).await;
            let db = Db::connect(&world.config(name).database_url).await.unwrap();
            match name {
                Name::Product => kopitiam_product::seed::story(&db, time::now()).await.unwrap(),
                Name::User => kopitiam_user::seed::seed(&db, time::now()).await.unwrap(),
                Name::Order => {}
            }
            world.databases.insert(name, db);
        }
        world.at_start = world.books().await;
        let catalogue = world.at_start.on_hand.len();
        eventually("the catalogue and the stock arrive", || async {
            let products = world.number(Name::Order, "SELECT COUNT(*) FROM product_replica").await;
            let levels = world.number(Name::Order, "SELECT COUNT(*) FROM stock_replica").await;
            (usize::try_from(products.min(levels)).unwrap() == catalogue).then_some(())
        })
        .await;
        world
    }

    fn config(&self, name: Name) -> ServiceConfig {
        let service = format!("{name:?}").to_lowercase();
        ServiceConfig {
            database_url: format!("sqlite://{}", self.files.path().join(format!("{service}.db")).display()),
            name: service,
            listen: ([127, 0, 0, 1], 0).into(),
            kafka: self.broker.kafka(),
            auth: auth_config(&self.tokens),
            data_dir: PathBuf::from(self.files.path()),
            denylist: kopitiam_kit::auth::Denylist::default(),
        }
    }

    async fn start(&mut self, name: Name) {
        let config = self.config(name);
        self.start_with(name, config).await;
    }

    async fn start_with(&mut self, name: Name, config: ServiceConfig) {
        let shutdown = CancellationToken::new();
        let Service { router, tasks } = match name {
            Name::Order => kopitiam_order::app::start(config, shutdown).await.unwrap(),
            Name::Product => kopitiam_product::app::start(config, shutdown).await.unwrap(),
            Name::User => kopitiam_user::app::start(config, shutdown).await.unwrap(),
        };
        self.running.insert(name, Running { router, _tasks: tasks });
    }

    /// The order service cut off from the broker: it takes orders, and nothing leaves it.
    async fn start_order_without_broker(&mut self) {
        let nowhere = KafkaConfig { brokers: "127.0.0.1:1".to_owned(), ..self.broker.kafka() };
        let config = ServiceConfig { kafka: nowhere, ..self.config(Name::Order) };
        self.start_with(Name::Order, config).await;
    }

    async fn start_all(&mut self) {
        for name in ALL {
            if !self.running.contains_key(&name) {
                self.start(name).await;
            }
        }
    }

    fn kill(&mut self, names: &[Name]) {
        self.running.retain(|name, _| !names.contains(name));
    }

    async fn ask(&self, buyer: u16, query: &str, variables: Value) -> Value {
        let token = self.tokens.issue(user(buyer), &["USER"], "");
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(body))
            .unwrap();
        let response = self.running[&Name::Order].router.clone().oneshot(request).await.unwrap();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(answer.get("errors"), None, "{query}: {answer}");
        answer["data"].clone()
    }

    /// A buyer orders some of a product; the order's id.
    async fn check_out(&self, buyer: u16, product_number: u16, quantity: i32) -> Uuid {
        let set = "mutation($lines: [CartLineInput!]!) { cartLinesSet(lines: $lines) {
            cart { id subtotal { amount currency } } userErrors { code message } } }";
        // What an earlier refused order left in the cart stays out of this one.
        let lines: Vec<Value> = [BEANS, SHAWL, PIXEL_CLOCK, FIELD_RECORDER]
            .iter()
            .map(|number| {
                let quantity = if *number == product_number { quantity } else { 0 };
                json!({ "productId": product(*number), "quantity": quantity })
            })
            .collect();
        let cart = self.ask(buyer, set, json!({ "lines": lines })).await["cartLinesSet"]["cart"].clone();
        let checkout =
            "mutation($in: CheckoutInput!, $key: ID!) { checkout(input: $in, idempotencyKey: $key) {
            order { id status } userErrors { code message } } }";
        let total = &cart["subtotal"]["amount"];
        let input = json!({ "cartId": cart["id"], "expectedTotal": total, "currency": "USD" });
        let placed = self.ask(buyer, checkout, json!({ "in": input, "key": Uuid::now_v7() })).await;
        let order = &placed["checkout"]["order"];
        assert_eq!(order["status"], "PENDING", "{placed}");
        order["id"].as_str().unwrap().parse().unwrap()
    }

    /// The status of an order and its reason.
    async fn status(&self, order: Uuid) -> (String, Option<String>) {
        let select = "SELECT status, status_reason FROM orders WHERE id = $1";
        let rows: Vec<(String, Option<String>)> = self.rows(Name::Order, select, vec![order.into()]).await;
        rows.into_iter().next().unwrap()
    }

    /// Waits until the order is decided.
    async fn decided(&self, order: Uuid) -> (String, Option<String>) {
        eventually("the order is decided", || async {
            Some(self.status(order).await).filter(|(status, _)| status != "PENDING")
        })
        .await
    }

    async fn rows<T>(&self, name: Name, select: &str, values: Vec<sea_orm::Value>) -> Vec<T>
    where
        T: sea_orm::TryGetableMany,
    {
        let db = &self.databases[&name];
        let statement = Statement::from_sql_and_values(db.backend(), select, values);
        let rows = db.read().query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| T::try_get_many_by_index(row).unwrap()).collect()
    }

    async fn number(&self, name: Name, select: &str) -> i64 {
        let db = &self.databases[&name];
        let row =
            db.read().query_one_raw(Statement::from_string(db.backend(), select)).await.unwrap().unwrap();
        Option::<i64>::try_get_by(&row, 0_usize).unwrap().unwrap_or(0)
    }

    async fn books(&self) -> Books {
        let on_hand = "SELECT product_id, on_hand FROM stock";
        let available = "SELECT owner_id, balance FROM accounts WHERE kind = 'AVAILABLE'";
        Books {
            on_hand: self.rows(Name::Product, on_hand, vec![]).await.into_iter().collect(),
            available: self.rows(Name::User, available, vec![]).await.into_iter().collect(),
        }
    }

    /// Waits until nothing is under way: every saga over, every message sent.
    async fn at_rest(&self) {
        eventually("everything comes to rest", || async {
            let open = "SELECT COUNT(*) FROM saga WHERE state IN ('RUNNING', 'COMPENSATING')";
            let mut waiting = self.number(Name::Order, open).await;
            for db in self.databases.values() {
                waiting += i64::try_from(outbox::backlog(db).await.unwrap()).unwrap();
            }
            (waiting == 0).then_some(())
        })
        .await;
    }

    /// Stock and money moved by the confirmed orders, and by nothing else.
    async fn assert_books_add_up(&self) {
        self.at_rest().await;
        let confirmed = "SELECT buyer_id, total_minor FROM orders WHERE status = 'CONFIRMED'";
        let mut expected = self.at_start.clone();
        for (buyer, total) in self.rows::<(Uuid, i64)>(Name::Order, confirmed, vec![]).await {
            *expected.available.get_mut(&buyer).unwrap() -= total;
        }
        let lines = "SELECT order_line.product_id, order_line.seller_id, order_line.quantity,
                order_line.line_total_minor, order_line.fee_minor
            FROM order_line JOIN orders ON orders.id = order_line.order_id WHERE orders.status = 'CONFIRMED'";
        let mut fees = 0;
        for (product, seller, quantity, total, fee) in
            self.rows::<(Uuid, Uuid, i32, i64, i64)>(Name::Order, lines, vec![]).await
        {
            *expected.on_hand.get_mut(&product).unwrap() -= i64::from(quantity);
            *expected.available.get_mut(&seller).unwrap() += total - fee;
            fees += fee;
        }
        assert_eq!(self.books().await, expected);
        assert_eq!(self.number(Name::Product, "SELECT SUM(reserved) FROM stock").await, 0);
        assert_eq!(self.number(Name::User, "SELECT SUM(balance) FROM accounts").await, 0, "I1");
        assert_eq!(self.number(Name::User, "SELECT SUM(balance) FROM accounts WHERE kind = 'HELD'").await, 0);
        assert_eq!(
            self.number(Name::User, "SELECT SUM(balance) FROM accounts WHERE kind = 'FEES'").await,
            fees
        );
        let invoices =
            self.rows::<(i64,)>(Name::Order, "SELECT sequence FROM invoice ORDER BY sequence", vec![]).await;
        assert!(
            invoices.into_iter().map(|(number,)| number).eq(1..=self.invoiced().await),
            "gapless, one per order"
        );
    }

    async fn invoiced(&self) -> i64 {
        let invoiced = "SELECT COUNT(*) FROM orders WHERE status IN ('CONFIRMED', 'REFUNDED')";
        self.number(Name::Order, invoiced).await
    }

    /// Publishes everything that these services ever sent once more, under the same ids.
    async fn send_everything_again(&self) {
        for db in self.databases.values() {
            let again = |tx: kopitiam_kit::Tx| async move {
                tx.execute_unprepared("UPDATE kit_outbox SET published_at = NULL").await.map(|_| ())
            };
            db.transaction(again).await.unwrap();
        }
    }
}

fn confirmed() -> (String, Option<String>) {
    ("CONFIRMED".to_owned(), None)
}

fn rejected(reason: &str) -> (String, Option<String>) {
    ("REJECTED".to_owned(), Some(reason.to_owned()))
}

#[tokio::test]
async fn confirmed_order_moves_stock_to_the_buyer_and_money_to_seller_and_platform() {
    let world = World::new().await;
    let order = world.check_out(BOB, BEANS, 2).await;
    assert_eq!(world.decided(order).await, confirmed());
    world.assert_books_add_up().await;
    let now = world.books().await;
    assert_eq!(now.on_hand[&product(BEANS)], world.at_start.on_hand[&product(BEANS)] - 2);
    assert_eq!(now.available[&user(BOB)], world.at_start.available[&user(BOB)] - 2_500);
    assert_eq!(now.available[&user(5)], world.at_start.available[&user(5)] + 2_375);
    let cart = world.ask(BOB, "{ cart { lines { id } } }", json!({})).await;
    assert_eq!(cart["cart"]["lines"], json!([]), "what was bought is out of the cart");
}

#[tokio::test]
async fn two_buyers_of_the_last_unit_are_one_confirmed_and_one_rejected() {
    let world = World::new().await;
    let (bob, carol) = tokio::join!(world.check_out(BOB, SHAWL, 1), world.check_out(CAROL, SHAWL, 1));
    let mut outcomes = [world.decided(bob).await, world.decided(carol).await];
    outcomes.sort();
    assert_eq!(outcomes, [confirmed(), rejected("OUT_OF_STOCK")]);
    world.assert_books_add_up().await;
}

#[tokio::test]
async fn of_many_orders_for_few_units_exactly_as_many_as_units_are_confirmed() {
    let world = World::new().await;
    let mut orders = Vec::new();
    for round in 0..8 {
        orders.push(world.check_out(if round % 2 == 0 { BOB } else { CAROL }, PIXEL_CLOCK, 1).await);
    }
    let mut outcomes = BTreeMap::<(String, Option<String>), u32>::new();
    for order in orders {
        *outcomes.entry(world.decided(order).await).or_default() += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([(confirmed(), 2), (rejected("OUT_OF_STOCK"), 6)]));
    world.assert_books_add_up().await;
}

#[tokio::test]
async fn buyer_without_enough_money_is_rejected_and_the_stock_is_free_again() {
    let world = World::new().await;
    let order = world.check_out(CAROL, FIELD_RECORDER, 4).await;
    assert_eq!(world.decided(order).await, rejected("INSUFFICIENT_FUNDS"));
    world.assert_books_add_up().await;
    assert_eq!(world.books().await, world.at_start);
}

#[tokio::test]
async fn cancelled_after_confirmation_the_money_and_the_units_come_back() {
    let world = World::new().await;
    let order = world.check_out(BOB, BEANS, 3).await;
    assert_eq!(world.decided(order).await, confirmed());
    world.at_rest().await;
    let cancel = "mutation($id: ID!) { cancelOrder(id: $id, idempotencyKey: \"c\") { userErrors { code } } }";
    let answer = world.ask(BOB, cancel, json!({ "id": order })).await;
    assert_eq!(answer["cancelOrder"]["userErrors"], json!([]));
    eventually("the order is refunded", || async {
        (world.status(order).await.0 == "REFUNDED").then_some(())
    })
    .await;
    world.assert_books_add_up().await;
    assert_eq!(world.books().await, world.at_start);
}

#[tokio::test]
async fn every_message_delivered_twice_changes_nothing() {
    let world = World::new().await;
    let orders = [
        world.check_out(BOB, BEANS, 1).await,
        world.check_out(CAROL, FIELD_RECORDER, 4).await,
        world.check_out(CAROL, PIXEL_CLOCK, 3).await,
    ];
    let mut outcomes = Vec::new();
    for order in orders {
        outcomes.push(world.decided(order).await);
    }
    assert_eq!(outcomes, [confirmed(), rejected("INSUFFICIENT_FUNDS"), rejected("OUT_OF_STOCK")]);
    world.assert_books_add_up().await;
    let (books, sent) = (world.books().await, sent(&world).await);

    world.send_everything_again().await;
    world.at_rest().await;
    // An order placed now is behind the copies on every partition that it uses; when it is through, many of them are.
    let marker = world.check_out(BOB, BEANS, 1).await;
    assert_eq!(world.decided(marker).await, confirmed());
    world.assert_books_add_up().await;
    for (order, outcome) in orders.into_iter().zip(outcomes) {
        assert_eq!(world.status(order).await, outcome);
    }
    assert_eq!(world.books().await.on_hand[&product(BEANS)], books.on_hand[&product(BEANS)] - 1);
    let sent_since: i64 = self::sent(&world).await - sent;
    assert_eq!(sent_since, MESSAGES_OF_AN_ORDER, "only the marker's own messages");
}

/// Reserve, created, reserved, level, hold, held, status, invoice, commit, capture, committed, level, captured.
const MESSAGES_OF_AN_ORDER: i64 = 13;

async fn sent(world: &World) -> i64 {
    let mut messages = 0;
    for name in ALL {
        messages += world.number(name, "SELECT COUNT(*) FROM kit_outbox").await;
    }
    messages
}

/// Where everything stops; each starts with all services running and leaves with none.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// The order is placed; nothing has left its service.
    Placed,
    /// The stock is reserved; the order service has not heard.
    Reserved,
    /// The funds are held; the order service has not heard.
    Held,
    /// The order is confirmed; the stock has not heard.
    Confirmed,
}

impl World {
    async fn stop_at(&mut self, point: Point) -> Uuid {
        let step = |name: &'static str| {
            format!("SELECT COUNT(*) FROM saga WHERE state = 'RUNNING' AND step = '{name}'")
        };
        self.kill(&ALL);
        if matches!(point, Point::Placed) {
            self.start_order_without_broker().await;
            let order = self.check_out(BOB, BEANS, 1).await;
            self.kill(&ALL);
            return order;
        }
        self.start(Name::Order).await;
        let order = self.check_out(BOB, BEANS, 1).await;
        match point {
            Point::Placed | Point::Reserved => {
                self.sent_by(Name::Order).await;
                self.kill(&[Name::Order]);
                self.start(Name::Product).await;
                self.until(Name::Product, "SELECT COUNT(*) FROM reservations WHERE status = 'RESERVED'")
                    .await;
            }
            Point::Held => {
                self.start(Name::Product).await;
                self.until(Name::Order, &step("hold-funds")).await;
                self.sent_by(Name::Order).await;
                self.kill(&[Name::Order, Name::Product]);
                self.start(Name::User).await;
                self.until(Name::User, "SELECT SUM(balance) FROM accounts WHERE kind = 'HELD'").await;
            }
            Point::Confirmed => {
                self.start(Name::Product).await;
                self.until(Name::Order, &step("hold-funds")).await;
                self.kill(&[Name::Product]);
                self.start(Name::User).await;
                self.until(Name::Order, &step("settle")).await;
            }
        }
        self.kill(&ALL);
        order
    }

    async fn until(&self, name: Name, select: &str) {
        eventually(select, || async { (self.number(name, select).await > 0).then_some(()) }).await;
    }

    async fn sent_by(&self, name: Name) {
        eventually("everything is published", || async {
            (outbox::backlog(&self.databases[&name]).await.unwrap() == 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn order_is_confirmed_wherever_all_services_were_killed_on_the_way() {
    let mut world = World::new().await;
    for point in [Point::Placed, Point::Reserved, Point::Held, Point::Confirmed] {
        let order = world.stop_at(point).await;
        world.start_all().await;
        assert_eq!(world.decided(order).await, confirmed(), "killed at {point:?}");
        world.assert_books_add_up().await;
    }
}

#[tokio::test]
async fn killing_all_services_again_and_again_loses_and_doubles_nothing() {
    let mut world = World::new().await;
    let mut orders = Vec::new();
    for round in 0..6_u16 {
        let buyer = if round % 2 == 0 { BOB } else { CAROL };
        orders.push(world.check_out(buyer, BEANS, 1).await);
        orders.push(world.check_out(buyer, PIXEL_CLOCK, 1).await);
        // No claim rests on the pause: it only makes the kills fall on different steps.
        tokio::time::sleep(std::time::Duration::from_millis(u64::from(round) * 70)).await;
        world.kill(&ALL);
        world.start_all().await;
    }
    let mut confirmed_clocks = 0;
    for (index, order) in orders.into_iter().enumerate() {
        let outcome = world.decided(order).await;
        if index % 2 == 0 {
            assert_eq!(outcome, confirmed());
        } else {
            confirmed_clocks += u32::from(outcome == confirmed());
        }
    }
    assert_eq!(confirmed_clocks, 2, "there were two");
    world.assert_books_add_up().await;
}
