//! Rows in, domain types out: every query of this service, one file per aggregate.
//!
//! Functions take a connection or a transaction; only the callers decide where a transaction begins. Whoever may
//! see a row is decided here too: a query for a viewer's data takes the viewer. Elsewhere: rules (`domain`), the
//! tables' constraints (`migration`).

pub mod bookings;
pub mod carts;
mod entities;
pub mod lines;
pub mod listings;
pub mod orders;
pub mod replicas;
pub mod reports;
pub mod reputation;
pub mod secrets;

use chrono::{DateTime, Utc};
use kopitiam_kit::own_pages::OwnPage;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, IdenStatic, Order, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
};
use uuid::Uuid;

/// Where a page of a newest-first list goes on: time in milliseconds and id of the last row seen.
pub type Position = (i64, Uuid);

/// A page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NewestFirst<L> {
    /// Which list.
    pub of: L,
    /// What came before is not on it.
    pub after: Option<Position>,
    /// How many rows, at most.
    pub limit: u64,
}

impl<L> NewestFirst<L> {
    /// The rows on it, of all that `rows` selects; `at_ms` says when each was made.
    fn select<E: EntityTrait>(&self, rows: Select<E>, at_ms: E::Column, id: E::Column) -> OwnPage {
        let older = self.after.map(|(last_ms, last_id)| {
            let same = at_ms.eq(last_ms).and(id.lt(last_id));
            Condition::any().add(at_ms.lt(last_ms)).add(same)
        });
        let rows = rows
            .filter(Condition::all().add_option(older))
            .order_by_desc(at_ms)
            .order_by_desc(id)
            .limit(self.limit)
            .into_query();
        OwnPage { rows, order: vec![(at_ms.as_str(), Order::Desc), (id.as_str(), Order::Desc)] }
    }
}

/// A stored time. Milliseconds before or after any time that chrono knows are the epoch: no writer makes them.
pub(crate) fn time(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}

/// A text column that must hold one of an enum's names.
fn parsed<T>(found: Option<T>, column: &str, text: &str) -> Result<T, DbErr> {
    found.ok_or_else(|| DbErr::Type(format!("column {column} holds `{text}`")))
}
