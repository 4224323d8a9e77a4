//! A file that is read again when it may have changed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file's time of modification counts in steps: within one, a file can change again and not show it.
const CLOCK_STEP_MAX: Duration = Duration::from_secs(1);

/// See the module's header.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    /// The file's state when it was read; `None` when it may have changed since without showing it.
    stamp: Option<Stamp>,
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

impl WatchedFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, stamp: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says, or why it cannot be read; `None`: it has not changed, and nobody `asked`.
    pub(crate) async fn read(&mut self, asked: bool) -> Option<Result<String, String>> {
        let stamp = self.stamp().await;
        if !asked && stamp.is_some() && stamp == self.stamp {
            return None;
        }
        let read_at = SystemTime::now();
        let read = tokio::fs::read_to_string(&self.path).await.map_err(|error| error.to_string());
        self.stamp = stamp
            .filter(|stamp| read_at.duration_since(stamp.modified).is_ok_and(|age| age > CLOCK_STEP_MAX));
        Some(read)
    }

    async fn stamp(&self) -> Option<Stamp> {
        let metadata = tokio::fs::metadata(&self.path).await.ok()?;
        Some(Stamp { modified: metadata.modified().ok()?, bytes: metadata.len(), inode: metadata.ino() })
    }
}
