//! Stock, and what shipping costs: that needs the price and the weight, which are another subgraph's.

use async_graphql::{ComplexObject, EmptyMutation, EmptySubscription, Object, Schema, SimpleObject};

use super::Subgraph;
use super::data;

/// Dearer products are shipped free of charge.
const FREE_ABOVE: i32 = 1000;

#[derive(SimpleObject)]
#[graphql(complex)]
struct Product {
    upc: String,
    #[graphql(external)]
    weight: Option<i32>,
    #[graphql(external)]
    price: Option<i32>,
    in_stock: Option<bool>,
}

#[ComplexObject]
impl Product {
    #[graphql(requires = "price weight")]
    async fn shipping_estimate(&self) -> Option<i32> {
        let (price, weight) = (self.price?, self.weight?);
        Some(if price > FREE_ABOVE { 0 } else { weight / 2 })
    }
}

pub(super) struct Query;

#[Object]
impl Query {
    #[graphql(entity)]
    async fn find_product(
        &self,
        #[graphql(key)] upc: String,
        price: Option<i32>,
        weight: Option<i32>,
    ) -> Option<Product> {
        let row = data::product(&upc)?;
        Some(Product { upc, weight, price, in_stock: Some(row.in_stock) })
    }
}

pub(super) fn schema() -> Subgraph<Query> {
    Schema::build(Query, EmptyMutation, EmptySubscription).enable_federation().finish()
}
