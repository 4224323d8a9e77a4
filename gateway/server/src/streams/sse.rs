//! Writes GraphQL responses as server-sent events.
//!
//! In: a stream of responses. Out: an HTTP response whose body has a `next` event for each and `complete` at the end.
//! Always: an idle stream gets comments.
//! Elsewhere: when a stream ends (`body.rs`), reading such streams (`subgraph_client/streams/`).
//!
//! # Source
//! GraphQL over Server-Sent Events Protocol, "Distinct connections mode".

use std::time::Duration;

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::BoxStream;
use http::Response;

use super::Ends;
use super::body::{self, Form};

/// The event stream of a source of GraphQL responses.
pub(crate) fn response(
    source: BoxStream<'static, Bytes>,
    keep_alive: Duration,
    ends: Ends,
) -> Response<Body> {
    body::response("text/event-stream; charset=utf-8", body::chunks(Events, source, keep_alive, ends))
}

struct Events;

impl Form for Events {
    fn alive(&mut self) -> Bytes {
        Bytes::from_static(b":\n\n")
    }

    fn next(&mut self, response: &[u8]) -> Bytes {
        next_frame(response)
    }

    fn complete(&mut self) -> Bytes {
        Bytes::from_static(b"event: complete\ndata:\n\n")
    }
}

/// One `next` event. A line break inside the JSON can only be white space between tokens, so a `data` line for each
/// part means the same.
fn next_frame(body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(body.len() + 24);
    frame.put_slice(b"event: next\n");
    for line in body.split(|byte| matches!(byte, b'\n' | b'\r')) {
        frame.put_slice(b"data: ");
        frame.put_slice(line);
        frame.put_u8(b'\n');
    }
    frame.put_u8(b'\n');
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use futures::stream::{self, StreamExt};
    use tokio_util::sync::CancellationToken;

    use super::*;

    async fn text(items: &[&'static str], ends: Ends) -> String {
        let source =
            stream::iter(items.iter().map(|item| Bytes::from_static(item.as_bytes())).collect::<Vec<_>>());
        let frames: Vec<_> =
            body::chunks(Events, source.boxed(), Duration::from_mins(1), ends).collect().await;
        let bytes: Vec<u8> = frames.into_iter().flat_map(Result::unwrap).collect();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn each_response_is_a_next_event_and_the_end_is_complete() {
        let ends = Ends { draining: CancellationToken::new(), credential: None };
        let text = text(&["{\"data\":1}", "{\n}"], ends).await;
        let events: String = text.split_inclusive("\n\n").filter(|block| !block.starts_with(':')).collect();
        assert_eq!(
            events,
            "event: next\ndata: {\"data\":1}\n\nevent: next\ndata: {\ndata: }\n\nevent: complete\ndata:\n\n"
        );
    }

    #[tokio::test]
    async fn a_draining_server_cuts_the_stream_without_complete() {
        let draining = CancellationToken::new();
        draining.cancel();
        assert_eq!(text(&["{}"], Ends { draining, credential: None }).await, "");
    }

    #[tokio::test]
    async fn a_stream_ends_with_the_credential_it_was_opened_with() {
        let ends = Ends { draining: CancellationToken::new(), credential: Some(SystemTime::now()) };
        let frames = body::chunks(Events, stream::pending().boxed(), Duration::from_mins(1), ends);
        let frames: Vec<_> = frames.map(Result::unwrap).collect().await;
        let text = String::from_utf8(frames.concat()).unwrap();
        assert!(text.contains("TOKEN_EXPIRED") && text.ends_with("event: complete\ndata:\n\n"), "{text}");
    }
}
