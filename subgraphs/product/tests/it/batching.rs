//! However many rows a request asks for, each kind is read by one query.

use crate::common::Shop;
use kopitiam_kit::auth::Viewer;
use kopitiam_kit::testing::{batches, sqlite};
use kopitiam_product::app::Migrator;
use serde_json::json;

#[tokio::test]
async fn a_page_of_products_is_one_query_per_kind_of_row() {
    let shop = Shop::new(sqlite::<Migrator>().await).await;
    let query = "{ search(first: 28) { edges { node { slug images { url } categories { slug }
        availability { available } seller { id } } } } }";
    let (found, kinds) = batches(shop.ask(&Viewer::anonymous(), query, json!({}))).await;
    assert_eq!(found["data"]["search"]["edges"].as_array().unwrap().len(), 28, "{found}");
    assert_eq!(kinds, ["CategoriesOf", "ImagesOf", "StockOf"]);
}

#[tokio::test]
async fn a_batch_of_representations_is_one_query_per_kind() {
    let shop = Shop::new(sqlite::<Migrator>().await).await;
    let representations: Vec<_> = (1..=28)
        .map(|number| json!({ "__typename": "Product", "id": crate::common::seeded(3, number) }))
        .chain((1..=6).map(|number| json!({ "__typename": "Item", "id": crate::common::seeded(4, number) })))
        .collect();
    let query = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Product { slug } ... on Item { title } } }";
    let (found, kinds) =
        batches(shop.ask(&Viewer::anonymous(), query, json!({ "r": representations }))).await;
    assert_eq!(found["data"]["_entities"][33]["title"], "Collector Pixel Clock", "{found}");
    assert_eq!(kinds, ["ItemById", "ProductById"]);
}
