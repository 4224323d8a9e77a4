//! What an operator can ask of a service's database from the command line, whether the service runs or not.
//!
//! `dead-letters list`, `dead-letters replay [ID]`, `outbox resend SINCE`, and `rebuild` where the service has read
//! models. Elsewhere: the arguments of the marketplace program, which does the same for all services.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::audit::{Breach, Check, audit, rules};
use crate::config::KafkaConfig;
use crate::consumer::HandleError;
use crate::db::Db;
use crate::errors::SystemError;
use crate::rebuild::{ReadModels, Rebuilt, rebuild};
use crate::{outbox, parked};

/// Parked messages shown at once.
const LIST_MAX: u32 = 1_000;
/// What is wrong with a command line that is not understood.
const USAGE: &str =
    "expected: dead-letters list | dead-letters replay [ID] | outbox resend SINCE | rebuild | audit | sagas";

/// Something an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Shows the messages that could not be applied.
    ListDeadLetters,
    /// Tries them, or the one with this id, again.
    ReplayDeadLetters(Option<Uuid>),
    /// Publishes again what was written since.
    ResendOutbox(DateTime<Utc>),
    /// Makes the read models anew.
    Rebuild,
    /// Asks whether what must hold in the database holds.
    Audit,
    /// Shows the steps of each kind of saga.
    ShowSagas,
}

/// What a service has for its operator.
pub struct Desk<'service, M> {
    /// The read models that can be made anew.
    pub models: Option<&'service M>,
    /// What must hold in its database.
    pub checks: &'service [Check],
    /// Its sagas, each described as data.
    pub sagas: &'service [fn() -> Value],
}

impl Operation {
    /// Reads a command line; `None` when there is none.
    ///
    /// # Errors
    /// How it should look.
    pub fn parse(arguments: &[String]) -> Result<Option<Self>, String> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words[..] {
            [] => Ok(None),
            ["dead-letters", "list"] => Ok(Some(Self::ListDeadLetters)),
            ["dead-letters", "replay"] => Ok(Some(Self::ReplayDeadLetters(None))),
            ["dead-letters", "replay", id] => {
                let id = id.parse().map_err(|error| format!("`{id}` is no message id: {error}"))?;
                Ok(Some(Self::ReplayDeadLetters(Some(id))))
            }
            ["outbox", "resend", since] => {
                let since =
                    since.parse().map_err(|error| format!("`{since}` is no RFC 3339 time: {error}"))?;
                Ok(Some(Self::ResendOutbox(since)))
            }
            ["rebuild"] => Ok(Some(Self::Rebuild)),
            ["audit"] => Ok(Some(Self::Audit)),
            ["sagas"] => Ok(Some(Self::ShowSagas)),
            _ => Err(USAGE.to_owned()),
        }
    }
}

/// Does it; the lines to show.
///
/// # Errors
/// The database's refusals; for a rebuild those of the broker, and events that cannot be applied; rules that do not hold.
pub async fn perform<M: ReadModels>(
    operation: Operation,
    db: &Db,
    kafka: &KafkaConfig,
    desk: &Desk<'_, M>,
) -> Result<Vec<String>, HandleError> {
    match operation {
        Operation::ListDeadLetters => {
            let parked = parked::list(db, LIST_MAX).await?;
            let lines = parked.iter().map(|parked| serde_json::to_string(parked).map_err(SystemError::from));
            Ok(lines.collect::<Result<_, _>>()?)
        }
        Operation::ReplayDeadLetters(id) => {
            let messages = parked::replay(db, id).await?;
            Ok(vec![format!("{messages} parked messages are tried again at once by the running service")])
        }
        Operation::ResendOutbox(since) => {
            let messages = outbox::resend_since(db, since).await?;
            Ok(vec![format!("{messages} messages are published again by the running service")])
        }
        Operation::Rebuild => match desk.models {
            None => Ok(vec!["this service has no read models".to_owned()]),
            Some(models) => {
                let rebuilt = rebuild(db, kafka, models).await?;
                let Rebuilt { events, unreadable, refused } = rebuilt;
                Ok(vec![format!(
                    "read models made anew from {events} events; {unreadable} records unreadable, {refused} refused"
                )])
            }
        },
        Operation::Audit => {
            let breaches = audit(db, desk.checks).await?;
            if breaches.is_empty() {
                return Ok(vec![format!("all {} rules hold", rules(desk.checks))]);
            }
            let told = breaches.iter().map(|Breach { rule, rows }| format!("{rule} (broken {rows} times)"));
            let told = told.collect::<Vec<_>>().join("; ");
            Err(SystemError::Invariant(format!("rules that do not hold: {told}")).into())
        }
        Operation::ShowSagas => Ok(desk.sagas.iter().map(|saga| saga().to_string()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Operation>, String> {
        Operation::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn command_lines_are_understood_or_told_how_they_should_look() {
        let id = Uuid::now_v7();
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse("dead-letters list"), Ok(Some(Operation::ListDeadLetters)));
        assert_eq!(
            parse(&format!("dead-letters replay {id}")),
            Ok(Some(Operation::ReplayDeadLetters(Some(id))))
        );
        assert_eq!(
            parse("outbox resend 1970-01-01T00:00:00Z"),
            Ok(Some(Operation::ResendOutbox(DateTime::UNIX_EPOCH)))
        );
        assert_eq!(parse("audit"), Ok(Some(Operation::Audit)));
        assert_eq!(parse("sagas"), Ok(Some(Operation::ShowSagas)));
        assert!(parse("outbox resend yesterday").unwrap_err().contains("no RFC 3339 time"));
        assert_eq!(parse("dead-letters burn"), Err(USAGE.to_owned()));
    }
}
