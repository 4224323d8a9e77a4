//! What the database layer promises, on both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kopitiam_kit::testing::{TestDb, each_database, sqlite};
use kopitiam_kit::{Db, Failure, SystemError};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use sea_orm_migration::prelude::*;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Counter { transactional: true })]
    }
}

struct Careless;

impl MigratorTrait for Careless {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Counter { transactional: false })]
    }
}

struct Counter {
    transactional: bool,
}

impl MigrationName for Counter {
    fn name(&self) -> &'static str {
        "m0001_counter"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Counter {
    fn use_transaction(&self) -> Option<bool> {
        self.transactional.then_some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = ColumnDef::new("id").integer().not_null().primary_key().to_owned();
        let count =
            ColumnDef::new("count").big_integer().not_null().check(Expr::col("count").gte(0)).to_owned();
        manager.create_table(Table::create().table("counter").col(id).col(count).to_owned()).await?;
        manager
            .get_connection()
            .execute_unprepared("INSERT INTO counter (id, count) VALUES (1, 50), (2, 0)")
            .await?;
        Ok(())
    }
}

async fn count(db: &Db, id: i32) -> i64 {
    let select =
        Statement::from_sql_and_values(db.backend(), "SELECT count FROM counter WHERE id = $1", [id.into()]);
    db.read().query_one_raw(select).await.unwrap().unwrap().try_get("", "count").unwrap()
}

/// Takes one from the counter if there is one: the conditional update that every counter uses.
async fn take(db: &Db) -> bool {
    db.transaction(|tx| async move {
        let update = "UPDATE counter SET count = count - 1 WHERE id = 1 AND count >= 1";
        Ok::<_, SystemError>(tx.execute_unprepared(update).await?.rows_affected() == 1)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_hundred_takers_of_fifty_get_exactly_fifty() {
    for db in each_database::<Migrator>().await {
        let takers: Vec<_> = (0..100)
            .map(|_| {
                let db = db.db().clone();
                tokio::spawn(async move { take(&db).await })
            })
            .collect();
        let mut taken = 0;
        for taker in takers {
            taken += u32::from(taker.await.unwrap());
        }
        assert_eq!((taken, count(&db, 1).await), (50, 0));
    }
}

#[tokio::test]
async fn an_error_rolls_everything_back() {
    for db in each_database::<Migrator>().await {
        let outcome: Result<(), Failure> = db
            .transaction(|tx| async move {
                tx.execute_unprepared("UPDATE counter SET count = 7").await?;
                Err(Failure::refused("NO", "no"))
            })
            .await;
        assert!(outcome.is_err());
        assert_eq!(count(&db, 1).await, 50);
    }
}

#[tokio::test]
async fn effects_after_commit_run_only_after_a_commit() {
    for db in each_database::<Migrator>().await {
        let seen = &Arc::new(AtomicU32::new(0));
        for commit in [true, false] {
            let outcome: Result<(), Failure> = db
                .transaction(|tx| async move {
                    let seen = Arc::clone(seen);
                    tx.after_commit(move || {
                        seen.fetch_add(1, Ordering::SeqCst);
                    });
                    if commit { Ok(()) } else { Err(Failure::refused("NO", "no")) }
                })
                .await;
            assert_eq!(outcome.is_ok(), commit);
        }
        assert_eq!(seen.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_transaction_that_outlives_its_closure_is_not_committed() {
    let db = sqlite::<Migrator>().await;
    let kept = &std::sync::Mutex::new(None);
    let outcome: Result<(), SystemError> = db
        .transaction(|tx| async move {
            tx.execute_unprepared("UPDATE counter SET count = 7").await?;
            *kept.lock().unwrap() = Some(tx.clone());
            Ok(())
        })
        .await;
    assert!(outcome.unwrap_err().to_string().contains("outlived"));
    drop(kept.lock().unwrap().take());
    assert_eq!(count(&db, 1).await, 50);
}

/// Two transactions that take the same two rows in opposite order: PostgreSQL aborts one, the kit runs it again.
#[tokio::test]
async fn a_deadlock_is_run_again() {
    for db in each_database::<Migrator>().await {
        let runs = &Arc::new(AtomicU32::new(0));
        let both_inside = &Arc::new(tokio::sync::Barrier::new(2));
        let crossing = |first: i32, second: i32| {
            let (runs, both_inside) = (Arc::clone(runs), Arc::clone(both_inside));
            let db = db.db().clone();
            let concurrent = db.backend() == DbBackend::Postgres;
            tokio::spawn(async move {
                let (runs, both_inside) = (&runs, &both_inside);
                db.transaction(|tx| async move {
                    let first_run = runs.fetch_add(1, Ordering::SeqCst) < 2;
                    for (step, id) in [first, second].into_iter().enumerate() {
                        if step == 1 && first_run && concurrent {
                            both_inside.wait().await;
                        }
                        tx.execute_unprepared(&format!(
                            "UPDATE counter SET count = count + 1 WHERE id = {id}"
                        ))
                        .await?;
                    }
                    Ok::<_, SystemError>(())
                })
                .await
            })
        };
        let (one, two) = (crossing(1, 2), crossing(2, 1));
        one.await.unwrap().unwrap();
        two.await.unwrap().unwrap();
        assert_eq!((count(&db, 1).await, count(&db, 2).await), (52, 2));
        if db.backend() == DbBackend::Postgres {
            assert_eq!(runs.load(Ordering::SeqCst), 3, "one of the two ran a second time");
        }
    }
}

#[tokio::test]
async fn connections_for_reading_refuse_to_write_on_sqlite() {
    let db = sqlite::<Migrator>().await;
    assert!(db.read().execute_unprepared("UPDATE counter SET count = 7").await.is_err());
}

async fn pragma(db: &TestDb, name: &'static str) -> String {
    let read = |tx: kopitiam_kit::Tx| async move {
        let row = tx
            .query_one_raw(Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {name}")))
            .await?
            .unwrap();
        let text = row
            .try_get_by_index::<String>(0)
            .or_else(|_| row.try_get_by_index::<i64>(0).map(|n| n.to_string()));
        Ok::<String, SystemError>(text?)
    };
    db.transaction(read).await.unwrap()
}

#[tokio::test]
async fn sqlite_keeps_what_it_acknowledged() {
    let db = sqlite::<Migrator>().await;
    assert_eq!(pragma(&db, "journal_mode").await, "wal");
    assert_eq!(pragma(&db, "synchronous").await, "2", "2 is FULL");
    assert_eq!(pragma(&db, "foreign_keys").await, "1");
}

#[tokio::test]
async fn a_migration_without_a_transaction_is_refused() {
    let files = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", files.path().join("careless.db").display());
    let db = Db::connect(&url).await.unwrap();
    let error = db.migrate::<Careless>().await.unwrap_err();
    assert!(error.to_string().contains("m0001_counter"), "{error}");
}

#[tokio::test]
async fn a_second_start_changes_nothing() {
    for db in each_database::<Migrator>().await {
        assert!(take(&db).await);
        db.migrate::<Migrator>().await.unwrap();
        assert_eq!(count(&db, 1).await, 49);
    }
}

#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused_by_a_service() {
    for db in each_database::<Migrator>().await {
        let outcome = db.check_durable().await;
        if db.backend() == DbBackend::Postgres {
            let show = Statement::from_string(db.backend(), "SHOW fsync");
            let row = db.read().query_one_raw(show).await.unwrap().unwrap();
            // A test server usually trades safety for speed.
            if row.try_get::<String>("", "fsync").unwrap() == "off" {
                let refusal = outcome.unwrap_err().to_string();
                assert!(refusal.contains("`fsync = off`"), "{refusal}");
            }
        } else {
            outcome.unwrap();
        }
    }
}
