//! A subscription as server-sent events: one HTTP request for each.
//!
//! Always: a body that ends without `complete` was cut, and the last item says so.

use std::collections::VecDeque;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::header::{HeaderMap, HeaderValue};
use kopitiam_executor::transport::TransportError;

use super::sse_decoder::{Event, SseDecoder};
use crate::subgraph_client::answer::{media_type, read_graphql};
use crate::subgraph_client::call::Call;

/// Alone: the protocol's reference server compares the whole value.
const ACCEPT_EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

type Item = Result<Bytes, TransportError>;

/// Opens a subscription.
///
/// # Errors
/// [`TransportError`] when it could not be opened.
pub(super) async fn open(call: &Call) -> Result<BoxStream<'static, Item>, TransportError> {
    let bytes_max = call.settings().response_bytes_max;
    let response = call.open(&ACCEPT_EVENTS).await?;
    if is_event_stream(response.headers()) && response.status().is_success() {
        return Ok(events(response.into_body(), bytes_max));
    }
    // A subgraph that refuses the operation may say why in a plain GraphQL response.
    let refusal = read_graphql(response, bytes_max).await?.body;
    Ok(stream::iter([Ok(refusal)]).boxed())
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}

struct Reading {
    body: BodyDataStream,
    decoder: SseDecoder,
    ready: VecDeque<Item>,
    ended: bool,
}

impl Reading {
    fn end_with(&mut self, error: TransportError) {
        self.ended = true;
        self.ready.push_back(Err(error));
    }

    fn decode(&mut self) {
        while !self.ended {
            match self.decoder.next_event() {
                Ok(Some(Event::Next(data))) => self.ready.push_back(Ok(data)),
                Ok(Some(Event::Complete)) => self.ended = true,
                Ok(None) => return,
                Err(_) => self.end_with(TransportError::TooLarge),
            }
        }
    }

    async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.ended {
                return None;
            }
            match self.body.next().await {
                Some(Ok(chunk)) => {
                    self.decoder.push(&chunk);
                    self.decode();
                }
                Some(Err(_)) | None => self.end_with(TransportError::Unreachable),
            }
        }
    }
}

/// The `next` events of a body.
fn events(body: Body, event_bytes_max: usize) -> BoxStream<'static, Item> {
    let reading = Reading {
        body: body.into_data_stream(),
        decoder: SseDecoder::new(event_bytes_max),
        ready: VecDeque::new(),
        ended: false,
    };
    stream::unfold(reading, |mut reading| async move {
        let item = reading.next().await?;
        Some((item, reading))
    })
    .boxed()
}
