//! What must hold in a service's database at every moment, asked of it: each check counts what breaks it.
//!
//! Always: a check is one statement, so it sees one moment. Run every hour by each service, which says in its log what it
//! found, and by an operator (`audit`). Elsewhere: what keeps each of these rules (constraints, sagas, clocks); checks over
//! several services (the marketplace program, which has all databases).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, Statement, Value};
use tokio_util::sync::CancellationToken;

use crate::db::Db;
use crate::errors::SystemError;
use crate::time;

/// The first look comes this long after the start.
const FIRST: Duration = Duration::from_mins(5);
const EVERY: Duration = Duration::from_hours(1);
/// What should have happened by itself this long ago is late.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// A rule of a database.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What holds, in words.
    pub rule: &'static str,
    /// Selects one number: how many rows break it. `$1` is the time before which things are late.
    pub breaches: &'static str,
    /// What `$1` is.
    pub late: Late,
}

/// How a check is told what is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It does not ask.
    Never,
    /// `TIMESTAMP WITH TIME ZONE`.
    Timestamp,
    /// UTC milliseconds, `BIGINT`.
    Millis,
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The rule.
    pub rule: &'static str,
    /// How many rows break it.
    pub rows: i64,
}

/// What holds in every service.
const OWN: [Check; 2] = [
    Check {
        rule: "what is told is published",
        breaches: "SELECT COUNT(*) FROM kit_outbox WHERE published_at IS NULL AND occurred_at < $1",
        late: Late::Timestamp,
    },
    Check {
        rule: "no message waits for an operator",
        breaches: "SELECT COUNT(*) FROM kit_parked WHERE parked_at < $1",
        late: Late::Timestamp,
    },
];

/// For services with sagas: each is over, or is moved on by somebody in time.
pub const SAGAS_END: Check = Check {
    rule: "every saga is over, or is so in time",
    breaches: "SELECT COUNT(*) FROM saga WHERE due_at_ms IS NOT NULL AND deadline_ms < $1",
    late: Late::Millis,
};

/// Asks for the kit's rules and these; those that do not hold.
///
/// # Errors
/// [`SystemError::Database`].
pub async fn audit(db: &Db, checks: &[Check]) -> Result<Vec<Breach>, SystemError> {
    let late = time::of(db.read()).await? - PATIENCE;
    let mut breaches = Vec::new();
    for check in OWN.iter().chain(checks) {
        let rows = rows(db, check, late).await?;
        if rows > 0 {
            breaches.push(Breach { rule: check.rule, rows });
        }
    }
    Ok(breaches)
}

/// How many rules `audit` asks for with these.
pub fn rules(checks: &[Check]) -> usize {
    OWN.len() + checks.len()
}

async fn rows(db: &Db, check: &Check, late: DateTime<Utc>) -> Result<i64, SystemError> {
    let values: Vec<Value> = match check.late {
        Late::Never => Vec::new(),
        Late::Timestamp => vec![late.into()],
        Late::Millis => vec![late.timestamp_millis().into()],
    };
    let select = Statement::from_sql_and_values(db.backend(), check.breaches, values);
    let row = db.read().query_one_raw(select).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default())
}

/// Asks again and again until `shutdown`, and says what does not hold.
pub async fn run(db: Db, checks: &'static [Check], shutdown: CancellationToken) {
    let mut pause = FIRST;
    while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        match audit(&db, checks).await {
            Ok(breaches) => {
                for Breach { rule, rows } in breaches {
                    tracing::error!(rule, rows, "a rule of the database does not hold");
                }
            }
            Err(error) => tracing::warn!(%error, "the database could not be audited"),
        }
        pause = EVERY;
    }
}
