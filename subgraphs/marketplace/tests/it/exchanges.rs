//! Tickets and bookings over the real services and a real broker: order, listing, product and user started in this process
//! and killed on the way. After each test money adds up and nothing is locked or held.
//!
//! Elsewhere: the place-order saga (`sagas.rs`), the decisions alone (order), the whole system (`system.rs`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use kopitiam_kit::auth::Denylist;
use kopitiam_kit::config::ServiceConfig;
use kopitiam_kit::testing::{TestBroker, TestTokens, auth_config, eventually};
use kopitiam_kit::{Db, Service, Tasks, outbox, time};
use kopitiam_order::seed::seed_id;
use sea_orm::{ConnectionTrait, Statement, TryGetable};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

/// Seeded people and listings, by their numbers.
const MANAGER: u16 = 2;
const BOB: u16 = 3;
const CAROL: u16 = 4;
const BATIK_LANE: u16 = 6;
const BOOKS: u16 = 8;
/// A seat of a tour by `BOOKS` at 25.00, of which there are several.
const TOUR: u16 = 10;
/// A workshop by `BATIK_LANE` at 95.00, a fifth of it before.
const WORKSHOP: u16 = 13;

fn user(number: u16) -> Uuid {
    seed_id(1, number)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Order,
    Listing,
    Product,
    User,
}

const ALL: [Name; 4] = [Name::Order, Name::Listing, Name::Product, Name::User];

/// A service that runs; dropped, its tasks end where they stand.
struct Running {
    router: Router,
    _tasks: Tasks,
}

/// Each world is a broker and four services: more of them at once than cores only makes all of them slow.
static WORLDS: Semaphore = Semaphore::const_new(1);

/// Fields in the order of their end: the services before the broker they talk to.
struct World {
    running: BTreeMap<Name, Running>,
    broker: TestBroker,
    files: TempDir,
    tokens: TestTokens,
    _turn: SemaphorePermit<'static>,
    databases: BTreeMap<Name, Db>,
    at_start: BTreeMap<Uuid, i64>,
}

