//! The saga table when transactions meet at a row, on SQLite and PostgreSQL. Elsewhere: what a saga decides (`machine`).

use futures::future::join_all;
use sea_orm_migration::MigratorTrait;

use super::super::definition::{Definition, Step};
use super::*;
use crate::Db;
use crate::errors::is_transient;
use crate::migrations::kit_migrations;
use crate::testing::each_database;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations().into_iter().chain(migrations()).collect()
    }
}

/// Waits for a person, and is due at its deadline.
static PATIENT: Definition<u32> = Definition {
    kind: "patient",
    deadline_seconds: 60,
    steps: &[Step::Wait { name: "person" }, Step::Pivot { name: "end" }],
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// A saga of the kind that is due at that second.
async fn add(db: &Db, kind: &str, due: i64) -> Uuid {
    let (saga, _) = PATIENT.start_until(at(due), Uuid::now_v7(), Uuid::now_v7(), 0, at(0));
    let new = &saga;
    db.transaction(|tx| async move { insert(&tx, kind, new).await }).await.unwrap();
    saga.id
}

async fn read(db: &Db, id: Uuid) -> (Saga<u32>, i64) {
    let found = db.transaction(|tx| async move { load(&tx, PATIENT.kind, id).await }).await;
    found.unwrap().expect("it was added")
}

/// Moves a saga on as a transaction would that read it in that version.
async fn move_on(db: &Db, saga: &Saga<u32>, version: i64, context: u32) -> Result<(), SystemError> {
    let moved = &Saga { context, ..saga.clone() };
    db.transaction(|tx| async move { save(&tx, moved, version).await }).await
}

async fn claimed(db: &Db, claimer: &str, second: i64, limit: u64) -> Vec<Uuid> {
    let claim = |tx| async move { claim(&tx, PATIENT.kind, claimer, at(second), limit).await };
    db.transaction(claim).await.unwrap()
}

#[tokio::test]
async fn of_two_changes_of_a_saga_as_both_read_it_one_is_made_and_the_other_may_try_again() {
    for db in each_database::<Migrator>().await {
        let id = add(&db, PATIENT.kind, 60).await;
        let (saga, version) = read(&db, id).await;
        let (one, other) = futures::join!(move_on(&db, &saga, version, 1), move_on(&db, &saga, version, 2));
        let (made, refused) = if one.is_ok() { (1, other) } else { (2, one) };
        let refused = refused.unwrap_err();
        assert!(is_transient(&refused), "its message is not poison: {refused}");
        let (saga, next) = read(&db, id).await;
        assert_eq!((saga.context, next), (made, version + 1));

        // As it is now, it may be moved; as it was, it may still not.
        move_on(&db, &saga, next, 3).await.unwrap();
        move_on(&db, &saga, version, 4).await.unwrap_err();
        assert_eq!(read(&db, id).await.0.context, 3);
    }
}

#[tokio::test]
async fn of_many_claimers_at_once_one_gets_each_due_saga() {
    for db in each_database::<Migrator>().await {
        let mut due = Vec::new();
        for _ in 0..40 {
            due.push(add(&db, PATIENT.kind, 60).await);
        }
        let names: Vec<String> = (0..8).map(|number| format!("claimer {number}")).collect();
        let mut claims = Vec::new();
        // A claimer that lost some of its candidates to another finds them in its next look.
        while claims.len() < due.len() {
            let looks = join_all(names.iter().map(|name| claimed(&db, name, 60, 10))).await;
            let found: Vec<Uuid> = looks.into_iter().flatten().collect();
            assert!(!found.is_empty(), "{} of {} were claimed", claims.len(), due.len());
            claims.extend(found);
        }
        claims.sort_unstable();
        due.sort_unstable();
        assert_eq!(claims, due, "each by one");
    }
}

#[tokio::test]
async fn a_claim_holds_for_thirty_seconds_or_until_the_saga_moved() {
    for db in each_database::<Migrator>().await {
        let id = add(&db, PATIENT.kind, 60).await;
        assert_eq!(claimed(&db, "crashed", 60, 10).await, [id]);
        assert!(claimed(&db, "other", 89, 10).await.is_empty());
        assert_eq!(claimed(&db, "other", 90, 10).await, [id], "who had it never came back");

        // It was woken and is due again at once.
        let (saga, version) = read(&db, id).await;
        move_on(&db, &saga, version, 1).await.unwrap();
        assert_eq!(claimed(&db, "third", 90, 10).await, [id]);
    }
}

#[tokio::test]
async fn what_is_due_of_the_kind_is_claimed_and_the_longest_overdue_first() {
    for db in each_database::<Migrator>().await {
        let young = add(&db, PATIENT.kind, 50).await;
        let old = add(&db, PATIENT.kind, 40).await;
        add(&db, PATIENT.kind, 61).await;
        add(&db, "another", 30).await;
        assert_eq!(claimed(&db, "one", 60, 1).await, [old]);
        assert_eq!(claimed(&db, "one", 60, 10).await, [young]);
    }
}

#[tokio::test]
async fn a_saga_is_found_under_its_own_kind_only() {
    for db in each_database::<Migrator>().await {
        let id = add(&db, "another", 60).await;
        let found = db.transaction(|tx| async move { load::<u32, _>(&tx, PATIENT.kind, id).await }).await;
        assert_eq!(found.unwrap().map(|(saga, _)| saga.id), None, "its answers are not for this owner");
    }
}
