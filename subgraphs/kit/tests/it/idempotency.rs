//! One effect per client key, on both databases.

use chrono::{DateTime, TimeDelta};
use kopitiam_kit::idempotency::{Key, once};
use kopitiam_kit::migrations::kit_migrations;
use kopitiam_kit::purge::{AgeColumn, Expiring, purge};
use kopitiam_kit::testing::each_database;
use kopitiam_kit::{Db, Failure, SystemError, Tx};
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::prelude::*;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations().into_iter().chain([Box::new(Effects) as Box<dyn MigrationTrait>]).collect()
    }
}

struct Effects;

impl MigrationName for Effects {
    fn name(&self) -> &'static str {
        "m9999_effects"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Effects {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let number =
            ColumnDef::new("number").big_integer().not_null().auto_increment().primary_key().to_owned();
        manager
            .create_table(
                Table::create().table("effect").col(number).col(ColumnDef::new("note").text()).to_owned(),
            )
            .await
    }
}

/// The business operation: one more row; its answer is how many there are now.
async fn effect(tx: &Tx) -> Result<i64, Failure> {
    tx.execute_unprepared("INSERT INTO effect (note) VALUES ('x')").await?;
    Ok(effects_in(tx).await)
}

async fn effects_in(connection: &impl ConnectionTrait) -> i64 {
    let count =
        Statement::from_string(connection.get_database_backend(), "SELECT COUNT(*) AS effects FROM effect");
    connection.query_one_raw(count).await.unwrap().unwrap().try_get("", "effects").unwrap()
}

fn key(client_key: &str) -> Key {
    Key::new("user:1", "order", client_key).unwrap()
}

