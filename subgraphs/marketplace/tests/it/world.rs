//! The services as tests run them: those a test names, in this process, over a broker of their own and SQLite files (or
//! PostgreSQL, for `postgres.rs`), killed and started again at will; and the books that must add up.
//!
//! Elsewhere: the whole system as a program (`support`); auctions, tickets and bookings (`auctions`, `exchanges`).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use kopitiam_kit::config::{KafkaConfig, ServiceConfig};
use kopitiam_kit::testing::{StoppedBroker, TestBroker, TestTokens, auth_config, eventually, new_postgres};
use kopitiam_kit::{Db, Service, Tasks, outbox, time};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TryGetable};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::support::{PASSWORD, assert_sound_on};

/// Seeded people and products, by their numbers.
pub(crate) const BOB: u16 = 3;
pub(crate) const CAROL: u16 = 4;
pub(crate) const BEANS: u16 = 1;
pub(crate) const SHAWL: u16 = 3;
pub(crate) const PIXEL_CLOCK: u16 = 19;
pub(crate) const FIELD_RECORDER: u16 = 20;

pub(crate) fn user(number: u16) -> Uuid {
    kopitiam_order::seed::seed_id(1, number)
}

pub(crate) fn product(number: u16) -> Uuid {
    kopitiam_order::seed::seed_id(3, number)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Listing,
    Order,
    Product,
    User,
}

/// All that selling products needs.
pub(crate) const SHOP: [Name; 3] = [Name::Order, Name::Product, Name::User];
pub(crate) const ALL: [Name; 4] = [Name::Listing, Name::Order, Name::Product, Name::User];

/// A service that runs; dropped, its tasks end where they stand.
pub(crate) struct Running {
    pub(crate) router: Router,
    _tasks: Tasks,
}

/// Each world is a broker and several services: more of them at once than cores only makes all of them slow.
static WORLDS: Semaphore = Semaphore::const_new(2);

thread_local! {
    /// Whether worlds that this thread makes are on PostgreSQL.
    static ON_POSTGRES: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test with worlds on PostgreSQL, where there is one.
pub(crate) fn on_postgres(test: fn()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Says so where there is none.
    if runtime.block_on(new_postgres()).is_some() {
        ON_POSTGRES.set(true);
        test();
    }
}

/// Whether worlds of this test are on PostgreSQL.
pub(crate) fn is_on_postgres() -> bool {
    ON_POSTGRES.get()
}

async fn new_database(name: Name, files: &Path) -> String {
    if is_on_postgres() {
        return new_postgres().await.unwrap();
    }
    format!("sqlite://{}", files.join(format!("{name:?}.db").to_lowercase()).display())
}

/// Fields in the order of their end: the services before the broker they talk to.
pub(crate) struct World {
    services: &'static [Name],
    pub(crate) running: BTreeMap<Name, Running>,
    /// More processes of the same services, on the same databases.
    beside: Vec<Running>,
    pub(crate) kafka: KafkaConfig,
    /// There but while it is stopped.
    broker: Option<TestBroker>,
    files: TempDir,
    urls: BTreeMap<Name, String>,
    tokens: TestTokens,
    /// The trace that requests belong to, when they are of one.
    pub(crate) trace: Option<&'static str>,
    _turn: SemaphorePermit<'static>,
    pub(crate) databases: BTreeMap<Name, Db>,
    pub(crate) at_start: Books,
}

/// What may only move between places, never come or go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) on_hand: BTreeMap<Uuid, i64>,
    pub(crate) available: BTreeMap<Uuid, i64>,
}

impl World {
    /// The shop, seeded, with the catalogue known to the order service.
    pub(crate) async fn new() -> Self {
        let world = Self::of(&SHOP, &SHOP).await;
        world.catalogue_known().await;
        world
    }

