//! HTTP to one place: HTTP/1.1 or HTTP/2, over TCP, TLS or a Unix socket.
//!
//! In: a request. Out: its whole answer, or one whose body is still to be read. Never follows a redirect, keeps no cookie
//! and reads no proxy variable: a place is what the operator wrote and nothing else.
//! Always: what is not well-formed HTTP is an error and ends the connection; a connection is used again only when request
//! and answer are both complete and nothing follows.
//!
//! - `address.rs`: what a URL means
//! - `connect.rs`: opening a connection
//! - `tls.rs`: whom to trust, and who we are
//! - `exchange.rs`: whole answers over HTTP/1.1
//! - `pool.rs`: idle connections of HTTP/1.1
//! - `http2.rs`, `resets.rs`: the one connection of HTTP/2
//! - `single.rs`: streams over HTTP/1.1
//! - `body.rs`: bodies of either
//! - `origin.rs`: all of it together
//!
//! Elsewhere: time limits (`mod.rs` above); HTTP/2, and HTTP/1.1 of streams (hyper).

mod address;
mod body;
mod connect;
mod exchange;
mod http2;
mod origin;
mod pool;
mod resets;
mod single;
#[cfg(test)]
mod tests;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderMap;

pub(crate) use self::address::Address;
pub use self::address::InvalidUrl;
pub(crate) use self::body::{AnswerBody, BodyError, RequestBody};
pub(crate) use self::connect::Stream;
pub(crate) use self::origin::{Origin, Outgoing};
pub use self::tls::Tls;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// `content-type`, `content-encoding` and those that were wanted; there may be others.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How a subgraph is connected to.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// How long to wait for a connection, TLS included. A subgraph in the same network answers in milliseconds, and a
    /// dead one must not hold a client for the whole request timeout.
    pub connect_timeout: Duration,
    /// After how long an idle connection is closed. The default is shorter than the idle limit of common servers
    /// (Node.js: 5 s), so that a request rarely meets a closing connection.
    pub idle_timeout: Duration,
    /// Idle connections kept; those beyond it are closed after their answer.
    pub idle_max: usize,
    /// The version of HTTP.
    pub version: HttpVersion,
    /// For `https://`: whom to trust, and who we are.
    pub tls: Tls,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(4),
            idle_max: 1024,
            version: HttpVersion::default(),
            tls: Tls::default(),
        }
    }
}

/// Which HTTP is spoken.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum HttpVersion {
    /// Over TLS what the subgraph prefers, HTTP/1.1 otherwise.
    #[default]
    Auto,
    /// HTTP/1.1, one connection for each request in flight.
    Http1,
    /// HTTP/2, one connection for all requests; without TLS, from its first byte on (h2c with prior knowledge).
    Http2,
}

/// An error and what caused it in one line; the outer text alone ("client error (Connect)") does not help an operator.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
