//! A database that is locked, a server that ends connections or is gone: a refusal leaves nothing behind and says that the
//! same work may be tried again, nothing is parked for it, and all goes on by itself.
//!
//! Elsewhere: a full one (`full_database.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use kopitiam_kafka::messages::user::UserBanned;
use kopitiam_kit::errors::is_transient;
use kopitiam_kit::outbox::{self, NewMessage};
use kopitiam_kit::testing::{TestBroker, TestDb, each_database, eventually};
use kopitiam_kit::{Db, SystemError, parked};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use uuid::Uuid;

use crate::notes::{Migrator, NoteTaker, Running, ban, notes, versions_of};

/// `None` where PostgreSQL is not installed.
async fn postgres() -> Option<TestDb> {
    each_database::<Migrator>().await.into_iter().find(|db| db.backend() == DbBackend::Postgres)
}

async fn try_ban(db: &Db, user: Uuid) -> Result<(), SystemError> {
    let payload = &UserBanned { reason: "test".to_owned() };
    db.transaction(|tx| async move {
        outbox::append(&tx, NewMessage::new(user, "service:test", payload)).await.map(|_| ())
    })
    .await
}

async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// A connection of somebody else, beside the service's own.
async fn admin(db: &TestDb) -> DatabaseConnection {
    Database::connect(db.url()).await.unwrap()
}

#[tokio::test]
async fn a_lock_that_others_keep_is_a_refusal_within_seconds_and_no_version_is_used_up() {
    for db in each_database::<Migrator>().await {
        let user = Uuid::now_v7();
        let lock = admin(&db).await.begin().await.unwrap();
        let take = match db.backend() {
            DbBackend::Postgres => "LOCK TABLE kit_outbox IN ACCESS EXCLUSIVE MODE",
            // Whoever writes has locked the whole file.
            _ => "UPDATE kit_outbox_heads SET version = version",
        };
        lock.execute_unprepared(take).await.unwrap();
        let refusal = tokio::time::timeout(Duration::from_secs(30), try_ban(&db, user)).await;
        let refusal = refusal.expect("nobody waits for ever").unwrap_err();
        assert!(is_transient(&refusal), "the same work may be tried again: {refusal}");
        lock.rollback().await.unwrap();
        assert_eq!(ban(&db, user).await.aggregate_version, 1, "no half of it is there");
    }
}

/// Ends every connection of the database but its own, again and again.
async fn terminate(db: &TestDb, stop: Arc<AtomicBool>) -> i64 {
    let admin = admin(db).await;
    let mut ended = 0;
    while !stop.load(Ordering::SeqCst) {
        ended += number(
            &admin,
            "SELECT COUNT(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    ended
}

#[tokio::test]
async fn connections_that_are_terminated_lose_and_double_nothing() {
    let Some(db) = postgres().await else { return };
    let broker = TestBroker::start().await;
    let db = Arc::new(db);
    let stop = Arc::new(AtomicBool::new(false));
    let terminator = tokio::spawn({
        let (db, stop) = (Arc::clone(&db), Arc::clone(&stop));
        async move { terminate(&db, stop).await }
    });
    let running = Running::start(&db, &broker, NoteTaker::Gated);
    let writers = (0..4).map(|_| {
        let db = Arc::clone(&db);
        tokio::spawn(async move {
            let user = Uuid::now_v7();
            let (mut written, mut refused) = (0, 0);
            while written < 25 {
                match try_ban(&db, user).await {
                    Ok(()) => written += 1,
                    Err(error) => {
                        assert!(is_transient(&error), "the same work may be tried again: {error:?}");
                        refused += 1;
                    }
                }
            }
            (user, written, refused)
        })
    });
    let mut users = Vec::new();
    let mut refusals = 0;
    for writer in writers.collect::<Vec<_>>() {
        let (user, written, refused) = writer.await.unwrap();
        users.push((user, written, refused));
        refusals += refused;
    }
    stop.store(true, Ordering::SeqCst);
    let ended = terminator.await.unwrap();
    assert!(ended > 0 && refusals > 0, "{ended} connections ended, {refusals} refusals");
    for (user, written, refused) in users {
        let admin = db.read();
        let rows = number(
            admin,
            &format!(
                "SELECT COUNT(*) FROM kit_outbox WHERE aggregate_id = '{user}' AND aggregate_version > 0"
            ),
        )
        .await;
        // A connection may end after the commit and before its answer.
        assert!((written..=written + refused).contains(&rows), "{written} + {refused}: {rows}");
        let expected: &Vec<i64> = &(1..=rows).collect();
        let db = db.db();
        eventually("every event, once and in order", || async {
            (versions_of(db, user).await.len() >= expected.len()).then_some(())
        })
        .await;
        assert_eq!(versions_of(db, user).await, *expected);
    }
    assert_eq!(parked::count(&db).await.unwrap(), 0, "no event is to blame");
    running.stop().await;
}

/// Between a service and its database: can be unplugged.
struct Cable {
    url: String,
    plugged: watch::Sender<bool>,
    /// Connections that found it unplugged.
    refused: Arc<AtomicU32>,
}

impl Cable {
    /// To the server of that URL.
    async fn to(url: &str) -> Self {
        let (scheme_and_user, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme_and_user}@{}/{database}", listener.local_addr().unwrap());
        let (plugged, state) = watch::channel(true);
        let refused = Arc::<AtomicU32>::default();
        let count = Arc::clone(&refused);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, mut state) = (server.clone(), state.clone());
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    if !*state.borrow_and_update() {
                        count.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = state.changed() => {}
                    }
                });
            }
        });
        Self { url, plugged, refused }
    }
}

#[tokio::test]
async fn what_came_while_the_database_was_gone_is_applied_when_it_is_back() {
    let Some(db) = postgres().await else { return };
    let broker = TestBroker::start().await;
    let cable = Cable::to(db.url()).await;
    let far = Db::connect(&cable.url).await.unwrap();
    let source = each_database::<Migrator>().await.remove(0);
    let sending = Running::start(&source, &broker, NoteTaker::Gated);
    let receiving = Running::named("far", &far, &broker.kafka(), NoteTaker::Gated);
    let user = Uuid::now_v7();
    ban(&source, user).await;
    let near = db.db();
    eventually("the first event", || async { (notes(near).await.len() == 1).then_some(()) }).await;

    cable.plugged.send_replace(false);
    let refusal = try_ban(&far, user).await.unwrap_err();
    assert!(is_transient(&refusal), "the same work may be tried again: {refusal:?}");
    for _ in 0..3 {
        ban(&source, user).await;
    }
    let here = source.db();
    eventually("the events are out", || async { (versions_of(here, user).await.len() == 4).then_some(()) })
        .await;
    let so_far = cable.refused.load(Ordering::SeqCst);
    eventually("more tries than a message has", || async {
        (cable.refused.load(Ordering::SeqCst) > so_far + 10).then_some(())
    })
    .await;
    assert_eq!(versions_of(near, user).await, [1]);

    cable.plugged.send_replace(true);
    eventually("all events", || async { (versions_of(near, user).await == [1, 2, 3, 4]).then_some(()) })
        .await;
    assert_eq!(parked::count(near).await.unwrap(), 0, "no event is to blame");
    receiving.stop().await;
    sending.stop().await;
}
