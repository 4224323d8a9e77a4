//! Auctions over the real services and a real broker: listing, product, user and order started in this process and killed
//! on the way. After each test money adds up, the item is its owner's, and nothing is locked or held.
//!
//! Elsewhere: the place-order saga (`sagas.rs`), tickets and bookings (`exchanges.rs`), the auction's own rules and races
//! (listing).

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use kopitiam_kafka::messages::user::UserBanned;
use kopitiam_kit::config::ServiceConfig;
use kopitiam_kit::outbox::NewMessage;
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

/// Seeded people, by their numbers.
const BOB: u16 = 3;
const CAROL: u16 = 4;
/// Seeded items and their owners.
const ITEMS: [(u16, u16); 4] = [(1, 5), (2, 7), (3, 8), (4, 6)];

fn user(number: u16) -> Uuid {
    seed_id(1, number)
}

fn item(number: u16) -> Uuid {
    seed_id(4, number)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Listing,
    Order,
    Product,
    User,
}

const ALL: [Name; 4] = [Name::Listing, Name::Order, Name::Product, Name::User];

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
    databases: BTreeMap<Name, Db>,
    at_start: BTreeMap<Uuid, i64>,
    _turn: SemaphorePermit<'static>,
}

impl World {
    async fn new() -> Self {
        let turn = WORLDS.acquire().await.unwrap();
        let mut world = Self {
            running: BTreeMap::new(),
            broker: TestBroker::start().await,
            files: tempfile::tempdir().unwrap(),
            tokens: TestTokens::new(),
            databases: BTreeMap::new(),
            at_start: BTreeMap::new(),
            _turn: turn,
        };
        for name in ALL {
            world.start(name).await;
            let db = Db::connect(&world.config(name).database_url).await.unwrap();
            match name {
                Name::Product => kopitiam_product::seed::story(&db, time::now()).await.unwrap(),
                Name::User => kopitiam_user::seed::seed(&db, time::now()).await.unwrap(),
                Name::Order | Name::Listing => {}
            }
            world.databases.insert(name, db);
        }
        world.at_start = world.available().await;
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
        let (config, shutdown) = (self.config(name), CancellationToken::new());
        let Service { router, tasks } = match name {
            Name::Listing => kopitiam_listing::app::start(config, shutdown).await.unwrap(),
            Name::Order => kopitiam_order::app::start(config, shutdown).await.unwrap(),
            Name::Product => kopitiam_product::app::start(config, shutdown).await.unwrap(),
            Name::User => kopitiam_user::app::start(config, shutdown).await.unwrap(),
        };
        self.running.insert(name, Running { router, _tasks: tasks });
    }

    fn kill(&mut self, name: Name) {
        self.running.remove(&name);
    }

