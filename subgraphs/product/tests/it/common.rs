//! What the tests of this service share: its commands over a seeded database, requests as a viewer.

use async_graphql::Request;
use futures::StreamExt;
use kopitiam_kit::auth::Viewer;
pub(crate) use kopitiam_kit::testing::error_codes;
use kopitiam_kit::testing::{TestDb, each_database, execute};
use kopitiam_kit::time;
use kopitiam_product::app::{self, Migrator};
use kopitiam_product::commands::Commands;
use kopitiam_product::domain::product::Stock;
use kopitiam_product::graphql::{self, ProductSchema};
use kopitiam_product::store::{reservations, stock};
use serde_json::Value;
use uuid::Uuid;

/// The service over one database with the seed's catalogue, without a broker.
pub(crate) struct Shop {
    pub(crate) db: TestDb,
    pub(crate) commands: Commands,
    schema: ProductSchema,
}

/// The service over SQLite, and over PostgreSQL where there is one.
pub(crate) async fn shops() -> Vec<Shop> {
    let mut shops = Vec::new();
    for db in each_database::<Migrator>().await {
        shops.push(Shop::new(db).await);
    }
    shops
}

impl Shop {
    pub(crate) async fn new(db: TestDb) -> Shop {
        kopitiam_product::seed::story(db.db(), time::now()).await.unwrap();
        let commands = app::commands(db.db());
        let schema = graphql::schema(commands.clone());
        Shop { db, commands, schema }
    }

    /// Executes a request and gives the whole response as JSON.
    pub(crate) async fn ask(&self, viewer: &Viewer, query: &str, variables: Value) -> Value {
        let attach = |request| graphql::attach(&self.commands, request);
        let response = execute(&self.schema, viewer.clone(), query, variables, attach).await;
        serde_json::to_value(response).unwrap()
    }

    /// What a subscription says first.
    pub(crate) async fn first(&self, viewer: &Viewer, query: &str) -> Value {
        let request = graphql::attach(&self.commands, Request::new(query).data(viewer.clone()));
        let mut stream = Box::pin(self.schema.execute_stream(request));
        serde_json::to_value(stream.next().await).unwrap()
    }

    pub(crate) fn schema(&self) -> &ProductSchema {
        &self.schema
    }

    /// Sells units as an order does.
    pub(crate) async fn sell(&self, product: Uuid, units: i64) {
        let sold = |tx: kopitiam_kit::Tx| async move {
            let (order, now) = (Uuid::now_v7(), time::now());
            let wanted = std::collections::BTreeMap::from([(product, units)]);
            let until = now + chrono::TimeDelta::hours(1);
            reservations::reserve(&tx, order, &wanted, until, now).await?;
            reservations::commit(&tx, order, now).await?;
            Ok::<_, kopitiam_kit::SystemError>(())
        };
        self.db.transaction(sold).await.unwrap();
    }

    /// Units of a product come in.
    pub(crate) async fn deliver(&self, product: Uuid, units: i64) {
        let query = "mutation($id: ID!, $d: Int!, $k: ID!) { adjustStock(productId: $id, delta: $d, reason: \"Delivery\", idempotencyKey: $k) {
            userErrors { code } } }";
        let variables = serde_json::json!({ "id": product, "d": units, "k": Uuid::now_v7() });
        let answer = self.ask(&manager(), query, variables).await;
        assert_eq!(answer["data"]["adjustStock"]["userErrors"], serde_json::json!([]), "{answer}");
    }

    pub(crate) async fn stock(&self, product: Uuid) -> Stock {
        stock::of(self.db.read(), product).await.unwrap().unwrap()
    }
}

/// The fixed id of a seeded thing: 1 user, 2 category, 3 product, 4 item.
pub(crate) fn seeded(kind: u16, number: u16) -> Uuid {
    let base = 0x0190_0000_0000_7000_8000_0000_0000_0000_u128;
    Uuid::from_u128(base + (u128::from(kind) << 16) + u128::from(number))
}

pub(crate) fn manager() -> Viewer {
    Viewer::test(Uuid::now_v7(), &["USER", "MANAGER"], "self catalog:write stock:write")
}

/// The seller of that seed number.
pub(crate) fn seller(number: u16) -> Viewer {
    Viewer::test(seeded(1, number), &["USER", "SELLER"], "self catalog:write stock:write")
}

pub(crate) fn buyer() -> Viewer {
    Viewer::test(seeded(1, 3), &["USER"], "self")
}

/// Codes of a payload's `userErrors`.
pub(crate) fn codes(payload: &Value) -> Vec<&str> {
    let errors = payload["userErrors"].as_array().unwrap_or_else(|| panic!("no payload: {payload}"));
    errors.iter().map(|error| error["code"].as_str().unwrap()).collect()
}
