//! The product database: sea-orm entities and queries, one file per aggregate. Takes a transaction or connection,
//! returns domain types; begins and commits nothing itself.
//!
//! - `products.rs`, `categories.rs`: the catalogue
//! - `search.rs`: pages, counts and facets of a search
//! - `stock.rs`: levels and adjustments
//! - `reservations.rs`: reserve, release, commit, restock
//! - `items.rs`: collectible items and their locks

pub mod categories;
pub(crate) mod entity;
pub mod items;
pub mod products;
pub mod reservations;
pub mod search;
pub mod stock;

/// A column plus a number.
pub(crate) fn plus(column: &'static str, by: i64) -> sea_orm::sea_query::SimpleExpr {
    use sea_orm::sea_query::{Expr, ExprTrait};
    Expr::col(column).add(by)
}