impl World {
    /// Seeded services that run, with the listings known to the order service.
    async fn new() -> Self {
        let turn = WORLDS.acquire().await.unwrap();
        let mut world = Self {
            running: BTreeMap::new(),
            broker: TestBroker::start().await,
            files: tempfile::tempdir().unwrap(),
            tokens: TestTokens::new(),
            _turn: turn,
            databases: BTreeMap::new(),
            at_start: BTreeMap::new(),
        };
        for name in ALL {
            world.start(name).await;
            let db = Db::connect(&world.config(name).database_url).await.unwrap();
            match name {
                Name::Listing => kopitiam_listing::seed::seed(&db, time::now()).await.unwrap(),
                Name::User => kopitiam_user::seed::seed(&db, time::now()).await.unwrap(),
                Name::Product => kopitiam_product::seed::story(&db, time::now()).await.unwrap(),
                Name::Order => {}
            }
            world.databases.insert(name, db);
        }
        world.at_start = world.available().await;
        let (known, all) = ("SELECT COUNT(*) FROM listing_replica", "SELECT COUNT(*) FROM listing");
        let all = world.number(Name::Listing, all).await;
        eventually("the listings arrive", || async {
            (world.number(Name::Order, known).await == all).then_some(())
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
            denylist: Denylist::default(),
        }
    }

    async fn start(&mut self, name: Name) {
        let (config, shutdown) = (self.config(name), CancellationToken::new());
        let Service { router, tasks } = match name {
            Name::Order => kopitiam_order::app::start(config, shutdown).await.unwrap(),
            Name::Listing => kopitiam_listing::app::start(config, shutdown).await.unwrap(),
            Name::Product => kopitiam_product::app::start(config, shutdown).await.unwrap(),
            Name::User => kopitiam_user::app::start(config, shutdown).await.unwrap(),
        };
        self.running.insert(name, Running { router, _tasks: tasks });
    }

    /// Ends these services where they stand, and starts them again on the same files.
    async fn restart(&mut self, names: &[Name]) {
        self.running.retain(|name, _| !names.contains(name));
        for name in names {
            self.start(*name).await;
        }
    }

    /// One field of the order service; its value.
    async fn ask(&self, who: u16, query: &str, variables: Value) -> Value {
        let (roles, scope): (&[&str], &str) = match who {
            MANAGER => (&["USER", "MANAGER"], "orders:read:any disputes:resolve"),
            _ => (&["USER", "SELLER"], ""),
        };
        let token = self.tokens.issue(user(who), roles, scope);
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
        answer["data"].as_object().unwrap().values().next().unwrap().clone()
    }

    async fn number(&self, name: Name, select: &str) -> i64 {
        let db = &self.databases[&name];
        let statement = Statement::from_string(db.backend(), select);
        let row = db.read().query_one_raw(statement).await.unwrap().unwrap();
        Option::<i64>::try_get_by(&row, 0_usize).unwrap().unwrap_or(0)
    }

    /// What everybody can spend.
    async fn available(&self) -> BTreeMap<Uuid, i64> {
        let db = &self.databases[&Name::User];
        let select = "SELECT owner_id, balance FROM accounts WHERE kind = 'AVAILABLE'";
        let rows = db.read().query_all_raw(Statement::from_string(db.backend(), select)).await.unwrap();
        let row =
            |row: &sea_orm::QueryResult| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        rows.iter().map(row).collect()
    }

    /// Waits until nothing is under way; then nothing is held, and what these people have more or less than at the start
    /// is this, and no cent is missing.
    async fn assert_moved(&self, moved: &[(u16, i64)]) {
        eventually("everything comes to rest", || async {
            let open =
                "SELECT COUNT(*) FROM saga WHERE state IN ('RUNNING', 'COMPENSATING') AND step <> 'payment'";
            let mut waiting = self.number(Name::Order, open).await;
            for db in self.databases.values() {
                waiting += i64::try_from(outbox::backlog(db).await.unwrap()).unwrap();
            }
            (waiting == 0).then_some(())
        })
        .await;
        let mut expected = self.at_start.clone();
        for (who, minor) in moved {
            *expected.entry(user(*who)).or_default() += minor;
        }
        assert_eq!(self.available().await, expected);
        assert_eq!(self.number(Name::User, "SELECT SUM(balance) FROM accounts").await, 0, "I1");
        assert_eq!(self.number(Name::User, "SELECT SUM(balance) FROM accounts WHERE kind = 'HELD'").await, 0);
    }

    /// Reserves a seat of the tour, again while somebody else has it; the order's id.
    async fn reserve(&self, who: u16) -> Value {
        let query = "mutation($id: ID!, $key: ID!) { reserveListing(listingId: $id, idempotencyKey: $key) {
            order { id } userErrors { code } } }";
        loop {
            let variables = json!({ "id": seed_id(6, TOUR), "key": Uuid::now_v7() });
            let reserved = self.ask(who, query, variables).await;
            assert_eq!(reserved["userErrors"], json!([]), "{reserved}");
            let order = reserved["order"]["id"].clone();
            eventually("the listing answers", || async {
                (self.order(&order).await["history"].as_array().unwrap().len() > 1).then_some(())
            })
            .await;
            // Read once more: an order and its history are two reads, and the answer may come between them.
            let decided = self.order(&order).await;
            if decided["status"] == "AWAITING_PAYMENT" {
                return order;
            }
            assert_eq!(decided["statusReason"], "ALREADY_RESERVED");
        }
    }

    async fn order(&self, id: &Value) -> Value {
        let query = "query($r: [_Any!]!) { _entities(representations: $r) {
            ... on Order { status statusReason history { note } } } }";
        let seen = self.ask(MANAGER, query, json!({ "r": [{ "__typename": "Order", "id": id }] })).await;
        seen[0].clone()
    }

    /// Pays a reserved order, as soon as it can be paid.
    async fn pay(&self, who: u16, order: &Value) {
        let query = "mutation($id: ID!) { payOrder(id: $id, idempotencyKey: $id) { userErrors { code } } }";
        eventually("the order can be paid", || async {
            let paid = self.ask(who, query, json!({ "id": order })).await;
            let errors = paid["userErrors"].as_array().unwrap();
            assert!(errors.iter().all(|error| error["code"] == "ORDER_SETTLING"), "{paid}");
            errors.is_empty().then_some(())
        })
        .await;
    }

    async fn until_order(&self, order: &Value, status: &str) {
        eventually(&format!("the order is {status}"), || async {
            (self.order(order).await["status"] == status).then_some(())
        })
        .await;
    }

    /// Asks for the workshop; the booking's id.
    async fn book(&self, who: u16) -> Value {
        let query = "mutation($id: ID!, $key: ID!) { requestBooking(listingId: $id, idempotencyKey: $key) {
            booking { id } userErrors { code } } }";
        let variables = json!({ "id": seed_id(6, WORKSHOP), "key": Uuid::now_v7() });
        let asked = self.ask(who, query, variables).await;
        assert_eq!(asked["userErrors"], json!([]), "{asked}");
        asked["booking"]["id"].clone()
    }

    /// Does something with a booking in its present version, and waits until it is in that state.
    async fn act(&self, who: u16, booking: &Value, action: &str, then: &str) {
        let query = "mutation($id: ID!, $action: BookingAction!, $version: Int!, $key: ID!) {
            bookingTransition(id: $id, action: $action, expectedVersion: $version, idempotencyKey: $key) {
                booking { state } userErrors { code } } }";
        let version = self.booking(booking).await["version"].clone();
        let variables = json!({ "id": booking, "action": action, "version": version, "key": Uuid::now_v7() });
        let moved = self.ask(who, query, variables).await;
        assert_eq!(moved["userErrors"], json!([]), "{action}: {moved}");
        self.until_booking(booking, then).await;
    }

    async fn until_booking(&self, booking: &Value, state: &str) {
        eventually(&format!("the booking is {state}"), || async {
            (self.booking(booking).await["state"] == state).then_some(())
        })
        .await;
    }

    async fn booking(&self, id: &Value) -> Value {
        let query = "query($id: ID!) { booking(id: $id) { state version } }";
        self.ask(MANAGER, query, json!({ "id": id })).await
    }
}

