//! However many rows a request asks for, each kind is read by one query.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use common::Shop;
use kopitiam_kit::testing::sqlite;
use kopitiam_user::app::Migrator;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Notes the kind of each batch that the loaders read.
#[derive(Clone, Default)]
struct Batches(Arc<Mutex<Vec<String>>>);

struct Kind<'a>(&'a Batches);

impl Visit for Kind<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "kind" {
            self.0.0.lock().unwrap().push(format!("{value:?}").replace('"', ""));
        }
    }
}

impl Subscriber for Batches {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().ends_with("graphql::loaders")
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Kind(self));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[tokio::test]
async fn a_batch_of_representations_is_one_query_per_kind() {
    let shop = Shop::new(sqlite::<Migrator>().await).await;
    kopitiam_user::seed::seed(shop.db.db(), kopitiam_kit::time::now()).await.unwrap();
    let ids = shop.ask(&common::manager(), "{ users(first: 20) { edges { node { id } } } }", json!({})).await;
    let edges = ids["data"]["users"]["edges"].as_array().unwrap();
    let of = |kind: &'static str| {
        edges.iter().map(move |edge| json!({ "__typename": kind, "id": edge["node"]["id"] }))
    };
    let representations: Vec<_> = of("User").chain(of("Seller")).collect();
    assert_eq!(representations.len(), 16);
    let batches = Batches::default();
    let _guard = tracing::subscriber::set_default(batches.clone());
    let query =
        "query($r: [_Any!]!) { _entities(representations: $r) { ... on User { username seller { handle }
        wallet { available { amount } } } ... on Seller { displayName } } }";
    let found = shop.ask(&common::manager(), query, json!({ "r": representations })).await;
    assert!(found["data"]["_entities"][2]["wallet"]["available"]["amount"].is_string(), "{found}");
    let mut kinds = batches.0.lock().unwrap().clone();
    kinds.sort();
    // Stalls are asked for twice: as entities at once, and below the users when those are there.
    assert_eq!(kinds, ["SellerById", "SellerById", "UserById", "WalletOf"]);
}
