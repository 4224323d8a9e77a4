//! A stream of responses as the body of one HTTP response, whatever its form.
//!
//! In: responses, and how a form writes them. Out: chunks of a body.
//! Always: dropping the body, which a disconnected client causes, drops the source; an idle stream gets a sign of life; a
//! response is asked for only when the client takes more.
//! Elsewhere: the forms (`sse.rs`, `multipart.rs`).

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tokio::time::{Interval, MissedTickBehavior, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Ends, instant_of};
use crate::http::error_body;

/// How a form writes a stream.
pub(super) trait Form: Send + 'static {
    /// What tells the client that the stream lives; the first one comes at once, so that the headers do.
    fn alive(&mut self) -> Bytes;
    /// One response.
    fn next(&mut self, response: &[u8]) -> Bytes;
    /// The proper end.
    fn complete(&mut self) -> Bytes;
}

enum State {
    Open,
    /// The last response is out; the end follows.
    Completing,
    Closed,
}

struct Stream<F> {
    form: F,
    source: BoxStream<'static, Bytes>,
    keep_alive: Interval,
    draining: Pin<Box<WaitForCancellationFutureOwned>>,
    credential_end: Pin<Box<Sleep>>,
    state: State,
}

/// An HTTP response whose body is the stream.
pub(super) fn response(
    content_type: &'static str,
    chunks: impl futures::Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response<Body> {
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // nginx and others would hold events back to fill their buffers.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// The body's chunks.
pub(super) fn chunks<F: Form>(
    form: F,
    source: BoxStream<'static, Bytes>,
    period: Duration,
    ends: Ends,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    let mut keep_alive = tokio::time::interval(period);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Stream {
        form,
        source,
        keep_alive,
        draining: Box::pin(ends.draining.cancelled_owned()),
        credential_end: Box::pin(tokio::time::sleep_until(instant_of(ends.credential))),
        state: State::Open,
    };
    stream::unfold(stream, |mut stream| async move {
        let chunk = stream.next_chunk().await?;
        Some((Ok(chunk), stream))
    })
}

impl<F: Form> Stream<F> {
    async fn next_chunk(&mut self) -> Option<Bytes> {
        match self.state {
            State::Closed => None,
            State::Completing => Some(self.complete()),
            State::Open => tokio::select! {
                biased;
                () = &mut self.draining => None,
                () = &mut self.credential_end => {
                    self.state = State::Completing;
                    Some(self.form.next(&error_body("the access token has expired", "TOKEN_EXPIRED")))
                }
                item = self.source.next() => {
                    self.keep_alive.reset();
                    Some(match item {
                        Some(body) => self.form.next(&body),
                        None => self.complete(),
                    })
                }
                _ = self.keep_alive.tick() => Some(self.form.alive()),
            },
        }
    }

    fn complete(&mut self) -> Bytes {
        self.state = State::Closed;
        self.form.complete()
    }
}
