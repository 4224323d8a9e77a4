//! Writes GraphQL responses as server-sent events.
//!
//! In: a stream of responses. Out: an HTTP response whose body has a `next` event for each and `complete` at the end.
//! Always: dropping the body, which a disconnected client causes, drops the source; an idle stream gets comments.
//! Elsewhere: reading such streams (`subgraph_client/sse_decoder.rs`).
//!
//! # Source
//! GraphQL over Server-Sent Events Protocol, "Distinct connections mode".

use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::http::error_body;

/// When a stream ends other than by its source.
pub(crate) struct Ends {
    /// The server is shutting down: the stream is cut without `complete`, so that the client connects anew elsewhere.
    pub(crate) draining: CancellationToken,
    /// The credential it was opened with ends: the client is told, and the stream completes.
    pub(crate) credential: Option<SystemTime>,
}

enum State {
    Open,
    /// The last `next` is out; `complete` follows.
    Completing,
    Closed,
}

struct Stream {
    source: BoxStream<'static, Bytes>,
    keep_alive: Interval,
    draining: std::pin::Pin<Box<WaitForCancellationFutureOwned>>,
    credential_end: std::pin::Pin<Box<tokio::time::Sleep>>,
    state: State,
}

/// The event stream of a source of GraphQL responses.
pub(crate) fn response(
    source: BoxStream<'static, Bytes>,
    keep_alive: Duration,
    ends: Ends,
) -> Response<Body> {
    let mut response = Response::new(Body::from_stream(frames(source, keep_alive, ends)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // nginx and others would hold events back to fill their buffers.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn frames(
    source: BoxStream<'static, Bytes>,
    period: Duration,
    ends: Ends,
) -> impl futures::Stream<Item = Result<Bytes, std::convert::Infallible>> + Send + 'static {
    // The first tick is immediate: its comment makes the headers reach the client before the first event.
    let mut keep_alive = tokio::time::interval(period);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Stream {
        source,
        keep_alive,
        draining: Box::pin(ends.draining.cancelled_owned()),
        credential_end: Box::pin(tokio::time::sleep_until(instant_of(ends.credential))),
        state: State::Open,
    };
    stream::unfold(stream, |mut stream| async move {
        let frame = stream.next_frame().await?;
        Some((Ok(frame), stream))
    })
}

impl Stream {
    async fn next_frame(&mut self) -> Option<Bytes> {
        match self.state {
            State::Closed => None,
            State::Completing => Some(self.complete()),
            State::Open => tokio::select! {
                biased;
                () = &mut self.draining => None,
                () = &mut self.credential_end => {
                    self.state = State::Completing;
                    Some(next_frame(&error_body("the access token has expired", "TOKEN_EXPIRED")))
                }
                item = self.source.next() => {
                    self.keep_alive.reset();
                    Some(item.map_or_else(|| self.complete(), |body| next_frame(&body)))
                }
                _ = self.keep_alive.tick() => Some(Bytes::from_static(b":\n\n")),
            },
        }
    }

    fn complete(&mut self) -> Bytes {
        self.state = State::Closed;
        Bytes::from_static(b"event: complete\ndata:\n\n")
    }
}

/// A moment of the wall clock as one of the timer; without an end, one that no stream lives to see.
fn instant_of(end: Option<SystemTime>) -> Instant {
    const FAR: Duration = Duration::from_hours(24 * 365);
    let left = end.map_or(FAR, |end| end.duration_since(SystemTime::now()).unwrap_or_default());
    Instant::now() + left.min(FAR)
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
    use super::*;

    async fn text(items: &[&'static str], ends: Ends) -> String {
        let source =
            stream::iter(items.iter().map(|item| Bytes::from_static(item.as_bytes())).collect::<Vec<_>>());
        let frames: Vec<_> = frames(source.boxed(), Duration::from_mins(1), ends).collect().await;
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
        let frames = frames(stream::pending().boxed(), Duration::from_mins(1), ends);
        let frames: Vec<_> = frames.map(Result::unwrap).collect().await;
        let text = String::from_utf8(frames.concat()).unwrap();
        assert!(text.contains("TOKEN_EXPIRED") && text.ends_with("event: complete\ndata:\n\n"), "{text}");
    }
}
