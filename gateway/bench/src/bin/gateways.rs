//! Compares gateways in one run, one after the other and again: `bench-gateways GATEWAY SUBGRAPHS`.
//!
//! In: this project's gateway, the subgraphs' program, settings and peers from the environment (see `make bench`).
//! Out: a table and a JSON file.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use kopitiam_bench::contender::{Contender, Mode, Running, start, start_subgraphs};
use kopitiam_bench::load::{self, Connection, Fingerprint, Load};
use kopitiam_bench::report::{Report, Sample};
use kopitiam_bench::{operation, process, subgraphs};

type Failure = Box<dyn std::error::Error>;

struct Settings {
    gateway: PathBuf,
    subgraphs: PathBuf,
    contenders: Vec<Contender>,
    modes: Vec<Mode>,
    rounds: u32,
    time: Duration,
    warm_up: Duration,
    connections: usize,
    delay_ms: u64,
    gateway_core: Option<String>,
    load_core: Option<String>,
    json: Option<PathBuf>,
}

fn variable<T: std::str::FromStr>(name: &str, default: T) -> Result<T, Failure> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().map_err(|_| format!("{name}: `{text}`").into()),
        _ => Ok(default),
    }
}

/// A core to pin to; `none` for a machine where that is not wanted.
fn core(name: &str, default: &str) -> Result<Option<String>, Failure> {
    let core: String = variable(name, default.to_owned())?;
    Ok((core != "none").then_some(core))
}

impl Settings {
    fn from_environment() -> Result<Self, Failure> {
        let mut arguments = std::env::args().skip(1).map(PathBuf::from);
        let (Some(gateway), Some(subgraphs)) = (arguments.next(), arguments.next()) else {
            return Err("usage: bench-gateways GATEWAY SUBGRAPHS".into());
        };
        let own = Contender {
            name: "gateway".to_owned(),
            command: format!("'{}' serve --config {{config}}", gateway.display()),
        };
        let peers = Contender::parse_all(&variable("BENCH_PEERS", String::new())?)
            .map_err(|line| format!("BENCH_PEERS: `{line}` is not name=command"))?;
        let wanted: String = variable("BENCH_MODES", "full,default,suite".to_owned())?;
        let modes: Vec<_> =
            Mode::ALL.into_iter().filter(|mode| wanted.split(',').any(|name| name == mode.name())).collect();
        Ok(Self {
            gateway,
            subgraphs,
            contenders: std::iter::once(own).chain(peers).collect(),
            modes,
            rounds: variable("BENCH_ROUNDS", 3)?,
            time: Duration::from_secs(variable("BENCH_SECONDS", 10)?),
            warm_up: Duration::from_secs(variable("BENCH_WARM_UP_SECONDS", 5)?),
            connections: variable("BENCH_CONNECTIONS", 50)?,
            delay_ms: variable("BENCH_SUBGRAPH_DELAY_MS", 0)?,
            gateway_core: core("BENCH_GATEWAY_CORE", "0")?,
            load_core: core("BENCH_LOAD_CORE", "1")?,
            json: std::env::var_os("BENCH_JSON").map(PathBuf::from),
        })
    }
}

/// Composes the supergraph with the gateway under test.
fn compose(settings: &Settings, subgraphs_at: &Running, folder: &Path) -> Result<PathBuf, Failure> {
    let mut config = String::from("subgraphs:\n");
    for name in subgraphs::NAMES {
        std::fs::write(folder.join(format!("{name}.graphql")), subgraphs::sdl(name))?;
        let url = format!("http://{}/{name}", subgraphs_at.address);
        writeln!(config, "  {name}:\n    routing_url: {url}\n    schema: {{ file: {name}.graphql }}")?;
    }
    let (file, supergraph) = (folder.join("supergraph.yaml"), folder.join("supergraph.graphql"));
    std::fs::write(&file, config)?;
    let status = Command::new(&settings.gateway)
        .args(["compose", "--config"])
        .arg(&file)
        .arg("--output")
        .arg(&supergraph)
        .status()?;
    if status.success() { Ok(supergraph) } else { Err("the subgraphs do not compose".into()) }
}

