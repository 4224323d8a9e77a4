//! A PostgreSQL server for tests: the one that `KOPITIAM_TEST_POSTGRES` names, else a private one per test process, from
//! `initdb`, on a free loopback port; it ends with the process.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, Database};
use tokio::sync::OnceCell;

const START_WITHIN: Duration = Duration::from_mins(1);
/// `postgres://user@host:port/postgres` of a server to use; `off` to test on SQLite only.
const VARIABLE: &str = "KOPITIAM_TEST_POSTGRES";
/// `serializable`, or another isolation level that transactions have instead of PostgreSQL's default.
const ISOLATION: &str = "KOPITIAM_TEST_ISOLATION";

static SERVER: OnceCell<Option<String>> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Starts the server in a folder of its own, waits until standard input ends, then stops it and removes the folder.
/// PostgreSQL refuses to run as root, so root hands it to the `postgres` user.
const SCRIPT: &str = r#"
set -eu
bin=$1 port=$2
dir=$(mktemp -d "${TMPDIR:-/tmp}/kopitiam-pg.XXXXXX")
as=
if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; as="setpriv --reuid=postgres --regid=postgres --clear-groups"; fi
cd "$dir"
$as "$bin/initdb" -D "$dir/data" -U kopitiam --auth=trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; rm -rf "$dir"; exit 1; }
$as "$bin/postgres" -D "$dir/data" -p "$port" -k "$dir" -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=300 >"$dir/server.log" 2>&1 </dev/null &
server=$!
trap 'kill -INT $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$dir"' EXIT
cat >/dev/null
"#;

/// The URL of a fresh empty PostgreSQL database; `None`, with one line that says why, where PostgreSQL is not installed.
///
/// # Panics
/// When the server is there and refuses.
pub async fn new_database() -> Option<String> {
    let server = SERVER.get_or_init(start).await.as_ref()?;
    // The server may be shared by the test processes of a whole run.
    let name = format!("test_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
    let admin = Database::connect(format!("{server}/postgres")).await.expect("the server answered before");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a fresh name");
    if let Ok(level) = std::env::var(ISOLATION) {
        let set = format!("ALTER DATABASE {name} SET default_transaction_isolation = '{level}'");
        admin.execute_unprepared(&set).await.expect("a level that there is");
    }
    Some(format!("{server}/{name}"))
}

async fn start() -> Option<String> {
    match std::env::var(VARIABLE) {
        Ok(value) if value == "off" => {
            skip("switched off");
            return None;
        }
        Ok(value) if value.starts_with("postgres") => {
            return Some(value.trim_end_matches("/postgres").to_owned());
        }
        _ => {}
    }
    let Some(binaries) = find_binaries() else {
        skip("no initdb found");
        return None;
    };
    let port = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).ok()?.port();
    let mut child = Command::new("sh")
        .args(["-c", SCRIPT, "sh"])
        .arg(&binaries)
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .ok()?;
    // The open pipe is what keeps the server alive; the process's end closes it, however it ends.
    std::mem::forget(child.stdin.take());
    let server = format!("postgres://kopitiam@127.0.0.1:{port}");
    let deadline = std::time::Instant::now() + START_WITHIN;
    while Database::connect(format!("{server}/postgres")).await.is_err() {
        let ended = child.try_wait().ok().flatten();
        assert!(ended.is_none(), "PostgreSQL did not start: {ended:?}");
        assert!(std::time::Instant::now() < deadline, "PostgreSQL did not start within {START_WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Some(server)
}

fn find_binaries() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut candidates: Vec<PathBuf> = installed.map(|version| version.path().join("bin")).collect();
    candidates.sort();
    candidates.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    candidates.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

#[expect(clippy::print_stderr, reason = "a skipped database must be seen in the test's output")]
fn skip(why: &str) {
    eprintln!("PostgreSQL tests skipped: {why}");
}
