//! Certificates that clients see, and certificates that clients must show.
//!
//! In: PEM files. Out: handshakes of TLS 1.2 and 1.3, with HTTP/2 and HTTP/1.1 to choose from.
//! Always: the files are read again while the server runs, so that renewed certificates are used without a restart; what
//! cannot be used is logged and changes nothing.
//! Elsewhere: reading PEM (`certificates.rs`), TLS to subgraphs (`subgraph_client/`).

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::{Accept, TlsAcceptor};
use tokio_util::sync::CancellationToken;

use crate::certificates::{self, TlsError};
use crate::options::ClientTls;

/// How often the files are read again.
const READ_INTERVAL: Duration = Duration::from_secs(30);

/// What the files say, to see when they change.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    certificates: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
}

/// See the module's header. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    settings: Arc<ClientTls>,
    http2: bool,
    current: Arc<ArcSwap<(Files, Arc<ServerConfig>)>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] says which file is wrong.
    pub(crate) fn load(settings: ClientTls, http2: bool) -> Result<Self, TlsError> {
        let files = Files::read(&settings)?;
        let config = files.config(&settings, http2)?;
        let current = Arc::new(ArcSwap::from_pointee((files, config)));
        Ok(Self { settings: Arc::new(settings), http2, current })
    }

    /// Begins a handshake.
    pub(super) fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        TlsAcceptor::from(Arc::clone(&self.current.load().1)).accept(stream)
    }

    /// Reads the files again and again, until the token is cancelled.
    pub(super) async fn follow(self, end: CancellationToken) {
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(READ_INTERVAL) => {}
            }
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.read_again()).await {
                Ok(Ok(true)) => tracing::info!("certificates are replaced"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::error!(%error, "the certificates are kept"),
                Err(error) => tracing::error!(%error, "the certificates are kept"),
            }
        }
    }

    /// Whether anything was new.
    fn read_again(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.settings)?;
        if files == self.current.load().0 {
            return Ok(false);
        }
        let config = files.config(&self.settings, self.http2)?;
        self.current.store(Arc::new((files, config)));
        Ok(true)
    }
}

impl Files {
    fn read(settings: &ClientTls) -> Result<Self, TlsError> {
        Ok(Self {
            certificates: certificates::read(&settings.certificates)?,
            key: certificates::read(&settings.key)?,
            authorities: settings.client_authorities.as_deref().map(certificates::read).transpose()?,
        })
    }

    fn config(&self, settings: &ClientTls, http2: bool) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match (&self.authorities, &settings.client_authorities) {
            (Some(authorities), Some(file)) => {
                let roots = Arc::new(certificates::authorities(authorities, file)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = if settings.client_certificates_optional {
                    verifier.allow_unauthenticated()
                } else {
                    verifier
                };
                builder.with_client_cert_verifier(verifier.build()?)
            }
            _ => builder.with_no_client_auth(),
        };
        let key = certificates::key(&self.key, &settings.key)?;
        let chain = certificates::chain(&self.certificates, &settings.certificates)?;
        let mut config = builder.with_single_cert(chain, key)?;
        if http2 {
            config.alpn_protocols.push(b"h2".to_vec());
        }
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Arc::new(config))
    }
}
