//! What can go wrong, whose fault it is, and how each becomes GraphQL. The only module that maps errors.
//!
//! - [`UserError`]: a refusal that the person can act on; data in the payload's `userErrors`.
//! - [`Denied`]: not logged in, or not allowed; `errors[]` with `UNAUTHENTICATED` or `FORBIDDEN`.
//! - [`SystemError`]: not the person's fault; `errors[]` with `INTERNAL_SERVER_ERROR` or `SERVICE_UNAVAILABLE` and an
//!   `errorId` that is also in the log. Its text never leaves the service.
//! - [`Failure`]: one of these three, for functions that can meet any.

use std::borrow::Cow;
use std::error::Error;

use async_graphql::{ErrorExtensions, SimpleObject};
use kopitiam_kafka::KafkaError;
use sea_orm::sqlx;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::{DbErr, RuntimeErr, SqlErr};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why an operation was refused, in the person's terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, SimpleObject, thiserror::Error)]
#[graphql(shareable)]
#[error("{code}: {message}")]
pub struct UserError {
    /// Stable, for programs: `OUT_OF_STOCK`.
    pub code: String,
    /// For people.
    pub message: String,
    /// Path of the input field at fault.
    pub field: Option<Vec<String>>,
    /// Whether the same request may be granted a moment later, as nothing about it is wrong. Not told to clients.
    #[graphql(skip)]
    #[serde(skip)]
    pub passing: bool,
}

impl UserError {
    /// A refusal that no single input field caused.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), field: None, passing: false }
    }

    /// The same as one that passes: an idempotency key does not keep it, so the same key may try again.
    #[must_use]
    pub fn passing(self) -> Self {
        Self { passing: true, ..self }
    }

    /// A refusal of one input field, such as `["input", "price"]`.
    pub fn on(field: &[&str], code: impl Into<String>, message: impl Into<String>) -> Self {
        let field = field.iter().map(|&part| part.to_owned()).collect();
        Self { code: code.into(), message: message.into(), field: Some(field), passing: false }
    }
}

/// The viewer may not do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody is logged in.
    #[error("log in first")]
    Unauthenticated,
    /// Somebody is, who may not.
    #[error("not allowed")]
    Forbidden,
}

/// Not the client's fault.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The database refused or is away.
    #[error("database: {0}")]
    Database(#[from] DbErr),
    /// The broker refused or is away, or a message is malformed.
    #[error("events: {0}")]
    Kafka(#[from] KafkaError),
    /// A stored value could not be written or read as JSON.
    #[error("stored JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Something that always holds did not: our bug.
    #[error("invariant broken: {0}")]
    Invariant(String),
    /// A part of the system is away; the same request may succeed later.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

/// Any of the three ways an operation can fail.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refusals for the payload's `userErrors`; at least one.
    #[error("refused: {0:?}")]
    Refused(Vec<UserError>),
    /// The viewer may not.
    #[error("denied: {0}")]
    Denied(#[from] Denied),
    /// Not the client's fault.
    #[error("system: {0}")]
    System(#[from] SystemError),
}

impl Failure {
    /// One refusal.
    pub fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Refused(vec![UserError::new(code, message)])
    }

    /// One refusal that passes, see [`UserError::passing`]: something else has to finish first.
    pub fn refused_for_now(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Refused(vec![UserError::new(code, message).passing()])
    }
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        Self::Refused(vec![error])
    }
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::System(error.into())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::System(error.into())
    }
}

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Self {
        Self::System(error.into())
    }
}

/// Splits an outcome for a mutation payload: the value or the refusals; anything else is a GraphQL error.
///
/// # Errors
/// The GraphQL error of a [`Denied`] or [`SystemError`].
pub fn payload<T>(outcome: Result<T, Failure>) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    match outcome {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Failure::Refused(errors)) => Ok((None, errors)),
        Err(failure) => Err(failure.into()),
    }
}

impl From<Denied> for async_graphql::Error {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::Unauthenticated => "UNAUTHENTICATED",
            Denied::Forbidden => "FORBIDDEN",
        };
        Self::new(denied.to_string()).extend_with(|_, extensions| extensions.set("code", code))
    }
}