    /// Waits until the order service knows the catalogue and the stock.
    pub(crate) async fn catalogue_known(&self) {
        let catalogue = self.at_start.on_hand.len();
        eventually("the catalogue and the stock arrive", || async {
            let products = self.number(Name::Order, "SELECT COUNT(*) FROM product_replica").await;
            let levels = self.number(Name::Order, "SELECT COUNT(*) FROM stock_replica").await;
            (usize::try_from(products.min(levels)).unwrap() == catalogue).then_some(())
        })
        .await;
    }

    /// The shop, its topics in so many parts: as many processes of a service share the work.
    pub(crate) async fn in_parts(partitions: i32) -> Self {
        let world = Self::with(&SHOP, &SHOP, partitions).await;
        world.catalogue_known().await;
        world
    }

    /// These services, of which those of `seeded` have something to begin with.
    pub(crate) async fn of(services: &'static [Name], seeded: &[Name]) -> Self {
        Self::with(services, seeded, 1).await
    }

    async fn with(services: &'static [Name], seeded: &[Name], partitions: i32) -> Self {
        let turn = WORLDS.acquire().await.unwrap();
        let files = tempfile::tempdir().unwrap();
        let broker = TestBroker::start().await;
        let mut kafka = broker.kafka();
        kafka.layout.partitions = kafka.layout.partitions.max(partitions);
        let mut urls = BTreeMap::new();
        for name in services {
            urls.insert(*name, new_database(*name, files.path()).await);
        }
        let mut world = Self {
            services,
            running: BTreeMap::new(),
            beside: Vec::new(),
            kafka,
            broker: Some(broker),
            files,
            urls,
            tokens: TestTokens::new(),
            trace: None,
            _turn: turn,
            databases: BTreeMap::new(),
            at_start: Books { on_hand: BTreeMap::new(), available: BTreeMap::new() },
        };
        // The listings last: their auctions ask for items that must be there by then.
        for name in services.iter().rev() {
            world.start(*name).await;
            let db = Db::connect(&world.config(*name).database_url).await.unwrap();
            match name {
                _ if !seeded.contains(name) => {}
                Name::Listing => kopitiam_listing::seed::seed(&db, time::now()).await.unwrap(),
                Name::Product => kopitiam_product::seed::story(&db, time::now()).await.unwrap(),
                Name::User => kopitiam_user::seed::seed(&db, time::now()).await.unwrap(),
                Name::Order => {}
            }
            world.databases.insert(*name, db);
        }
        world.at_start = world.books().await;
        world
    }

    /// Kills the broker; `None` when it is not ours to kill.
    pub(crate) async fn stop_broker(&mut self) -> Option<StoppedBroker> {
        match self.broker.take().expect("it runs").stop().await {
            Ok(stopped) => Some(stopped),
            Err(not_ours) => {
                self.broker = Some(not_ours);
                None
            }
        }
    }

    pub(crate) async fn start_broker(&mut self, stopped: StoppedBroker) {
        self.broker = Some(stopped.start().await);
    }

    /// What a table holds, as text, in no order of its own.
    pub(crate) async fn dump(&self, name: Name, table: &str) -> Vec<String> {
        let db = &self.databases[&name];
        let (of_table, quote) = match db.backend() {
            DbBackend::Postgres => (
                format!(
                    "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'"
                ),
                "quote_nullable",
            ),
            _ => (format!("SELECT name FROM pragma_table_info('{table}')"), "quote"),
        };
        let columns: Vec<String> = self
            .rows::<(String,)>(name, &of_table, vec![])
            .await
            .into_iter()
            // A saga's counts how often somebody looked at it.
            .filter(|(column,)| table != "saga" || column != "version")
            .map(|(column,)| format!("{quote}({column})"))
            .collect();
        let select = format!("SELECT {} AS line FROM {table}", columns.join(" || '|' || "));
        let rows = db.read().query_all_raw(Statement::from_string(db.backend(), select)).await.unwrap();
        let mut lines: Vec<String> = rows.iter().map(|row| row.try_get("", "line").unwrap()).collect();
        lines.sort_unstable();
        lines
    }

