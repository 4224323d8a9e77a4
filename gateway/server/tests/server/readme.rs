//! Settings of the manual are what the gateway takes, and what tables of tests name is there.

use std::path::Path;

use kopitiam_server::config::Config;

use crate::common::supergraph;

#[tokio::test]
async fn every_settings_file_of_the_manual_is_taken() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let snippets: Vec<&str> = readme
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|snippet| snippet.starts_with("# gateway.yaml"))
        .collect();
    assert!(snippets.len() >= 25, "{}", snippets.len());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.yaml");
    let (name, key) = ("kopitiam", "0123456789abcdef0123456789abcdef");
    for (file, text) in [("shop.txt", name), ("signing.key", key), ("cache-secret", key)] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    for snippet in snippets {
        std::fs::write(&file, snippet).unwrap();
        let config = Config::load(&file).unwrap_or_else(|error| panic!("{error}\n{snippet}"));
        let options = config.into_options(&file, supergraph("", ""));
        assert!(options.is_ok(), "{}\n{snippet}", options.unwrap_err());
    }
}

#[test]
fn the_engine_serves_from_a_program_of_under_thirty_lines() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/engine.rs");
    let example = std::fs::read_to_string(example).unwrap();
    let written = |line: &&str| !line.is_empty() && !line.starts_with("use ") && !line.starts_with("//");
    let lines = example.lines().filter(written).count();
    assert!(lines < 30, "{lines}");
}

#[test]
fn every_test_of_the_attack_table_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = std::fs::read_to_string(folder.join("ATTACKS.md")).unwrap();
    let named: Vec<(&str, &str)> = table
        .split('`')
        .filter_map(|word| word.split_once("::"))
        .filter(|(file, _)| *file != "file")
        .collect();
    assert!(named.len() > 50, "{}", named.len());
    for (file, test) in named {
        let source = std::fs::read_to_string(folder.join(format!("server/{file}.rs"))).unwrap();
        assert!(source.contains(&format!("fn {test}(")), "{file}::{test}");
    }
}
