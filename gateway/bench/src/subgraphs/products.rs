//! Products, their prices and weights.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema, SimpleObject};

use super::Subgraph;
use super::data::{self, ProductRow};

#[derive(SimpleObject)]
struct Product {
    upc: &'static str,
    name: Option<&'static str>,
    price: Option<i32>,
    weight: Option<i32>,
}

impl From<&ProductRow> for Product {
    fn from(row: &ProductRow) -> Self {
        Self { upc: row.upc, name: Some(row.name), price: Some(row.price), weight: Some(row.weight) }
    }
}

pub(super) struct Query;

#[Object]
impl Query {
    async fn top_products(&self, #[graphql(default = 5)] first: Option<i32>) -> Option<Vec<Option<Product>>> {
        let count = usize::try_from(first.unwrap_or(5)).unwrap_or(0);
        Some(data::PRODUCTS.iter().take(count).map(|row| Some(row.into())).collect())
    }

    #[graphql(entity)]
    async fn find_product(&self, upc: String) -> Option<Product> {
        data::product(&upc).map(Product::from)
    }
}

pub(super) fn schema() -> Subgraph<Query> {
    Schema::build(Query, EmptyMutation, EmptySubscription).enable_federation().finish()
}
