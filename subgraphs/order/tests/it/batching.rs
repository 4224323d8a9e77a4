//! However many rows a request asks for, each kind is read by one query.

use crate::support::{benches, manager};
use kopitiam_kit::testing::batches;
use kopitiam_order::seed::{seed, seed_id};
use serde_json::{Value, json};

#[tokio::test]
async fn a_page_of_orders_is_one_query_per_kind_of_row() {
    for bench in benches().await {
        seed(bench.db.db(), kopitiam_kit::time::now()).await.unwrap();
        let query = "{ orders(first: 28) { edges { node { canCancel history { at } invoice { number } lines { title } } } } }";
        let (data, kinds) = batches(bench.ask(manager(), query, json!({}))).await;
        assert_eq!(data["orders"]["edges"].as_array().unwrap().len(), 28);
        assert_eq!(kinds, ["HistoryOf", "InvoiceOf", "OrderPage"]);
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
        let (data, kinds) = batches(bench.ask(manager(), query, json!({ "r": representations }))).await;
        assert!(data["_entities"].as_array().unwrap().iter().all(|entity| !entity.is_null()));
        assert_eq!(kinds, ["BookingById", "BookingHistoryOf", "OrderById", "OrderCount", "RatingsOf"]);
    }
}
