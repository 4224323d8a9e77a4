//! Where a list of persisted documents comes from, and when it is read again.
//!
//! In: a file, a folder or a URL. Out: the list, replaced while the server runs.
//! Always: the first reading must succeed, or the gateway does not start; later, a list that cannot be read or is
//! malformed is logged and changes nothing.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::manifest::{Listed, ManifestError};
use crate::options::DocumentSource;
use crate::subgraph_client::HttpClient;
use crate::subgraph_client::fetch::{self, FetchError};

const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Room for some ten thousand documents.
const MANIFEST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why the persisted documents cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// The list itself.
    #[error("persisted documents: {0}")]
    Manifest(#[from] ManifestError),
    /// The URL.
    #[error("persisted documents: {0}")]
    Fetch(#[from] FetchError),
    /// The reading was cut off.
    #[error("persisted documents: {0}")]
    Cut(String),
}

/// A list and its source.
#[derive(Debug)]
pub(super) struct List {
    source: DocumentSource,
    client: HttpClient,
    pub(super) current: ArcSwap<Listed>,
}

impl List {
    /// Reads a file or a folder; of a URL the list is empty until [`List::read`] has asked it.
    pub(super) fn new(source: DocumentSource, client: HttpClient) -> Result<Self, ManifestError> {
        let listed = read_disk(&source).unwrap_or_else(|| Ok(Listed::default()))?;
        Ok(Self { source, client, current: ArcSwap::from_pointee(listed) })
    }

    pub(super) fn is_remote(&self) -> bool {
        matches!(self.source, DocumentSource::Url(_))
    }

    /// Reads the list again.
    pub(super) async fn read(&self) -> Result<(), DocumentsError> {
        let listed = match &self.source {
            DocumentSource::Url(url) => {
                Listed::parse(&fetch::get(&self.client, url, FETCH_TIMEOUT, MANIFEST_BYTES_MAX).await?)?
            }
            disk => {
                let disk = disk.clone();
                let read = tokio::task::spawn_blocking(move || read_disk(&disk)).await;
                let read = read.map_err(|error| DocumentsError::Cut(error.to_string()))?;
                read.expect("it is no URL")?
            }
        };
        tracing::debug!(documents = listed.len(), "persisted documents read");
        self.current.store(Arc::new(listed));
        Ok(())
    }

    /// Reads it at an interval until the token is cancelled; at once when it was never read.
    pub(super) async fn follow(
        self: Arc<Self>,
        interval: Option<Duration>,
        read_now: bool,
        end: CancellationToken,
    ) {
        let mut wait = if read_now { Some(Duration::ZERO) } else { interval };
        while let Some(pause) = wait {
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            wait = interval;
            if let Err(error) = self.read().await {
                tracing::error!(%error, "the persisted documents are kept");
                // Without a first list nothing may run that must be listed.
                wait = Some(interval.unwrap_or(FETCH_TIMEOUT));
            }
        }
    }
}

fn read_disk(source: &DocumentSource) -> Option<Result<Listed, ManifestError>> {
    match source {
        DocumentSource::Url(_) => None,
        DocumentSource::Folder(folder) => Some(Listed::read_folder(folder)),
        DocumentSource::File(file) => Some(
            std::fs::read(file)
                .map_err(|source| ManifestError::Unreadable { path: file.display().to_string(), source })
                .and_then(|manifest| Listed::parse(&manifest)),
        ),
    }
}
