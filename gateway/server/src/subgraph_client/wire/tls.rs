//! Whom to trust as a subgraph, and who we are to it.
//!
//! In: PEM files. Out: settings of rustls, with aws-lc-rs as its cryptography. TLS 1.2 and 1.3.
//! Elsewhere: reading PEM (`certificates.rs`).

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use crate::certificates::{self, TlsError};

/// Whom to trust over TLS, and who we are. By default: the public authorities that browsers trust, and nobody.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ClientConfig>);

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
        let roots = match authorities {
            Some(file) => certificates::authorities(&certificates::read(file)?, file)?,
            None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match identity {
            Some((chain, key)) => {
                let chain = certificates::chain(&certificates::read(chain)?, chain)?;
                builder.with_client_auth_cert(chain, certificates::key(&certificates::read(key)?, key)?)?
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