async fn order(db: &Db, client_key: &str, request: &str) -> Result<i64, Failure> {
    once(db, &key(client_key), &request, |tx| async move { effect(&tx).await }).await
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> String {
    match outcome {
        Err(Failure::Refused(errors)) => errors[0].code.clone(),
        other => panic!("not a refusal: {other:?}"),
    }
}

#[tokio::test]
async fn the_same_key_has_one_effect_and_one_answer() {
    for db in each_database::<Migrator>().await {
        assert_eq!(order(&db, "k", "two cups").await.unwrap(), 1);
        assert_eq!(order(&db, "other", "two cups").await.unwrap(), 2);
        assert_eq!(order(&db, "k", "two cups").await.unwrap(), 1, "the first answer, not a new one");
        assert_eq!(effects_in(db.read()).await, 2);
    }
}

#[tokio::test]
async fn another_request_with_the_same_key_is_refused() {
    for db in each_database::<Migrator>().await {
        order(&db, "k", "two cups").await.unwrap();
        assert_eq!(code(order(&db, "k", "three cups").await), "IDEMPOTENCY_MISMATCH");
        assert_eq!(effects_in(db.read()).await, 1);
    }
}

#[tokio::test]
async fn keys_of_other_actors_and_operations_do_not_meet() {
    for db in each_database::<Migrator>().await {
        for (actor, operation) in [("user:1", "order"), ("user:2", "order"), ("user:1", "refund")] {
            let key = Key::new(actor, operation, "k").unwrap();
            once(&db, &key, &"two cups", |tx| async move { effect(&tx).await }).await.unwrap();
        }
        assert_eq!(effects_in(db.read()).await, 3);
    }
}

#[tokio::test]
async fn concurrent_calls_have_one_effect() {
    for db in each_database::<Migrator>().await {
        let calls: Vec<_> = (0..12)
            .map(|_| {
                let db = db.db().clone();
                tokio::spawn(async move { order(&db, "k", "two cups").await })
            })
            .collect();
        for call in calls {
            match call.await.unwrap() {
                Ok(answer) => assert_eq!(answer, 1),
                outcome => assert_eq!(code(outcome), "IN_PROGRESS"),
            }
        }
        assert_eq!(effects_in(db.read()).await, 1);
    }
}

#[tokio::test]
async fn a_refusal_leaves_no_trace_but_is_remembered() {
    for db in each_database::<Migrator>().await {
        let refuse = |tx: Tx| async move {
            effect(&tx).await?;
            Err::<i64, _>(Failure::refused("OUT_OF_STOCK", "none left"))
        };
        assert_eq!(code(once(&db, &key("k"), &"two cups", refuse).await), "OUT_OF_STOCK");
        assert_eq!(effects_in(db.read()).await, 0, "the refused work was rolled back");
        assert_eq!(
            code(order(&db, "k", "two cups").await),
            "OUT_OF_STOCK",
            "the same key gets the same refusal"
        );
        assert_eq!(effects_in(db.read()).await, 0);
    }
}

#[tokio::test]
async fn a_refusal_that_passes_is_not_kept_under_the_key() {
    for db in each_database::<Migrator>().await {
        let refuse = |_: Tx| async move { Err::<i64, _>(Failure::refused_for_now("ORDER_SETTLING", "soon")) };
        assert_eq!(code(once(&db, &key("k"), &"two cups", refuse).await), "ORDER_SETTLING");
        assert_eq!(order(&db, "k", "two cups").await.unwrap(), 1, "the same key is granted a moment later");
    }
}

#[tokio::test]
async fn old_keys_are_purged_and_young_ones_stay() {
    const EFFECTS: Expiring = Expiring {
        table: "effect",
        column: AgeColumn::Millis("number"),
        keep: TimeDelta::zero(),
        only: "note = 'x'",
    };
    for db in each_database::<Migrator>().await {
        order(&db, "k", "two cups").await.unwrap();
        let now = kopitiam_kit::time::now();
        let tomorrow = now + TimeDelta::hours(24);
        assert_eq!(purge(&db, &[], tomorrow).await.unwrap(), 0);
        assert_eq!(order(&db, "k", "two cups").await.unwrap(), 1, "the answer is kept for a day and more");
        assert_eq!(purge(&db, &[], now + TimeDelta::hours(49)).await.unwrap(), 1);
        assert_eq!(order(&db, "k", "two cups").await.unwrap(), 2, "the key is new again");
        let epoch = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(2);
        assert_eq!(
            purge(&db, &[EFFECTS], epoch).await.unwrap(),
            1,
            "a service's own table, only what is older"
        );
        assert_eq!(effects_in(db.read()).await, 1);
    }
}

#[tokio::test]
async fn more_than_a_batch_is_purged() {
    for db in each_database::<Migrator>().await {
        for batch in 0..3 {
            let values: Vec<String> = (0..500)
                .map(|n| format!("('test', '{}', '2020-01-01 00:00:00+00:00')", id(batch, n)))
                .collect();
            let insert = format!(
                "INSERT INTO kit_inbox (consumer, event_id, processed_at) VALUES {}",
                values.join(",")
            );
            let insert = insert.as_str();
            db.transaction(|tx| async move {
                tx.execute_unprepared(insert).await.map(|_| ()).map_err(SystemError::from)
            })
            .await
            .unwrap();
        }
        assert_eq!(purge(&db, &[], kopitiam_kit::time::now()).await.unwrap(), 1_500);
    }
}

fn id(batch: u64, number: u64) -> uuid::Uuid {
    uuid::Uuid::from_u64_pair(batch, number)
}

#[tokio::test]
async fn after_a_system_failure_the_same_key_may_try_again() {
    for db in each_database::<Migrator>().await {
        let fail = |tx: Tx| async move {
            effect(&tx).await?;
            Err::<i64, Failure>(SystemError::Unavailable("broker".to_owned()).into())
        };
        assert!(matches!(once(&db, &key("k"), &"two cups", fail).await, Err(Failure::System(_))));
        assert_eq!(order(&db, "k", "two cups").await.unwrap(), 1);
    }
}

#[test]
fn an_empty_or_endless_key_is_refused() {
    for client_key in ["", "   ", &"k".repeat(201)] {
        assert_eq!(Key::new("user:1", "order", client_key).unwrap_err().code, "INVALID_IDEMPOTENCY_KEY");
    }
}
