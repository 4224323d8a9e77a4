//! One folder per case under `tests/cases`: `subgraphs/*.graphql` in, `supergraph.graphql` or `diagnostics.txt` out.
//!
//! A supergraph is read back through the engine's own reader. `hints.txt` is there when composition has remarks.
//! `UPDATE_CASES=1 cargo test -p kopitiam-composition --test cases` writes the outcomes anew: read the difference.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use kopitiam_composition::{Diagnostic, Subgraph, compose};
use kopitiam_supergraph::Supergraph;

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

fn subgraphs(folder: &Path) -> Vec<Subgraph> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder.join("subgraphs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            Subgraph { url: format!("http://{name}"), name, sdl: fs::read_to_string(file).unwrap() }
        })
        .collect()
}

fn text(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().fold(String::new(), |mut text, diagnostic| {
        writeln!(text, "{diagnostic}").unwrap();
        text
    })
}

/// Compares a file with what it should hold, or writes it; an empty outcome has no file.
fn settle(file: &Path, outcome: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("UPDATE_CASES").is_some() {
        if outcome.is_empty() {
            let _ = fs::remove_file(file);
        } else {
            fs::write(file, outcome).unwrap();
        }
    }
    let written = fs::read_to_string(file).unwrap_or_default();
    if written != outcome {
        wrong.push(format!("{}\n--- expected\n{written}\n--- got\n{outcome}", file.display()));
    }
}

#[test]
fn every_case_composes_or_is_refused_as_written() {
    let folders = folders();
    assert!(folders.len() > 150, "cases are missing: only {} found", folders.len());
    let mut wrong = Vec::new();
    for folder in folders {
        let (supergraph, diagnostics, hints) = match compose(&subgraphs(&folder)) {
            Ok(composed) => (composed.supergraph_sdl, String::new(), text(&composed.hints)),
            Err(errors) => (String::new(), text(&errors), String::new()),
        };
        settle(&folder.join("supergraph.graphql"), &supergraph, &mut wrong);
        settle(&folder.join("diagnostics.txt"), &diagnostics, &mut wrong);
        settle(&folder.join("hints.txt"), &hints, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} outcomes differ:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn every_composed_supergraph_is_read_by_the_engine() {
    let mut read = 0;
    for folder in folders() {
        let subgraphs = subgraphs(&folder);
        let Ok(composed) = compose(&subgraphs) else { continue };
        let supergraph = Supergraph::parse(&composed.supergraph_sdl)
            .unwrap_or_else(|error| panic!("{}: {error:?}", folder.display()));
        let mut names: Vec<&str> = supergraph.subgraphs().iter().map(|subgraph| &*subgraph.name).collect();
        names.sort_unstable();
        let mut given: Vec<&str> = subgraphs.iter().map(|subgraph| subgraph.name.as_str()).collect();
        given.sort_unstable();
        assert_eq!(names, given, "{}", folder.display());
        read += 1;
    }
    assert!(read > 40, "only {read} cases compose");
}

/// Codes that no folder can hold, each with the test that shows it.
const SHOWN_ELSEWHERE: &[&str] = &[
    // Needs more combinations than a folder should hold: `hostile.rs`.
    "MAX_VALIDATION_SUBGRAPH_PATHS_EXCEEDED",
    // A file has a name, and one only: below.
    "INVALID_SUBGRAPH_NAME",
];

/// Codes of hints, which end up in `hints.txt`; every other code is an error's.
fn codes_in_sources(folder: &Path, codes: &mut std::collections::BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in_sources(&path, codes);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        codes.extend(
            text.split('"')
                .filter(|part| {
                    part.contains('_')
                        && !part.starts_with('_')
                        && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
                })
                .map(str::to_owned),
        );
    }
}

#[test]
fn every_code_is_produced_by_a_case() {
    let mut codes = std::collections::BTreeSet::new();
    codes_in_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
    assert!(codes.len() > 100, "only {} codes found in the sources", codes.len());
    let mut table: std::collections::BTreeMap<&str, Vec<String>> = std::collections::BTreeMap::new();
    for folder in folders() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let diagnostics = match compose(&subgraphs(&folder)) {
            Ok(composed) => composed.hints,
            Err(errors) => errors,
        };
        for diagnostic in diagnostics {
            table.entry(diagnostic.code).or_default().push(name.clone());
        }
    }
    let missing: Vec<&String> = codes
        .iter()
        .filter(|code| !table.contains_key(code.as_str()) && !SHOWN_ELSEWHERE.contains(&code.as_str()))
        .collect();
    assert!(missing.is_empty(), "no case produces {missing:?}");
    let mut lines = String::from("Which folder shows which code; written by the test of this name.\n\n");
    for (code, mut names) in table {
        names.dedup();
        names.truncate(3);
        writeln!(lines, "{code}: {}", names.join(", ")).unwrap();
    }
    let mut wrong = Vec::new();
    settle(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/codes.txt"), &lines, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_order_of_subgraphs_does_not_matter() {
    for folder in folders() {
        let mut subgraphs = subgraphs(&folder);
        let Ok(composed) = compose(&subgraphs) else { continue };
        subgraphs.reverse();
        let reversed = compose(&subgraphs).expect("it composed in the other order");
        assert_eq!(composed.supergraph_sdl, reversed.supergraph_sdl, "{}", folder.display());
    }
}

#[test]
fn every_error_in_a_document_has_a_place_in_it() {
    // These concern no single place: a name, and an absence.
    let whole = ["INVALID_SUBGRAPH_NAME", "NO_QUERIES"];
    for folder in folders() {
        let subgraphs = subgraphs(&folder);
        for error in compose(&subgraphs).err().into_iter().flatten() {
            let name = folder.display();
            assert!(whole.contains(&error.code) || !error.locations.is_empty(), "{name}: {error}");
            for at in &error.locations {
                let sdl = &subgraphs.iter().find(|subgraph| subgraph.name == at.subgraph).unwrap().sdl;
                let line =
                    sdl.lines().nth(at.line - 1).unwrap_or_else(|| panic!("{name}: no line {}", at.line));
                assert!(at.column >= 1 && at.column <= line.chars().count() + 1, "{name}: {error}");
            }
        }
    }
}

#[test]
fn a_document_cut_off_anywhere_is_refused_or_composed_but_never_a_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/marketplace_in_small");
    let subgraphs = subgraphs(&folder);
    for index in 0..subgraphs.len() {
        let sdl = subgraphs[index].sdl.clone();
        for end in (0..sdl.len()).step_by(11).filter(|end| sdl.is_char_boundary(*end)) {
            let mut cut = subgraphs.clone();
            cut[index].sdl.truncate(end);
            if let Err(errors) = compose(&cut) {
                assert!(!errors.is_empty(), "refused without a reason at {end}");
            }
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
    let deep = |open: &str, close: &str| format!("{}a{}", open.repeat(100_000), close.repeat(100_000));
    let documents = [
        format!("type Query {{ a: {} }}", deep("[", "]")),
        format!("type Query @key(fields: \"{}\") {{ a: Int }}", deep("a{", "}")),
        format!("type Query {{ a(b: Int = {}): Int }}", deep("[", "]")),
    ];
    for sdl in documents {
        let subgraph = Subgraph { name: "a".to_owned(), url: String::new(), sdl };
        assert!(compose(&[subgraph]).is_err());
    }
}
