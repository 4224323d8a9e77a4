//! The embedded broker as a child process: found, started, waited for, and gone with its parent.
//!
//! Always: the broker ends when this process ends in any way, because its standard input closes then.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::KafkaError;

/// Environment variable naming the broker's binary, where it is not in the repository's `kafka/broker/target`.
pub const BINARY_VARIABLE: &str = "KOPITIAM_BROKER";
const READY_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(5);
const READY_PREFIX: &str = "kopitiam-broker ready on ";

/// A running embedded broker; dropping it ends the process.
#[derive(Debug)]
pub struct EmbeddedBroker {
    child: Child,
    address: SocketAddr,
}

impl EmbeddedBroker {
    /// Starts the broker on a free loopback port with its log in `data`, and waits until clients can connect.
    ///
    /// # Errors
    /// [`KafkaError::NoBrokerBinary`] when it has not been built, [`KafkaError::BrokerNotReady`] when it does not come up.
    pub async fn start(data: &Path) -> Result<Self, KafkaError> {
        Self::start_on(data, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Like [`Self::start`] on a given address; a test that restarts the broker needs the same one again.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_on(data: &Path, listen: SocketAddr) -> Result<Self, KafkaError> {
        let binary = binary_path();
        if !binary.is_file() {
            return Err(KafkaError::NoBrokerBinary(binary));
        }
        let mut child = Command::new(binary)
            .arg("--listen")
            .arg(listen.to_string())
            .arg("--data")
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        match tokio::time::timeout(READY_WITHIN, ready_address(&mut child)).await {
            Ok(Ok(address)) => Ok(Self { child, address }),
            Ok(Err(detail)) => Err(KafkaError::BrokerNotReady { within: READY_WITHIN, detail }),
            Err(_) => {
                Err(KafkaError::BrokerNotReady { within: READY_WITHIN, detail: "no ready line".to_owned() })
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value for `bootstrap.servers`.
    pub fn brokers(&self) -> String {
        self.address.to_string()
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// [`KafkaError::Spawn`] when the process cannot be signalled.
    pub async fn kill(mut self) -> Result<(), KafkaError> {
        self.child.kill().await?;
        Ok(())
    }

    /// Asks it to end, and ends it after five seconds.
    ///
    /// # Errors
    /// [`KafkaError::Spawn`] when the process cannot be waited for.
    pub async fn stop(mut self) -> Result<(), KafkaError> {
        drop(self.child.stdin.take());
        if let Ok(status) = tokio::time::timeout(STOP_WITHIN, self.child.wait()).await {
            status?;
        } else {
            self.child.kill().await?;
        }
        Ok(())
    }
}

/// Where the broker's binary is expected: `KOPITIAM_BROKER`, next to this program, or the repository's own build.
pub fn binary_path() -> PathBuf {
    if let Some(path) = std::env::var_os(BINARY_VARIABLE) {
        return PathBuf::from(path);
    }
    let beside =
        std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("kopitiam-broker")));
    if let Some(beside) = beside.filter(|path| path.is_file()) {
        return beside;
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("broker/target");
    let release = target.join("release/kopitiam-broker");
    if release.is_file() { release } else { target.join("debug/kopitiam-broker") }
}

async fn ready_address(child: &mut Child) -> Result<SocketAddr, String> {
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.map_err(|error| error.to_string())? {
        if let Some(address) = line.strip_prefix(READY_PREFIX) {
            // Whatever it prints later has to go somewhere, or a full pipe would stop it.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return address.parse().map_err(|_| format!("not an address: {address}"));
        }
    }
    Err(match child.wait().await {
        Ok(status) => format!("it ended with {status}"),
        Err(error) => error.to_string(),
    })
}
