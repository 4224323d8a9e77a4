//! What gateway and subgraph say on a socket.

use bytes::Bytes;
use http::header::HeaderMap;
use serde_json::{Map, Value};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::streams::websocket::Envelope;

/// What a subgraph says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Ack,
    Ping,
    Pong,
    /// A response.
    Next(u64, Bytes),
    /// The operation was refused: a response of errors.
    Error(u64, Bytes),
    Complete(u64),
    /// Of an operation that is not ours, or nothing that is known.
    Other,
}

impl Said {
    /// `None`: no message of the protocol.
    pub(super) fn parse(text: &Utf8Bytes) -> Option<Self> {
        let envelope: Envelope<'_> = serde_json::from_str(text).ok()?;
        let id = envelope.id.and_then(|id| id.parse().ok());
        let bytes: &Bytes = text.as_ref();
        let payload = || envelope.payload.map(|payload| bytes.slice_ref(payload.get().as_bytes()));
        let said = match (&*envelope.kind, id) {
            ("connection_ack", _) => Self::Ack,
            ("ping", _) => Self::Ping,
            ("pong", _) => Self::Pong,
            ("next", Some(id)) => Self::Next(id, payload()?),
            ("error", Some(id)) => Self::Error(id, [b"{\"errors\":", &*payload()?, b"}"].concat().into()),
            ("complete", Some(id)) => Self::Complete(id),
            _ => Self::Other,
        };
        Some(said)
    }
}

/// The introduction. Many subgraphs read the credential from here and not from the handshake.
pub(super) fn init(headers: &HeaderMap) -> Utf8Bytes {
    let texts = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), Value::String(value.to_str().ok()?.to_owned())))
    });
    let payload: Map<String, Value> = texts.collect();
    if payload.is_empty() {
        return Utf8Bytes::from_static(r#"{"type":"connection_init"}"#);
    }
    format!(r#"{{"type":"connection_init","payload":{}}}"#, Value::Object(payload)).into()
}

/// Asks for a subscription; `body` is the GraphQL request as JSON.
pub(super) fn subscribe(id: u64, body: &[u8]) -> Utf8Bytes {
    let body = String::from_utf8_lossy(body);
    format!(r#"{{"type":"subscribe","id":"{id}","payload":{body}}}"#).into()
}

/// Ends a subscription.
pub(super) fn complete(id: u64) -> Utf8Bytes {
    format!(r#"{{"type":"complete","id":"{id}"}}"#).into()
}

/// The answer to `ping`.
pub(super) const PONG: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"pong"}"#);

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, HeaderValue};

    use super::*;

    #[test]
    fn a_response_is_taken_out_of_its_message_byte_for_byte() {
        let said = |text: &'static str| Said::parse(&Utf8Bytes::from_static(text));
        assert_eq!(
            said(r#"{"type":"next","id":"7","payload":{"data": 1.50}}"#),
            Some(Said::Next(7, Bytes::from_static(br#"{"data": 1.50}"#)))
        );
        assert_eq!(
            said(r#"{"id":"7","type":"error","payload":[{"message":"m"}]}"#),
            Some(Said::Error(7, Bytes::from_static(br#"{"errors":[{"message":"m"}]}"#)))
        );
        assert_eq!(said(r#"{"type":"complete","id":"7"}"#), Some(Said::Complete(7)));
        assert_eq!(said(r#"{"type":"next","id":"x","payload":{}}"#), Some(Said::Other));
        assert_eq!(said("{"), None);
        assert_eq!(said(r#"{"type":"next","id":"7"}"#), None);
    }

    #[test]
    fn the_introduction_has_the_credential() {
        let mut headers = HeaderMap::new();
        assert_eq!(init(&headers).as_str(), r#"{"type":"connection_init"}"#);
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer t"));
        assert_eq!(
            init(&headers).as_str(),
            r#"{"type":"connection_init","payload":{"authorization":"Bearer t"}}"#
        );
    }
}
