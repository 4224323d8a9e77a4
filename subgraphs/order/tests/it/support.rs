//! The service without a broker: its schema over a database, its outbox to read, replies to hand in.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kopitiam_kafka::messages::Amount;
use kopitiam_kafka::messages::listing::{ListingCreated, ListingKind};
use kopitiam_kafka::messages::stock::{
    CommitStock, ReserveStock, ReservedLine, StockCommitted, StockLine, StockReserved,
};
use kopitiam_kafka::messages::wallet::{CaptureFunds, FundsCaptured, FundsHeld, FundsRejected, HoldFunds};
use kopitiam_kafka::{Envelope, Message, Topic};
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::consumer::Handler;
use kopitiam_kit::testing::{TestDb, each_database, execute};
use kopitiam_kit::{Failure, SystemError, inbox};
use kopitiam_order::commands::{Shop, bookings};
use kopitiam_order::domain::cart::Product;
use kopitiam_order::graphql::{self, OrderSchema, loaders};
use kopitiam_order::migration::Migrator;
use kopitiam_order::projections::Projections;
use kopitiam_order::store::replicas;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const ADA: Uuid = Uuid::from_u128(0xada);
pub(crate) const BOB: Uuid = Uuid::from_u128(0xb0b);
pub(crate) const SITI: Uuid = Uuid::from_u128(0x5171);
pub(crate) const BEANS: Uuid = Uuid::from_u128(1);
pub(crate) const CUP: Uuid = Uuid::from_u128(2);

pub(crate) struct Bench {
    pub(crate) db: TestDb,
    pub(crate) shop: Arc<Shop>,
    pub(crate) schema: OrderSchema,
    projections: Projections,
}

/// The service over each database, with two products of Siti: beans at 12.50 (5 left) and cups at 8.90 (1 left).
pub(crate) async fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for db in each_database::<Migrator>().await {
        let shop = Arc::new(Shop::new(db.db().clone()));
        let schema = graphql::schema(Arc::clone(&shop));
        let projections = Projections::new(Arc::clone(&shop));
        let bench = Bench { db, shop, schema, projections };
        bench.product(BEANS, "Beans", 1_250, 5).await;
        bench.product(CUP, "Cup", 890, 1).await;
        benches.push(bench);
    }
    benches
}

pub(crate) fn user(id: Uuid) -> Viewer {
    Viewer::test(id, &["USER"], "")
}

pub(crate) fn manager() -> Viewer {
    Viewer::test(ADA, &["USER", "MANAGER"], "orders:read:any revenue:read disputes:resolve")
}

impl Bench {
    pub(crate) async fn product(&self, id: Uuid, name: &str, price_minor: i64, stock: i64) {
        let product = Product {
            id,
            name: name.to_owned(),
            price_minor,
            currency: "USD".to_owned(),
            seller_id: Some(SITI),
            archived: false,
            available: None,
        };
        let product = &product;
        let write = move |tx: kopitiam_kit::Tx| async move {
            replicas::save_product(&tx, product, 1).await?;
            replicas::save_stock(&tx, id, stock, 0, 1).await?;
            Ok::<_, SystemError>(())
        };
        self.db.transaction(write).await.unwrap();
    }

    /// A listing of Siti's, as its owner announced it.
    pub(crate) async fn listing(&self, id: Uuid, kind: ListingKind, price_minor: i64, deposit_percent: i32) {
        let created = ListingCreated {
            kind,
            title: "Cupping evening".to_owned(),
            seller_id: SITI,
            status: "ACTIVE".to_owned(),
            ask_price: Amount::new(price_minor, "USD"),
            product_id: None,
            item_id: None,
            ends_at: None,
            deposit_percent: Some(deposit_percent),
        };
        self.receive(&message(Uuid::nil(), id, 1, &created)).await;
    }

    /// Lets the sagas and bookings look at what is due at that time.
    pub(crate) async fn sweep(&self, at: DateTime<Utc>) {
        let (shop, db) = (&self.shop, self.db.db());
        shop.place_order.sweep(db, at).await.unwrap();
        shop.reserve_listing.sweep(db, at).await.unwrap();
        shop.refund_order.sweep(db, at).await.unwrap();
        shop.pay_booking.sweep(db, at).await.unwrap();
        shop.release_escrow.sweep(db, at).await.unwrap();
        bookings::time_passes(shop, at).await.unwrap();
    }

    /// Answers of the wallet that grants everything: to the last message of the type.
    pub(crate) async fn held(&self) -> Envelope {
        let (command, hold) = self.last::<HoldFunds>().await;
        self.reply(&command, hold.user_id, &FundsHeld { hold_id: hold.hold_id, amount: hold.amount }).await
    }

