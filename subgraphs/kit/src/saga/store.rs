//! The saga table: one row per saga, written in the owner's transactions.
//!
//! Always: a save is a compare-and-set on the row's version, so two processes cannot both move a saga. Times are UTC
//! milliseconds. A sweeper claims overdue rows by an update, which works the same on SQLite and PostgreSQL.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Index, Query, Table};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, pk_uuid, string, string_null, text, text_null, uuid,
};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::definition::Failure;
use super::machine::{Saga, SagaState};
use crate::errors::SystemError;

#[expect(unreachable_pub, reason = "sea-orm's derive makes public items")]
pub(super) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "saga")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub subject_id: Uuid,
        pub state: String,
        pub step: String,
        pub attempts: i32,
        pub started_at_ms: i64,
        pub deadline_ms: i64,
        pub due_at_ms: Option<i64>,
        pub sent: String,
        pub waiting: String,
        pub failure: Option<String>,
        pub context: String,
        pub version: i64,
        pub claimed_by: Option<String>,
        pub claimed_until_ms: i64,
        pub rounds: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

struct SagaTable;

impl MigrationName for SagaTable {
    fn name(&self) -> &'static str {
        "kit_sagas_1"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SagaTable {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("saga")
            .col(pk_uuid("id"))
            .col(string("kind"))
            .col(uuid("subject_id"))
            .col(string("state"))
            .col(string("step"))
            .col(integer("attempts"))
            .col(big_integer("started_at_ms"))
            .col(big_integer("deadline_ms"))
            .col(big_integer_null("due_at_ms"))
            .col(text("sent"))
            .col(text("waiting"))
            .col(text_null("failure"))
            .col(text("context"))
            .col(big_integer("version"))
            .col(string_null("claimed_by"))
            .col(big_integer("claimed_until_ms"))
            .to_owned();
        manager.create_table(table).await?;
        let due = Index::create().name("saga_due").table("saga").col("due_at_ms").to_owned();
        manager.create_index(due).await?;
        let subject = Index::create().name("saga_subject").table("saga").col("subject_id").to_owned();
        manager.create_index(subject).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("saga").to_owned()).await
    }
}

/// The migrations of the saga table; list them in the migrator of a service that owns sagas.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(SagaTable), Box::new(SagaRounds)]
}

/// Counts how often a saga went back to an earlier step. Zero for the sagas of before, which never did.
struct SagaRounds;

impl MigrationName for SagaRounds {
    fn name(&self) -> &'static str {
        "kit_sagas_2"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SagaRounds {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let rounds = Table::alter().table("saga").add_column(integer("rounds").default(0)).to_owned();
        manager.alter_table(rounds).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("saga").drop_column("rounds").to_owned()).await
    }
}

/// A saga as its row has it, for pages of operators.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SagaRecord {
    /// Identity.
    pub id: Uuid,
    /// Kind of its definition.
    pub kind: String,
    /// The owner's business row.
    pub subject_id: Uuid,
    /// Where it stands.
    pub state: SagaState,
    /// Name of the current step.
    pub step: String,
    /// How often the outstanding commands were sent again.
    pub attempts: u32,
    /// Start.
    pub started_at: DateTime<Utc>,
    /// Latest time of the pivot.
    pub deadline: DateTime<Utc>,
    /// When the sweeper looks again; `None` once over.
    pub due_at: Option<DateTime<Utc>>,
    /// Commands that may have an effect, in the order of sending.
    pub sent: Vec<String>,
    /// Commands that wait for an answer; while compensating, the one whose undo does.
    pub waiting: Vec<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// Adds a new saga.
