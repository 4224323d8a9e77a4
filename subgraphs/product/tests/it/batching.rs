//! However many rows a request asks for, each kind is read by one query.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use crate::common::Shop;
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::sqlite;
use kopitiam_product::app::Migrator;
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
async fn a_page_of_products_is_one_query_per_kind_of_row() {
    let shop = Shop::new(sqlite::<Migrator>().await).await;
    let batches = Batches::default();
    let _guard = tracing::subscriber::set_default(batches.clone());
    let query = "{ search(first: 28) { edges { node { slug images { url } categories { slug }
        availability { available } seller { id } } } } }";
    let found = shop.ask(&Viewer::anonymous(), query, json!({})).await;
    assert_eq!(found["data"]["search"]["edges"].as_array().unwrap().len(), 28, "{found}");
    let mut kinds = batches.0.lock().unwrap().clone();
    kinds.sort();
    assert_eq!(kinds, ["CategoriesOf", "ImagesOf", "StockOf"]);
}

#[tokio::test]
async fn a_batch_of_representations_is_one_query_per_kind() {
    let shop = Shop::new(sqlite::<Migrator>().await).await;
    let representations: Vec<_> = (1..=28)
        .map(|number| json!({ "__typename": "Product", "id": crate::common::seeded(3, number) }))
        .chain((1..=6).map(|number| json!({ "__typename": "Item", "id": crate::common::seeded(4, number) })))
        .collect();
    let batches = Batches::default();
    let _guard = tracing::subscriber::set_default(batches.clone());
    let query = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Product { slug } ... on Item { title } } }";
    let found = shop.ask(&Viewer::anonymous(), query, json!({ "r": representations })).await;
    assert_eq!(found["data"]["_entities"][33]["title"], "Collector Pixel Clock", "{found}");
    let mut kinds = batches.0.lock().unwrap().clone();
    kinds.sort();
    assert_eq!(kinds, ["ItemById", "ProductById"]);
}
