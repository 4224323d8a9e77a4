//! Timers on SQLite and PostgreSQL.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::migrations::kit_migrations;
use kopitiam_kit::testing::{TestDb, each_database};
use kopitiam_kit::timers::{self, Timer, TimerHandler, TimerTable};
use kopitiam_kit::{SystemError, Tx, time};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use uuid::Uuid;

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations().into_iter().chain([Box::new(TimerTable) as Box<dyn MigrationTrait>]).collect()
    }
}

/// Remembers what fired, after it committed as far as a handler can tell; fails on one subject.
#[derive(Default)]
struct Bell {
    rung: Mutex<Vec<Uuid>>,
    broken: Option<Uuid>,
}

impl TimerHandler for Bell {
    async fn fire(&self, _tx: &Tx, timer: &Timer, now: DateTime<Utc>) -> Result<(), SystemError> {
        assert!(timer.due_at <= now, "never before its time");
        if self.broken == Some(timer.subject_id) {
            return Err(SystemError::Invariant("told to fail".to_owned()));
        }
        self.rung.lock().unwrap().push(timer.subject_id);
        Ok(())
    }
}

async fn set(db: &TestDb, subject: Uuid, due_at: DateTime<Utc>) {
    db.transaction(|tx| async move { timers::set(&tx, "ring", subject, due_at).await }).await.unwrap();
}

fn ids(from: u128, count: u128) -> Vec<Uuid> {
    (from..from + count).map(Uuid::from_u128).collect()
}

#[tokio::test]
async fn timer_fires_once_at_its_time_and_not_before() {
    for db in each_database::<Migrator>().await {
        let (bell, now, subject) = (Bell::default(), time::now(), Uuid::from_u128(1));
        set(&db, subject, now + TimeDelta::seconds(10)).await;
        assert_eq!(timers::fire_due(&db, &bell, now + TimeDelta::seconds(9)).await.unwrap(), 0);
        assert_eq!(timers::fire_due(&db, &bell, now + TimeDelta::seconds(10)).await.unwrap(), 1);
        assert_eq!(timers::fire_due(&db, &bell, now + TimeDelta::days(1)).await.unwrap(), 0);
        assert_eq!(*bell.rung.lock().unwrap(), [subject]);
    }
}

#[tokio::test]
async fn moved_timer_fires_at_its_new_time_and_a_cancelled_one_never() {
    for db in each_database::<Migrator>().await {
        let (bell, now, subject) = (Bell::default(), time::now(), Uuid::from_u128(1));
        set(&db, subject, now).await;
        set(&db, subject, now + TimeDelta::seconds(60)).await;
        assert_eq!(timers::fire_due(&db, &bell, now).await.unwrap(), 0, "moved");
        db.transaction(|tx| async move { timers::cancel(&tx, "ring", subject).await }).await.unwrap();
        assert_eq!(timers::fire_due(&db, &bell, now + TimeDelta::days(1)).await.unwrap(), 0, "cancelled");
    }
}

#[tokio::test]
async fn claimers_at_the_same_time_fire_each_timer_once() {
    for db in each_database::<Migrator>().await {
        let (bell, now) = (Bell::default(), time::now());
        for subject in ids(1, 40) {
            set(&db, subject, now).await;
        }
        let claimers = (0..4).map(|_| timers::fire_due(&db, &bell, now));
        let fired: usize = futures::future::try_join_all(claimers).await.unwrap().into_iter().sum();
        assert_eq!(fired, 40);
        let mut rung = bell.rung.lock().unwrap().clone();
        rung.sort();
        assert_eq!(rung, ids(1, 40));
    }
}

#[tokio::test]
async fn failing_timer_stays_and_does_not_hold_up_the_others() {
    for db in each_database::<Migrator>().await {
        let now = time::now();
        let broken = Bell { broken: Some(Uuid::from_u128(1)), ..Bell::default() };
        for subject in ids(1, 3) {
            set(&db, subject, now).await;
        }
        assert_eq!(timers::fire_due(&db, &broken, now).await.unwrap(), 2);
        let mended = Bell::default();
        assert_eq!(
            timers::fire_due(&db, &mended, now + TimeDelta::seconds(29)).await.unwrap(),
            0,
            "still claimed"
        );
        assert_eq!(timers::fire_due(&db, &mended, now + TimeDelta::seconds(31)).await.unwrap(), 1);
    }
}
