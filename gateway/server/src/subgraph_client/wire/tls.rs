//! Whom to trust as a subgraph, and who we are to it.
//!
//! In: PEM files. Out: settings of rustls, with aws-lc-rs as its cryptography. TLS 1.2 and 1.3.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

/// Whom to trust over TLS, and who we are. By default: the public authorities that browsers trust, and nobody.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ClientConfig>);

/// Why certificates or keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or has no certificate or key in PEM form.
    #[error("`{}`: {source}", file.display())]
    File {
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
}

impl Default for Tls {
    fn default() -> Self {
        Self::load(None, None).expect("the built-in authorities are well-formed")
    }
}

impl Tls {
    /// Trusts the authorities in `authorities` (PEM), or the public ones when there is no such file; with `identity`
    /// (certificate chain and private key, both PEM) subgraphs can tell who asks.
    ///
    /// # Errors
    /// [`TlsError`] says which file is wrong.
    pub fn load(authorities: Option<&Path>, identity: Option<(&Path, &Path)>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        match authorities {
            Some(file) => {
                for certificate in certificates(file)? {
                    roots.add(certificate)?;
                }
            }
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match identity {
            Some((chain, key)) => {
                let failed = |source| TlsError::File { file: key.to_owned(), source };
                let key = PrivateKeyDer::from_pem_file(key).map_err(failed)?;
                builder.with_client_auth_cert(certificates(chain)?, key)?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    /// The settings with the protocols to offer, the preferred one first.
    pub(crate) fn offering(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File { file: file.to_owned(), source };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(file).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if certificates.is_empty() { Err(TlsError::Empty(file.to_owned())) } else { Ok(certificates) }
}