#[tokio::test]
async fn ticket_is_reserved_paid_and_handed_over_and_one_that_is_called_off_is_free_again() {
    let world = World::new().await;
    let order = world.reserve(BOB).await;
    world.pay(BOB, &order).await;
    world.until_order(&order, "CONFIRMED").await;
    world.assert_moved(&[(BOB, -2_500), (BOOKS, 2_375)]).await;

    let order = world.reserve(CAROL).await;
    let second = world.reserve(CAROL);
    let cancel = "mutation($id: ID!) { cancelOrder(id: $id, idempotencyKey: $id) { userErrors { code } } }";
    let called_off = async {
        let answer = world.ask(CAROL, cancel, json!({ "id": order })).await;
        assert_eq!(answer["userErrors"], json!([]));
    };
    // The next reservation waits for the lock of the one that is called off.
    let (second, ()) = tokio::join!(second, called_off);
    world.until_order(&order, "CANCELLED").await;
    world.pay(CAROL, &second).await;
    world.until_order(&second, "CONFIRMED").await;
    world.assert_moved(&[(BOB, -2_500), (CAROL, -2_500), (BOOKS, 2 * 2_375)]).await;
}

#[tokio::test]
async fn ticket_is_sold_once_whichever_service_is_killed_at_whichever_step() {
    let mut world = World::new().await;
    let mut sold = 0;
    for victims in [&[Name::Order][..], &[Name::Listing], &[Name::User], &ALL] {
        let order = world.reserve(BOB).await;
        world.restart(victims).await;
        world.pay(BOB, &order).await;
        world.restart(victims).await;
        world.until_order(&order, "CONFIRMED").await;
        world.restart(victims).await;
        sold += 1;
        world.assert_moved(&[(BOB, -2_500 * sold), (BOOKS, 2_375 * sold)]).await;
    }
    let invoices = "SELECT COUNT(*) FROM invoice";
    assert_eq!(world.number(Name::Order, invoices).await, sold);
}

#[tokio::test]
async fn booking_pays_through_escrow_and_adds_up_whichever_service_is_killed() {
    let mut world = World::new().await;
    let closed = world.book(BOB).await;
    world.act(BATIK_LANE, &closed, "ACCEPT", "ACCEPTED").await;
    world.act(BOB, &closed, "PAY_DEPOSIT", "DEPOSIT_HELD").await;
    world.restart(&[Name::User]).await;
    world.assert_moved(&[(BOB, -1_900)]).await;
    world.act(BATIK_LANE, &closed, "MARK_DELIVERED", "DELIVERED").await;
    world.act(BOB, &closed, "CONFIRM_COMPLETION", "BALANCE_DUE").await;
    world.act(BOB, &closed, "PAY_BALANCE", "CLOSED").await;
    world.restart(&[Name::Order, Name::User]).await;
    world.assert_moved(&[(BOB, -9_500), (BATIK_LANE, 9_025)]).await;

    let disputed = world.book(CAROL).await;
    world.act(BATIK_LANE, &disputed, "ACCEPT", "ACCEPTED").await;
    world.act(CAROL, &disputed, "PAY_DEPOSIT", "DEPOSIT_HELD").await;
    world.act(BATIK_LANE, &disputed, "MARK_DELIVERED", "DELIVERED").await;
    world.act(CAROL, &disputed, "DISPUTE", "DISPUTED").await;
    world.act(MANAGER, &disputed, "RESOLVE_REFUND", "CANCELLED").await;
    world.restart(&ALL).await;
    world.assert_moved(&[(BOB, -9_500), (BATIK_LANE, 9_025)]).await;
}
