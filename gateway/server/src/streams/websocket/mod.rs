//! GraphQL over WebSocket: the protocol `graphql-transport-ws`.
//!
//! In: a request to become a WebSocket. Out: `101` and a socket served by a task of its own, or a refusal.
//! Always: no page of a foreign origin gets a socket, since a browser asks nobody before it opens one; sockets are
//! counted, all together, by the client's address and by the subject of its token.
//!
//! - `session.rs`: a socket's life
//! - `operation.rs`: one operation on it
//! - `protocol.rs`: the messages
//! - `outbox.rs`: what waits to be written
//!
//! # Source
//! RFC 6455; GraphQL over WebSocket Protocol.

mod operation;
mod outbox;
mod protocol;
mod session;

use std::sync::Arc;

use axum::body::Body;
use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

pub(crate) use self::protocol::{Envelope, SUBPROTOCOL};
use self::session::{Session, serve};
use crate::auth::Verified;
use crate::http::{App, Client, Refusal, Visitor};
use crate::streams::{Full, Place};

/// Memory that every socket has while it is silent.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Whether a request wants to become a WebSocket.
pub(crate) fn is_wanted(parts: &Parts) -> bool {
    parts.method == Method::GET && has_token(&parts.headers, &UPGRADE, "websocket")
}

/// Whether a page of this origin may open a socket: one that may read answers, or one of the same host. What is no
/// browser sends no origin.
fn origin_may_connect(app: &App, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    origins.next().is_none()
        && (app.streams.origins.contains(origin) || is_same_host(origin, headers.get(HOST)))
}

fn is_same_host(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let authority = |origin: &str| {
        let (scheme, authority) = origin.split_once("://")?;
        let default = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return None,
        };
        Some(authority.strip_suffix(default).unwrap_or(authority).to_ascii_lowercase())
    };
    let Some(origin) = origin.to_str().ok().and_then(authority) else { return false };
    let Some(host) = host.and_then(|host| host.to_str().ok()) else { return false };
    let host = host.to_ascii_lowercase();
    !origin.is_empty()
        && (origin == host || [":80", ":443"].iter().any(|port| host.strip_suffix(port) == Some(&origin)))
}

/// Answers a request to become a WebSocket.
///
/// # Errors
/// [`Refusal`] when this client may not, or not now, or asks for something else.
pub(crate) fn upgrade(
    app: &Arc<App>,
    parts: &mut Parts,
    visitor: Visitor,
    verified: Option<Verified>,
) -> Result<Response<Body>, Refusal> {
    let settings = &app.streams.settings.websocket;
    if !settings.enabled {
        return Err(Refusal::BadRequest("WebSockets are not served here".to_owned()));
    }
    if !origin_may_connect(app, &parts.headers) {
        return Err(Refusal::ForeignOrigin);
    }
    let accept = accept_key(&parts.headers)?;
    if !has_token(&parts.headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err(Refusal::BadRequest(format!("the WebSocket subprotocol must be {SUBPROTOCOL}")));
    }
    let on_upgrade = parts.extensions.remove::<OnUpgrade>();
    let on_upgrade =
        on_upgrade.ok_or_else(|| Refusal::BadRequest("this connection cannot change".to_owned()))?;
    // What the introduction says of the subject counts then.
    let client = Client { address: visitor.address(), subject: None };
    let place = app.streams.sockets.census.enter(&client, settings.caps());
    let place = place.map_err(|full| refuse(app, full))?;
    let subject = verified.as_ref().and_then(|verified| verified.subject.as_ref());
    let subject_place = subject.map(|subject| identify(app, subject)).transpose();
    let subject_place = subject_place.map_err(|full| refuse(app, full))?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(settings.message_bytes_max))
        .max_frame_size(Some(settings.message_bytes_max));
    let session = Session { app: Arc::clone(app), visitor, verified, subject_place };
    app.streams.sockets.tasks.spawn(async move {
        let _place = place;
        match on_upgrade.await {
            Ok(upgraded) => {
                let socket =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config))
                        .await;
                serve(socket, session).await;
            }
            Err(error) => tracing::debug!(%error, "a WebSocket did not come about"),
        }
    });
    Ok(switching(accept))
}

fn refuse(app: &App, full: Full) -> Refusal {
    app.telemetry.refused("socket", full.name());
    Refusal::TooManySockets
}

/// A place among the sockets of a subject.
fn identify(app: &App, subject: &Arc<str>) -> Result<Place, Full> {
    app.streams.sockets.census.identify(subject, app.streams.settings.websocket.sockets_per_subject_max)
}

/// The key of the handshake, answered.
fn accept_key(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let invalid = |what: &str| Refusal::BadRequest(format!("not a WebSocket handshake: {what}"));
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(invalid("Connection"));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(invalid("Sec-WebSocket-Version"));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or_else(|| invalid("Sec-WebSocket-Key"))?;
    let accept = derive_accept_key(key.as_bytes());
    Ok(HeaderValue::from_str(&accept).expect("base64 is visible ASCII"))
}

fn switching(accept: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    response
}

/// Whether a header that is a list has this token, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(origin: &'static str, host: &'static str) -> bool {
        is_same_host(&HeaderValue::from_static(origin), Some(&HeaderValue::from_static(host)))
    }

    #[test]
    fn only_a_page_of_the_same_host_is_at_home() {
        assert!(same("https://shop.example", "shop.example"));
        assert!(same("https://shop.example:443", "shop.example"));
        assert!(same("https://shop.example", "SHOP.example:443"));
        assert!(same("http://127.0.0.1:4000", "127.0.0.1:4000"));
        for foreign in [
            "https://shop.example.evil",
            "https://evil.example",
            "https://shop.example:444",
            "null",
            "file://",
            "ftp://shop.example",
            "https://",
        ] {
            assert!(!same(foreign, "shop.example"), "{foreign}");
        }
        assert!(!is_same_host(&HeaderValue::from_static("https://shop.example"), None));
    }
}
