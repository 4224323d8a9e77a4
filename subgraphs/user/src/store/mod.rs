//! The user database: sea-orm entities and queries, one file per aggregate. Takes a transaction or connection, returns
//! domain types; begins and commits nothing itself.
//!
//! - `users.rs`, `sellers.rs`: accounts and stalls
//! - `sessions.rs`, `keys.rs`, `one_time.rs`: refresh tokens, signing keys, tokens sent by mail
//! - `service_accounts.rs`: secrets of programs
//! - `attempts.rs`: counters of what must not be tried too often
//! - `mails.rs`, `notifications.rs`: letters that wait to be sent, what people were told
//! - `ledger.rs`: accounts, postings, the closing audit
//! - `holds.rs`, `escrows.rs`: promises of money, deposits of bookings, and what becomes of them
//! - `wallets.rs`, `top_ups.rs`: what a wallet shows, real money on its way into one

pub mod attempts;
pub(crate) mod entity;
pub mod escrows;
pub mod holds;
pub mod keys;
pub mod ledger;
pub mod mails;
pub mod notifications;
pub mod one_time;
pub mod sellers;
pub mod service_accounts;
pub mod sessions;
pub mod top_ups;
pub mod users;
pub mod wallets;

use uuid::Uuid;

/// Stands for the platform where a column holds a user's id and takes part in a unique key.
pub(crate) const PLATFORM: Uuid = Uuid::nil();

/// Adds `by` to a version column.
pub(crate) fn plus(column: &'static str, by: i64) -> sea_orm::sea_query::SimpleExpr {
    use sea_orm::sea_query::{Expr, ExprTrait};
    Expr::col(column).add(by)
}

/// A page of rows before a row, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Before {
    /// The last row seen; `None` for the first page.
    pub row: Option<Uuid>,
    /// Rows to read.
    pub limit: u64,
}

impl Before {
    /// Above every row of the page.
    pub(crate) fn bound(self) -> Uuid {
        self.row.unwrap_or(Uuid::max())
    }

    pub(crate) fn limit(self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }
}

/// `$4, $5, …`: so many parameters from `first` on.
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    let marks: Vec<String> = (first..first + count).map(|at| format!("${at}")).collect();
    marks.join(", ")
}
