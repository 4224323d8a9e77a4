//! However many rows a request asks for, each kind is read by one query.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use crate::support::{Bench, benches, manager};
use kopitiam_order::seed::{seed, seed_id};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Notes the kind of each batch that the loaders read.
#[derive(Clone, Default)]
struct Batches(Arc<Mutex<Vec<String>>>);

struct Kind<'a>(&'a Batches);

impl Visit for Kind<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "kind" {
            self.0.0.lock().unwrap().push(value.to_owned());
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn Debug) {}
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

/// What a manager's query answers, and the batches it took, sorted.
async fn batches(bench: &Bench, query: &str, variables: Value) -> (Value, Vec<String>) {
    let batches = Batches::default();
    let guard = tracing::subscriber::set_default(batches.clone());
    let data = bench.ask(manager(), query, variables).await;
    drop(guard);
    let mut kinds = batches.0.lock().unwrap().clone();
    kinds.sort();
    (data, kinds)
}

#[tokio::test]
async fn a_page_of_orders_is_one_query_per_kind_of_row() {
    for bench in benches().await {
        seed(bench.db.db(), kopitiam_kit::time::now()).await.unwrap();
        let query = "{ orders(first: 28) { edges { node { canCancel history { at } invoice { number } lines { title } } } } }";
        let (data, kinds) = batches(&bench, query, json!({})).await;
        assert_eq!(data["orders"]["edges"].as_array().unwrap().len(), 28);
        assert_eq!(kinds, ["HistoryOf", "InvoiceOf"]);
    }
}

#[tokio::test]
async fn a_batch_of_representations_is_one_query_per_kind() {
    for bench in benches().await {
        seed(bench.db.db(), kopitiam_kit::time::now()).await.unwrap();
        let of =
            |kind: &str, group: u8, number: u16| json!({ "__typename": kind, "id": seed_id(group, number) });
        let representations: Vec<Value> = (1..=6)
            .map(|number| of("User", 1, number))
            .chain((1..=6).map(|number| of("Product", 3, number)))
            .chain((1..=8).map(|number| of("Order", 5, number)))
            .chain((1_000..=1_005).map(|number| of("Booking", 7, number)))
            .collect();
        let query = "query($r: [_Any!]!) { _entities(representations: $r) { ... on User { orders(first: 3) { totalCount } }
            ... on Product { rating { count } } ... on Order { number } ... on Booking { state history { actor } } } }";
        let (data, kinds) = batches(&bench, query, json!({ "r": representations })).await;
        assert!(data["_entities"].as_array().unwrap().iter().all(|entity| !entity.is_null()));
        assert_eq!(kinds, ["BookingById", "BookingHistoryOf", "OrderById", "OrderCountOf", "RatingsOf"]);
    }
}
