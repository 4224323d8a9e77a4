//! One database per service: SQLite file or PostgreSQL, chosen by URL, same code for both.
//!
//! Always: a write goes through [`Db::transaction`]; on SQLite that is `BEGIN IMMEDIATE` on the one writing connection, so
//! writers queue instead of failing; on PostgreSQL the whole closure is run again when the server aborts it for another.
//! Row locks (`FOR UPDATE`) do nothing on SQLite: change counters by one conditional `UPDATE` and test the row count.

use std::error::Error;
use std::future::Future;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::Rng;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{AssertSqlSafe, Executor};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    ExecResult, QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use tokio::sync::Notify;

use crate::errors::{SystemError, is_serialization_failure};
use crate::failpoint::{self, Point};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a statement waits for the locks of others.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The same on PostgreSQL.
const LOCK_TIMEOUT: &str = "5s";
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;
/// One keeps other replicas out, the other migrates.
const MIGRATION_CONNECTIONS: u32 = 2;
/// Of a transaction that the server aborts for another. With PostgreSQL's strictest level each change of a row aborts all that
/// wait for it, up to one per connection, so that the unluckiest needs about as many.
const ATTEMPTS: u32 = 20;
/// The pause before the next attempt doubles so often.
const DOUBLINGS_MAX: u32 = 5;
/// Values of PostgreSQL's settings with which a commit that was acknowledged survives a power cut.
const DURABLE: [&str; 4] = ["on", "local", "remote_write", "remote_apply"];
/// Any number, the same in all services: one of them migrates at a time.
const MIGRATION_LOCK: i64 = 0x6b6f_7069;

/// A service's database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    committed: Notify,
}

impl Db {
    /// Connects, and makes the SQLite file where it is missing.
    ///
    /// # Errors
    /// [`SystemError::Database`] when the URL is not understood or nothing answers.
    pub async fn connect(url: &str) -> Result<Self, SystemError> {
        let (writer, reader) = if url.starts_with("sqlite:") {
            connect_sqlite(url).await?
        } else {
            connect_postgres(url).await?
        };
        let url = url.to_owned();
        Ok(Self { inner: Arc::new(Inner { url, writer, reader, committed: Notify::new() }) })
    }

