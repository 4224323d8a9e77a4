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
use sea_orm::DbErr;
use uuid::Uuid;

/// Where a page of a newest-first list goes on: time in milliseconds and id of the last row seen.
pub type Position = (i64, Uuid);

/// A stored time. Milliseconds before or after any time that chrono knows are the epoch: no writer makes them.
pub(crate) fn time(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}

/// A text column that must hold one of an enum's names.
fn parsed<T>(found: Option<T>, column: &str, text: &str) -> Result<T, DbErr> {
    found.ok_or_else(|| DbErr::Type(format!("column {column} holds `{text}`")))
}