    pub(crate) fn config(&self, name: Name) -> ServiceConfig {
        let service = format!("{name:?}").to_lowercase();
        ServiceConfig {
            database_url: self.urls[&name].clone(),
            name: service,
            listen: ([127, 0, 0, 1], 0).into(),
            kafka: self.kafka.clone(),
            auth: auth_config(&self.tokens),
            data_dir: PathBuf::from(self.files.path()),
            denylist: kopitiam_kit::auth::Denylist::default(),
        }
    }

    pub(crate) async fn start(&mut self, name: Name) {
        let config = self.config(name);
        self.start_with(name, config).await;
    }

    pub(crate) async fn start_with(&mut self, name: Name, config: ServiceConfig) {
        let running = Self::started(name, config).await;
        self.running.insert(name, running);
    }

    /// One more process of each service.
    pub(crate) async fn start_beside(&mut self) {
        for name in self.services {
            let another = Self::started(*name, self.config(*name)).await;
            self.beside.push(another);
        }
    }

    /// Ends the processes beside the first ones, where they stand.
    pub(crate) fn kill_beside(&mut self) {
        self.beside.clear();
    }

    async fn started(name: Name, config: ServiceConfig) -> Running {
        let shutdown = CancellationToken::new();
        let Service { router, tasks } = match name {
            Name::Listing => kopitiam_listing::app::start(config, shutdown).await.unwrap(),
            Name::Order => kopitiam_order::app::start(config, shutdown).await.unwrap(),
            Name::Product => kopitiam_product::app::start(config, shutdown).await.unwrap(),
            Name::User => kopitiam_user::app::start(config, shutdown).await.unwrap(),
        };
        Running { router, _tasks: tasks }
    }

    /// The order service cut off from the broker: it takes orders, and nothing leaves it.
    pub(crate) async fn start_order_without_broker(&mut self) {
        let nowhere = KafkaConfig { brokers: "127.0.0.1:1".to_owned(), ..self.kafka.clone() };
        let config = ServiceConfig { kafka: nowhere, ..self.config(Name::Order) };
        self.start_with(Name::Order, config).await;
    }

    pub(crate) async fn start_all(&mut self) {
        for name in self.services {
            if !self.running.contains_key(name) {
                self.start(*name).await;
            }
        }
    }

    /// Ends these services where they stand, and starts them again on the same files.
    pub(crate) async fn restart(&mut self, names: &[Name]) {
        self.kill(names);
        for name in names {
            self.start(*name).await;
        }
    }

    pub(crate) fn kill(&mut self, names: &[Name]) {
        self.running.retain(|name, _| !names.contains(name));
    }

    pub(crate) async fn ask(&self, buyer: u16, query: &str, variables: Value) -> Value {
        let answer = self.answer(buyer, query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}: {answer}");
        answer["data"].clone()
    }

    /// The order service's whole answer.
    pub(crate) async fn answer(&self, buyer: u16, query: &str, variables: Value) -> Value {
        self.request(Name::Order, (buyer, &["USER"], ""), query, variables).await
    }

    /// What a service answers to somebody with these roles and scopes.
    pub(crate) async fn request(
        &self,
        name: Name,
        (who, roles, scope): (u16, &[&str], &str),
        query: &str,
        variables: Value,
    ) -> Value {
        let token = match name {
            // It issues the tokens, and believes no other issuer's.
            Name::User => self.logged_in(who).await,
            _ => self.tokens.issue(user(who), roles, scope),
        };
        self.post(name, Some(token), query, variables).await
    }

