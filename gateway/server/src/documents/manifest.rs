//! The forms of a list of persisted documents.
//!
//! In: a manifest's bytes, or a folder of `.graphql` files. Out: documents by id, and whether a text is among them.
//! Always: an id that stands for two different documents is an error.
//!
//! # Source
//! Apollo's persisted query manifest (`"format": "apollo-persisted-query-manifest"`, version 1), and Relay's compiler
//! with `persistConfig.file`: one object from id to text.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::apq::Hash;

/// Why a list is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or of no known form.
    #[error("it is no manifest of persisted documents: {0}")]
    Malformed(String),
    /// One id, two documents.
    #[error("the id `{0}` names two different documents")]
    Ambiguous(String),
    /// A file or folder cannot be read.
    #[error("`{path}`: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

#[derive(Deserialize)]
struct ApolloManifest {
    format: String,
    version: u64,
    operations: Vec<ApolloOperation>,
}

#[derive(Deserialize)]
struct ApolloOperation {
    id: String,
    body: String,
}

/// The documents that the operator lists.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    by_id: HashMap<String, Arc<str>>,
    texts: HashSet<Arc<str>>,
}

impl Listed {
    pub(crate) fn by_id(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|document| &**document)
    }

    /// Whether a text is one of the documents; white space around it does not count.
    pub(crate) fn has(&self, document: &str) -> bool {
        self.texts.contains(document.trim())
    }

    /// How many documents there are.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Reads a manifest in either form.
    pub(crate) fn parse(manifest: &[u8]) -> Result<Self, ManifestError> {
        let malformed = |error: serde_json::Error| ManifestError::Malformed(error.to_string());
        let value: Value = serde_json::from_slice(manifest).map_err(malformed)?;
        let mut listed = Self::default();
        if value.get("format").is_some_and(Value::is_string) && value.get("operations").is_some() {
            let manifest: ApolloManifest = serde_json::from_value(value).map_err(malformed)?;
            if manifest.format != "apollo-persisted-query-manifest" || manifest.version != 1 {
                let form = format!("format `{}`, version {}", manifest.format, manifest.version);
                return Err(ManifestError::Malformed(form));
            }
            for operation in manifest.operations {
                listed.add(operation.id, &operation.body)?;
            }
        } else {
            let map: HashMap<String, String> = serde_json::from_value(value).map_err(malformed)?;
            for (id, document) in map {
                listed.add(id, &document)?;
            }
        }
        Ok(listed)
    }

    /// Reads every `.graphql` and `.gql` file of a folder: each goes by its name without the ending, and by the SHA-256
    /// of its text.
    pub(crate) fn read_folder(folder: &Path) -> Result<Self, ManifestError> {
        let unreadable =
            |path: &Path, source| ManifestError::Unreadable { path: path.display().to_string(), source };
        let mut listed = Self::default();
        for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let path = entry.map_err(|error| unreadable(folder, error))?.path();
            let is_document = path.extension().is_some_and(|ending| ending == "graphql" || ending == "gql");
            let Some(name) = path.file_stem().and_then(|name| name.to_str()).filter(|_| is_document) else {
                continue;
            };
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            listed.add(name.to_owned(), &text)?;
            listed.add(Hash::of(&text).to_string(), &text)?;
        }
        Ok(listed)
    }

    fn add(&mut self, id: String, document: &str) -> Result<(), ManifestError> {
        let text = document.trim();
        let kept = self.texts.get(text).cloned().unwrap_or_else(|| text.into());
        self.texts.insert(Arc::clone(&kept));
        match self.by_id.insert(id.clone(), Arc::clone(&kept)) {
            Some(before) if before != kept => Err(ManifestError::Ambiguous(id)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apollos_manifest_and_relays_map_say_the_same() {
        let apollo = br#"{"format":"apollo-persisted-query-manifest","version":1,"operations":[
            {"id":"x","name":"A","type":"query","body":"query A { a }"}]}"#;
        let relay = br#"{"x":"query A { a }\n"}"#;
        for manifest in [&apollo[..], &relay[..]] {
            let listed = Listed::parse(manifest).unwrap();
            assert_eq!(listed.by_id("x"), Some("query A { a }"));
            assert!(listed.has(" query A { a }") && !listed.has("query A { b }"));
        }
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for wrong in [
            "",
            "[]",
            r#"{"x":1}"#,
            r#"{"format":"other","version":1,"operations":[]}"#,
            r#"{"format":"apollo-persisted-query-manifest","version":2,"operations":[]}"#,
        ] {
            assert!(matches!(Listed::parse(wrong.as_bytes()), Err(ManifestError::Malformed(_))), "{wrong}");
        }
        let twice = r#"{"format":"apollo-persisted-query-manifest","version":1,"operations":[
            {"id":"x","body":"{ a }"},{"id":"x","body":"{ b }"}]}"#;
        assert!(matches!(Listed::parse(twice.as_bytes()), Err(ManifestError::Ambiguous(_))));
    }
}
