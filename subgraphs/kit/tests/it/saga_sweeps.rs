//! Sagas over their table, with an owner: what one of them cannot do holds up none of the others.

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::migrations::kit_migrations;
use kopitiam_kit::saga::{self, Definition, Failure, Saga, SagaOwner, SagaState, Sagas, Step};
use kopitiam_kit::testing::{TestDb, each_database};
use kopitiam_kit::{SystemError, Tx};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use uuid::Uuid;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations().into_iter().chain(saga::migrations()).collect()
    }
}

/// Waits for a person until its deadline, and then fails.
static PATIENT: Definition<bool> = Definition {
    kind: "patient",
    deadline_seconds: 60,
    steps: &[Step::Wait { name: "person" }, Step::Pivot { name: "end" }],
};

/// Cannot show on its row that a saga failed, if the saga's context says so.
struct Owner;

impl SagaOwner for Owner {
    type Context = bool;

    fn definition(&self) -> &'static Definition<bool> {
        &PATIENT
    }

    async fn failed(
        &self,
        _tx: &Tx,
        saga: &Saga<bool>,
        _failure: &Failure,
        _now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        if saga.context { Err(SystemError::Invariant("told to fail".to_owned())) } else { Ok(()) }
    }
}

async fn begin(db: &TestDb, sagas: &Sagas<Owner>, broken: bool, now: DateTime<Utc>) -> Uuid {
    let subject = Uuid::now_v7();
    db.transaction(|tx| async move { sagas.begin(&tx, subject, broken, now).await }).await.unwrap()
}

async fn state(db: &TestDb, id: Uuid) -> SagaState {
    let sagas = saga::list(db.read(), None, None, 10).await.unwrap();
    sagas.into_iter().find(|saga| saga.id == id).expect("it was begun").state
}

#[tokio::test]
async fn a_saga_that_cannot_be_moved_is_left_as_it_was_and_holds_up_no_other() {
    for db in each_database::<Migrator>().await {
        let (sagas, start) = (Sagas::new(Owner, "service:test"), DateTime::UNIX_EPOCH);
        let broken = begin(&db, &sagas, true, start).await;
        let later = begin(&db, &sagas, false, start + TimeDelta::seconds(1)).await;
        let over = start + TimeDelta::seconds(61);
        assert_eq!(sagas.sweep(&db, over).await.unwrap(), 2);
        assert_eq!(
            (state(&db, broken).await, state(&db, later).await),
            (SagaState::Running, SagaState::Failed)
        );
        // Not looked at again and again, and not forgotten.
        assert_eq!(sagas.sweep(&db, over).await.unwrap(), 0);
        assert_eq!(sagas.sweep(&db, over + TimeDelta::seconds(30)).await.unwrap(), 1);
    }
}
