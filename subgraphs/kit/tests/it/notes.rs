//! The read model that tests of messaging write: one row per applied event; and the tasks that feed it.

use kopitiam_kafka::messages::user::UserBanned;
use kopitiam_kafka::{Envelope, Topic};
use kopitiam_kit::config::KafkaConfig;
use kopitiam_kit::consumer::{self, ConsumerConfig, HandleError, Handler};
use kopitiam_kit::migrations::kit_migrations;
use kopitiam_kit::outbox::{self, NewMessage, relay};
use kopitiam_kit::testing::{TestBroker, TestDb};
use kopitiam_kit::{Db, Tx, inbox};
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::prelude::*;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations().into_iter().chain([Box::new(Notes) as Box<dyn MigrationTrait>]).collect()
    }
}

struct Notes;

impl MigrationName for Notes {
    fn name(&self) -> &'static str {
        "m9999_notes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Notes {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("note")
            .col(ColumnDef::new("seq").big_integer().not_null().auto_increment().primary_key())
            .col(ColumnDef::new("aggregate_id").uuid().not_null())
            .col(ColumnDef::new("version").big_integer().not_null())
            .to_owned();
        manager.create_table(table).await
    }
}

/// Writes a note per event: in order of versions, or as they come.
#[derive(Clone, Copy)]
pub(crate) enum NoteTaker {
    Gated,
    /// Only the consumer itself keeps the order.
    Ungated,
}

#[async_trait::async_trait]
impl Handler for NoteTaker {
    async fn handle(&self, tx: &Tx, envelope: &Envelope) -> Result<(), HandleError> {
        if matches!(self, Self::Gated) && !inbox::gate(tx, "notes", envelope).await?.applies(envelope)? {
            return Ok(());
        }
        let insert = Statement::from_sql_and_values(
            tx.get_database_backend(),
            "INSERT INTO note (aggregate_id, version) VALUES ($1, $2)",
            [envelope.aggregate_id.into(), envelope.aggregate_version.into()],
        );
        tx.execute_raw(insert).await?;
        Ok(())
    }
}

pub(crate) async fn ban(db: &Db, user: Uuid) -> Envelope {
    db.transaction(|tx| async move {
        let payload = UserBanned { reason: "test".to_owned() };
        outbox::append(&tx, NewMessage::new(user, "service:test", &payload)).await
    })
    .await
    .unwrap()
}

/// All notes, in the order in which they were written.
pub(crate) async fn notes(db: &Db) -> Vec<(Uuid, i64)> {
    let select = Statement::from_string(db.backend(), "SELECT aggregate_id, version FROM note ORDER BY seq");
    let rows = db.read().query_all_raw(select).await.unwrap();
    rows.iter()
        .map(|row| (row.try_get("", "aggregate_id").unwrap(), row.try_get("", "version").unwrap()))
        .collect()
}

pub(crate) async fn versions_of(db: &Db, user: Uuid) -> Vec<i64> {
    notes(db).await.into_iter().filter(|(id, _)| *id == user).map(|(_, version)| version).collect()
}

/// A relay and a consumer of user events and wallet commands over one database.
pub(crate) struct Running {
    pub(crate) shutdown: CancellationToken,
    tasks: kopitiam_kit::Tasks,
}

impl Running {
    pub(crate) fn start(db: &TestDb, broker: &TestBroker, handler: impl Handler + 'static) -> Self {
        Self::over(db, &broker.kafka(), handler)
    }

    pub(crate) fn over(db: &TestDb, kafka: &KafkaConfig, handler: impl Handler + 'static) -> Self {
        Self::named("notes", db.db(), kafka, handler)
    }

    /// As another group than the others.
    pub(crate) fn named(group: &str, db: &Db, kafka: &KafkaConfig, handler: impl Handler + 'static) -> Self {
        let shutdown = CancellationToken::new();
        let mut tasks = kopitiam_kit::Tasks::new();
        tasks.spawn("relay", relay::run(db.clone(), kafka.clone(), shutdown.clone()));
        let config = ConsumerConfig {
            group: group.to_owned(),
            topics: vec![Topic::UserEvents, Topic::WalletCommands],
        };
        let consumer = consumer::run(db.clone(), kafka.clone(), config, handler, shutdown.clone());
        tasks.spawn("consumer", consumer);
        Self { shutdown, tasks }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.join().await;
    }
}
