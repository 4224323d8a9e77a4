//! Applies what the machine decides, in one transaction with the owner's own rows.
//!
//! In: starts and aborts of the owner, replies from the consumer, overdue rows of the sweeper. Out: outbox rows, saga
//! rows, calls of the owner's hooks. Elsewhere: every decision (`machine`).

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kafka::Envelope;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::definition::{Definition, Failure, Message};
use super::machine::{Effect, NotWaiting, PastPivot, Saga, SagaState};
use super::store;
use crate::db::{Db, Tx};
use crate::errors::SystemError;
use crate::outbox::{self, UntypedMessage};

/// Overdue sagas handled per look at the table.
const BATCH: u64 = 50;
/// After this long past its deadline a saga that still goes forward is worth a warning at each look.
const ALARM_AFTER: TimeDelta = TimeDelta::minutes(5);

/// A kind of saga with its owner's part in it. The hooks run in the saga's transaction and must do nothing outside.
pub trait SagaOwner: Send + Sync + 'static {
    /// What the saga remembers.
    type Context: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The step table.
    fn definition(&self) -> &'static Definition<Self::Context>;

    /// A command of a saga that goes forward is done; called before what follows from it. For the owner's own record.
    fn answered(
        &self,
        _tx: &Tx,
        _saga: &Saga<Self::Context>,
        _command: &str,
        _now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), SystemError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Makes the owner's own change at the point of no return; the inner `Err` when it cannot be made any more. By default
    /// there is none: whoever begins such a saga has made it.
    fn pivot(
        &self,
        _tx: &Tx,
        _saga: &Saga<Self::Context>,
        _now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Result<(), Failure>, SystemError>> + Send {
        std::future::ready(Ok(Ok(())))
    }

    /// The saga failed: shows it on the owner's row. What was done is taken back behind it. By default that must not
    /// happen: a saga that begins at its pivot has nothing before it that could fail.
    fn failed(
        &self,
        _tx: &Tx,
        saga: &Saga<Self::Context>,
        failure: &Failure,
        _now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), SystemError>> + Send {
        let broken = format!("saga {} failed after its pivot: {}", saga.id, failure.code);
        std::future::ready(Err(SystemError::Invariant(broken)))
    }

    /// The saga went back to the step it is at: the person it waits for may read why.
    fn went_back(
        &self,
        _tx: &Tx,
        _saga: &Saga<Self::Context>,
        _failure: &Failure,
        _now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), SystemError>> + Send {
        std::future::ready(Ok(()))
    }

    /// The saga is over.
    fn ended(
        &self,
        _tx: &Tx,
        _saga: &Saga<Self::Context>,
        _state: SagaState,
        _now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), SystemError>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Runs the sagas of one kind.
pub struct Sagas<O: SagaOwner> {
    owner: O,
    actor: &'static str,
}

impl<O: SagaOwner> Sagas<O> {
    /// Over the owner's part; `actor` is the sender of the commands, such as `service:order`.
    pub fn new(owner: O, actor: &'static str) -> Self {
        Self { owner, actor }
    }

    /// The owner's part.
    pub fn owner(&self) -> &O {
        &self.owner
    }

    /// Starts a saga about a business row that the same transaction writes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(
        &self,
        tx: &Tx,
        subject_id: Uuid,
        context: O::Context,
        now: DateTime<Utc>,
    ) -> Result<Uuid, SystemError> {
        let seconds = i64::from(self.owner.definition().deadline_seconds);
        self.begin_until(tx, now + TimeDelta::seconds(seconds), subject_id, context, now).await
    }

    /// Like [`Self::begin`], with a deadline of this saga's own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_until(
        &self,
        tx: &Tx,
        deadline: DateTime<Utc>,
        subject_id: Uuid,
        context: O::Context,
        now: DateTime<Utc>,
    ) -> Result<Uuid, SystemError> {
        let definition = self.owner.definition();
        let (mut saga, effects) = definition.start_until(deadline, Uuid::now_v7(), subject_id, context, now);
        tracing::info!(saga_id = %saga.id, kind = definition.kind, subject = %subject_id, "saga begins");
        self.apply(tx, &mut saga, effects, now).await?;
        store::insert(tx, definition.kind, &saga).await?;
        Ok(saga.id)
    }

    /// A person did what the newest saga about a business row waits for in its step `step`; `learn` keeps what they
    /// said. The inner `Err` when it does not wait there (any more).
    ///
    /// # Errors
    /// When the database fails, or another transaction moved the saga: to be tried again.
    pub async fn signal(
        &self,
        tx: &Tx,
        subject_id: Uuid,
        step: &str,
        learn: impl FnOnce(&mut O::Context) + Send,
        now: DateTime<Utc>,
    ) -> Result<Result<(), NotWaiting>, SystemError> {
        let Some((mut saga, version)) = self.newest(tx, subject_id).await? else {
            return Ok(Err(NotWaiting));
        };
        learn(&mut saga.context);
        match self.owner.definition().signalled(&mut saga, step, now) {
            Err(not_waiting) => Ok(Err(not_waiting)),
            Ok(effects) => {
                self.apply(tx, &mut saga, effects, now).await?;
                store::save(tx, &saga, version).await?;
                Ok(Ok(()))
            }
        }
    }

    /// Takes a message that may be a reply to one of these sagas. `false`: it belongs to none of them.
    ///
    /// # Errors
    /// When the database fails, or another transaction moved the saga: to be tried again.
    pub async fn reply(&self, tx: &Tx, message: &Envelope, now: DateTime<Utc>) -> Result<bool, SystemError> {
        let definition = self.owner.definition();
        let Some((mut saga, version)) = store::load(tx, definition.kind, message.correlation_id).await?
        else {
            return Ok(false);
        };
        let (waited, rounds) = (saga.waiting.clone(), saga.rounds);
        let effects = definition.replied(&mut saga, message.id, &message.message_type, &message.payload, now);
        if saga.failure.is_none() && saga.rounds == rounds {
            for command in waited.iter().filter(|command| !saga.waiting.contains(command)) {
                self.owner.answered(tx, &saga, command, now).await?;
            }
        }
        self.apply(tx, &mut saga, effects, now).await?;
        store::save(tx, &saga, version).await?;
        Ok(true)
    }

    /// Gives up the newest saga about a business row, at the owner's wish. The inner `Err` when it can only go
    /// forward, or there is none.
    ///
    /// # Errors
    /// When the database fails, or another transaction moved the saga: to be tried again.
    pub async fn abort(
        &self,
        tx: &Tx,
        subject_id: Uuid,
        failure: Failure,
        now: DateTime<Utc>,
    ) -> Result<Result<(), PastPivot>, SystemError> {
        let Some((mut saga, version)) = self.newest(tx, subject_id).await? else { return Ok(Err(PastPivot)) };
        match self.owner.definition().abort(&mut saga, failure, now) {
            Err(past) => Ok(Err(past)),
            Ok(effects) => {
                self.apply(tx, &mut saga, effects, now).await?;
                store::save(tx, &saga, version).await?;
                Ok(Ok(()))
            }
        }
    }

    /// The newest saga of this kind about a business row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_subject(
        &self,
        tx: &Tx,
        subject_id: Uuid,
    ) -> Result<Option<Saga<O::Context>>, SystemError> {
        Ok(self.newest(tx, subject_id).await?.map(|(saga, _)| saga))
    }

    async fn newest(
        &self,
        tx: &Tx,
        subject_id: Uuid,
    ) -> Result<Option<(Saga<O::Context>, i64)>, SystemError> {
        let kind = self.owner.definition().kind;
        let newest = store::row::Entity::find()
            .filter(store::row::Column::SubjectId.eq(subject_id))
            .filter(store::row::Column::Kind.eq(kind))
            .order_by_desc(store::row::Column::Id)
            .one(tx)
            .await?;
        match newest {
            Some(row) => store::load(tx, kind, row.id).await,
            None => Ok(None),
        }
    }

    /// Looks at overdue sagas, each in a transaction of its own; their number. One that fails is logged and stays
    /// claimed for a while, so it does not hold up the others.
    ///
    /// # Errors
    /// When overdue sagas cannot be claimed.
    pub async fn sweep(&self, db: &Db, now: DateTime<Utc>) -> Result<usize, SystemError> {
        let kind = self.owner.definition().kind;
        let claimer = Uuid::now_v7().to_string();
        let claimer = claimer.as_str();
        let claim = |tx: Tx| async move {
            store::claim(&tx, kind, claimer, now, BATCH).await.map_err(SystemError::from)
        };
        let claimed = db.transaction(claim).await?;
        for id in &claimed {
            let wake = |tx: Tx| async move { self.wake(&tx, *id, now).await };
            if let Err(error) = db.transaction(wake).await {
                tracing::warn!(saga_id = %id, kind, %error, "saga could not be moved");
            }
        }
        Ok(claimed.len())
    }

    async fn wake(&self, tx: &Tx, id: Uuid, now: DateTime<Utc>) -> Result<(), SystemError> {
        let definition = self.owner.definition();
        let Some((mut saga, version)) = store::load(tx, definition.kind, id).await? else { return Ok(()) };
        let effects = definition.woken(&mut saga, now);
        if now > saga.deadline + ALARM_AFTER && !saga.state.is_over() {
            tracing::error!(saga_id = %id, kind = definition.kind, step = saga.step, state = saga.state.as_str(),
                attempts = saga.attempts, "saga is long past its deadline");
        }
        self.apply(tx, &mut saga, effects, now).await?;
        store::save(tx, &saga, version).await
    }

    /// Sweeps every `pause` until `shutdown`.
    pub async fn run_sweeper(&self, db: &Db, pause: Duration, shutdown: &CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            // Replicas share the sagas, and so one clock.
            let swept = match crate::time::of(db.read()).await {
                Ok(now) => self.sweep(db, now).await.map(|_| ()),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = swept {
                tracing::warn!(kind = self.owner.definition().kind, %error, "overdue sagas could not be claimed");
            }
        }
    }

    async fn apply(
        &self,
        tx: &Tx,
        saga: &mut Saga<O::Context>,
        effects: Vec<Effect>,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let definition = self.owner.definition();
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send { id, message } => {
                    tracing::debug!(saga_id = %saga.id, kind = definition.kind, command = message.kind, "send");
                    self.send(tx, saga.id, id, message).await?;
                }
                Effect::Pivot => {
                    let answer = self.owner.pivot(tx, saga, now).await?;
                    effects.extend(definition.pivoted(saga, answer, now));
                }
                Effect::Failed(failure) => {
                    tracing::info!(saga_id = %saga.id, kind = definition.kind, code = failure.code, "saga failed");
                    self.owner.failed(tx, saga, &failure, now).await?;
                }
                Effect::WentBack(failure) => {
                    tracing::info!(saga_id = %saga.id, kind = definition.kind, step = saga.step,
                        code = failure.code, "saga went back");
                    self.owner.went_back(tx, saga, &failure, now).await?;
                }
                Effect::Ended(state) => {
                    tracing::info!(saga_id = %saga.id, kind = definition.kind, state = state.as_str(), "saga ended");
                    self.owner.ended(tx, saga, state, now).await?;
                }
                Effect::Alarm { command, failure } => {
                    tracing::error!(saga_id = %saga.id, kind = definition.kind, command, code = failure.code,
                        "refused after the pivot, which cannot be");
                }
            }
        }
        Ok(())
    }

    async fn send(&self, tx: &Tx, saga_id: Uuid, id: Uuid, message: Message) -> Result<(), SystemError> {
        let command = UntypedMessage {
            id,
            topic: message.topic,
            message_type: message.kind,
            aggregate_type: message.aggregate_type,
            aggregate_id: message.aggregate_id,
            key: message.aggregate_id,
            correlation_id: saga_id,
            causation_id: id,
            actor: self.actor.to_owned(),
            payload: message.payload,
        };
        outbox::append_untyped(tx, command).await?;
        Ok(())
    }
}
