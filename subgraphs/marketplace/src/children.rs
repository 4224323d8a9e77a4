//! The processes beside this one: the embedded broker and the storefront. Both end when this process ends in any way,
//! because their standard input closes then.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kopitiam_kafka::embedded::EmbeddedBroker;
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};

const WEB_READY_WITHIN: Duration = Duration::from_mins(1);
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Starts the embedded broker with its log under the data folder.
///
/// # Errors
/// When its binary has not been built or it does not come up.
pub(crate) async fn broker(data: &Path) -> Result<EmbeddedBroker> {
    let log = data.join("broker");
    std::fs::create_dir_all(&log).with_context(|| format!("cannot make {}", log.display()))?;
    EmbeddedBroker::start(&log).await.context("the embedded broker does not start")
}

/// The storefront's server.
pub(crate) struct Web {
    child: Child,
    /// The child ends when this closes. Kept beside the child, because waiting for a child closes the input it holds.
    lifeline: Option<ChildStdin>,
}

impl Web {
    /// Starts the built storefront and waits until it accepts connections.
    ///
    /// # Errors
    /// When node is missing, the storefront is not built, or it ends instead of listening.
    pub(crate) async fn start(folder: &Path, port: u16, gateway_port: u16, data: &Path) -> Result<Self> {
        if !folder.join(".next/BUILD_ID").is_file() {
            bail!("the storefront in {} is not built: run `make build`", folder.display());
        }
        let mut child = Command::new("node")
            .arg("server.mjs")
            .current_dir(folder)
            .env("PORT", port.to_string())
            .env("HOSTNAME", "127.0.0.1")
            .env("GATEWAY_URL", format!("http://127.0.0.1:{gateway_port}/graphql"))
            // Its session secret is kept with the data, so that a restart keeps people logged in.
            .env("DATA_DIR", std::path::absolute(data)?)
            .env("EXIT_WITH_PARENT", "1")
            .env("NODE_ENV", "production")
            .env("NEXT_TELEMETRY_DISABLED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("node does not start: install Node.js 20 or newer")?;
        let lifeline = child.stdin.take();
        let mut web = Self { child, lifeline };
        web.wait_until_listening(port).await?;
        Ok(web)
    }

    async fn wait_until_listening(&mut self, port: u16) -> Result<()> {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the storefront ended while starting ({status})");
            }
            if started.elapsed() > WEB_READY_WITHIN {
                bail!("the storefront did not listen on port {port} within {WEB_READY_WITHIN:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Returns when the storefront ends by itself.
    pub(crate) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => format!("the storefront ended ({status})"),
            Err(error) => format!("the storefront is lost ({error})"),
        }
    }

    /// Asks it to end, and ends it after ten seconds.
    pub(crate) async fn stop(mut self) {
        drop(self.lifeline.take());
        if tokio::time::timeout(STOP_WITHIN, self.child.wait()).await.is_err() {
            // It is ours and unresponsive; `kill` only fails when it has just ended.
            let _ = self.child.kill().await;
        }
    }
}
