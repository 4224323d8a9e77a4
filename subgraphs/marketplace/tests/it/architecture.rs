//! Keeps the picture of the architecture true: which crate may use which, and how files look.
//!
//! Reads the workspace as it stands (`cargo metadata`, the tracked files); runs nothing of it.
//! Elsewhere: what the crates are for (README, `gateway/ARCHITECTURE.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate and what its arrows point at; it may also use anything further down those chains.
const ARROWS: &[(&str, &[&str])] = &[
    ("supergraph", &[]),
    ("operation", &["supergraph"]),
    ("plan", &["operation"]),
    ("planner", &["plan"]),
    ("executor", &["plan"]),
    ("engine", &["planner", "executor"]),
    ("composition", &["supergraph"]),
    ("server", &["engine", "composition"]),
    ("testkit", &["engine", "composition"]),
    ("fuzz", &["testkit"]),
    ("bench", &[]),
    ("kafka", &[]),
    ("kit", &["kafka"]),
    ("user", &["kit"]),
    ("product", &["kit"]),
    ("order", &["kit"]),
    ("listing", &["kit"]),
    ("marketplace", &["server", "user", "product", "order", "listing"]),
];

/// Crates that speak HTTP: in the gateway only `server` may name them.
const HTTP_CRATES: &[&str] =
    &["axum", "http", "http-body-util", "hyper", "hyper-util", "reqwest", "tower", "tower-http"];

const GATEWAY: &[&str] = &[
    "supergraph",
    "operation",
    "plan",
    "planner",
    "executor",
    "engine",
    "composition",
    "server",
    "testkit",
    "fuzz",
    "bench",
];

/// `bench` is no part of the gateway: it sends requests to one.
const SPEAKING_HTTP: &[&str] = &["server", "bench"];

/// Rust files longer than this are split by what they do.
const FILE_LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace root exists")
}

/// Crate short name → (name of a dependency, whether it is for tests only).
fn dependencies() -> BTreeMap<String, Vec<(String, bool)>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
            let named = dependencies.iter().map(|dependency| {
                let name = dependency["name"].as_str().expect("a name").to_owned();
                (name, dependency["kind"] == "dev")
            });
            (short(package["name"].as_str().expect("a name")).to_owned(), named.collect())
        })
        .collect()
}

fn short(name: &str) -> &str {
    name.strip_prefix("kopitiam-").unwrap_or(name)
}

fn reachable(from: &str) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        let (_, arrows) =
            ARROWS.iter().find(|(known, _)| *known == name).expect("every crate has its arrows listed");
        for arrow in *arrows {
            if seen.insert(*arrow) {
                open.push(arrow);
            }
        }
    }
    seen
}

#[test]
fn every_crate_depends_only_where_its_arrows_point() {
    let mut wrong = Vec::new();
    for (name, dependencies) in dependencies() {
        let allowed = reachable(&name);
        for (dependency, is_dev) in dependencies {
            let Some(target) = dependency.strip_prefix("kopitiam-") else { continue };
            let is_fine = allowed.contains(target)
                || (is_dev && GATEWAY.contains(&name.as_str()) && GATEWAY.contains(&target));
            if !is_fine {
                wrong.push(format!("{name} → {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that the architecture does not have: {wrong:?}");
}

#[test]
fn every_workspace_member_is_in_the_list_and_the_reverse() {
    let members: BTreeSet<String> = dependencies().into_keys().collect();
    let listed: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(members, listed);
}

#[test]
fn in_the_gateway_only_the_server_names_an_http_crate() {
    let mut wrong = Vec::new();
    for (name, dependencies) in dependencies() {
        if SPEAKING_HTTP.contains(&name.as_str()) || !GATEWAY.contains(&name.as_str()) {
            continue;
        }
        let http = dependencies
            .into_iter()
            .filter(|(dependency, is_dev)| !is_dev && HTTP_CRATES.contains(&dependency.as_str()));
        wrong.extend(http.map(|(dependency, _)| format!("{name} → {dependency}")));
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Tracked Rust files, relative to the root.
fn rust_files() -> Vec<PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "node_modules" | ".git" | ".next" | "data") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for area in ["gateway", "kafka", "subgraphs"] {
        walk(&root().join(area), &mut found);
    }
    assert!(found.len() > 20, "the walk finds the source files");
    found
}

#[test]
fn every_rust_file_opens_by_saying_what_is_in_it() {
    let silent: Vec<_> = rust_files()
        .into_iter()
        .filter(|path| !std::fs::read_to_string(path).expect("a readable file").starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "files without a `//!` header: {silent:?}");
}

#[test]
fn no_rust_file_is_longer_than_the_limit() {
    let long: Vec<_> = rust_files()
        .into_iter()
        .map(|path| (std::fs::read_to_string(&path).expect("a readable file").lines().count(), path))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .collect();
    assert!(long.is_empty(), "files over {FILE_LINES_MAX} lines: {long:?}");
}

/// A layer of each service, and what its files never name: rules know no database and no broker, tables know no GraphQL, and
/// GraphQL writes no SQL.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "domain",
        &["sea_orm", "async_graphql", "axum", "rdkafka", "reqwest", "std::fs", "std::net", "crate::store"],
    ),
    ("store", &["async_graphql", "crate::graphql", "crate::commands"]),
    ("migration", &["async_graphql", "crate::graphql", "crate::commands"]),
    ("commands", &["async_graphql", "crate::graphql"]),
    ("projections", &["async_graphql", "crate::graphql"]),
    ("sagas", &["async_graphql", "crate::graphql"]),
    ("graphql", &["Statement::", "SELECT ", "INSERT ", "UPDATE ", "DELETE "]),
];

#[test]
fn the_layers_of_a_service_know_only_those_below_them() {
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for path in rust_files() {
        let inside = path.strip_prefix(root()).expect("in the tree").to_string_lossy().into_owned();
        let layer = LAYERS.iter().find(|(layer, _)| {
            let is_in = |service: &&str| {
                inside.starts_with(&format!("subgraphs/{service}/src/{layer}/"))
                    || inside == format!("subgraphs/{service}/src/{layer}.rs")
            };
            ["user", "product", "order", "listing"].iter().any(is_in)
        });
        let Some((layer, never)) = layer else { continue };
        seen.insert(layer);
        let text = std::fs::read_to_string(&path).expect("a readable file");
        wrong.extend(
            never.iter().filter(|name| text.contains(**name)).map(|name| format!("{inside}: {name}")),
        );
    }
    assert_eq!(seen.len(), LAYERS.len(), "every layer is there: {seen:?}");
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// K33: neither a value nor a column can hold a time whose zone is not known.
#[test]
fn no_time_is_without_its_zone() {
    let naive = ["NaiveDateTime", "chrono::Local", "Local::now", "FixedOffset"];
    let column = [".timestamp()", ".date_time()", " timestamp ", " TIMESTAMP "];
    let mut wrong = Vec::new();
    for path in rust_files() {
        let inside = path.strip_prefix(root()).expect("in the tree").to_string_lossy().into_owned();
        if inside.starts_with("gateway") || inside.ends_with("architecture.rs") {
            continue;
        }
        let columns: &[&str] = if inside.contains("migration") { &column } else { &[] };
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let said = naive.iter().chain(columns).filter(|name| text.contains(**name));
        wrong.extend(said.map(|name| format!("{inside}: {name}")));
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
