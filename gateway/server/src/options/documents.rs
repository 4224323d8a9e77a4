//! Documents that clients name instead of sending them.

use std::path::PathBuf;
use std::time::Duration;

/// Persisted documents and automatic persisted queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentsSettings {
    /// Whether clients may register documents by their hash (automatic persisted queries).
    pub automatic: bool,
    /// How many bytes of registered documents are kept; the least used leave first.
    pub automatic_bytes_max: u64,
    /// Where the list of persisted documents is.
    pub source: Option<DocumentSource>,
    /// How often the list is read again; `None`: never.
    pub poll_interval: Option<Duration>,
    /// What becomes of documents that are not on the list. Without a list, all are accepted.
    pub unlisted: UnlistedDocuments,
}

/// Where a list of persisted documents is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentSource {
    /// A manifest: Apollo's format, or Relay's map from id to text.
    File(PathBuf),
    /// A folder of `.graphql` files, each named by its file name and by the SHA-256 of its text.
    Folder(PathBuf),
    /// A manifest by HTTP.
    Url(String),
}

/// What becomes of documents that are not on the list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnlistedDocuments {
    /// They are executed like any other.
    #[default]
    Accept,
    /// They are refused; a listed document may be sent by its text or named by its id.
    Refuse,
    /// They are refused, and listed ones must be named by their id.
    RequireId,
}

impl Default for DocumentsSettings {
    fn default() -> Self {
        Self {
            automatic: true,
            automatic_bytes_max: 16 * 1024 * 1024,
            source: None,
            poll_interval: None,
            unlisted: UnlistedDocuments::Accept,
        }
    }
}