    pub(crate) async fn captured(&self) -> (Envelope, CaptureFunds) {
        let (command, capture) = self.last::<CaptureFunds>().await;
        let minor = capture.splits.iter().map(|split| split.amount.minor).sum();
        let (hold_id, splits) = (capture.hold_id, capture.splits.clone());
        let reply = FundsCaptured { hold_id, amount: Amount::new(minor, "USD"), splits };
        (self.reply(&command, capture.user_id, &reply).await, capture)
    }

    pub(crate) async fn refused_funds(&self, code: &str) -> Envelope {
        let (command, hold) = self.last::<HoldFunds>().await;
        let reply = FundsRejected { hold_id: hold.hold_id, code: code.to_owned() };
        self.reply(&command, hold.user_id, &reply).await
    }

    /// Plays the stock for an order of beans: reserved at the price of the catalogue.
    pub(crate) async fn stock_reserved(&self, order: Uuid) {
        let (command, reserve) = self.last::<ReserveStock>().await;
        let line = |line: &StockLine| ReservedLine {
            product_id: line.product_id,
            quantity: line.quantity,
            unit_price: Amount::new(1_250, "USD"),
            seller_id: SITI,
            title: String::new(),
        };
        let lines = reserve.lines.iter().map(line).collect();
        let reply = StockReserved { reservation_id: order, lines, expires_at: reserve.expires_at };
        self.reply(&command, order, &reply).await;
    }

    /// Plays stock and wallet for the order whose hold was asked for last, until it is settled.
    pub(crate) async fn settle(&self) {
        self.held().await;
        self.captured().await;
        let (command, commit) = self.last::<CommitStock>().await;
        let reply = StockCommitted { reservation_id: commit.reservation_id };
        self.reply(&command, commit.reservation_id, &reply).await;
    }

    /// Plays stock and wallet for an order of beans until it is settled.
    pub(crate) async fn confirm(&self, order: Uuid) {
        self.stock_reserved(order).await;
        self.settle().await;
    }

    /// Kind and state of every saga, newest first.
    pub(crate) async fn sagas(&self) -> Vec<(String, String)> {
        let query = "{ sagas(stuckOnly: false, first: 50) { edges { node { kind state } } } }";
        let data = self.ask(manager(), query, json!({})).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let edges = data["sagas"]["edges"].as_array().unwrap().iter();
        edges.map(|edge| (text(&edge["node"]["kind"]), text(&edge["node"]["state"]))).collect()
    }

    /// The whole response.
    pub(crate) async fn respond(&self, viewer: Viewer, query: &str, variables: Value) -> Value {
        let reads = self.db.db().clone();
        let attach = |request: async_graphql::Request| request.data(loaders::loader(reads));
        let response = execute(&self.schema, viewer, query, variables, attach).await;
        serde_json::to_value(&response).unwrap()
    }

    /// The data of a response without errors.
    pub(crate) async fn ask(&self, viewer: Viewer, query: &str, variables: Value) -> Value {
        let response = self.respond(viewer, query, variables).await;
        assert_eq!(response.get("errors"), None, "{query}: {response}");
        response["data"].clone()
    }

