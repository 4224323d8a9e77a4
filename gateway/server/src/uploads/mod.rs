//! Files that clients upload, passed on to the subgraphs that take them.
//!
//! In: a multipart request. Out: an engine request whose variables have a placeholder for each file, and, when such a
//! placeholder is on its way to a subgraph, a multipart request that carries the file.
//! Always: a file goes from one socket to the other as it comes; what arrives before its turn is kept within a bound.
//! Placeholders cannot be guessed, so no client can name a file of another request. Each file is sent once.
//! Elsewhere: cross-site requests (`http/csrf.rs`), the connection to the subgraph (`subgraph_client/`).
//!
//! - `receive.rs`: what clients send
//! - `send.rs`: what subgraphs get
//!
//! # Source
//! GraphQL multipart request specification (jaydenseric), version 2.

mod receive;
mod send;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use multer::{Field, Multipart};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub(crate) use self::receive::{boundary, receive};
pub(crate) use self::send::Claimed;

/// Bounds of uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadSettings {
    /// Files of one request.
    pub files_max: usize,
    /// Bytes of one file.
    pub file_bytes_max: u64,
    /// Bytes of a whole request.
    pub request_bytes_max: u64,
    /// Bytes of files that arrive before their turn, for one request.
    pub buffered_bytes_max: usize,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self {
            files_max: 10,
            file_bytes_max: 16 * 1024 * 1024,
            request_bytes_max: 64 * 1024 * 1024,
            buffered_bytes_max: 1024 * 1024,
        }
    }
}

/// Why a file cannot be sent on. For the log: clients see a subgraph that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("the upload broke off or exceeds a bound: {0}")]
    Broken(String),
    #[error("the file `{0}` did not come, or was sent to a subgraph before")]
    Missing(String),
    #[error("files come in another order than they are needed, and too much would have to be kept")]
    TooMuchKept,
}

/// The files of one client request.
pub(crate) struct Uploads {
    /// What placeholders begin with.
    token: String,
    /// The files' names in the client's map; placeholders name them by their index.
    names: Vec<String>,
    incoming: Arc<Mutex<Incoming>>,
}

impl std::fmt::Debug for Uploads {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Uploads").field("files", &self.names.len()).finish_non_exhaustive()
    }
}

/// The rest of the client's body.
struct Incoming {
    parts: Multipart<'static>,
    /// Files that came before their turn.
    kept: HashMap<String, Kept>,
    keeps_max: usize,
}

struct Kept {
    meta: Meta,
    bytes: Bytes,
}

/// What a client says of a file.
#[derive(Debug, Clone, Default)]
struct Meta {
    file_name: Option<String>,
    content_type: Option<String>,
}

/// A file being read.
struct File {
    meta: Meta,
    source: Source,
}

enum Source {
    Kept(Option<Bytes>),
    Coming {
        field: Box<Field<'static>>,
        /// Nobody else reads the body meanwhile.
        _turn: OwnedMutexGuard<Incoming>,
    },
}

impl Uploads {
    /// Begins to read a file.
    async fn open(&self, index: usize) -> Result<File, UploadError> {
        let name = self.names.get(index).ok_or_else(|| UploadError::Missing(index.to_string()))?;
        let mut incoming = Arc::clone(&self.incoming).lock_owned().await;
        if let Some(Kept { meta, bytes }) = incoming.kept.remove(name) {
            return Ok(File { meta, source: Source::Kept(Some(bytes)) });
        }
        loop {
            let field = incoming.next().await?.ok_or_else(|| UploadError::Missing(name.clone()))?;
            let meta = Meta::of(&field);
            if field.name() == Some(name) {
                return Ok(File { meta, source: Source::Coming { field: Box::new(field), _turn: incoming } });
            }
            match field.name().filter(|other| self.names.iter().any(|name| name == other)) {
                Some(other) => {
                    let other = other.to_owned();
                    incoming.keep(other, meta, field).await?;
                }
                // Nobody has asked for it.
                None => drain(field).await?,
            }
        }
    }

    /// Reads what nobody needs, so that the client gets to the answer.
    pub(crate) async fn discard(&self) {
        let mut incoming = self.incoming.lock().await;
        while let Ok(Some(field)) = incoming.next().await {
            if drain(field).await.is_err() {
                return;
            }
        }
    }
}

impl Incoming {
    async fn next(&mut self) -> Result<Option<Field<'static>>, UploadError> {
        self.parts.next_field().await.map_err(broken)
    }

    async fn keep(&mut self, name: String, meta: Meta, mut field: Field<'static>) -> Result<(), UploadError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            if bytes.len() + chunk.len() > self.keeps_max {
                return Err(UploadError::TooMuchKept);
            }
            bytes.extend_from_slice(&chunk);
        }
        self.keeps_max -= bytes.len();
        self.kept.insert(name, Kept { meta, bytes: bytes.into() });
        Ok(())
    }
}

impl Meta {
    fn of(field: &Field<'_>) -> Self {
        Self {
            file_name: field.file_name().map(str::to_owned),
            content_type: field.content_type().map(ToString::to_string),
        }
    }
}

impl File {
    async fn chunk(&mut self) -> Result<Option<Bytes>, UploadError> {
        match &mut self.source {
            Source::Kept(bytes) => Ok(bytes.take()),
            Source::Coming { field, .. } => field.chunk().await.map_err(broken),
        }
    }
}

async fn drain(mut field: Field<'static>) -> Result<(), UploadError> {
    while field.chunk().await.map_err(broken)?.is_some() {}
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn broken(error: multer::Error) -> UploadError {
    UploadError::Broken(error.to_string())
}
