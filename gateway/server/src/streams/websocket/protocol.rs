//! The messages of `graphql-transport-ws`, and the codes a socket is closed with.
//!
//! In: a text frame. Out: what the client says; and the text of what it is told.
//! Always: a message that is not exactly of the protocol is refused; what the client wrote is not repeated, but for ids.
//!
//! # Source
//! GraphQL over WebSocket Protocol (`graphql-transport-ws`), version of graphql-ws 6.

use std::borrow::Cow;

use ::http::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::documents::ClientRequest;
use crate::http::{NamedFormat, request as http};

/// The name of the protocol in the handshake.
pub(crate) const SUBPROTOCOL: &str = "graphql-transport-ws";

/// What a client says.
#[derive(Debug)]
pub(super) enum ClientMessage {
    /// It introduces itself.
    Init(Introduction),
    Ping,
    Pong,
    Subscribe {
        id: String,
        request: Box<ClientRequest>,
    },
    Complete {
        id: String,
    },
}

/// The payload of `connection_init`, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Introduction {
    /// The credential: `authorization`, whatever its case, at the top or in `headers`.
    pub(super) authorization: Option<HeaderValue>,
    /// `incrementalSpec` or `deferSpec`, as in the `Accept` header.
    pub(super) incremental: NamedFormat,
}

/// The text is no message of the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// What a message of either side looks like.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) payload: Option<&'a RawValue>,
}

impl ClientMessage {
    /// Reads a text frame.
    ///
    /// # Errors
    /// [`Malformed`] when the socket has to be closed for it.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        // A list would be read as the members in their order.
        if !text.trim_start().starts_with('{') {
            return Err(Malformed("a message is a JSON object"));
        }
        let envelope: Envelope<'_> =
            serde_json::from_str(text).map_err(|_| Malformed("a message has a type, and may have an id"))?;
        let payload = envelope.payload.map(RawValue::get);
        if payload.is_some_and(|payload| !payload.starts_with('{')) {
            return Err(Malformed("a payload is a JSON object"));
        }
        let id = || match envelope.id.as_deref() {
            Some(id) if !id.is_empty() => Ok(id.to_owned()),
            _ => Err(Malformed("the id is missing")),
        };
        match &*envelope.kind {
            "connection_init" => payload.map_or(Ok(Self::Init(Introduction::default())), |payload| {
                Introduction::parse(payload).map(Self::Init)
            }),
            "ping" => Ok(Self::Ping),
            "pong" => Ok(Self::Pong),
            "subscribe" => {
                let payload = payload.ok_or(Malformed("subscribe needs a payload"))?;
                Ok(Self::Subscribe { id: id()?, request: Box::new(request(payload)?) })
            }
            "complete" => Ok(Self::Complete { id: id()? }),
            _ => Err(Malformed("this type is unknown, or the server's to send")),
        }
    }
}

fn request(payload: &str) -> Result<ClientRequest, Malformed> {
    http::one(payload.as_bytes()).map_err(|_| Malformed("the payload of subscribe is not a GraphQL request"))
}

impl Introduction {
    fn parse(payload: &str) -> Result<Self, Malformed> {
        let unreadable = Malformed("the payload of connection_init cannot be read");
        let members: serde_json::Map<String, Value> =
            serde_json::from_str(payload).map_err(|_| unreadable)?;
        let nested = members.get("headers").and_then(Value::as_object);
        let named = |members: &serde_json::Map<String, Value>| {
            let found = members.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            found.map(|(_, value)| value.clone())
        };
        let authorization = match named(&members).or_else(|| nested.and_then(named)) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(
                HeaderValue::from_str(&text).map_err(|_| Malformed("authorization is no header value"))?,
            ),
            Some(_) => return Err(Malformed("authorization is a text")),
        };
        let spec = |name: &str| members.get(name).and_then(Value::as_str);
        let incremental = NamedFormat::of(spec("incrementalSpec"), spec("deferSpec"));
        Ok(Self { authorization, incremental })
    }
}

