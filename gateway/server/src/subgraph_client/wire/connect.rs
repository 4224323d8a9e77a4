//! Opening a connection: TCP with every address a name has, TLS, Unix sockets.
//!
//! Elsewhere: what is spoken on it (`http1.rs`, `http2.rs`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tower::ServiceExt;

use super::address::{Address, Place};
use super::{ConnectionSettings, HttpVersion, with_causes};

/// An open connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

impl Stream {
    /// Whether the other side chose HTTP/2 during the TLS handshake.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2"))
    }
}

/// Opens connections of one kind.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Option<Arc<ClientConfig>>,
    /// The same without HTTP/2.
    tls_http1: Option<Arc<ClientConfig>>,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(address: &Address, settings: &ConnectionSettings) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let protocols: &[&[u8]] = match settings.version {
            HttpVersion::Auto => &[b"h2", b"http/1.1"],
            HttpVersion::Http1 => &[b"http/1.1"],
            HttpVersion::Http2 => &[b"h2"],
        };
        let is_tls = matches!(address.place, Place::Tls(_));
        let tls = is_tls.then(|| settings.tls.offering(protocols));
        let tls_http1 = is_tls.then(|| settings.tls.offering(&[b"http/1.1"]));
        Self { tcp, tls, tls_http1, timeout: settings.connect_timeout }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// A new connection.
    ///
    /// # Errors
    /// What the system or TLS says, or that it took too long.
    pub(super) async fn connect(&self, address: &Address) -> io::Result<Stream> {
        self.in_time(self.open(address, self.tls.as_ref())).await
    }

    /// A new connection on which HTTP/2 was not offered.
    ///
    /// # Errors
    /// As [`Connector::connect`].
    pub(super) async fn connect_http1(&self, address: &Address) -> io::Result<Stream> {
        self.in_time(self.open(address, self.tls_http1.as_ref())).await
    }

    async fn in_time(&self, opening: impl Future<Output = io::Result<Stream>>) -> io::Result<Stream> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
        tokio::time::timeout(self.timeout, opening).await.map_err(late)?
    }

    async fn open(&self, address: &Address, tls: Option<&Arc<ClientConfig>>) -> io::Result<Stream> {
        let name = match &address.place {
            Place::Unix(path) => return Ok(Stream::Unix(UnixStream::connect(path).await?)),
            Place::Tcp => None,
            Place::Tls(name) => Some(name.clone()),
        };
        let connected = self.tcp.clone().oneshot(address.absolute.clone()).await;
        let tcp = connected.map_err(|error| io::Error::other(with_causes(&error)))?.into_inner();
        match (name, tls) {
            (Some(name), Some(config)) => {
                let tls = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
                Ok(Stream::Tls(Box::new(tls)))
            }
            _ => Ok(Stream::Tcp(tcp)),
        }
    }
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Tcp($stream) => $call,
            Stream::Tls($stream) => $call,
            Stream::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }
}