impl From<SystemError> for async_graphql::Error {
    fn from(error: SystemError) -> Self {
        let error_id = Uuid::new_v4().to_string();
        tracing::error!(error_id, error = &error as &dyn Error, "request failed");
        let (code, message) = if is_transient(&error) {
            ("SERVICE_UNAVAILABLE", "temporarily unavailable, try again")
        } else {
            ("INTERNAL_SERVER_ERROR", "internal error")
        };
        Self::new(message).extend_with(|_, extensions| {
            extensions.set("code", code);
            extensions.set("errorId", error_id);
        })
    }
}

impl From<Failure> for async_graphql::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied(denied) => denied.into(),
            Failure::System(error) => error.into(),
            Failure::Refused(errors) => {
                let first = errors.into_iter().next().unwrap_or_else(|| UserError::new("REFUSED", "refused"));
                Self::new(first.message).extend_with(|_, extensions| extensions.set("code", first.code))
            }
        }
    }
}

/// A GraphQL error for an argument that is not what it should be.
pub fn bad_input(message: impl Into<String>) -> async_graphql::Error {
    async_graphql::Error::new(message).extend_with(|_, extensions| extensions.set("code", "BAD_USER_INPUT"))
}

/// Whether a unique index refused the row.
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Whether PostgreSQL aborted the transaction in favour of another (40001, 40P01): the same work may succeed at once.
pub fn is_serialization_failure(error: &(dyn Error + 'static)) -> bool {
    sql_code(error).is_some_and(|code| code == "40001" || code == "40P01")
}

/// Whether the same work may succeed later: the database or the broker is away, locked or full.
pub fn is_transient(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) = current.downcast_ref() {
            return true;
        }
        if let Some(SystemError::Unavailable(_) | SystemError::Kafka(KafkaError::Client(_))) =
            current.downcast_ref()
        {
            return true;
        }
        cause = current.source();
    }
    if let Some(sqlx::Error::Io(_) | sqlx::Error::Tls(_)) = sqlx_error(error) {
        return true;
    }
    // SQLite: 5 busy, 6 locked, 10 disk error, 13 full, and their extended codes (low byte). PostgreSQL: classes
    // 08 connection, 40 rollback, 53 resources, 55 not in the needed state, 57 operator intervention.
    sql_code(error).is_some_and(|code| match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => matches!(number & 0xff, 5 | 6 | 10 | 13),
        _ => ["08", "40", "53", "55", "57"].iter().any(|class| code.starts_with(class)),
    })
}

/// The database's own error code anywhere in the chain of causes.
fn sql_code(error: &(dyn Error + 'static)) -> Option<String> {
    sqlx_error(error)?.as_database_error().and_then(DatabaseError::code).map(Cow::into_owned)
}

/// The driver's error anywhere in the chain of causes.
fn sqlx_error<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error sqlx::Error> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        let runtime = match current.downcast_ref::<DbErr>() {
            Some(DbErr::Conn(runtime) | DbErr::Exec(runtime) | DbErr::Query(runtime)) => Some(runtime),
            Some(_) => None,
            None => current.downcast_ref::<RuntimeErr>(),
        };
        if let Some(RuntimeErr::SqlxError(sqlx)) = runtime {
            return Some(sqlx);
        }
        cause = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_connection_that_breaks_in_the_middle_of_a_statement_is_no_fault_of_the_work() {
        let broken = || sqlx::Error::Io(io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer"));
        let broken = |wrap: fn(RuntimeErr) -> DbErr| wrap(RuntimeErr::SqlxError(Arc::new(broken())));
        for wrap in [DbErr::Conn, DbErr::Exec, DbErr::Query] {
            assert!(is_transient(&SystemError::from(broken(wrap))));
        }
        let missing = DbErr::Query(RuntimeErr::SqlxError(Arc::new(sqlx::Error::RowNotFound)));
        assert!(!is_transient(&SystemError::from(missing)));
    }
}