async fn subgraph_requests(subgraphs_at: &Running) -> Result<u64, Failure> {
    let mut connection = Connection::open(subgraphs_at.address).await?;
    let answer = connection.request(Method::GET, "/requests", Bytes::new()).await?;
    Ok(std::str::from_utf8(&answer)?.parse()?)
}

/// Runs the load once; gives what it cost.
async fn measure(
    name: &str,
    mode: Mode,
    load: &Load,
    time: Duration,
    gateway: &Running,
    subgraphs_at: &Running,
) -> Result<Sample, Failure> {
    let requests_before = subgraph_requests(subgraphs_at).await?;
    let (before, subgraphs_before) = (process::usage(gateway.id()), process::usage(subgraphs_at.id()));
    let run = load::run(load, time).await?;
    let (after, subgraphs_after) = (process::usage(gateway.id()), process::usage(subgraphs_at.id()));
    let requests_after = subgraph_requests(subgraphs_at).await?;
    let count = f64::from(u32::try_from(run.latencies_us.len())?);
    let micros = |after: process::Usage, before: process::Usage| {
        (after.cpu.saturating_sub(before.cpu)).as_secs_f64() * 1e6 / count
    };
    Ok(Sample {
        name: name.to_owned(),
        mode: mode.name(),
        cpu_us: micros(after, before),
        per_second: run.per_second(),
        p50_ms: run.percentile_ms(500),
        p95_ms: run.percentile_ms(950),
        p99_ms: run.percentile_ms(990),
        peak_mb: f64::from(u32::try_from(after.peak_kb)?) / 1024.0,
        subgraph_requests: f64::from(u32::try_from(requests_after - requests_before)?) / count,
        subgraph_cpu_us: micros(subgraphs_after, subgraphs_before),
    })
}

async fn compare(settings: &Settings, mode: Mode, folder: &Path, report: &mut Report) -> Result<(), Failure> {
    let subgraphs_at =
        start_subgraphs(&settings.subgraphs, settings.delay_ms, folder, settings.load_core.as_deref())?;
    while Connection::open(subgraphs_at.address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let supergraph = compose(settings, &subgraphs_at, folder)?;
    let (body, expected) = (operation::body(), operation::expected());
    let mut running: Vec<(&str, Running, Fingerprint)> = Vec::new();
    for contender in &settings.contenders {
        let gateway = start(contender, mode, &supergraph, folder, settings.gateway_core.as_deref())?;
        let checked = load::verify(gateway.address, &body, &expected, operation::START_TIMEOUT);
        let checked =
            checked.await.map_err(|error| format!("{} ({}): {error}", contender.name, mode.name()))?;
        running.push((&contender.name, gateway, checked));
    }
    for round in 0..=settings.rounds {
        for (name, gateway, fingerprint) in &running {
            let load = Load {
                address: gateway.address,
                body: body.clone(),
                fingerprint: *fingerprint,
                connections: settings.connections,
            };
            if round == 0 {
                load::run(&load, settings.warm_up).await?;
                continue;
            }
            let sample = measure(name, mode, &load, settings.time, gateway, &subgraphs_at).await?;
            eprint_sample(round, &sample);
            report.samples.push(sample);
        }
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a program that takes minutes says how far it is")]
fn eprint_sample(round: u32, sample: &Sample) {
    eprintln!(
        "{} round {round}: {} {:.1} us/request, {:.0} requests/s, subgraphs {:.0} us",
        sample.mode, sample.name, sample.cpu_us, sample.per_second, sample.subgraph_cpu_us
    );
}

#[expect(clippy::print_stdout, reason = "the table is what this program prints")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let settings = Settings::from_environment()?;
    if let Some(core) = &settings.load_core {
        let own = std::process::id().to_string();
        Command::new("taskset").args(["-a", "-p", "-c", core, &own]).output()?;
    }
    let folder = std::env::temp_dir().join(format!("kopitiam-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut report = Report::default();
    let mut result = Ok(());
    for &mode in &settings.modes {
        let compared = compare(&settings, mode, &folder, &mut report);
        result = tokio::task::LocalSet::new().run_until(compared).await;
        if result.is_err() {
            break;
        }
    }
    match &result {
        Ok(()) => std::fs::remove_dir_all(&folder)?,
        Err(_) => println!("the logs are in {}", folder.display()),
    }
    println!("{}", report.table());
    if let Some(file) = &settings.json {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    result
}