    /// A cart with these lines; its id.
    pub(crate) async fn cart(&self, viewer: Viewer, lines: &[(Uuid, i32)]) -> String {
        let lines: Vec<Value> =
            lines.iter().map(|(id, quantity)| json!({ "productId": id, "quantity": quantity })).collect();
        let query = "mutation($lines: [CartLineInput!]!) {
            cartLinesSet(lines: $lines) { cart { id } userErrors { code } } }";
        let data = self.ask(viewer, query, json!({ "lines": lines })).await;
        data["cartLinesSet"]["cart"]["id"].as_str().unwrap_or_else(|| panic!("{data}")).to_owned()
    }

    /// Checks a cart out; the payload.
    pub(crate) async fn checkout(&self, buyer: Uuid, cart: &str, total: &str, key: &str) -> Value {
        let query = "mutation($cart: ID!, $total: Decimal!, $key: ID!) {
            checkout(input: { cartId: $cart, expectedTotal: $total, currency: \"USD\" }, idempotencyKey: $key) {
                order { id number status total { amount } } userErrors { code field } } }";
        let variables = json!({ "cart": cart, "total": total, "key": key });
        self.ask(user(buyer), query, variables).await["checkout"].clone()
    }

    /// Bob orders two bags of beans; the order's id.
    pub(crate) async fn place(&self) -> Uuid {
        let cart = self.cart(user(BOB), &[(BEANS, 2)]).await;
        let placed = self.checkout(BOB, &cart, "25.00", &Uuid::now_v7().to_string()).await;
        placed["order"]["id"].as_str().unwrap_or_else(|| panic!("{placed}")).parse().unwrap()
    }

    /// What is in the outbox, oldest first.
    pub(crate) async fn sent(&self) -> Vec<Envelope> {
        let select = Statement::from_string(self.db.backend(), "SELECT body FROM kit_outbox ORDER BY seq");
        let rows = self.db.read().query_all_raw(select).await.unwrap();
        let bodies = rows.iter().map(|row| row.try_get::<String>("", "body").unwrap());
        bodies.map(|body| serde_json::from_str(&body).unwrap()).collect()
    }

    /// Types of what is in the outbox, oldest first.
    pub(crate) async fn sent_types(&self) -> Vec<String> {
        self.sent().await.into_iter().map(|envelope| envelope.message_type).collect()
    }

    /// Types and versions of the events of a topic about something, oldest first; all under one key, which keeps them in
    /// that order.
    pub(crate) async fn told(&self, topic: Topic, about: Uuid) -> Vec<(String, i64)> {
        let select = "SELECT message_type, aggregate_version, message_key FROM kit_outbox \
                      WHERE topic = $1 AND aggregate_id = $2 ORDER BY seq";
        let values = [topic.name().into(), about.into()];
        let select = Statement::from_sql_and_values(self.db.backend(), select, values);
        let rows = self.db.read().query_all_raw(select).await.unwrap();
        let event = |row: &QueryResult| {
            assert_eq!(row.try_get::<String>("", "message_key").unwrap(), about.to_string());
            (row.try_get("", "message_type").unwrap(), row.try_get("", "aggregate_version").unwrap())
        };
        rows.iter().map(event).collect()
    }

    /// The last message of a type.
    pub(crate) async fn last<M: Message>(&self) -> (Envelope, M) {
        let sent = self.sent().await;
        let envelope = sent.into_iter().rfind(|envelope| envelope.message_type == M::TYPE);
        let envelope = envelope.unwrap_or_else(|| panic!("no {} was sent", M::TYPE));
        let payload = envelope.decode().unwrap();
        (envelope, payload)
    }

    /// Hands a message in as the consumer does: inbox and handler in one transaction.
    pub(crate) async fn receive(&self, envelope: &Envelope) {
        self.try_receive(envelope).await.unwrap();
    }

    /// The same with what the consumer would be told.
    pub(crate) async fn try_receive(&self, envelope: &Envelope) -> Result<(), Failure> {
        let apply = move |tx: kopitiam_kit::Tx| async move {
            if inbox::first_time(&tx, "order", envelope.id).await? {
                self.projections
                    .handle(&tx, envelope)
                    .await
                    .map_err(|error| Failure::System(SystemError::Invariant(error.to_string())))?;
            }
            Ok::<_, Failure>(())
        };
        self.db.transaction(apply).await
    }

    /// Answers a command as its service would: same correlation, caused by it.
    pub(crate) async fn reply<M: Message>(
        &self,
        command: &Envelope,
        aggregate_id: Uuid,
        payload: &M,
    ) -> Envelope {
        let envelope = message(command.correlation_id, aggregate_id, 1, payload);
        self.receive(&envelope).await;
        envelope
    }

    pub(crate) async fn order(&self, id: Uuid) -> Value {
        self.order_as(user(BOB), id).await
    }

    pub(crate) async fn order_as(&self, viewer: Viewer, id: Uuid) -> Value {
        let query = "query($ids: [_Any!]!) { _entities(representations: $ids) { ... on Order {
            number kind status statusReason version canCancel expiresAt history { status actor note }
            lines { id status } invoice { number total { amount } } } } }";
        let ids = json!({ "ids": [{ "__typename": "Order", "id": id }] });
        self.ask(viewer, query, ids).await["_entities"][0].clone()
    }
}

/// A message of another service.
pub(crate) fn message<M: Message>(
    correlation_id: Uuid,
    aggregate_id: Uuid,
    version: i64,
    payload: &M,
) -> Envelope {
    let id = Uuid::now_v7();
    Envelope {
        id,
        message_type: M::TYPE.to_owned(),
        schema_version: 1,
        aggregate_type: M::AGGREGATE.to_owned(),
        aggregate_id,
        aggregate_version: version,
        occurred_at: kopitiam_kit::time::now(),
        correlation_id,
        causation_id: id,
        actor: "service:test".to_owned(),
        traceparent: kopitiam_kafka::envelope::NO_TRACE.to_owned(),
        payload: serde_json::to_value(payload).unwrap(),
    }
}
