//! The embedded Kafka-protocol broker: one process, one data folder, one loopback listener.
//!
//! In: `--listen ADDRESS:PORT --data FOLDER`. Out: one line `kopitiam-broker ready on ADDRESS:PORT` on standard output
//! once clients can connect. Ends when its standard input closes, so it never outlives the process that started it, and
//! on SIGTERM or SIGINT. The log is one SQLite file in the data folder; what was acknowledged survives a kill.
//! Elsewhere: the protocol and the storage (the `nisshi-broker` crate); starting this binary as a child
//! (`kopitiam_kafka::embedded`).

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use nisshi_broker::broker::Broker;
use nisshi_broker::coordinator::group::administrator::{Controller, GroupCoordinatorConfig};
use nisshi_storage::ArcDynStorage;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

/// The storage engine joins this to the working directory, so it must be relative (and the process moves there first).
const LOG_FILE: &str = "sqlite://broker.db";
/// How long a group waits for more members at its first join. Kafka's three seconds only slow down a single machine.
const GROUP_JOIN_DELAY: Duration = Duration::from_millis(200);
/// A held join or sync is woken by this broker itself; the poll is only the net under it.
const GROUP_POLL: Duration = Duration::from_millis(100);
const READY_WITHIN: Duration = Duration::from_secs(30);

#[derive(Parser)]
#[command(version, about = "Kafka-protocol broker on one SQLite file, for development and tests")]
struct Arguments {
    /// Address to listen on and to tell clients; port 0 takes a free one.
    #[arg(long)]
    listen: SocketAddr,
    /// Folder of the log; made when missing.
    #[arg(long)]
    data: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listen = free_address(arguments.listen)?;
    std::fs::create_dir_all(&arguments.data)
        .with_context(|| format!("cannot make the data folder {}", arguments.data.display()))?;
    std::env::set_current_dir(&arguments.data)
        .with_context(|| format!("cannot enter the data folder {}", arguments.data.display()))?;

    let listener = Url::parse(&format!("tcp://{listen}"))?;
    let broker = Broker::<Controller<ArcDynStorage>, ArcDynStorage>::builder()
        .node_id(1)
        .cluster_id("kopitiam")
        .incarnation_id(Uuid::new_v4())
        .advertised_listener(listener.clone())
        .storage(Url::parse(LOG_FILE)?)
        .listener(listener)
        .silent(true)
        .group_coordinator(GroupCoordinatorConfig {
            initial_rebalance_delay: GROUP_JOIN_DELAY,
            poll_interval: GROUP_POLL,
        })
        .build()
        .await
        .context("cannot open the log")?;

    tokio::select! {
        ended = broker.main(Instant::now()) => { ended.context("the broker stopped")?; }
        () = parent_gone() => {}
        announced = announce(listen) => announced?,
    }
    Ok(())
}

/// The address itself, or the same host with a free port in place of port 0.
///
/// Bound here once in any case: another listener on the address would make [`announce`] believe that ours is up.
fn free_address(wanted: SocketAddr) -> anyhow::Result<SocketAddr> {
    let probe = TcpListener::bind(wanted).with_context(|| format!("cannot listen on {wanted}"))?;
    Ok(probe.local_addr()?)
}

/// Prints the ready line once the listener accepts, then waits for ever.
async fn announce(listen: SocketAddr) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    while tokio::net::TcpStream::connect(listen).await.is_err() {
        anyhow::ensure!(Instant::now() < deadline, "not listening on {listen} after {READY_WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("kopitiam-broker ready on {listen}");
    std::future::pending().await
}

/// Returns when standard input ends: the parent closed it, or died.
async fn parent_gone() {
    let mut input = tokio::io::stdin();
    let mut ignored = [0_u8; 64];
    while matches!(input.read(&mut ignored).await, Ok(read) if read > 0) {}
}
