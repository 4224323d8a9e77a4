//! Every payload has a golden example and a JSON Schema on disk, and today's code reads and writes exactly those.
//!
//! A golden file that changes breaks consumers of older messages: within a version only optional fields may be added, and
//! then the old file moves to `golden/earlier/<type>.<number>.json` beside a new one, and stays readable.
//! `UPDATE_GOLDEN=1` writes missing files; it never overwrites examples.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::examples::Example;
use kopitiam_kafka::messages;
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty())
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}; run with UPDATE_GOLDEN=1", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn write(path: &Path, value: &Value) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("{value:#}\n")).unwrap();
}

fn golden(example: &Example) -> PathBuf {
    folder("golden").join(format!("{}.json", example.message_type))
}

#[test]
fn every_message_type_has_an_example() {
    let declared: BTreeSet<&str> = messages::all().iter().map(|info| info.message_type).collect();
    let shown: BTreeSet<&str> = crate::examples::all().iter().map(|example| example.message_type).collect();
    assert_eq!(declared, shown);
}

#[test]
fn message_type_names_are_unique() {
    let all = messages::all();
    let names: BTreeSet<&str> = all.iter().map(|info| info.message_type).collect();
    assert_eq!(names.len(), all.len(), "an inbox or a dead letter is read by type name alone");
}

#[test]
fn payloads_are_written_as_the_golden_files_show() {
    for example in crate::examples::all() {
        let path = golden(&example);
        if update() && !path.exists() {
            write(&path, &example.json);
        }
        assert_eq!(example.json, read(&path), "{}", example.message_type);
    }
}

#[test]
fn golden_files_are_read_as_written() {
    for example in crate::examples::all() {
        let read_back = (example.round_trip)(read(&golden(&example)));
        assert_eq!(read_back, Ok(example.json.clone()), "{}", example.message_type);
    }
}

#[test]
fn what_earlier_releases_wrote_is_read_without_loss() {
    let folder = folder("golden/earlier");
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let message_type = name.split('.').next().unwrap();
        let examples = crate::examples::all();
        let example = examples.iter().find(|example| example.message_type == message_type);
        let example = example.unwrap_or_else(|| panic!("{name} is of no type of today"));
        let earlier = read(&path);
        assert_eq!((example.round_trip)(earlier.clone()), Ok(earlier), "{name}");
        files += 1;
    }
    assert!(files > 0, "{} is empty", folder.display());
}

#[test]
fn a_field_added_by_a_newer_producer_is_passed_over() {
    for example in crate::examples::all() {
        let mut newer = example.json.clone();
        newer["addedLater"] = json!({ "any": [1, "thing"] });
        assert_eq!((example.round_trip)(newer), Ok(example.json.clone()), "{}", example.message_type);
    }
}

#[test]
fn a_missing_required_field_is_refused() {
    for example in crate::examples::all() {
        let required = &schema_of(example.message_type)["required"];
        for field in required.as_array().into_iter().flatten() {
            let mut broken = example.json.clone();
            broken.as_object_mut().unwrap().remove(field.as_str().unwrap());
            assert!((example.round_trip)(broken).is_err(), "{} without {field}", example.message_type);
        }
    }
}

#[test]
fn schemas_on_disk_are_those_of_the_code() {
    for info in messages::all() {
        let path = folder("schemas").join(format!("{}.json", info.message_type));
        let schema = serde_json::to_value(&info.schema).unwrap();
        if update() {
            write(&path, &schema);
        }
        assert_eq!(schema, read(&path), "{} is stale: run with UPDATE_GOLDEN=1", path.display());
    }
}

#[test]
fn every_field_name_is_camel_case() {
    for example in crate::examples::all() {
        for name in example.json.as_object().unwrap().keys() {
            assert!(!name.contains(['_', '-']) && !name.starts_with(char::is_uppercase), "{name}");
        }
    }
}

fn schema_of(message_type: &str) -> Value {
    let info = messages::all().into_iter().find(|info| info.message_type == message_type).unwrap();
    serde_json::to_value(&info.schema).unwrap()
}