pub(super) async fn insert<C: Serialize, D: ConnectionTrait>(
    db: &D,
    kind: &str,
    saga: &Saga<C>,
) -> Result<(), SystemError> {
    let row = row::ActiveModel {
        id: Set(saga.id),
        kind: Set(kind.to_owned()),
        subject_id: Set(saga.subject_id),
        state: Set(saga.state.as_str().to_owned()),
        step: Set(saga.step.clone()),
        attempts: Set(count(saga.attempts)),
        started_at_ms: Set(saga.started_at.timestamp_millis()),
        deadline_ms: Set(saga.deadline.timestamp_millis()),
        due_at_ms: Set(saga.due_at.map(|at| at.timestamp_millis())),
        sent: Set(serde_json::to_string(&saga.sent)?),
        waiting: Set(serde_json::to_string(&saga.waiting)?),
        failure: Set(saga.failure.as_ref().map(serde_json::to_string).transpose()?),
        context: Set(serde_json::to_string(&saga.context)?),
        version: Set(1),
        claimed_by: Set(None),
        claimed_until_ms: Set(0),
        rounds: Set(count(saga.rounds)),
    };
    row::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// The saga with this id and its version, locked until the transaction ends where the database has row locks.
pub(super) async fn load<C: DeserializeOwned, D: ConnectionTrait>(
    db: &D,
    kind: &str,
    id: Uuid,
) -> Result<Option<(Saga<C>, i64)>, SystemError> {
    let found =
        row::Entity::find_by_id(id).filter(row::Column::Kind.eq(kind)).lock_exclusive().one(db).await?;
    found.map(|row| Ok((to_saga(&row)?, row.version))).transpose()
}

/// Saves what a transition changed, frees the claim, and fails when another transaction was first.
pub(super) async fn save<C: Serialize, D: ConnectionTrait>(
    db: &D,
    saga: &Saga<C>,
    version: i64,
) -> Result<(), SystemError> {
    use row::Column as C;
    let failure = saga.failure.as_ref().map(serde_json::to_string).transpose()?;
    let changed = row::Entity::update_many()
        .col_expr(C::State, Expr::value(saga.state.as_str()))
        .col_expr(C::Step, Expr::value(saga.step.clone()))
        .col_expr(C::Attempts, Expr::value(count(saga.attempts)))
        .col_expr(C::Rounds, Expr::value(count(saga.rounds)))
        .col_expr(C::DueAtMs, Expr::value(saga.due_at.map(|at| at.timestamp_millis())))
        .col_expr(C::Sent, Expr::value(serde_json::to_string(&saga.sent)?))
        .col_expr(C::Waiting, Expr::value(serde_json::to_string(&saga.waiting)?))
        .col_expr(C::Failure, Expr::value(failure))
        .col_expr(C::Context, Expr::value(serde_json::to_string(&saga.context)?))
        .col_expr(C::Version, Expr::value(version + 1))
        .col_expr(C::ClaimedBy, Expr::value(Option::<String>::None))
        .col_expr(C::ClaimedUntilMs, Expr::value(0_i64))
        .filter(C::Id.eq(saga.id))
        .filter(C::Version.eq(version))
        .exec(db)
        .await?;
    if changed.rows_affected == 1 {
        Ok(())
    } else {
        Err(SystemError::Unavailable(format!("saga {} was moved by another transaction", saga.id)))
    }
}

/// Claims up to `limit` overdue sagas of a kind until `until`; two claimers never get the same row.
pub(super) async fn claim<D: ConnectionTrait>(
    db: &D,
    kind: &str,
    claimer: &str,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Uuid>, DbErr> {
    use row::Column as C;
    let (now_ms, until_ms) = (now.timestamp_millis(), (now + TimeDelta::seconds(30)).timestamp_millis());
    let overdue = Condition::all().add(C::DueAtMs.lte(now_ms)).add(C::ClaimedUntilMs.lte(now_ms));
    let candidates = Query::select()
        .column(C::Id)
        .from(row::Entity)
        .cond_where(overdue.clone().add(C::Kind.eq(kind)))
        .order_by(C::DueAtMs, sea_orm::Order::Asc)
        .limit(limit)
        .to_owned();
    // The condition stands outside as well: PostgreSQL checks it again on a row that another claimer just changed.
    let claimed = row::Entity::update_many()
        .col_expr(C::ClaimedBy, Expr::value(claimer))
        .col_expr(C::ClaimedUntilMs, Expr::value(until_ms))
        .filter(Expr::col(C::Id).in_subquery(candidates))
        .filter(overdue)
        .exec_with_returning(db)
        .await?;
    Ok(claimed.into_iter().map(|row| row.id).collect())
}

fn to_saga<C: DeserializeOwned>(row: &row::Model) -> Result<Saga<C>, SystemError> {
    let state = SagaState::parse(&row.state)
        .ok_or_else(|| SystemError::Invariant(format!("saga {} has state `{}`", row.id, row.state)))?;
    Ok(Saga {
        id: row.id,
        subject_id: row.subject_id,
        state,
        step: row.step.clone(),
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        rounds: u32::try_from(row.rounds).unwrap_or(0),
        started_at: time(row.started_at_ms),
        deadline: time(row.deadline_ms),
        due_at: row.due_at_ms.map(time),
        sent: serde_json::from_str(&row.sent)?,
        waiting: serde_json::from_str(&row.waiting)?,
        failure: row.failure.as_deref().map(serde_json::from_str).transpose()?,
        context: serde_json::from_str(&row.context)?,
    })
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn time(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}

fn to_record(row: row::Model) -> Result<SagaRecord, SystemError> {
    let state = SagaState::parse(&row.state)
        .ok_or_else(|| SystemError::Invariant(format!("saga {} has state `{}`", row.id, row.state)))?;
    Ok(SagaRecord {
        id: row.id,
        kind: row.kind,
        subject_id: row.subject_id,
        state,
        step: row.step,
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        started_at: time(row.started_at_ms),
        deadline: time(row.deadline_ms),
        due_at: row.due_at_ms.map(time),
        sent: serde_json::from_str(&row.sent)?,
        waiting: serde_json::from_str(&row.waiting)?,
        failure: row.failure.as_deref().map(serde_json::from_str).transpose()?,
    })
}

/// Up to `limit` sagas of all kinds, newest first, after the one with the id `after`; with `stuck_at`, only those
/// not over whose deadline was at least a minute before that time.
///
/// # Errors
/// When the database fails.
pub async fn list<D: ConnectionTrait>(
    db: &D,
    stuck_at: Option<DateTime<Utc>>,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<SagaRecord>, SystemError> {
    use row::Column as C;
    let stuck = stuck_at.map(|now| {
        let overdue_ms = (now - TimeDelta::seconds(60)).timestamp_millis();
        Condition::all().add(C::DueAtMs.is_not_null()).add(C::DeadlineMs.lt(overdue_ms))
    });
    let rows = row::Entity::find()
        .filter(Condition::all().add_option(stuck).add_option(after.map(|after| C::Id.lt(after))))
        .order_by_desc(C::Id)
        .limit(limit)
        .all(db)
        .await?;
    rows.into_iter().map(to_record).collect()
}

/// The sagas of all kinds about these business rows, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_subjects<D: ConnectionTrait>(
    db: &D,
    subject_ids: &[Uuid],
) -> Result<Vec<SagaRecord>, SystemError> {
    let rows = row::Entity::find()
        .filter(row::Column::SubjectId.is_in(subject_ids.iter().copied()))
        .order_by_asc(row::Column::Id)
        .all(db)
        .await?;
    rows.into_iter().map(to_record).collect()
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
