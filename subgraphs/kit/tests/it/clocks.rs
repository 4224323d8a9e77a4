//! Clocks that differ and jump: what services tell each other keeps its order, and shared times have one clock.

use chrono::TimeDelta;
use kopitiam_kit::outbox::{self, relay};
use kopitiam_kit::testing::{Skewed, TestBroker, each_database, eventually};
use kopitiam_kit::{parked, time};
use sea_orm::DbBackend;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::notes::{Migrator, NoteTaker, Running, ban, versions_of};

#[tokio::test]
async fn a_clock_that_jumps_back_and_forth_changes_no_order() {
    for db in each_database::<Migrator>().await {
        let broker = TestBroker::start().await;
        let user = Uuid::now_v7();
        let ahead = Skewed::by(TimeDelta::minutes(10));
        // A relay that dies with its lease ten minutes ahead of everybody else's clock.
        let dying = tokio::spawn(relay::run(db.db().clone(), broker.kafka(), CancellationToken::new()));
        ban(&db, user).await;
        let watched = db.db();
        eventually("the relay works", || async {
            (outbox::backlog(watched).await.unwrap() == 0).then_some(())
        })
        .await;
        dying.abort();
        drop(ahead);
        let running = Running::start(&db, &broker, NoteTaker::Gated);
        ban(&db, user).await;
        let behind = Skewed::by(TimeDelta::minutes(-10));
        ban(&db, user).await;
        drop(behind);
        let ahead = Skewed::by(TimeDelta::minutes(10));
        ban(&db, user).await;
        drop(ahead);
        ban(&db, user).await;
        eventually("every event", || async {
            (versions_of(watched, user).await == [1, 2, 3, 4, 5]).then_some(())
        })
        .await;
        assert_eq!(parked::count(watched).await.unwrap(), 0);
        running.stop().await;
    }
}

#[tokio::test]
async fn the_clock_that_replicas_share_is_the_databases() {
    for db in each_database::<Migrator>().await {
        let before = time::now();
        let _ahead = Skewed::by(TimeDelta::hours(1));
        let shared = time::of(db.read()).await.unwrap();
        let expected =
            if db.backend() == DbBackend::Postgres { before } else { before + TimeDelta::hours(1) };
        assert!((shared - expected).abs() < TimeDelta::minutes(30), "{shared} instead of {expected}");
    }
}
