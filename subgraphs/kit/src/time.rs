//! The clock at the edge. Domain code takes time as an argument; only application code asks here.

use chrono::{DateTime, SubsecRound, Utc};

/// Now, in UTC, cut to microseconds: what PostgreSQL stores, so that a value read back equals the value written.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