    /// Refuses a PostgreSQL server that may lose what it acknowledged: SQLite files are always opened to keep it.
    ///
    /// # Errors
    /// [`SystemError::Invariant`] naming the setting; [`SystemError::Database`].
    pub async fn check_durable(&self) -> Result<(), SystemError> {
        if self.backend() != DbBackend::Postgres {
            return Ok(());
        }
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let show = Statement::from_string(self.backend(), format!("SHOW {setting}"));
            let row = self.read().query_one_raw(show).await?;
            let found: String = row.map(|row| row.try_get("", setting)).transpose()?.unwrap_or_default();
            if !DURABLE.contains(&found.as_str()) {
                return Err(SystemError::Invariant(format!(
                    "PostgreSQL has `{setting} = {found}` and may lose what it acknowledged; set it to `on`"
                )));
            }
        }
        Ok(())
    }

    /// For reading outside a transaction; on SQLite these connections refuse to write.
    pub fn read(&self) -> &DatabaseConnection {
        &self.inner.reader
    }

    /// Which database it is.
    pub fn backend(&self) -> DbBackend {
        self.inner.writer.get_database_backend()
    }

    /// Applies what is missing of `M`, each migration in a transaction on both databases.
    ///
    /// # Errors
    /// [`SystemError::Database`] when one fails (nothing of it stays), [`SystemError::Invariant`] when one does not ask for
    /// a transaction: SQLite would leave half of it.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), SystemError> {
        for migration in M::migrations() {
            if migration.use_transaction() != Some(true) {
                let name = migration.name().to_owned();
                return Err(SystemError::Invariant(format!("migration `{name}` must ask for a transaction")));
            }
        }
        if self.backend() == DbBackend::Postgres {
            // Connections of their own that wait as long as it takes: for another replica's migrations, and for whoever
            // still uses a table that is about to change.
            let patient = postgres(&self.inner.url, MIGRATION_CONNECTIONS, Some("0")).await?;
            let lock = patient.begin().await?;
            lock.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
            M::up(&patient, None).await?;
            lock.commit().await?;
            patient.close().await?;
        } else {
            M::up(&self.inner.writer, None).await?;
        }
        Ok(())
    }

    /// Runs `work` in one transaction: commits when it gives `Ok`, leaves no trace when it gives `Err`.
    ///
    /// `work` may run several times (PostgreSQL aborts one of two conflicting transactions), so it must have no effect but
    /// through its [`Tx`]; use [`Tx::after_commit`] for the rest. The `Tx` must not outlive the closure.
    ///
    /// # Errors
    /// What `work` gave, or the database's refusal to commit.
    pub async fn transaction<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<DbErr> + Error + 'static,
    {
        let mut attempt = 1;
        loop {
            match self.attempt(&work).await {
                Err(error) if attempt < ATTEMPTS && is_serialization_failure(&error) => {
                    tracing::debug!(attempt, %error, "transaction aborted for another, trying again");
                    let pause_ms = rand::rng().random_range(1..=10) * (1 << attempt.min(DOUBLINGS_MAX));
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt<T, E, F, Fut>(&self, work: &F) -> Result<T, E>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send,
        E: From<DbErr>,
    {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.inner.writer.begin_with_options(options).await?;
        self.reach(Point::AfterBegin).await;
        let tx = Tx { inner: Arc::new(TxInner { transaction, after_commit: Mutex::new(Vec::new()) }) };
        match work(tx.clone()).await {
            Ok(value) => {
                let inner = Arc::into_inner(tx.inner)
                    .ok_or_else(|| DbErr::Custom("a transaction outlived its closure".to_owned()))?;
                self.reach(Point::BeforeCommit).await;
                inner.transaction.commit().await?;
                self.reach(Point::AfterCommit).await;
                for effect in inner.after_commit.into_inner().unwrap_or_default() {
                    effect();
                }
                self.inner.committed.notify_one();
                Ok(value)
            }
            Err(error) => {
                if let Some(inner) = Arc::into_inner(tx.inner) {
                    // The error that made us roll back is the one to report; a dropped connection rolls back by itself.
                    let _ = inner.transaction.rollback().await;
                }
                Err(error)
            }
        }
    }

    /// A test may stop the service here.
    pub(crate) async fn reach(&self, point: Point) {
        failpoint::reach(&self.inner.url, point).await;
    }

    /// Returns after the next commit by this process; one waiter only (the relay).
    pub(crate) async fn committed(&self) {
        self.inner.committed.notified().await;
    }
}

/// An open transaction: pass `&tx` wherever a query is made.
#[derive(Clone)]
pub struct Tx {
    inner: Arc<TxInner>,
}

struct TxInner {
    transaction: DatabaseTransaction,
    after_commit: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl Tx {
    /// Runs `effect` once the transaction has committed, and never otherwise. For waking subscriptions.
    pub fn after_commit(&self, effect: impl FnOnce() + Send + 'static) {
        if let Ok(mut effects) = self.inner.after_commit.lock() {
            effects.push(Box::new(effect));
        }
    }

    /// Marks this point: what follows can be taken back without giving up the transaction. Savepoints nest.
    ///
    /// # Errors
    /// The database's refusal.
    pub async fn savepoint(&self) -> Result<Savepoint<'_>, DbErr> {
        self.execute_unprepared("SAVEPOINT kit_savepoint").await?;
        Ok(Savepoint { tx: self })
    }
}

/// A point of a transaction to go back to; end it with one of its two methods.
#[must_use = "release it or roll back to it"]
pub struct Savepoint<'tx> {
    tx: &'tx Tx,
}

impl Savepoint<'_> {
    /// Keeps what was done since.
    ///
    /// # Errors
    /// The database's refusal.
    pub async fn release(self) -> Result<(), DbErr> {
        self.tx.execute_unprepared("RELEASE SAVEPOINT kit_savepoint").await.map(|_| ())
    }

    /// Takes back what was done since.
    ///
    /// # Errors
    /// The database's refusal.
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.tx.execute_unprepared("ROLLBACK TO SAVEPOINT kit_savepoint").await?;
        self.release().await
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.inner.transaction.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.inner.transaction.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.inner.transaction.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.inner.transaction.query_all_raw(statement).await
    }
}

async fn connect_sqlite(url: &str) -> Result<(DatabaseConnection, DatabaseConnection), DbErr> {
    let writer = Database::connect(sqlite_options(url, 1, false)).await?;
    let reader = Database::connect(sqlite_options(url, SQLITE_READERS, true)).await?;
    Ok((writer, reader))
}

fn sqlite_options(url: &str, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(BUSY_TIMEOUT)
                .journal_mode(SqliteJournalMode::Wal)
                // Money is in here: a commit that was acknowledged survives a power cut.
                .synchronous(SqliteSynchronous::Full);
            if read_only { sqlite.pragma("query_only", "ON") } else { sqlite }
        });
    options
}

async fn connect_postgres(url: &str) -> Result<(DatabaseConnection, DatabaseConnection), DbErr> {
    // Unless the URL says another: who waits for a lock for ever keeps a connection from everybody else.
    let url_sets_it = PgConnectOptions::from_str(url)
        .is_ok_and(|options| options.get_options().is_some_and(|options| options.contains("lock_timeout")));
    let lock_timeout = (!url_sets_it).then_some(LOCK_TIMEOUT);
    let pool = postgres(url, POSTGRES_CONNECTIONS, lock_timeout).await?;
    Ok((pool.clone(), pool))
}

/// A pool in whose connections a statement waits this long for the locks of others.
async fn postgres(
    url: &str,
    connections: u32,
    lock_timeout: Option<&'static str>,
) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        // Poolers such as PgBouncer refuse start-up parameters that they do not know. Floats are read in binary.
        .map_sqlx_postgres_opts(|postgres| postgres.extra_float_digits(None))
        // Set by a statement and not at start-up, for the same reason.
        .map_sqlx_postgres_pool_opts(move |pool| {
            let Some(lock_timeout) = lock_timeout else { return pool };
            pool.after_connect(move |connection, _| {
                Box::pin(async move {
                    let set = format!("SET lock_timeout = '{lock_timeout}'");
                    connection.execute(AssertSqlSafe(set)).await.map(|_| ())
                })
            })
        });
    Database::connect(options).await
}
