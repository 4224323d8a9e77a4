//! Timers that survive a restart: "at this time, do that about this subject".
//!
//! In: `set` and `cancel` in the owner's transaction. Out: `fire` of the owner's handler in a transaction that also
//! removes the timer, so it takes effect exactly once. Always: one timer per kind and subject; a timer fires at or
//! after its time, never before. Elsewhere: what a timer means (the services); deadlines of sagas (`saga`).

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Index, OnConflict, Query, Table};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use sea_orm_migration::schema::{big_integer, pk_uuid, string, string_null, uuid};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::{Db, Tx};
use crate::errors::SystemError;

/// Timers fired per look at the table.
const BATCH: u64 = 100;
/// How long a claimer has to fire what it claimed before another may.
const CLAIM_SECONDS: i64 = 30;

#[expect(unreachable_pub, reason = "sea-orm's derive makes public items")]
mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "timer")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub subject_id: Uuid,
        pub due_at_ms: i64,
        pub claimed_by: Option<String>,
        pub claimed_until_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The migration that adds the timer table; list it in the migrator of a service that sets timers.
pub struct TimerTable;

impl MigrationName for TimerTable {
    fn name(&self) -> &'static str {
        "kit_timers_1"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for TimerTable {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("timer")
            .col(pk_uuid("id"))
            .col(string("kind"))
            .col(uuid("subject_id"))
            .col(big_integer("due_at_ms"))
            .col(string_null("claimed_by"))
            .col(big_integer("claimed_until_ms"))
            .to_owned();
        manager.create_table(table).await?;
        let once = Index::create()
            .name("timer_subject")
            .table("timer")
            .col("kind")
            .col("subject_id")
            .unique()
            .to_owned();
        manager.create_index(once).await?;
        let due = Index::create().name("timer_due").table("timer").col("due_at_ms").to_owned();
        manager.create_index(due).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("timer").to_owned()).await
    }
}

/// A timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// What is to happen.
    pub kind: String,
    /// To what.
    pub subject_id: Uuid,
    /// When it was to happen.
    pub due_at: DateTime<Utc>,
}

/// What a service does when its timers fire.
pub trait TimerHandler: Send + Sync {
    /// Does what the timer is for. An error keeps the timer, and it fires again.
    fn fire(
        &self,
        tx: &Tx,
        timer: &Timer,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), SystemError>> + Send;
}

/// Sets the timer of this kind and subject, or moves it.
///
/// # Errors
/// When the database fails.
pub async fn set<C: ConnectionTrait>(
    db: &C,
    kind: &str,
    subject_id: Uuid,
    due_at: DateTime<Utc>,
) -> Result<(), DbErr> {
    use row::Column as C;
    let timer = row::ActiveModel {
        id: Set(Uuid::now_v7()),
        kind: Set(kind.to_owned()),
        subject_id: Set(subject_id),
        due_at_ms: Set(due_at.timestamp_millis()),
        claimed_by: Set(None),
        claimed_until_ms: Set(0),
    };
    let moved = OnConflict::columns([C::Kind, C::SubjectId])
        .update_columns([C::DueAtMs, C::ClaimedBy, C::ClaimedUntilMs])
        .to_owned();
    row::Entity::insert(timer).on_conflict(moved).exec_without_returning(db).await?;
    Ok(())
}

/// Removes the timer of this kind and subject, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn cancel<C: ConnectionTrait>(db: &C, kind: &str, subject_id: Uuid) -> Result<(), DbErr> {
    row::Entity::delete_many()
        .filter(row::Column::Kind.eq(kind))
        .filter(row::Column::SubjectId.eq(subject_id))
        .exec(db)
        .await?;
    Ok(())
}

/// Fires what is due, each timer in a transaction of its own; the number of those that took effect. A timer whose
/// handler fails is logged and stays for the next time.
///
/// # Errors
/// When due timers cannot be claimed.
pub async fn fire_due<H: TimerHandler>(
    db: &Db,
    handler: &H,
    now: DateTime<Utc>,
) -> Result<usize, SystemError> {
    let claimer = Uuid::now_v7().to_string();
    let claimed = db.transaction(|tx| claim(tx, claimer.clone(), now)).await?;
    let mut fired = 0;
    for timer in claimed {
        let timer = &timer;
        let outcome = db.transaction(move |tx| async move { fire(&tx, handler, timer, now).await }).await;
        match outcome {
            Ok(took_effect) => fired += usize::from(took_effect),
            Err(error) => {
                tracing::warn!(kind = timer.kind, subject = %timer.subject_id, %error, "timer failed, it stays");
            }
        }
    }
    Ok(fired)
}

async fn claim(tx: Tx, claimer: String, now: DateTime<Utc>) -> Result<Vec<row::Model>, SystemError> {
    use row::Column as C;
    let now_ms = now.timestamp_millis();
    let until_ms = (now + TimeDelta::seconds(CLAIM_SECONDS)).timestamp_millis();
    let due = Condition::all().add(C::DueAtMs.lte(now_ms)).add(C::ClaimedUntilMs.lte(now_ms));
    let candidates = Query::select()
        .column(C::Id)
        .from(row::Entity)
        .cond_where(due.clone())
        .order_by(C::DueAtMs, sea_orm::Order::Asc)
        .limit(BATCH)
        .to_owned();
    // The condition stands outside as well: PostgreSQL checks it again on a row that another claimer just changed.
    let claimed = row::Entity::update_many()
        .col_expr(C::ClaimedBy, Expr::value(claimer))
        .col_expr(C::ClaimedUntilMs, Expr::value(until_ms))
        .filter(Expr::col(C::Id).in_subquery(candidates))
        .filter(due)
        .exec_with_returning(&tx)
        .await?;
    Ok(claimed)
}

/// Removes the timer, if it is still the one that was claimed, and does what it is for.
async fn fire<H: TimerHandler>(
    tx: &Tx,
    handler: &H,
    claimed: &row::Model,
    now: DateTime<Utc>,
) -> Result<bool, SystemError> {
    let removed = row::Entity::delete_many()
        .filter(row::Column::Id.eq(claimed.id))
        .filter(row::Column::DueAtMs.eq(claimed.due_at_ms))
        .exec(tx)
        .await?;
    if removed.rows_affected == 0 {
        return Ok(false);
    }
    let due_at = DateTime::from_timestamp_millis(claimed.due_at_ms).unwrap_or_default();
    let timer = Timer { kind: claimed.kind.clone(), subject_id: claimed.subject_id, due_at };
    handler.fire(tx, &timer, now).await?;
    Ok(true)
}

/// Fires due timers every `pause` until `shutdown`.
pub async fn run<H: TimerHandler>(db: Db, handler: H, pause: Duration, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        // Replicas share the timers, and so one clock.
        let fired = match crate::time::of(db.read()).await {
            Ok(now) => fire_due(&db, &handler, now).await.map(|_| ()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = fired {
            tracing::warn!(%error, "timers could not be claimed");
        }
    }
}
