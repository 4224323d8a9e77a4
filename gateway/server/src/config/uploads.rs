//! `uploads`: files from clients to subgraphs.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::Options;
use crate::uploads::UploadSettings;

/// Files that clients upload, by the GraphQL multipart request specification. Such requests need a preflight header, as
/// `graphql-require-preflight: 1`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UploadsConfig {
    /// Whether they are accepted.
    pub enabled: bool,
    /// Files of one request.
    pub files_max: usize,
    /// Bytes of one file.
    pub file_bytes_max: u64,
    /// Bytes of a whole request.
    pub request_bytes_max: u64,
    /// Bytes of files that arrive before their turn, for one request: files go through as they come, and wait only when
    /// subgraphs need them in another order.
    pub buffered_bytes_max: usize,
}

impl Default for UploadsConfig {
    fn default() -> Self {
        let settings = UploadSettings::default();
        Self {
            enabled: false,
            files_max: settings.files_max,
            file_bytes_max: settings.file_bytes_max,
            request_bytes_max: settings.request_bytes_max,
            buffered_bytes_max: settings.buffered_bytes_max,
        }
    }
}

impl UploadsConfig {
    pub(super) fn apply(self, options: &mut Options) {
        options.uploads = self.enabled.then_some(UploadSettings {
            files_max: self.files_max,
            file_bytes_max: self.file_bytes_max,
            request_bytes_max: self.request_bytes_max,
            buffered_bytes_max: self.buffered_bytes_max,
        });
    }
}
