//! How long planning takes and what memory: `cargo bench -p kopitiam-planner`. What it may cost at most is tested without a
//! clock in `tests/bounds.rs`.
//!
//! The table at the start: for each operation, from its text to its plan: the least of three times, since other work
//! on the machine only adds to it, and peak memory. After it the operations that people really send, for a median.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![expect(clippy::print_stdout, reason = "its output is the result")]

#[path = "../tests/hard/mod.rs"]
mod hard;

use std::path::Path;
use std::time::{Duration, Instant};

use apollo_compiler::ExecutableDocument;
use apollo_compiler::validation::Valid;
use kopitiam_operation::normalise;
use kopitiam_plan::Plan;
use kopitiam_planner::{Limits, plan};
use kopitiam_supergraph::Supergraph;
use kopitiam_testkit::{compose, generated};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() {
    // A benchmark binary is also run with `--list` and the like: then only divan speaks.
    if std::env::args().len() <= 2 {
        table();
    }
    divan::main();
}

fn supergraph(subgraphs: &[(String, String)]) -> Supergraph {
    let borrowed: Vec<(&str, &str)> =
        subgraphs.iter().map(|(name, sdl)| (name.as_str(), sdl.as_str())).collect();
    Supergraph::parse(&compose(&borrowed).unwrap().supergraph_sdl).unwrap()
}

/// The repository's own schema and its persisted operations, by name.
fn marketplace() -> (Supergraph, Vec<(String, String)>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema");
    let sdl = std::fs::read_to_string(folder.join("supergraph.graphql")).unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("operations")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let operation = |file: &std::path::PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(file).unwrap())
    };
    (Supergraph::parse(&sdl).unwrap(), files.iter().map(operation).collect())
}

/// A path through many types of a [`generated`] supergraph.
fn across(depth: usize) -> String {
    let inner = (0..depth).fold("name".to_owned(), |inner, _| {
        format!("name price size detail {{ text unit }} next {{ {inner} }}")
    });
    format!("{{ t0 {{ {inner} }} node0(id: 1) {{ id name }} }}")
}

fn document(supergraph: &Supergraph, operation: &str) -> Result<Valid<ExecutableDocument>, String> {
    ExecutableDocument::parse_and_validate(supergraph.api_schema(), operation, "operation.graphql")
        .map_err(|refused| refused.errors.to_string())
}

fn planned(supergraph: &Supergraph, document: &Valid<ExecutableDocument>) -> Result<Plan, &'static str> {
    let limits = kopitiam_operation::Limits::default();
    let operation = normalise(supergraph, document, None, &limits).map_err(|error| error.code())?;
    plan(supergraph, &operation, &Limits::default()).map_err(|error| error.code())
}

fn table() {
    println!(
        "{:42} {:>8} {:>10} {:>10} {:>9}  result",
        "operation (cold)", "bytes", "valid ms", "plan ms", "peak kB"
    );
    let (schema, operations) = marketplace();
    for (name, operation) in &operations {
        row(&schema, name, operation);
    }
    for (types, subgraphs) in [(10, 2), (100, 10), (5_000, 100)] {
        let schema = supergraph(&generated(types, subgraphs));
        for depth in [4, 40] {
            row(&schema, &format!("{types} types in {subgraphs}, {depth} deep"), &across(depth));
        }
    }
    for hard in hard::all() {
        let schema = supergraph(&hard.subgraphs);
        for (name, operation) in &hard.operations {
            let mark = if hard.refused.contains(name) { " (too much)" } else { "" };
            row(&schema, &format!("{}: {name}{mark}", hard.name), operation);
        }
    }
}

fn row(supergraph: &Supergraph, name: &str, operation: &str) {
    let (checked, valid) = timed(|| document(supergraph, operation));
    let Ok(document) = checked else {
        println!("{name:42} is not valid");
        return;
    };
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let (found, took) = timed(|| planned(supergraph, &document));
    let kilobytes = (MEMORY.peak_usage() - before) / 1_000;
    let result = match found {
        Ok(plan) => {
            let written: usize = plan.fetches.iter().map(|fetch| fetch.document.len()).sum();
            format!("{} requests, {} levels, {written} bytes", plan.fetches.len(), plan.levels().len())
        }
        Err(code) => code.to_owned(),
    };
    let (valid, took) = (valid.as_secs_f64() * 1e3, took.as_secs_f64() * 1e3);
    println!("{name:42} {:8} {valid:10.3} {took:10.3} {kilobytes:9}  {result}", operation.len());
}

fn timed<T>(work: impl Fn() -> T) -> (T, Duration) {
    let once = || {
        let start = Instant::now();
        let done = work();
        (done, start.elapsed())
    };
    let (_, first) = once();
    let (_, second) = once();
    let (done, third) = once();
    (done, first.min(second).min(third))
}

const OPERATIONS: [&str; 12] = [
    "01-ProductPage",
    "02-Search",
    "03-ListingPage",
    "04-PlaceBid",
    "05-ListingLive",
    "06-CartView",
    "07-Checkout",
    "08-OrderLive",
    "09-MyOrders",
    "10-BookingPage",
    "11-SellerDashboard",
    "12-ManagerDashboard",
];

/// From the text to the plan.
#[divan::bench(args = OPERATIONS)]
fn cold(bencher: divan::Bencher<'_, '_>, name: &str) {
    let (schema, operations) = marketplace();
    let (_, operation) = operations.iter().find(|(found, _)| found == name).unwrap();
    bencher.bench_local(|| planned(&schema, &document(&schema, operation).unwrap()).unwrap());
}

/// From the valid document to the plan.
#[divan::bench(args = OPERATIONS)]
fn plan_only(bencher: divan::Bencher<'_, '_>, name: &str) {
    let (schema, operations) = marketplace();
    let (_, operation) = operations.iter().find(|(found, _)| found == name).unwrap();
    let document = document(&schema, operation).unwrap();
    bencher.bench_local(|| planned(&schema, &document).unwrap());
}

/// Types and subgraphs of the supergraph, and how deep the operation goes through them.
#[divan::bench(args = [(10, 2, 4), (100, 10, 4), (5_000, 100, 4)])]
fn of_size(bencher: divan::Bencher<'_, '_>, (types, subgraphs, depth): (usize, usize, usize)) {
    let schema = supergraph(&generated(types, subgraphs));
    let document = document(&schema, &across(depth)).unwrap();
    bencher.bench_local(|| planned(&schema, &document).unwrap());
}
