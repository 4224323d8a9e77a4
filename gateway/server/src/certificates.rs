//! Certificates and keys in PEM files.
//!
//! In: a file, or what was read of it. Out: what rustls takes.
//! Elsewhere: TLS to clients (`http/listen/tls.rs`), to subgraphs and to the cache's shared store (`subgraph_client/wire/tls.rs`).

use std::path::{Path, PathBuf};

use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::VerifierBuilderError;
use tokio_rustls::rustls::{Error, RootCertStore};

/// Why certificates or keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{}`: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file has no certificate or key in PEM form.
    #[error("`{}`: {source}", file.display())]
    Pem {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file has no certificate.
    #[error("`{}` has no certificate", .0.display())]
    Empty(PathBuf),
    /// Key and certificate cannot be used together, or not at all.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] Error),
    /// The authorities cannot be used.
    #[error("the clients' authorities cannot be used: {0}")]
    Authorities(#[from] VerifierBuilderError),
}

/// What a file says.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|source| TlsError::Unreadable { file: file.to_owned(), source })
}

/// The certificates in what a file says: one at least.
pub(crate) fn chain(pem: &[u8], file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Pem { file: file.to_owned(), source };
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(failed)?;
    if certificates.is_empty() { Err(TlsError::Empty(file.to_owned())) } else { Ok(certificates) }
}

/// The private key in it.
pub(crate) fn key(pem: &[u8], file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|source| TlsError::Pem { file: file.to_owned(), source })
}

/// Whom to trust: the certificates in it.
pub(crate) fn authorities(pem: &[u8], file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(pem, file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}
