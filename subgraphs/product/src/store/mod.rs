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

use kopitiam_kit::own_pages::OwnPage;
use sea_orm::{
    ColumnTrait, EntityTrait, IdenStatic, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

/// A page of what somebody has, in id order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ById {
    /// Who has it.
    pub owner: Uuid,
    /// What came before is not on it.
    pub after: Option<Uuid>,
    /// How many rows, at most.
    pub limit: u64,
}

impl ById {
    /// The rows on it, of all that `rows` selects.
    fn select<E: EntityTrait>(&self, rows: Select<E>, id: E::Column) -> OwnPage {
        let rows = match self.after {
            Some(after) => rows.filter(id.gt(after)),
            None => rows,
        };
        let rows = rows.order_by_asc(id).limit(self.limit).into_query();
        OwnPage { rows, order: vec![(id.as_str(), Order::Asc)] }
    }
}

/// A column plus a number.
pub(crate) fn plus(column: &'static str, by: i64) -> sea_orm::sea_query::SimpleExpr {
    use sea_orm::sea_query::{Expr, ExprTrait};
    Expr::col(column).add(by)
}
