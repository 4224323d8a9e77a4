//! `tls`: certificates towards clients.
//!
//! Elsewhere: TLS to subgraphs (`subgraphs.rs`).

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::{ClientTls, Options};

/// TLS on `listen`. Files are PEM, relative to this one, and read again every 30 s, so that renewed certificates need no
/// restart.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The server's certificate and those between it and an authority.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of the certificates that clients must show (mutual TLS). Unset: clients show none.
    #[serde(default)]
    pub client_authorities: Option<PathBuf>,
    /// Serves clients without a certificate, too; one that is shown must still be good.
    #[serde(default)]
    pub client_certificates_optional: bool,
}

impl TlsConfig {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        let Self { certificates, key, client_authorities, .. } = self;
        for path in [Some(certificates), Some(key), client_authorities.as_mut()].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }

    pub(super) fn apply(self, options: &mut Options) {
        options.tls = Some(ClientTls {
            certificates: self.certificates,
            key: self.key,
            client_authorities: self.client_authorities,
            client_certificates_optional: self.client_certificates_optional,
        });
    }
}
