//! The service over a real database, with made-up wallet, product and order services that answer its commands.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_graphql::Request;
use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::listing::ListingCommand;
use kopitiam_kafka::messages::order::{OrderCreated, OrderLinePayload};
use kopitiam_kafka::messages::stock::{
    ItemLockRejected, ItemLocked, ItemTransferred, ItemUnlocked, LockItem, TransferItem, UnlockItem,
};
use kopitiam_kafka::messages::wallet::{
    CaptureFunds, FundsCaptured, FundsHeld, FundsRejected, FundsReleased, HoldFunds, ReleaseFunds,
};
use kopitiam_kafka::{Envelope, Message};
use kopitiam_kit::SystemError;
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::errors::is_serialization_failure;
use kopitiam_kit::live::Hub;
use kopitiam_kit::testing::{TestDb, each_database, execute, sqlite};
use kopitiam_listing::app::{self, ListingSchema};
use kopitiam_listing::commands::Market;
use kopitiam_listing::domain::auction::Rules;
use kopitiam_listing::domain::bid::Bid;
use kopitiam_listing::domain::listing::{Details, Listing, ListingStatus};
use kopitiam_listing::graphql::loaders::Loaders;
use kopitiam_listing::migration::Migrator;
use kopitiam_listing::{projections, store};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const SELLER: Uuid = Uuid::from_u128(0x51);
pub(crate) const ITEM: Uuid = Uuid::from_u128(0x17e);
const CREATE_AUCTION: &str = "mutation($in: AuctionInput!, $key: ID!) {
    createAuction(input: $in, idempotencyKey: $key) { listing { id status version } userErrors { code } } }";
const PLACE_BID: &str = "mutation($id: ID!, $amount: Decimal!, $key: ID!, $currency: String!) {
    placeBid(listingId: $id, amount: $amount, currency: $currency, idempotencyKey: $key) {
        bid { id status isViewer } listing { bidCount currentPrice { amount } minNextBid { amount } } userErrors { code message field } } }";

/// What became of a hold at the made-up wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    Rejected,
    Released,
    Captured,
}

/// The other services' books.
#[derive(Default)]
pub(crate) struct Books {
    /// Holds: whose, how much, what became of it.
    pub(crate) holds: HashMap<Uuid, (Uuid, i64, Hold)>,
    /// What people can spend; a hundred thousand unless set.
    pub(crate) available: HashMap<Uuid, i64>,
    /// Which listing holds an item.
    pub(crate) locks: HashMap<Uuid, Uuid>,
    /// Who owns an item.
    pub(crate) owners: HashMap<Uuid, Uuid>,
    /// Orders by listing.
    pub(crate) orders: HashMap<Uuid, Uuid>,
    /// What was paid out: to whom, how much.
    pub(crate) paid: Vec<Value>,
    seen: i64,
}

pub(crate) struct Shop {
    pub(crate) db: TestDb,
    pub(crate) market: Arc<Market>,
    pub(crate) schema: ListingSchema,
    books: Mutex<Books>,
}

impl Shop {
    pub(crate) async fn each() -> Vec<Self> {
        Self::each_with(Rules::default()).await
    }

    pub(crate) async fn each_with(rules: Rules) -> Vec<Self> {
        each_database::<Migrator>().await.into_iter().map(|db| Self::over(db, rules)).collect()
    }

    pub(crate) async fn sqlite() -> Self {
        Self::over(sqlite::<Migrator>().await, Rules::default())
    }

    fn over(db: TestDb, rules: Rules) -> Self {
        let market = Arc::new(Market::new(db.db().clone(), Hub::default(), rules));
        let schema = app::schema(Arc::clone(&market));
        let mut books = Books::default();
        books.owners.insert(ITEM, SELLER);
        Self { db, market, schema, books: Mutex::new(books) }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no test panics while it holds the books")
    }

    pub(crate) async fn ask(&self, viewer: Viewer, query: &str, variables: Value) -> Value {
        let db = self.db.db().clone();
        let attach = move |request: Request| request.data(Loaders::new(&db));
        let response = execute(&self.schema, viewer, query, variables, attach).await;
        serde_json::to_value(response).expect("a response is JSON")
    }

    pub(crate) async fn rows(&self, table: &str) -> i64 {
        self.count(&format!("SELECT COUNT(*) AS n FROM {table}")).await
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let row = self.db.read().query_one_raw(Statement::from_string(self.db.backend(), sql)).await;
        row.expect("the test database works")
            .and_then(|row| row.try_get("", "n").ok())
            .expect("a count is one row")
    }

