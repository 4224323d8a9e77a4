//! The clock at the edge. Domain code takes time as an argument; only application code asks here.
//!
//! [`now`] is this machine's clock: for how long ago something was, and for what people read. Replicas on machines whose
//! clocks differ must agree on when a time is reached that they share: that is asked of the database they share, by [`of`].

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// Now, in UTC, cut to microseconds: what PostgreSQL stores, so that a value read back equals the value written.
pub fn now() -> DateTime<Utc> {
    machine().trunc_subsecs(6)
}

/// Now by the clock of the database: PostgreSQL's own, in the middle of a transaction too; an SQLite file has the clock of
/// the machine it is on.
///
/// # Errors
/// When the database fails.
pub async fn of(db: &impl ConnectionTrait) -> Result<DateTime<Utc>, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(now());
    }
    let select = Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp() AS now");
    let row = db.query_one_raw(select).await?;
    row.map_or_else(|| Ok(now()), |row| row.try_get("", "now"))
}

#[cfg(not(debug_assertions))]
fn machine() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(debug_assertions)]
fn machine() -> DateTime<Utc> {
    Utc::now() + skew::SKEW.get()
}

#[cfg(debug_assertions)]
pub(crate) mod skew {
    use std::cell::Cell;

    use chrono::TimeDelta;

    thread_local! {
        /// What this thread's clock is ahead.
        pub(super) static SKEW: Cell<TimeDelta> = const { Cell::new(TimeDelta::zero()) };
    }

    /// Sets this thread's clock ahead of the machine's, or behind; the value sets it right again when it is dropped.
    pub struct Skewed(());

    impl Skewed {
        /// For tests on one thread, as the usual `#[tokio::test]` is.
        pub fn by(ahead: TimeDelta) -> Self {
            SKEW.set(ahead);
            Self(())
        }
    }

    impl Drop for Skewed {
        fn drop(&mut self) {
            SKEW.set(TimeDelta::zero());
        }
    }
}
