//! What batches of entities cost in SQL: all fields of each entity of every service are read for twenty by as many statements as
//! for three.
//!
//! Elsewhere: the operations of the clients (`sql_counts.rs`), every mutation (`sql_mutations.rs`).

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use kopitiam_kit::Db;
use kopitiam_kit::config::LiveKeys;
use kopitiam_kit::testing::{Entity, entities, queries};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::sql_counts::{config, routers};
use crate::support::{Marketplace, PASSWORD, data_folder};

/// Where the keys of an entity are, by its name: a service and a table.
const SOURCES: [(&str, &str, &str); 15] = [
    ("AuctionListing", "listing", "listing WHERE kind = 'AUCTION'"),
    ("Bid", "listing", "bid"),
    ("Booking", "order", "booking"),
    ("Category", "product", "categories"),
    ("FixedPriceListing", "listing", "listing WHERE kind = 'FIXED_PRICE'"),
    ("Invoice", "order", "invoice"),
    ("Item", "product", "items"),
    ("Listing", "listing", "listing"),
    ("Order", "order", "orders"),
    ("Product", "product", "products"),
    ("Review", "order", "review"),
    ("Seller", "user", "sellers"),
    ("ServiceListing", "listing", "listing WHERE kind = 'SERVICE'"),
    ("User", "user", "users"),
    ("Wallet", "user", "users"),
];

/// A service, asked without a gateway before it.
struct Asked {
    router: Router,
    token: String,
}

impl Asked {
    async fn ask(&self, query: &str, variables: &Value) -> Value {
        ask(&self.router, Some(&self.token), query, variables).await
    }

    /// What so many representations cost, all of which are there: the fewest statements of several times, as a batch may
    /// be two when the machine does something else meanwhile.
    async fn cost(&self, entity: &Entity, selection: &str, representations: &[Value]) -> usize {
        let name = &entity.name;
        let query = format!(
            "query($r: [_Any!]!) {{ _entities(representations: $r) {{ ... on {name} {{ {selection} }} }} }}"
        );
        let variables = json!({ "r": representations });
        let mut fewest = usize::MAX;
        for _ in 0..3 {
            let (answer, statements) = queries(self.ask(&query, &variables)).await;
            let found = answer["data"]["_entities"].as_array().unwrap_or_else(|| panic!("{query}: {answer}"));
            let there = found.iter().filter(|entity| entity.as_object().is_some_and(|own| !own.is_empty()));
            assert_eq!(there.count(), representations.len(), "{query}: {answer}");
            fewest = fewest.min(statements);
        }
        fewest
    }
}

async fn ask(router: &Router, token: Option<&str>, query: &str, variables: &Value) -> Value {
    let mut request = Request::post("/graphql").header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = json!({ "query": query, "variables": variables }).to_string();
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// So many representations of an entity by one of its keys, as the gateway sends them to that service.
async fn representations(data: &Path, service: &str, entity: &str, key: &str, many: usize) -> Vec<Value> {
    let (_, owner, table) = SOURCES
        .into_iter()
        .find(|(name, ..)| *name == entity)
        .unwrap_or_else(|| panic!("say where the keys of {entity} are"));
    let db = Db::connect(&config(owner, data, &LiveKeys::default()).database_url).await.unwrap();
    let select = Statement::from_string(
        db.backend(),
        format!("SELECT {key} FROM {table} ORDER BY {key} LIMIT {many}"),
    );
    let rows = db.read().query_all_raw(select).await.unwrap();
    let money = json!({ "amount": "10.00", "currency": "USD" });
    let represent = |row: &sea_orm::QueryResult| {
        let value = match key {
            "id" => row.try_get::<Uuid>("", key).unwrap().to_string(),
            _ => row.try_get::<String>("", key).unwrap(),
        };
        let mut representation = json!({ "__typename": entity, key: value });
        // What their fields require.
        match (service, entity) {
            ("listing", "Product") => representation["price"] = money.clone(),
            ("order", "Listing") => representation["askPrice"] = money.clone(),
            _ => {}
        }
        representation
    };
    rows.iter().map(represent).collect()
}

#[tokio::test]
async fn a_batch_of_twenty_entities_costs_as_many_statements_as_one_of_three_whatever_is_asked_of_them() {
    let data = data_folder();
    assert_eq!(Marketplace::start(data.path()).stop(), Some(0), "the shop has its seed");
    let (keys, shutdown) = (LiveKeys::default(), CancellationToken::new());
    let routers: BTreeMap<&str, Router> = routers(data.path(), &keys, &shutdown).await.into();
    let log_in = format!(
        "mutation {{ login(input: {{ email: \"manager@kopitiam.example\", password: \"{PASSWORD}\" }}) {{ accessToken }} }}"
    );
    let session = ask(&routers["user"], None, &log_in, &json!({})).await;
    let token = session["data"]["login"]["accessToken"].as_str().unwrap().to_owned();
    let (mut seen, mut dearer) = (0, Vec::new());
    for (service, router) in &routers {
        let asked = Asked { router: router.clone(), token: token.clone() };
        let sdl = asked.ask("{ _service { sdl } }", &json!({})).await;
        for entity in entities(sdl["data"]["_service"]["sdl"].as_str().unwrap()) {
            for key in &entity.keys {
                let many = representations(data.path(), service, &entity.name, key, 20).await;
                // Of any three, as what one of them has not got need not be read for it.
                let mut few = 0;
                for three in many.chunks(3) {
                    few = few.max(asked.cost(&entity, &entity.selection, three).await);
                }
                let all = asked.cost(&entity, &entity.selection, &many).await;
                eprintln!(
                    "{service}: {} by {key}: {few} statements for three, {all} for {}",
                    entity.name,
                    many.len()
                );
                assert!(many.len() > 6, "{service}: {} by {key}: {}", entity.name, many.len());
                if all > few {
                    dearer.push(format!("{service}: {} by {key}: {few}, {all}", entity.name));
                }
                seen += 1;
            }
        }
    }
    assert_eq!(dearer, [""; 0], "more statements for twenty than for three");
    assert!(seen >= 28, "{seen}");
    shutdown.cancel();
}