    /// An access token of a seeded person, of the user service.
    async fn logged_in(&self, who: u16) -> String {
        let email = ["admin", "manager", "buyer", "carol"][usize::from(who) - 1];
        let log_in = "mutation($in: LoginInput!) { login(input: $in) { accessToken } }";
        let variables =
            json!({ "in": { "email": format!("{email}@kopitiam.example"), "password": PASSWORD } });
        let answer = self.post(Name::User, None, log_in, variables).await;
        answer["data"]["login"]["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn post(&self, name: Name, token: Option<String>, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut request = Request::post("/graphql").header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(trace) = self.trace {
            request = request.header("traceparent", trace);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = self.running[&name].router.clone().oneshot(request).await.unwrap();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// What a service tells those who watch it.
    pub(crate) async fn ready(&self, name: Name) -> (u16, Value) {
        let request = Request::get("/ready").body(Body::empty()).unwrap();
        let response = self.running[&name].router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// The value of the one field that is asked for; nothing may have failed.
    pub(crate) async fn field(
        &self,
        name: Name,
        who: (u16, &[&str], &str),
        query: &str,
        variables: Value,
    ) -> Value {
        let answer = self.request(name, who, query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}: {answer}");
        answer["data"].as_object().unwrap().values().next().unwrap().clone()
    }

    /// A buyer orders some of a product; the order's id.
    pub(crate) async fn check_out(&self, buyer: u16, product_number: u16, quantity: i32) -> Uuid {
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
        let checkout =
            "mutation($in: CheckoutInput!, $key: ID!) { checkout(input: $in, idempotencyKey: $key) {
            order { id status } userErrors { code message } } }";
        // An earlier order that is confirmed just now takes its lines out of the cart: they are put in again.
        for _ in 0..20 {
            let cart = self.ask(buyer, set, json!({ "lines": lines })).await["cartLinesSet"]["cart"].clone();
            let total = &cart["subtotal"]["amount"];
            let input = json!({ "cartId": cart["id"], "expectedTotal": total, "currency": "USD" });
            let placed = self.ask(buyer, checkout, json!({ "in": input, "key": Uuid::now_v7() })).await;
            let order = &placed["checkout"]["order"];
            if placed["checkout"]["userErrors"][0]["code"] != "EMPTY_CART" {
                assert_eq!(order["status"], "PENDING", "{placed}");
                return order["id"].as_str().unwrap().parse().unwrap();
            }
        }
        panic!("the cart was emptied again and again");
    }

    /// The status of an order and its reason.
    pub(crate) async fn status(&self, order: Uuid) -> (String, Option<String>) {
        let select = "SELECT status, status_reason FROM orders WHERE id = $1";
        let rows: Vec<(String, Option<String>)> = self.rows(Name::Order, select, vec![order.into()]).await;
        rows.into_iter().next().unwrap()
    }

    /// Waits until the order is decided.
    pub(crate) async fn decided(&self, order: Uuid) -> (String, Option<String>) {
        eventually("the order is decided", || async {
            Some(self.status(order).await).filter(|(status, _)| status != "PENDING")
        })
        .await
    }

    /// How often each outcome came, once all of these orders are decided.
    pub(crate) async fn outcomes(&self, orders: &[Uuid]) -> BTreeMap<(String, Option<String>), usize> {
        let mut outcomes = BTreeMap::new();
        for order in orders {
            *outcomes.entry(self.decided(*order).await).or_default() += 1;
        }
        outcomes
    }

    pub(crate) async fn rows<T>(&self, name: Name, select: &str, values: Vec<sea_orm::Value>) -> Vec<T>
    where
        T: sea_orm::TryGetableMany,
    {
        let db = &self.databases[&name];
        let statement = Statement::from_sql_and_values(db.backend(), select, values);
        let rows = db.read().query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| T::try_get_many_by_index(row).unwrap()).collect()
    }

    pub(crate) async fn number(&self, name: Name, select: &str) -> i64 {
        let db = &self.databases[&name];
        // A sum is a number of another type on PostgreSQL.
        let select = format!("SELECT CAST(({select}) AS BIGINT)");
        let row =
            db.read().query_one_raw(Statement::from_string(db.backend(), select)).await.unwrap().unwrap();
        Option::<i64>::try_get_by(&row, 0_usize).unwrap().unwrap_or(0)
    }

    pub(crate) async fn books(&self) -> Books {
        let on_hand = "SELECT product_id, on_hand FROM stock";
        let available = "SELECT owner_id, balance FROM accounts WHERE kind = 'AVAILABLE'";
        Books {
            on_hand: self.rows(Name::Product, on_hand, vec![]).await.into_iter().collect(),
            available: self.rows(Name::User, available, vec![]).await.into_iter().collect(),
        }
    }

