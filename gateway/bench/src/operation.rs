//! The benchmark's one operation, as clients send it, and the answer it must get.
//!
//! Always: the expected answer comes from the subgraphs' data by plain code, not from any gateway.
//! Elsewhere: the data (`subgraphs/data.rs`).

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::subgraphs::data::{self, ProductRow, ReviewRow, UserRow};

/// The document.
pub const DOCUMENT: &str = include_str!("operation.graphql");

/// Subgraph requests that a good plan needs; more are waste.
pub const REQUESTS_MAX: u64 = 7;

/// Fetches that wait for one another in a good plan.
pub const LEVELS_MAX: usize = 4;

/// How long the first answer of a gateway may take, its start included.
pub const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The request's body.
pub fn body() -> Bytes {
    json!({ "query": DOCUMENT }).to_string().into()
}

/// The whole response.
pub fn expected() -> Value {
    let users: Vec<_> = data::USERS.iter().map(user_with_reviews).collect();
    let products: Vec<_> = data::PRODUCTS.iter().take(5).map(product_with_reviews).collect();
    json!({ "data": { "users": users, "topProducts": products } })
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    object.as_object_mut().expect("built as an object").insert(key.to_owned(), value);
    object
}

fn user(row: &UserRow) -> Value {
    json!({ "id": row.id, "username": row.username, "name": row.name })
}

fn review(row: &ReviewRow) -> Value {
    json!({ "id": row.id, "body": row.body })
}

fn product(row: &ProductRow) -> Value {
    let estimate = if row.price > 1000 { 0 } else { row.weight / 2 };
    json!({
        "inStock": row.in_stock,
        "name": row.name,
        "price": row.price,
        "shippingEstimate": estimate,
        "upc": row.upc,
        "weight": row.weight,
    })
}

fn reviewed(row: &ReviewRow) -> &'static ProductRow {
    data::product(row.product).expect("every review is of a known product")
}

fn reviews_of_a_user() -> impl Iterator<Item = &'static ReviewRow> {
    data::REVIEWS.iter().take(data::REVIEWS_OF_A_USER)
}

fn user_with_reviews(row: &UserRow) -> Value {
    let reviews: Vec<_> = reviews_of_a_user()
        .map(|row| with(review(row), "product", product_with_reviews(reviewed(row))))
        .collect();
    with(user(row), "reviews", reviews.into())
}

fn product_with_reviews(row: &ProductRow) -> Value {
    let of_product = data::REVIEWS.iter().filter(|review| review.product == row.upc);
    let reviews: Vec<_> = of_product.map(|row| with(review(row), "author", author())).collect();
    with(product(row), "reviews", reviews.into())
}

fn author() -> Value {
    let reviews: Vec<_> =
        reviews_of_a_user().map(|row| with(review(row), "product", product(reviewed(row)))).collect();
    with(user(&data::USERS[0]), "reviews", reviews.into())
}