    /// What the listing service answers.
    async fn ask(&self, who: u16, roles: &[&str], query: &str, variables: Value) -> Value {
        let token = self.tokens.issue(user(who), roles, "self");
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(body))
            .unwrap();
        let response = self.running[&Name::Listing].router.clone().oneshot(request).await.unwrap();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(answer.get("errors"), None, "{query}: {answer}");
        answer["data"].clone()
    }

    /// An open auction of an item by its owner, from 10.00, sold at once for 40.00.
    async fn auction(&self, (item_number, seller): (u16, u16)) -> Uuid {
        let create =
            "mutation($in: AuctionInput!, $key: ID!) { createAuction(input: $in, idempotencyKey: $key) {
            listing { id } userErrors { code message } } }";
        let input = json!({ "itemId": item(item_number), "title": "A thing", "startPrice": "10.00",
            "buyNowPrice": "40.00", "currency": "USD", "endsAt": time::now() + TimeDelta::days(1) });
        let made = self
            .ask(seller, &["USER", "SELLER"], create, json!({ "in": input, "key": Uuid::now_v7() }))
            .await;
        let id = made["createAuction"]["listing"]["id"].as_str().unwrap_or_else(|| panic!("{made}"));
        let id: Uuid = id.parse().unwrap();
        self.until(id, "ACTIVE").await;
        id
    }

    async fn bid(&self, who: u16, auction: Uuid, amount: &str) -> Uuid {
        let place = "mutation($id: ID!, $amount: Decimal!, $key: ID!) {
            placeBid(listingId: $id, amount: $amount, currency: \"USD\", idempotencyKey: $key) { bid { id } userErrors { code message } } }";
        let variables = json!({ "id": auction, "amount": amount, "key": Uuid::now_v7() });
        let placed = self.ask(who, &["USER"], place, variables).await;
        let id = placed["placeBid"]["bid"]["id"].as_str().unwrap_or_else(|| panic!("{placed}"));
        id.parse().unwrap()
    }

    /// Waits until a listing has the status.
    async fn until(&self, listing: Uuid, status: &str) {
        eventually(&format!("the listing is {status}"), || async {
            let select = "SELECT status FROM listing WHERE id = $1";
            let rows: Vec<(String,)> = self.rows(Name::Listing, select, vec![listing.into()]).await;
            (rows[0].0 == status).then_some(())
        })
        .await;
    }

    /// Waits until a bid has left `PENDING`; its status and why.
    async fn decided(&self, bid: Uuid) -> (String, Option<String>) {
        eventually("the bid is decided", || async {
            let select = "SELECT status, code FROM bid WHERE id = $1";
            let rows: Vec<(String, Option<String>)> =
                self.rows(Name::Listing, select, vec![bid.into()]).await;
            rows.into_iter().next().filter(|(status, _)| status != "PENDING")
        })
        .await
    }

    async fn rows<T: sea_orm::TryGetableMany>(
        &self,
        name: Name,
        select: &str,
        values: Vec<sea_orm::Value>,
    ) -> Vec<T> {
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

    async fn available(&self) -> BTreeMap<Uuid, i64> {
        let select = "SELECT owner_id, balance FROM accounts WHERE kind = 'AVAILABLE'";
        self.rows(Name::User, select, vec![]).await.into_iter().collect()
    }

    /// Waits until nothing is under way: every saga over, every message sent.
    async fn at_rest(&self) {
        eventually("everything comes to rest", || async {
            let open = "SELECT COUNT(*) FROM saga WHERE state IN ('RUNNING', 'COMPENSATING')";
            let mut waiting = self.number(Name::Listing, open).await + self.number(Name::Order, open).await;
            for db in self.databases.values() {
                waiting += i64::try_from(outbox::backlog(db).await.unwrap()).unwrap();
            }
            (waiting == 0).then_some(())
        })
        .await;
    }

    /// I1, I11: money moved by these sales (buyer, seller, price) and by nothing else; nothing is held or locked.
    async fn assert_only_sold(&self, sales: &[(u16, u16, i64)]) {
        self.at_rest().await;
        let mut expected = self.at_start.clone();
        for (buyer, seller, price) in sales {
            *expected.get_mut(&user(*buyer)).unwrap() -= price;
            *expected.get_mut(&user(*seller)).unwrap() += price - price / 20;
        }
        assert_eq!(self.available().await, expected);
        assert_eq!(self.number(Name::User, "SELECT SUM(balance) FROM accounts").await, 0, "I1");
        assert_eq!(self.number(Name::User, "SELECT SUM(balance) FROM accounts WHERE kind = 'HELD'").await, 0);
        let locked = "SELECT COUNT(*) FROM items WHERE locked_by IS NOT NULL";
        assert_eq!(self.number(Name::Product, locked).await, 0);
        let orders = "SELECT COUNT(*) FROM orders WHERE kind = 'AUCTION' AND status = 'CONFIRMED'";
        let sold = i64::try_from(sales.len()).unwrap();
        assert_eq!(self.number(Name::Order, orders).await, sold, "one order per sale");
        assert_eq!(self.number(Name::Order, "SELECT COUNT(*) FROM invoice").await, sold, "I10");
    }

    async fn owner(&self, item_number: u16) -> Uuid {
        let select = "SELECT owner_id FROM items WHERE id = $1";
        let rows: Vec<(Uuid,)> = self.rows(Name::Product, select, vec![item(item_number).into()]).await;
        rows[0].0
    }
}

#[tokio::test]
async fn the_highest_bid_pays_the_seller_gets_the_item_and_an_order_with_an_invoice() {
    let world = World::new().await;
    let auction = world.auction(ITEMS[0]).await;
    let first = world.bid(CAROL, auction, "10.00").await;
    assert_eq!(world.decided(first).await.0, "ACCEPTED");
    let poor = world.bid(CAROL, auction, "39999.00").await;
    assert_eq!(world.decided(poor).await, ("REJECTED".to_owned(), Some("INSUFFICIENT_FUNDS".to_owned())));
    let second = world.bid(BOB, auction, "20.00").await;
    assert_eq!(world.decided(second).await.0, "ACCEPTED");
    // A day later.
    let listing = &world.databases[&Name::Listing];
    let passed = listing.transaction(|tx| async move {
        tx.execute_unprepared("UPDATE timer SET due_at_ms = 0").await?;
        let earlier = Statement::from_sql_and_values(
            tx.get_database_backend(),
            "UPDATE listing SET ends_at = $1",
            [time::now().into()],
        );
        tx.execute_raw(earlier).await
    });
    passed.await.unwrap();
    world.until(auction, "SOLD").await;
    assert_eq!(world.owner(ITEMS[0].0).await, user(BOB));
    world.assert_only_sold(&[(BOB, ITEMS[0].1, 2_000)]).await;
}

#[tokio::test]
async fn an_auction_is_sold_whichever_service_is_killed_while_its_last_bid_is_decided() {
    let mut world = World::new().await;
    let mut sales = Vec::new();
    for (killed, (number, seller)) in ALL.into_iter().zip(ITEMS) {
        let auction = world.auction((number, seller)).await;
        world.bid(CAROL, auction, "10.00").await;
        if killed != Name::Listing {
            world.kill(killed);
        }
        let winning = world.bid(BOB, auction, "40.00").await;
        world.kill(killed);
        world.start(killed).await;
        assert_eq!(world.decided(winning).await.0, "WON", "{killed:?}");
        world.until(auction, "SOLD").await;
        assert_eq!(world.owner(number).await, user(BOB));
        sales.push((BOB, seller, 4_000));
    }
    world.assert_only_sold(&sales).await;
}

#[tokio::test]
async fn a_banned_sellers_auction_gives_back_the_leaders_money_and_the_item() {
    let world = World::new().await;
    let auction = world.auction(ITEMS[1]).await;
    let leading = world.bid(BOB, auction, "10.00").await;
    assert_eq!(world.decided(leading).await.0, "ACCEPTED");
    // As the user service tells of a ban.
    let banned = UserBanned { reason: "sells what is not there".to_owned() };
    let (seller, banned) = (user(ITEMS[1].1), &banned);
    let told = world.databases[&Name::User].transaction(|tx| async move {
        outbox::append(&tx, NewMessage::new(seller, "service:user", banned)).await
    });
    told.await.unwrap();
    world.until(auction, "CANCELLED").await;
    world.assert_only_sold(&[]).await;
    assert_eq!(world.owner(ITEMS[1].0).await, user(ITEMS[1].1));
}
