//! The repository's `schema/` folder: the composed supergraph is in step with its subgraphs.
//!
//! `UPDATE_SCHEMA=1 cargo test -p kopitiam-composition --test schema_folder` writes `schema/supergraph.graphql` anew.

use std::collections::BTreeMap;
use std::path::Path;

use kopitiam_composition::{Subgraph, compose};
use serde::Deserialize;

#[derive(Deserialize)]
struct Config {
    subgraphs: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    routing_url: String,
    schema: Source,
}

#[derive(Deserialize)]
struct Source {
    file: String,
}

#[test]
fn the_supergraph_file_is_what_the_subgraph_files_compose_to() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema");
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("schema/{name}: {error}"))
    };
    let config: Config = serde_yaml_ng::from_str(&read("supergraph.yaml")).unwrap();
    let subgraphs: Vec<Subgraph> = config
        .subgraphs
        .into_iter()
        .map(|(name, entry)| Subgraph { name, url: entry.routing_url, sdl: read(&entry.schema.file) })
        .collect();
    let composed = compose(&subgraphs).unwrap_or_else(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("the subgraphs of schema/ do not compose:\n{}", lines.join("\n"))
    });
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(folder.join("supergraph.graphql"), &composed.supergraph_sdl).unwrap();
    }
    assert!(
        read("supergraph.graphql") == composed.supergraph_sdl,
        "schema/supergraph.graphql is stale: run this test once with UPDATE_SCHEMA=1"
    );
}
