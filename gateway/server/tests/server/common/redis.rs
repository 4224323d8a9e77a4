//! A Redis server of the test's own, on a free port of loopback, with a password and without persistence.
//!
//! Always: it ends with the test. Where `redis-server` is not installed a test says so and passes; with
//! `KOPITIAM_TEST_REDIS=required`, as in CI, it fails.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use kopitiam_server::RedisSettings;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::PATIENCE;
use super::certificates::Identity;
use crate::process::signal;

const PASSWORD: &str = "planted-password";

/// See the module's header.
pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    further: Vec<String>,
    folder: TempDir,
}

impl RedisServer {
    /// `None`: it is not installed.
    pub(crate) async fn start() -> Option<Self> {
        Self::with(Vec::new()).await
    }

    /// One that also speaks TLS, and gives the port of that.
    pub(crate) async fn with_tls(identity: &Identity) -> Option<(Self, u16)> {
        let port = free_port();
        let (certificate, key) = (identity.certificate.display(), identity.key.display());
        let line = format!(
            "--tls-port {port} --tls-cert-file {certificate} --tls-key-file {key} --tls-auth-clients no"
        );
        let server = Self::with(line.split(' ').map(str::to_owned).collect()).await?;
        Some((server, port))
    }

    async fn with(further: Vec<String>) -> Option<Self> {
        if !is_installed() {
            let is_required = std::env::var("KOPITIAM_TEST_REDIS").is_ok_and(|value| value == "required");
            assert!(!is_required, "redis-server is missing: install it (apt-get install redis-server)");
            skip();
            return None;
        }
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let server = Self { child: spawn(port, &folder, &further), port, further, folder };
        server.answers().await;
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    pub(crate) fn tls_url(port: u16) -> String {
        format!("rediss://:{PASSWORD}@localhost:{port}")
    }

    pub(crate) fn socket_url(&self) -> String {
        format!("unix://{}?pass={PASSWORD}", self.folder.path().join("redis.sock").display())
    }

    /// Settings with so much time that a busy machine does not matter; tests of slowness set their own.
    pub(crate) fn settings(url: &str, secret: &str) -> RedisSettings {
        let mut settings = RedisSettings::new(url, secret).unwrap();
        (settings.timeout, settings.connect_timeout) = (PATIENCE, PATIENCE);
        settings
    }

    /// A connection of the test's own.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        self.try_connection().await.unwrap()
    }

    async fn try_connection(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url())?.get_multiplexed_async_connection().await
    }

    async fn answers(&self) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = match self.try_connection().await {
                Ok(mut connection) => redis::cmd("PING").query_async::<String>(&mut connection).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(_) => return,
                Err(error) => assert!(tokio::time::Instant::now() < deadline, "it does not start: {error}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Empty, on the same port.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.further);
        self.answers().await;
    }

    /// It goes on answering lookups, and takes no writes.
    pub(crate) async fn pause_writes(&self) {
        let (mut command, millis) = (redis::cmd("CLIENT"), PATIENCE.as_secs() * 1000);
        command.arg("PAUSE").arg(millis).arg("WRITE");
        command.exec_async(&mut self.connection().await).await.unwrap();
    }

    pub(crate) async fn resume_writes(&self) {
        redis::cmd("CLIENT").arg("UNPAUSE").exec_async(&mut self.connection().await).await.unwrap();
    }

    /// It goes on listening, and does nothing.
    pub(crate) async fn stop(&self) {
        signal("STOP", self.child.id().expect("it runs")).await;
    }

    pub(crate) async fn go_on(&self) {
        signal("CONT", self.child.id().expect("it runs")).await;
    }
}

fn is_installed() -> bool {
    let folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    folders.iter().any(|folder| folder.join("redis-server").is_file())
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen in the output")]
fn skip() {
    eprintln!("redis-server is not installed: what needs it is skipped");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(port: u16, folder: &TempDir, further: &[String]) -> Child {
    let own = format!("--port {port} --bind 127.0.0.1 --appendonly no --daemonize no --loglevel warning");
    Command::new("redis-server")
        .args(own.split(' '))
        .args(["--save", "", "--requirepass", PASSWORD, "--unixsocket"])
        .arg(folder.path().join("redis.sock"))
        .arg("--dir")
        .arg(folder.path())
        .args(further)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
