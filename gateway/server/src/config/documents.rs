//! `documents`: documents that clients name instead of sending them.
//!
//! Elsewhere: finding them (`documents/`).

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::options::{DocumentSource, DocumentsSettings, Options, UnlistedDocuments};

/// Documents that clients name instead of sending them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DocumentsConfig {
    /// Automatic persisted queries: clients register documents by their SHA-256.
    pub automatic: AutomaticConfig,
    /// Persisted documents that the operator lists.
    pub persisted: PersistedConfig,
}

/// Automatic persisted queries.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AutomaticConfig {
    /// Whether clients may register documents. Has no effect where unlisted documents are refused.
    pub enabled: bool,
    /// How many bytes of documents are kept; the least used leave first.
    pub bytes_max: u64,
}

/// Persisted documents: at most one of `file`, `folder` and `url`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PersistedConfig {
    /// A manifest, relative to this file: Apollo's persisted query manifest, or Relay's map from id to text.
    pub file: Option<PathBuf>,
    /// A folder of `.graphql` files, relative to this file; each is named by its file name without the ending, and by the
    /// SHA-256 of its text.
    pub folder: Option<PathBuf>,
    /// A manifest by HTTP.
    pub url: Option<String>,
    /// How often the list is read again; `0s` for never.
    pub poll_interval: HumanDuration,
    /// What becomes of other documents: `accept` runs them, `refuse` runs listed ones only, sent or named, `require_id`
    /// runs listed ones only, named by their id.
    pub unlisted: UnlistedDocuments,
}

impl Default for AutomaticConfig {
    fn default() -> Self {
        let settings = DocumentsSettings::default();
        Self { enabled: settings.automatic, bytes_max: settings.automatic_bytes_max }
    }
}

impl Default for PersistedConfig {
    fn default() -> Self {
        Self {
            file: None,
            folder: None,
            url: None,
            poll_interval: HumanDuration(std::time::Duration::from_mins(1)),
            unlisted: UnlistedDocuments::default(),
        }
    }
}

impl DocumentsConfig {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for path in [&mut self.persisted.file, &mut self.persisted.folder].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }

    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        let PersistedConfig { file, folder, url, poll_interval, unlisted } = self.persisted;
        let source = match (file, folder, url) {
            (None, None, None) if unlisted == UnlistedDocuments::Accept => None,
            (None, None, None) => {
                return Err("`documents.persisted.unlisted`: there is no list of documents".to_owned());
            }
            (Some(file), None, None) => Some(DocumentSource::File(file)),
            (None, Some(folder), None) => Some(DocumentSource::Folder(folder)),
            (None, None, Some(url)) => Some(DocumentSource::Url(url)),
            _ => return Err("`documents.persisted` takes one of `file`, `folder` and `url`".to_owned()),
        };
        options.documents = DocumentsSettings {
            automatic: self.automatic.enabled,
            automatic_bytes_max: self.automatic.bytes_max,
            source,
            poll_interval: (!poll_interval.0.is_zero()).then_some(poll_interval.0),
            unlisted,
        };
        Ok(())
    }
}
