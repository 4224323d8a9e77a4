//! TLS to clients.

use std::path::PathBuf;

/// What clients see, and what they must show. All files are PEM, and read again while the server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTls {
    /// The server's certificate and those between it and an authority.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of the clients' certificates. `None`: clients show none.
    pub client_authorities: Option<PathBuf>,
    /// Whether clients without a certificate are served, too.
    pub client_certificates_optional: bool,
}
