//! How long PostgreSQL is waited for, and how that is told: a statement five seconds for the locks of others, a migration
//! as long as it takes, and nothing of it at start-up, where poolers such as PgBouncer refuse what they do not know.
//!
//! Elsewhere: what happens when the wait is over (`database_faults.rs`).

use std::sync::{Arc, Mutex};

use kopitiam_kit::Db;
use kopitiam_kit::testing::{TestDb, each_database};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use sea_orm_migration::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Writes down how long it would have waited for a lock.
struct Waits;

impl MigratorTrait for Waits {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Waits)]
    }
}

impl MigrationName for Waits {
    fn name(&self) -> &'static str {
        "m0001_waits"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Waits {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let note = match manager.get_database_backend() {
            DbBackend::Postgres => {
                "CREATE TABLE waits AS SELECT current_setting('lock_timeout') AS lock_timeout"
            }
            _ => "CREATE TABLE waits (lock_timeout TEXT)",
        };
        manager.get_connection().execute_unprepared(note).await.map(|_| ())
    }
}

/// `None` where PostgreSQL is not installed.
async fn postgres() -> Option<TestDb> {
    each_database::<Waits>().await.into_iter().find(|db| db.backend() == DbBackend::Postgres)
}

async fn text(db: &Db, select: &str) -> String {
    let row = db.read().query_one_raw(Statement::from_string(db.backend(), select)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn a_migration_waits_for_locks_as_long_as_it_takes_and_a_statement_for_five_seconds() {
    let Some(db) = postgres().await else { return };
    assert_eq!(text(&db, "SELECT lock_timeout FROM waits").await, "0");
    assert_eq!(text(&db, "SELECT current_setting('lock_timeout')").await, "5s");
    let other = Db::connect(&format!("{}?options[lock_timeout]=7s", db.url())).await.unwrap();
    assert_eq!(text(&other, "SELECT current_setting('lock_timeout')").await, "7s", "the URL's own");
}

/// Passes connections on to the server and writes down the names of the parameters each begins with.
async fn listen(server: String, seen: Arc<Mutex<Vec<String>>>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (server, seen) = (server.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                let (length, begin) = loop {
                    let length = client.read_u32().await.unwrap();
                    let mut rest = vec![0; length as usize - 4];
                    client.read_exact(&mut rest).await.unwrap();
                    // A wish for TLS comes first; the server here has none.
                    if rest.len() == 4 {
                        client.write_all(b"N").await.unwrap();
                    } else {
                        break (length, rest);
                    }
                };
                let texts: Vec<&[u8]> = begin[4..].split(|byte| *byte == 0).collect();
                let names = texts.chunks(2).map(|pair| String::from_utf8(pair[0].to_vec()).unwrap());
                seen.lock().unwrap().extend(names.filter(|name| !name.is_empty()));
                let mut server = TcpStream::connect(server).await.unwrap();
                server.write_u32(length).await.unwrap();
                server.write_all(&begin).await.unwrap();
                // Either side may go first.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_connection_begins_with_what_every_pooler_knows() {
    let Some(db) = postgres().await else { return };
    let (scheme_and_user, rest) = db.url().split_once('@').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let address = listen(server.to_owned(), Arc::clone(&seen)).await;
    let far = Db::connect(&format!("{scheme_and_user}@{address}/{database}")).await.unwrap();
    far.migrate::<Waits>().await.unwrap();
    assert_eq!(text(&far, "SELECT current_setting('lock_timeout')").await, "5s");
    // PgBouncer keeps these for each client and refuses any other.
    let known = ["user", "database", "client_encoding", "DateStyle", "TimeZone", "application_name"];
    let seen = seen.lock().unwrap();
    assert!(seen.iter().filter(|name| *name == "user").count() > 1, "{seen:?}");
    let unknown: Vec<&String> =
        seen.iter().filter(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name))).collect();
    assert_eq!(unknown, Vec::<&String>::new());
}
