//! `gateway/SETTINGS.md`: every key of the settings with its form, its default and what it means, made from the schema that the
//! binary prints. `UPDATE_SETTINGS=1` writes the file.
//!
//! Elsewhere: what is done with the settings (`../../README.md`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};

use crate::command_line::{folder, gateway};

const HEAD: &str = "# Settings

Every key of `gateway.yaml`. This file is made from `gateway config schema`, which editors can use (`yaml-language-server`), and a test
compares the two. What is not set has its default; a key that is not here is refused, with the nearest one that is. `${env.NAME}` in a
value is the environment variable of that name. The [manual](README.md) says what to do with them.
";

struct Reference<'s> {
    definitions: &'s Map<String, Value>,
    /// Where the keys of a definition stand already.
    shown: BTreeMap<&'s str, String>,
    text: String,
}

impl<'s> Reference<'s> {
    /// What a property is, without the possibility to leave it out.
    fn resolve(&self, property: &'s Value) -> (&'s Value, Option<&'s str>) {
        let any = property["anyOf"].as_array().into_iter().flatten();
        let property = any.into_iter().find(|one| one["type"] != "null").unwrap_or(property);
        let name = property["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/"));
        (name.map_or(property, |name| &self.definitions[name]), name)
    }

    fn form(&self, property: &'s Value) -> String {
        let (found, name) = self.resolve(property);
        if name == Some("Duration") {
            return "duration".to_owned();
        }
        if let Some(all) = found["oneOf"].as_array() {
            let names = all.iter().flat_map(|one| {
                let several = one["enum"].as_array().cloned().unwrap_or_default();
                several.into_iter().chain(one.get("const").cloned())
            });
            return names.map(|name| format!("`{}`", name.as_str().unwrap())).collect::<Vec<_>>().join(", ");
        }
        let types = match &found["type"] {
            Value::Array(types) => types.iter().find(|one| *one != "null").unwrap(),
            one => one,
        };
        match types.as_str() {
            Some("array") => format!("list of {}", self.form(&found["items"])),
            Some("object") if found["additionalProperties"].is_object() => {
                format!("by name: {}", self.form(&found["additionalProperties"]))
            }
            Some("object") => "keys".to_owned(),
            Some(other) => other.to_owned(),
            None => "any".to_owned(),
        }
    }

    fn rows(&mut self, path: &str, definition: &'s Value) {
        for (name, property) in definition["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.row(&path, property);
        }
    }

    fn row(&mut self, path: &str, property: &'s Value) {
        let form = self.form(property);
        let default = match &property["default"] {
            Value::Null => String::new(),
            Value::Object(keys) if !keys.is_empty() => String::new(),
            other => format!("`{other}`"),
        };
        let (mut found, mut name, mut below) = (property, None, path.to_owned());
        loop {
            (found, name) = match self.resolve(found) {
                (found, None) => (found, name),
                resolved => resolved,
            };
            if found["items"].is_object() {
                found = &found["items"];
                below.push_str("[]");
            } else if found["additionalProperties"].is_object() {
                found = &found["additionalProperties"];
                below.push_str(".*");
            } else {
                break;
            }
        }
        let has_keys = found["properties"].is_object();
        let known = name.filter(|_| has_keys).and_then(|name| self.shown.get(name)).cloned();
        let description =
            property["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        let same = known.as_ref().map(|known| format!(" Keys as of `{known}`.")).unwrap_or_default();
        writeln!(self.text, "| `{path}` | {form} | {default} | {description}{same} |").unwrap();
        if has_keys && known.is_none() {
            if let Some(name) = name {
                self.shown.insert(name, below.clone());
            }
            self.rows(&below, found);
        }
    }
}

fn reference(schema: &Value) -> String {
    let definitions = schema["$defs"].as_object().unwrap();
    let mut reference = Reference { definitions, shown: BTreeMap::new(), text: HEAD.to_owned() };
    for (name, property) in schema["properties"].as_object().unwrap() {
        write!(reference.text, "\n## {name}\n\n| key | form | default | |\n|---|---|---|---|\n").unwrap();
        reference.row(name, property);
    }
    reference.text
}

#[test]
fn the_list_of_settings_is_what_the_binary_takes() {
    let output = gateway(&["config", "schema"], folder(&[]).path());
    let made = reference(&serde_json::from_slice(&output.stdout).unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../SETTINGS.md");
    if std::env::var_os("UPDATE_SETTINGS").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let different = made.lines().zip(written.lines()).find(|(made, written)| made != written);
    assert!(made == written, "UPDATE_SETTINGS=1 writes gateway/SETTINGS.md anew: {different:?}");
    assert!(made.lines().filter(|line| line.starts_with("| `")).count() > 250, "{made}");
}