    /// An auction of `ITEM` whose item is not locked yet.
    pub(crate) async fn pending_auction(&self, extra: Value) -> Uuid {
        let mut input = json!({ "itemId": ITEM, "title": "Sign", "startPrice": "10.00", "currency": "USD",
            "endsAt": Utc::now() + TimeDelta::days(1) });
        let fields = extra.as_object().cloned().unwrap_or_default();
        input.as_object_mut().expect("it is one").extend(fields);
        let made = self.ask(seller(), CREATE_AUCTION, json!({ "in": input, "key": Uuid::new_v4() })).await;
        let id = made["data"]["createAuction"]["listing"]["id"].as_str().unwrap_or_else(|| panic!("{made}"));
        Uuid::parse_str(id).expect("an id")
    }

    /// An open auction of `ITEM`.
    pub(crate) async fn auction(&self, extra: Value) -> Uuid {
        let id = self.pending_auction(extra).await;
        self.pump().await;
        assert_eq!(self.listing(id).await.status, ListingStatus::Active);
        id
    }

    /// Places a bid; the answer's payload.
    pub(crate) async fn bid(&self, bidder: Uuid, listing: Uuid, amount: &str) -> Value {
        let variables = json!({ "id": listing, "amount": amount, "key": Uuid::new_v4(), "currency": "USD" });
        let answer = self.ask(user(bidder), PLACE_BID, variables).await;
        assert!(answer["errors"].is_null(), "{answer}");
        answer["data"]["placeBid"].clone()
    }

    pub(crate) async fn listing(&self, id: Uuid) -> Listing {
        store::listings::by_ids(self.db.read(), &[id]).await.expect("the test database works")[&id].clone()
    }

    pub(crate) async fn bid_row(&self, id: Uuid) -> Bid {
        store::bids::by_ids(self.db.read(), &[id]).await.expect("the test database works")[&id].clone()
    }

    /// The clock strikes: ends the auction as of `now`.
    pub(crate) async fn end(&self, id: Uuid, now: DateTime<Utc>) {
        let market = &self.market;
        let ended = self.db.transaction(|tx| async move { market.auctions.end(&tx, id, now).await });
        ended.await.unwrap_or_else(|error| panic!("{error}"));
    }

    pub(crate) async fn ends_at(&self, id: Uuid) -> DateTime<Utc> {
        match self.listing(id).await.details {
            Details::Auction { ends_at, .. } => ends_at,
            other => panic!("{other:?}"),
        }
    }

    /// Every message written so far, oldest first.
    pub(crate) async fn messages(&self) -> Vec<Envelope> {
        self.messages_after(0).await.into_iter().map(|(_, envelope)| envelope).collect()
    }

    /// Types of the events of one listing, oldest first.
    pub(crate) async fn events_of(&self, id: Uuid) -> Vec<String> {
        let events = self.messages().await.into_iter().filter(|envelope| envelope.aggregate_id == id);
        events.map(|envelope| envelope.message_type).collect()
    }

    async fn messages_after(&self, seq: i64) -> Vec<(i64, Envelope)> {
        let select = format!("SELECT seq, body FROM kit_outbox WHERE seq > {seq} ORDER BY seq");
        let rows = self.db.read().query_all_raw(Statement::from_string(self.db.backend(), select)).await;
        let read = |row: sea_orm::QueryResult| {
            let body: String = row.try_get("", "body").expect("a column");
            (row.try_get("", "seq").expect("a column"), serde_json::from_str(&body).expect("an envelope"))
        };
        rows.expect("the test database works").into_iter().map(read).collect()
    }

    /// Lets the other services answer until nothing is left to answer.
    pub(crate) async fn pump(&self) {
        while self.pump_once(|_| true).await > 0 {}
    }

    /// Lets the other services answer those new commands that `wanted` names; the others are lost. How many there were.
    pub(crate) async fn pump_once(&self, wanted: impl Fn(&Envelope) -> bool) -> usize {
        let seen = self.books().seen;
        let messages = self.messages_after(seen).await;
        for (seq, envelope) in &messages {
            self.books().seen = *seq;
            if wanted(envelope) {
                let answer = self.books().answer(envelope);
                if let Some(answer) = answer {
                    // Delivered twice: at least once is all that a broker promises.
                    self.deliver(&answer).await;
                    self.deliver(&answer).await;
                }
            }
        }
        messages.len()
    }

