//! A database without space: a refusal is a refusal, and when there is space again everything goes on.

use kopitiam_kafka::messages::user::UserBanned;
use kopitiam_kit::errors::is_transient;
use kopitiam_kit::migrations::kit_migrations;
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::testing::sqlite;
use kopitiam_kit::{Db, SystemError};
use sea_orm::{ConnectionTrait, Statement};
use sea_orm_migration::prelude::*;
use uuid::Uuid;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        kit_migrations()
    }
}

async fn number(db: &Db, select: &str) -> i64 {
    let row = db.read().query_one_raw(Statement::from_string(db.backend(), select)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// On the one connection that writes.
async fn pages_at_most(db: &Db, pages: i64) {
    let pragma = format!("PRAGMA max_page_count = {pages}");
    let pragma = pragma.as_str();
    db.transaction(
        |tx| async move { tx.execute_unprepared(pragma).await.map(|_| ()).map_err(SystemError::from) },
    )
    .await
    .unwrap();
}

async fn ban(db: &Db, user: Uuid) -> Result<(), SystemError> {
    let payload = &UserBanned { reason: "x".repeat(3_000) };
    db.transaction(|tx| async move {
        outbox::append(&tx, NewMessage::new(user, "service:test", payload)).await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn a_full_database_refuses_without_a_trace_and_goes_on_when_there_is_space() {
    let db = sqlite::<Migrator>().await;
    let user = Uuid::now_v7();
    ban(&db, user).await.unwrap();
    let pages = number(&db, "PRAGMA page_count").await;
    pages_at_most(&db, pages + 4).await;
    let mut written = 1;
    let refusal = loop {
        match ban(&db, user).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "it is never full");
    };
    assert!(is_transient(&refusal), "the same work may be tried again: {refusal}");
    assert_eq!(number(&db, "SELECT COUNT(*) FROM kit_outbox").await, written, "no half of it");
    assert_eq!(
        number(&db, "SELECT MAX(version) FROM kit_outbox_heads").await,
        written,
        "no version is used up"
    );

    pages_at_most(&db, 1_000_000).await;
    ban(&db, user).await.unwrap();
    assert_eq!(number(&db, "SELECT COUNT(*) FROM kit_outbox").await, written + 1);
    let check = Statement::from_string(db.backend(), "PRAGMA integrity_check");
    let check: String = db.read().query_one_raw(check).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    assert_eq!(check, "ok");
}