/// Why a socket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// The server stops; another one may be there.
    GoingAway,
    /// Other settings hold; whoever connects anew comes under them.
    Retired,
    /// A message is larger than allowed.
    TooLarge,
    /// A text frame is no UTF-8, or a frame is no frame.
    NotWebSocket,
    Malformed(&'static str),
    /// An operation before `connection_init` was acknowledged.
    Unauthorized,
    /// The credential does not hold, or has ended.
    Forbidden(&'static str),
    InitTimeout,
    IdInUse,
    SecondInit,
    /// More pings and pongs than keep a connection alive.
    PingFlood,
    /// Nothing came from the client for too long.
    Silent,
    /// The subject of the token has as many sockets as it may.
    TooMany,
    /// Something that is nobody's fault outside: keys that cannot be had.
    TryLater,
}

impl Close {
    /// The code, and the reason in words: at most 123 bytes.
    pub(super) fn code_and_reason(self) -> (u16, &'static str) {
        match self {
            Self::GoingAway => (1001, "going away"),
            Self::Retired => (1012, "the settings have changed"),
            Self::TooLarge => (1009, "the message is too large"),
            Self::NotWebSocket => (1002, "protocol error"),
            Self::Malformed(reason) => (4400, reason),
            Self::Unauthorized => (4401, "Unauthorized"),
            Self::Forbidden(reason) => (4403, reason),
            Self::InitTimeout => (4408, "Connection initialisation timeout"),
            Self::IdInUse => (4409, "Subscriber for this id already exists"),
            Self::SecondInit => (4429, "Too many initialisation requests"),
            Self::PingFlood => (4429, "Too many pings"),
            Self::Silent => (1001, "no sign of life"),
            Self::TooMany => (1013, "too many WebSockets are open"),
            Self::TryLater => (1013, "try again later"),
        }
    }
}

/// `connection_ack`.
pub(super) const ACK: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"connection_ack"}"#);
/// `pong`; without the payload of the `ping`, so that an answer is never larger than what it answers.
pub(super) const PONG: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"pong"}"#);

/// One response of an operation.
pub(super) fn next(id: &str, body: &[u8]) -> Utf8Bytes {
    frame("next", id, Some(body))
}

/// An operation that was refused: nothing follows.
///
/// `body` is a GraphQL response with errors and without data.
pub(super) fn error(id: &str, body: &[u8]) -> Utf8Bytes {
    #[derive(Deserialize)]
    struct Refused<'a> {
        #[serde(borrow)]
        errors: &'a RawValue,
    }
    let refused: Refused<'_> = serde_json::from_slice(body).expect("a refusal is JSON with errors");
    frame("error", id, Some(refused.errors.get().as_bytes()))
}

/// An operation that is done.
pub(super) fn complete(id: &str) -> Utf8Bytes {
    frame("complete", id, None)
}

fn frame(kind: &str, id: &str, payload: Option<&[u8]>) -> Utf8Bytes {
    let id = serde_json::to_string(id).expect("a string is JSON");
    let payload = payload.unwrap_or_default();
    let mut text = Vec::with_capacity(payload.len() + id.len() + 40);
    text.extend_from_slice(b"{\"type\":\"");
    text.extend_from_slice(kind.as_bytes());
    text.extend_from_slice(b"\",\"id\":");
    text.extend_from_slice(id.as_bytes());
    if !payload.is_empty() {
        text.extend_from_slice(b",\"payload\":");
        text.extend_from_slice(payload);
    }
    text.push(b'}');
    // A response is UTF-8 unless a subgraph's was not: then the client gets what can be read of it.
    let text = String::from_utf8(text)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_protocol_is_refused() {
        for text in [
            "{",
            "[]",
            r#"["ping"]"#,
            "7",
            r#"{"id":"1"}"#,
            r#"{"type":7}"#,
            r#"{"type":"nonsense"}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","id":"1","payload":["{a}"]}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":"x"}}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"connection_init","payload":"x"}"#,
            r#"{"type":"connection_init","payload":{"authorization":{}}}"#,
        ] {
            assert!(ClientMessage::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_credential_is_found_where_clients_put_it() {
        for payload in [
            r#"{"authorization":"Bearer t"}"#,
            r#"{"Authorization":"Bearer t"}"#,
            r#"{"headers":{"Authorization":"Bearer t"},"x-user-id":"7"}"#,
        ] {
            let text = format!(r#"{{"type":"connection_init","payload":{payload}}}"#);
            let Ok(ClientMessage::Init(introduction)) = ClientMessage::parse(&text) else {
                panic!("{payload}");
            };
            assert_eq!(introduction.authorization.unwrap(), "Bearer t");
        }
        for text in [r#"{"type":"connection_init"}"#, r#"{"type":"connection_init","payload":null}"#] {
            let Ok(ClientMessage::Init(introduction)) = ClientMessage::parse(text) else { panic!("{text}") };
            assert!(introduction.authorization.is_none());
        }
    }

    #[test]
    fn frames_carry_the_id_as_the_client_wrote_it() {
        assert_eq!(
            next("a\"b", b"{\"data\":1}").as_str(),
            r#"{"type":"next","id":"a\"b","payload":{"data":1}}"#
        );
        assert_eq!(
            error("1", br#"{"errors":[{"message":"m"}]}"#).as_str(),
            r#"{"type":"error","id":"1","payload":[{"message":"m"}]}"#
        );
        assert_eq!(complete("1").as_str(), r#"{"type":"complete","id":"1"}"#);
    }

    #[test]
    fn every_reason_fits_into_a_close_frame() {
        let longest = [Close::IdInUse, Close::Malformed("the payload of subscribe is not a GraphQL request")];
        assert!(longest.iter().all(|close| close.code_and_reason().1.len() <= 123));
    }
}
