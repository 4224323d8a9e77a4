//! `gateway config migrate`: a configuration file of another gateway as one of this gateway.
//!
//! In: its YAML. Out: our YAML, and a line for everything that has no place in it, or another meaning.
//! Always: what is written is valid; nothing is left out without a line.
//!
//! - `apollo.rs`, `hive.rs`, `cosmo.rs`: one file for each gateway, key by key
//! - `shared.rs`: what they have in common
//!
//! Source: each gateway's own documentation of its configuration.

mod apollo;
mod cosmo;
mod hive;
mod shared;

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::output::{self, Failure};
use crate::config::{Config, FileError};

/// Whose configuration it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Origin {
    /// Apollo Router's router.yaml.
    Apollo,
    /// Hive Router's router.config.yaml.
    Hive,
    /// Cosmo Router's config.yaml.
    Cosmo,
}

/// What became of a key.
enum Taken {
    /// It is in the result.
    Carried,
    /// It is in the result or needs not be, and somebody should know this.
    Noted(&'static str),
    /// There is nothing like it, for this reason.
    Dropped(&'static str),
    /// Unknown as a whole: its parts are looked at.
    Open,
}

/// The result so far.
#[derive(Debug, Default)]
struct Migrated {
    settings: Map<String, Value>,
    /// `key: what somebody should know`.
    report: Vec<String>,
}

impl Migrated {
    /// Sets a key of ours; the path is its names from the top.
    fn set(&mut self, path: &[&str], value: impl Into<Value>) {
        let Some((last, folders)) = path.split_last() else { return };
        let mut at = &mut self.settings;
        for folder in folders {
            let next = at.entry(*folder).or_insert_with(|| Value::Object(Map::new()));
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            at = next.as_object_mut().expect("it has just been made one");
        }
        at.insert((*last).to_owned(), value.into());
    }

    /// Adds to a list of ours.
    fn push(&mut self, path: &[&str], value: Value) {
        let mut at = self.settings.get(path[0]);
        for name in &path[1..] {
            at = at.and_then(|value| value.get(name));
        }
        let mut list = at.and_then(Value::as_array).cloned().unwrap_or_default();
        list.push(value);
        self.set(path, list);
    }
}

type Key = fn(&mut Migrated, &[&str], &Value) -> Taken;

pub(super) fn run(from: Origin, file: &Path, output: Option<&Path>) -> Result<(), Failure> {
    let text = output::read(file)?;
    let value: Value = serde_yaml_ng::from_str(&text).map_err(|error| FileError::from_yaml(file, &error))?;
    let key: Key = match from {
        Origin::Apollo => apollo::key,
        Origin::Hive => hive::key,
        Origin::Cosmo => cosmo::key,
    };
    let mut migrated = Migrated::default();
    walk(&mut migrated, key, &mut Vec::new(), &value);
    let yaml = serde_yaml_ng::to_string(&migrated.settings).expect("a map of JSON is YAML");
    let name = Path::new("gateway.yaml");
    Config::check(name, &yaml)
        .map_err(|error| Failure::input(format!("a value has no meaning here: {error}\n{yaml}")))?;
    for line in &migrated.report {
        output::note(line);
    }
    output::write(&yaml, output)
}

fn walk<'a>(migrated: &mut Migrated, key: Key, path: &mut Vec<&'a str>, value: &'a Value) {
    if !path.is_empty() {
        let name = path.join(".");
        match key(migrated, path, value) {
            Taken::Carried => return,
            Taken::Noted(text) => return migrated.report.push(format!("{name}: {text}")),
            Taken::Dropped(why) => return migrated.report.push(format!("{name}: left out: {why}")),
            Taken::Open => {}
        }
    }
    match value {
        Value::Object(parts) if !parts.is_empty() => {
            for (name, part) in parts {
                path.push(name);
                walk(migrated, key, path, part);
                path.pop();
            }
        }
        Value::Null | Value::Object(_) => {}
        _ => migrated.report.push(format!("{}: left out: there is nothing like it", path.join("."))),
    }
}
