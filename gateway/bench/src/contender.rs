//! Starts a gateway to be measured, pinned to its core, and stops it.
//!
//! In: a command with placeholders. Out: a running process; it ends when dropped.
//! Elsewhere: measuring it (`process.rs`, `load.rs`).

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What may be shared among requests in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every client request is executed and every fetch sent: the cost of the engine.
    Full,
    /// What the gateway does without settings: usually equal subgraph requests are sent once.
    Default,
    /// As the public suite configures its gateways: equal client requests are executed once.
    Suite,
}

impl Mode {
    /// All, the most telling one first.
    pub const ALL: [Self; 3] = [Self::Full, Self::Default, Self::Suite];

    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Default => "default",
            Self::Suite => "suite",
        }
    }
}

/// A gateway that can be started.
#[derive(Debug, Clone)]
pub struct Contender {
    /// For the tables.
    pub name: String,
    /// A shell command; `{supergraph}`, `{config}`, `{port}`, `{mode}` and `{dir}` are replaced.
    pub command: String,
}

impl Contender {
    /// Reads `name=command` lines.
    ///
    /// # Errors
    /// The line that has no `=`.
    pub fn parse_all(lines: &str) -> Result<Vec<Self>, String> {
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .map(|line| {
                let (name, command) = line.split_once('=').ok_or_else(|| line.to_owned())?;
                Ok(Self { name: name.trim().to_owned(), command: command.trim().to_owned() })
            })
            .collect()
    }
}

/// A process that ends with this value.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Running {
    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status when it has ended already.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a contender on a free port of loopback; its output goes to a file in `folder`.
///
/// # Errors
/// When the process cannot be started.
pub fn start(
    contender: &Contender,
    mode: Mode,
    supergraph: &Path,
    folder: &Path,
    core: Option<&str>,
) -> io::Result<Running> {
    let address = free_address()?;
    let config = folder.join(format!("{}-{}.yaml", contender.name, mode.name()));
    std::fs::write(&config, own_config(mode, supergraph, address))?;
    let replacements = [
        ("{supergraph}", supergraph.display().to_string()),
        ("{config}", config.display().to_string()),
        ("{port}", address.port().to_string()),
        ("{mode}", mode.name().to_owned()),
        ("{dir}", folder.display().to_string()),
    ];
    let command = replacements
        .iter()
        .fold(contender.command.clone(), |command, (name, value)| command.replace(name, value));
    let log = folder.join(format!("{}-{}.log", contender.name, mode.name()));
    let child = spawn(&format!("exec {command}"), core, &log)?;
    Ok(Running { child, address })
}

/// Starts the subgraphs' program on a free port.
///
/// # Errors
/// When the process cannot be started.
pub fn start_subgraphs(
    program: &Path,
    delay_ms: u64,
    folder: &Path,
    core: Option<&str>,
) -> io::Result<Running> {
    let address = free_address()?;
    let command = format!("exec '{}' {address} {delay_ms}", program.display());
    let child = spawn(&command, core, &folder.join("subgraphs.log"))?;
    Ok(Running { child, address })
}

fn spawn(command: &str, core: Option<&str>, log: &Path) -> io::Result<Child> {
    let output = File::create(log)?;
    let mut process = if let Some(core) = core {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", core, "sh", "-c", command]);
        pinned
    } else {
        let mut plain = Command::new("sh");
        plain.args(["-c", command]);
        plain
    };
    process.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn()
}

/// A port that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Settings of this project's gateway for a mode.
fn own_config(mode: Mode, supergraph: &Path, address: SocketAddr) -> String {
    let supergraph = format!("supergraph:\n  file: '{}'\n", supergraph.display());
    let traffic = match mode {
        Mode::Full => "traffic:\n  share_client_queries: false\n  share_subgraph_queries: false\n",
        Mode::Default => "",
        Mode::Suite => "traffic:\n  share_client_queries: true\n",
    };
    format!("{supergraph}listen: '{address}'\n{traffic}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_read_line_by_line_and_a_line_without_a_name_is_refused() {
        let peers = Contender::parse_all("a=one --x=1\n\n b = two {port} ").unwrap();
        let read: Vec<_> = peers.iter().map(|peer| (&*peer.name, &*peer.command)).collect();
        assert_eq!(read, [("a", "one --x=1"), ("b", "two {port}")]);
        assert_eq!(Contender::parse_all("nameless").unwrap_err(), "nameless");
    }
}