    /// Waits until a service has rows that this selects, or a sum above nothing.
    pub(crate) async fn until(&self, name: Name, select: &str) {
        eventually(select, || async { (self.number(name, select).await > 0).then_some(()) }).await;
    }

    /// Waits until a service has no message to send.
    pub(crate) async fn sent_by(&self, name: Name) {
        eventually("everything is published", || async {
            (outbox::backlog(&self.databases[&name]).await.unwrap() == 0).then_some(())
        })
        .await;
    }

    /// Waits until nothing is under way: every saga over or waiting for a person to pay, every message sent.
    pub(crate) async fn at_rest(&self) {
        let open = "SELECT COUNT(*) FROM saga WHERE state = 'COMPENSATING' OR (state = 'RUNNING' AND step <> 'payment')";
        eventually("everything comes to rest", || async {
            let mut waiting = 0;
            for (name, db) in &self.databases {
                if matches!(name, Name::Order | Name::Listing) {
                    waiting += self.number(*name, open).await;
                }
                waiting += i64::try_from(outbox::backlog(db).await.unwrap()).unwrap();
            }
            (waiting == 0).then_some(())
        })
        .await;
    }

    /// Waits until nothing is under way; then what these people have more or less than at the start is this (minor
    /// units), nothing is held, no cent is missing (I1), invoices have no gap (I10), and the audit finds nothing.
    pub(crate) async fn assert_moved(&self, moved: &[(u16, i64)]) {
        self.at_rest().await;
        if self.services.len() == ALL.len() {
            self.assert_sound();
        }
        let mut expected = self.at_start.available.clone();
        for (who, minor) in moved {
            *expected.entry(user(*who)).or_default() += minor;
        }
        assert_eq!(self.books().await.available, expected);
        assert_eq!(self.number(Name::User, "SELECT SUM(balance) FROM accounts").await, 0, "I1");
        assert_eq!(self.number(Name::User, "SELECT SUM(balance) FROM accounts WHERE kind = 'HELD'").await, 0);
        self.assert_invoices_have_no_gap().await;
    }

    /// The audit of all services finds nothing.
    pub(crate) fn assert_sound(&self) {
        let databases = self.urls.iter();
        let databases =
            databases.map(|(name, url)| (format!("{name:?}_DATABASE_URL").to_uppercase(), url.clone()));
        assert_sound_on(self.files.path(), &databases.collect::<Vec<_>>());
    }

    async fn assert_invoices_have_no_gap(&self) {
        let invoices =
            self.rows::<(i64,)>(Name::Order, "SELECT sequence FROM invoice ORDER BY sequence", vec![]).await;
        assert!(
            invoices.into_iter().map(|(number,)| number).eq(1..=self.invoiced().await),
            "gapless, one per order"
        );
    }

    /// Stock and money moved by the confirmed orders, and by nothing else.
    pub(crate) async fn assert_books_add_up(&self) {
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
        self.assert_invoices_have_no_gap().await;
    }

    pub(crate) async fn invoiced(&self) -> i64 {
        let invoiced = "SELECT COUNT(*) FROM orders WHERE status IN ('CONFIRMED', 'REFUNDED')";
        self.number(Name::Order, invoiced).await
    }

    /// Publishes everything that these services ever sent once more, under the same ids.
    pub(crate) async fn send_everything_again(&self) {
        for db in self.databases.values() {
            let again = |tx: kopitiam_kit::Tx| async move {
                tx.execute_unprepared("UPDATE kit_outbox SET published_at = NULL").await.map(|_| ())
            };
            db.transaction(again).await.unwrap();
        }
    }
}

pub(crate) fn confirmed() -> (String, Option<String>) {
    ("CONFIRMED".to_owned(), None)
}

pub(crate) fn rejected(reason: &str) -> (String, Option<String>) {
    ("REJECTED".to_owned(), Some(reason.to_owned()))
}
