//! The binary `gateway` as a process of its own, for what concerns a process: memory, open files, signals.

use std::net::SocketAddr;
use std::process::Stdio;

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::common::{PATIENCE, eventually, subgraphs, supergraph};

/// A gateway process over the two subgraphs of the fixtures, which are in this one. Ends when dropped.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
    pub(crate) client: Client,
    _folder: TempDir,
    /// Read, so that it can be written.
    _log: tokio::task::JoinHandle<()>,
}

impl Serving {
    /// With further lines of settings.
    pub(crate) async fn start(settings: &[&str]) -> Self {
        let products = subgraphs::listen(subgraphs::products().router).await;
        let reviews = subgraphs::listen(subgraphs::reviews()).await;
        Self::over(&supergraph(&products, &reviews), settings, &[]).await
    }

    /// Over a supergraph, started by way of another program such as `prlimit`, which becomes the gateway.
    pub(crate) async fn over(supergraph: &str, settings: &[&str], by: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("supergraph.graphql");
        std::fs::write(&file, supergraph).unwrap();
        let settings_file = folder.path().join("gateway.yaml");
        std::fs::write(
            &settings_file,
            format!("supergraph: {{ file: {} }}\n{}", file.display(), settings.join("\n")),
        )
        .unwrap();
        let binary = env!("CARGO_BIN_EXE_gateway");
        let mut line = by.iter().copied().chain([binary, "serve", "--listen", "127.0.0.1:0", "--config"]);
        let mut child = Command::new(line.next().unwrap())
            .args(line)
            .arg(&settings_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = tokio::time::timeout(PATIENCE, listening(&mut lines)).await.expect("it starts");
        let log = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let url = format!("http://{address}/graphql");
        Self { child, address, url, client, _folder: folder, _log: log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) async fn ask(&self, query: &str) -> Value {
        let request = self.client.post(&self.url).json(&json!({ "query": query }));
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Stops it until it gets SIGCONT; returns when each of its threads has stopped, which takes longer than the signal.
    pub(crate) async fn pause(&self) {
        signal("STOP", self.pid()).await;
        let tasks = format!("/proc/{}/task", self.pid());
        let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('T'))
        };
        eventually("it is stopped", || std::fs::read_dir(&tasks).unwrap().all(is_stopped)).await;
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The most memory it ever had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.status("VmHWM:") * 1024
    }

    /// The memory it has, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    pub(crate) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }
}

/// Sends a signal by the system's own command.
pub(crate) async fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await.unwrap();
    assert!(sent.success(), "kill -{name} {pid}");
}

async fn listening(lines: &mut Lines<BufReader<ChildStderr>>) -> SocketAddr {
    let mut seen = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        let find = |name: &str| event.get(name).or(event["fields"].get(name)).and_then(Value::as_str);
        if find("message") == Some("listening") {
            return find("address").unwrap().parse().unwrap();
        }
        seen.push(line);
    }
    panic!("it stopped: {}", seen.join("\n"));
}
