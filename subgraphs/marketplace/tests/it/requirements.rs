//! Keeps `subgraphs/REQUIREMENTS.md` true: every row that is owed is there once and names tests that are in the tree, and
//! every test's name states its case.
//!
//! Elsewhere: whether those tests show what the row says (their readers).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rows per source: K, E, F, S and P are counted from 1.
const LAST: [(&str, u32); 5] = [("K", 46), ("E", 39), ("F", 32), ("S", 38), ("P", 36)];

/// Rows of the storefront, the gateway and the operation of the whole.
const ELSEWHERE: &str = "K16 K17 K40 E29 E31 S25 S26 P23 P24 P25 K18 K19 K20 E9 P33 K37 K38 K39 K41 K43 K44 K45 K46 \
                         E32 E36 E37 E38 F27 F29 F30 F31 F32 S29 S35 S37 P31 P36";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Id → names of tests, of every row of the table.
fn rows() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(root().join("subgraphs/REQUIREMENTS.md")).expect("the table is there");
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let tests = cells[3].split(',').map(|name| name.trim().trim_matches('`').to_owned());
        let before = rows.insert(cells[1].to_owned(), tests.filter(|name| !name.is_empty()).collect());
        assert_eq!(before, None, "{} is there twice", cells[1]);
    }
    rows
}

/// Names of all functions that are marked as tests, in the crates of the marketplace and of the gateway.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["kafka", "subgraphs", "gateway"] {
        rust_files(&root().join(folder), &mut files);
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file of the tree");
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                marked = true;
            } else if let Some((_, function)) = line.split_once("fn ").filter(|_| marked) {
                // Not the pattern of a macro.
                if !function.starts_with('$') {
                    names.insert(function.split('(').next().unwrap_or_default().to_owned());
                }
                marked = false;
            }
        }
    }
    names
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the tree") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_owed_row_names_a_test() {
    let rows = rows();
    let elsewhere: BTreeSet<&str> = ELSEWHERE.split_whitespace().collect();
    let owed: BTreeSet<String> = LAST
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")))
        .filter(|id| !elsewhere.contains(id.as_str()))
        .collect();
    let there: BTreeSet<String> = rows.keys().cloned().collect();
    assert_eq!(there.difference(&owed).collect::<Vec<_>>(), Vec::<&String>::new(), "not owed here");
    assert_eq!(owed.difference(&there).collect::<Vec<_>>(), Vec::<&String>::new(), "missing");
    let untested: Vec<&String> =
        rows.iter().filter(|(_, tests)| tests.is_empty()).map(|(id, _)| id).collect();
    assert_eq!(untested, Vec::<&String>::new(), "without a test");
}

#[test]
fn every_named_test_is_in_the_tree() {
    let tests = tests();
    let missing: Vec<(String, String)> = rows()
        .into_iter()
        .flat_map(|(id, names)| names.into_iter().map(move |name| (id.clone(), name)))
        .filter(|(_, name)| !tests.contains(name))
        .collect();
    assert_eq!(missing, [], "named and not there");
}

/// Words that say nothing of the case: a name that needs them does not state it.
const SILENT: [&str; 6] = ["works", "ok", "basic", "simple", "happy", "misc"];

/// E34: given, when and then, or in short who does what and what comes of it; never only what is looked at.
#[test]
fn every_test_is_named_by_the_case_that_it_states() {
    let names = tests();
    let silent: Vec<&String> = names
        .iter()
        .filter(|name| {
            let words: Vec<&str> = name.split('_').collect();
            words.len() < 3 || words[0] == "test" || words.iter().any(|word| SILENT.contains(word))
        })
        .collect();
    assert_eq!(silent, Vec::<&String>::new());
    let stories = names.iter().filter(|name| name.starts_with("given_"));
    let stated = stories.clone().filter(|name| {
        let (when, then) = (name.find("_when_"), name.find("_then_"));
        when.is_some() && when < then
    });
    assert!(stories.clone().count() >= 5, "one for each kind of business");
    assert!(
        stories.eq(stated),
        "a story that begins with what is given says what happens and what comes of it"
    );
}
