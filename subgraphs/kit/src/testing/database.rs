//! A migrated database per test: a SQLite file, and a database of the test process's own PostgreSQL server.

use sea_orm_migration::MigratorTrait;
use tempfile::TempDir;

use super::postgres;
use crate::db::Db;

/// A database that is gone with the value.
pub struct TestDb {
    db: Db,
    url: String,
    _files: Option<TempDir>,
}

impl TestDb {
    /// The database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Its URL, to connect a second time.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl std::ops::Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

/// A migrated SQLite file.
///
/// # Panics
/// When it cannot be made or migrated.
pub async fn sqlite<M: MigratorTrait>() -> TestDb {
    let files = tempfile::tempdir().expect("a temporary folder can be made");
    let url = format!("sqlite://{}", files.path().join("test.db").display());
    connect::<M>(url, Some(files)).await
}

/// A migrated SQLite file, and a migrated PostgreSQL database where `initdb` is installed (else one line says so).
///
/// # Panics
/// When one cannot be made or migrated.
pub async fn each_database<M: MigratorTrait>() -> Vec<TestDb> {
    let mut databases = vec![sqlite::<M>().await];
    if let Some(url) = postgres::new_database().await {
        databases.push(connect::<M>(url, None).await);
    }
    databases
}

async fn connect<M: MigratorTrait>(url: String, files: Option<TempDir>) -> TestDb {
    let db = Db::connect(&url).await.unwrap_or_else(|error| panic!("{error}"));
    db.migrate::<M>().await.unwrap_or_else(|error| panic!("{error}"));
    TestDb { db, url, _files: files }
}