    /// Answers of the other services to all commands of this type that were not answered yet, not delivered.
    pub(crate) async fn answers(&self, message_type: &str) -> Vec<Envelope> {
        let seen = self.books().seen;
        let messages = self.messages_after(seen).await;
        let mut books = self.books();
        let mut answers = Vec::new();
        for (seq, envelope) in messages {
            books.seen = seq;
            if envelope.message_type == message_type {
                answers.extend(books.answer(&envelope));
            }
        }
        answers
    }

    /// A reply arrives.
    pub(crate) async fn deliver(&self, envelope: &Envelope) {
        self.try_deliver(envelope).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// A reply arrives; like the consumer, tries again when another transaction was faster.
    pub(crate) async fn try_deliver(&self, envelope: &Envelope) -> Result<u32, SystemError> {
        let mut lost = 0;
        loop {
            let market = &self.market;
            let work =
                self.db.transaction(|tx| async move { projections::reply(&tx, market, envelope).await });
            match work.await {
                Ok(()) => return Ok(lost),
                Err(error) if lost < 100 && is_lost_race(&error) => lost += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// An order's command arrives; the types of what it is answered with.
    pub(crate) async fn command<M: Message>(&self, listing: Uuid, command: &M) -> Vec<Envelope> {
        let envelope = envelope(listing, Uuid::new_v4(), command);
        let parsed = ListingCommand::decode(&envelope).expect("valid").expect("known");
        let mut lost = 0;
        loop {
            let (market, parsed, envelope) = (&self.market, &parsed, &envelope);
            let work =
                self.db.transaction(|tx| async move { market.order_command(&tx, envelope, parsed).await });
            match work.await {
                Ok(()) => break,
                Err(error) if lost < 100 && is_lost_race(&error) => lost += 1,
                Err(error) => panic!("{error}"),
            }
        }
        let all = self.messages().await;
        all.into_iter().filter(|message| message.correlation_id == envelope.correlation_id).collect()
    }
}

/// Another transaction was faster: seen by the service, or by PostgreSQL once more than it is tried again by itself.
fn is_lost_race(error: &SystemError) -> bool {
    matches!(error, SystemError::Unavailable(_)) || is_serialization_failure(error)
}

impl Books {
    fn answer(&mut self, command: &Envelope) -> Option<Envelope> {
        let payload = command.payload.clone();
        match command.message_type.as_str() {
            "HoldFunds" => {
                let HoldFunds { hold_id, user_id, amount, .. } = parse(payload);
                let available = self.available.entry(user_id).or_insert(100_000);
                let state = self.holds.entry(hold_id).or_insert_with(|| {
                    let enough = *available >= amount.minor;
                    *available -= if enough { amount.minor } else { 0 };
                    (user_id, amount.minor, if enough { Hold::Held } else { Hold::Rejected })
                });
                Some(match state.2 {
                    Hold::Held => reply(command, user_id, &FundsHeld { hold_id, amount }),
                    Hold::Rejected => rejected(command, user_id, hold_id, "INSUFFICIENT_FUNDS"),
                    _ => rejected(command, user_id, hold_id, "HOLD_RESOLVED"),
                })
            }
            "ReleaseFunds" => {
                let ReleaseFunds { hold_id, user_id } = parse(payload);
                let state = self.holds.entry(hold_id).or_insert((user_id, 0, Hold::Released));
                match state.2 {
                    Hold::Captured => return Some(rejected(command, user_id, hold_id, "HOLD_RESOLVED")),
                    Hold::Held => *self.available.entry(user_id).or_insert(100_000) += state.1,
                    _ => {}
                }
                state.2 = Hold::Released;
                let amount = Amount::new(state.1, "USD");
                Some(reply(command, user_id, &FundsReleased { hold_id, amount }))
            }
            "CaptureFunds" => {
                let CaptureFunds { hold_id, user_id, splits, .. } = parse(payload);
                let state = self.holds.get_mut(&hold_id).expect("a captured hold was held");
                assert!(matches!(state.2, Hold::Held | Hold::Captured), "{state:?}");
                if state.2 == Hold::Held {
                    let paid: i64 = splits.iter().map(|split| split.amount.minor).sum();
                    assert_eq!(paid, state.1, "all of the hold is paid out");
                    self.paid.extend(splits.iter().map(|split| serde_json::to_value(split).expect("JSON")));
                }
                state.2 = Hold::Captured;
                let amount = Amount::new(state.1, "USD");
                Some(reply(command, user_id, &FundsCaptured { hold_id, amount, splits }))
            }
            "LockItem" => {
                let LockItem { item_id, listing_id, owner_id, .. } = parse(payload);
                let refused = |code: &str| ItemLockRejected { listing_id, code: code.to_owned() };
                if self.owners.get(&item_id) != Some(&owner_id) {
                    return Some(reply(command, item_id, &refused("NOT_OWNER")));
                }
                if *self.locks.entry(item_id).or_insert(listing_id) != listing_id {
                    return Some(reply(command, item_id, &refused("ITEM_LOCKED")));
                }
                Some(reply(command, item_id, &ItemLocked { listing_id, owner_id }))
            }
            "UnlockItem" => {
                let UnlockItem { item_id, listing_id } = parse(payload);
                self.locks.retain(|item, holder| *item != item_id || *holder != listing_id);
                Some(reply(command, item_id, &ItemUnlocked { listing_id }))
            }
            "TransferItem" => {
                let TransferItem { item_id, listing_id, to } = parse(payload);
                let from = self.owners.insert(item_id, to).unwrap_or(to);
                self.locks.remove(&item_id);
                Some(reply(command, item_id, &ItemTransferred { listing_id, from, to }))
            }
            "AuctionSettled" => {
                let listing_id = command.aggregate_id;
                let order_id = *self.orders.entry(listing_id).or_insert_with(Uuid::new_v4);
                Some(reply(command, order_id, &order(listing_id)))
            }
            _ => None,
        }
    }

    /// Holds that still set money aside.
    pub(crate) fn held(&self) -> Vec<Uuid> {
        self.holds.iter().filter(|(_, (_, _, state))| *state == Hold::Held).map(|(id, _)| *id).collect()
    }
}

fn order(listing_id: Uuid) -> OrderCreated {
    let line = OrderLinePayload {
        line_id: Uuid::new_v4(),
        product_id: None,
        listing_id: Some(listing_id),
        seller_id: Some(SELLER),
        title: "Sign".to_owned(),
        quantity: 1,
        unit_price: Amount::new(1, "USD"),
    };
    OrderCreated {
        number: "K1".to_owned(),
        buyer_id: Uuid::nil(),
        kind: "AUCTION".to_owned(),
        lines: vec![line],
        total: Amount::new(1, "USD"),
    }
}

fn parse<M: Message>(payload: Value) -> M {
    serde_json::from_value(payload).expect("this service writes valid commands")
}

fn rejected(command: &Envelope, user_id: Uuid, hold_id: Uuid, code: &str) -> Envelope {
    reply(command, user_id, &FundsRejected { hold_id, code: code.to_owned() })
}

fn reply<M: Message>(command: &Envelope, aggregate_id: Uuid, payload: &M) -> Envelope {
    envelope(aggregate_id, command.correlation_id, payload)
}

/// A message of another service.
pub(crate) fn envelope<M: Message>(aggregate_id: Uuid, correlation_id: Uuid, payload: &M) -> Envelope {
    let id = Uuid::now_v7();
    Envelope {
        id,
        message_type: M::TYPE.to_owned(),
        schema_version: 1,
        aggregate_type: M::AGGREGATE.to_owned(),
        aggregate_id,
        aggregate_version: 1,
        occurred_at: Utc::now(),
        correlation_id,
        causation_id: id,
        actor: "service:test".to_owned(),
        traceparent: "00-00000000000000000000000000000000-0000000000000000-00".to_owned(),
        payload: serde_json::to_value(payload).expect("a payload is JSON"),
    }
}

pub(crate) fn seller() -> Viewer {
    Viewer::test(SELLER, &["USER", "SELLER"], "self")
}

pub(crate) fn user(id: Uuid) -> Viewer {
    Viewer::test(id, &["USER"], "self")
}

pub(crate) fn manager() -> Viewer {
    Viewer::test(Uuid::from_u128(0x3a), &["USER", "MANAGER"], "self users:read listings:cancel:any")
}

pub(crate) fn id_in(payload: &Value, field: &str) -> Uuid {
    Uuid::parse_str(payload[field]["id"].as_str().unwrap_or_else(|| panic!("{payload}"))).expect("an id")
}
