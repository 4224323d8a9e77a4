//! Writes GraphQL responses as the parts of a `multipart/mixed` body.
//!
//! In: a stream of responses. Out: an HTTP response; each response is one part.
//! Always: a part ends with the delimiter of the next one, without which clients do not see it.
//!
//! # Source
//! RFC 2046, section 5.1; Apollo, "Multipart HTTP protocol for GraphQL subscriptions" (`subscriptionSpec=1.0`): a
//! response stands in `payload`, and an empty object is a heartbeat.

use std::time::Duration;

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::BoxStream;
use http::Response;

use super::Ends;
use super::body::{self, Form};

const SUBSCRIPTION_TYPE: &str = "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0";
const DELIMITER: &[u8] = b"\r\n--graphql";
const PART_HEADERS: &[u8] = b"\r\ncontent-type: application/json\r\n\r\n";

/// A subscription's responses.
pub(crate) fn subscription(
    source: BoxStream<'static, Bytes>,
    keep_alive: Duration,
    ends: Ends,
) -> Response<Body> {
    body::response(SUBSCRIPTION_TYPE, body::chunks(Subscription(Parts::default()), source, keep_alive, ends))
}

/// The payloads of one response, with the parameter of the media type that names their format.
pub(crate) fn incremental(
    parameter: Option<&'static str>,
    source: BoxStream<'static, Bytes>,
    ends: Ends,
) -> Response<Body> {
    let content_type = match parameter {
        Some("deferSpec=20220824") => "multipart/mixed;boundary=\"graphql\";deferSpec=20220824",
        Some(_) => "multipart/mixed;boundary=\"graphql\";incrementalSpec=v0.2",
        None => "multipart/mixed;boundary=\"graphql\"",
    };
    body::response(content_type, body::chunks(Payloads(Parts::default()), source, NO_SIGNS, ends))
}

/// Clients know no sign of life among the payloads of a response; its time is limited anyhow.
const NO_SIGNS: Duration = Duration::from_hours(24);

#[derive(Default)]
struct Parts {
    has_begun: bool,
}

struct Subscription(Parts);

struct Payloads(Parts);

impl Form for Payloads {
    fn alive(&mut self) -> Bytes {
        // A line before the first delimiter means nothing (RFC 2046, section 5.1.1 "preamble").
        Bytes::from_static(b"\r\n")
    }

    fn next(&mut self, response: &[u8]) -> Bytes {
        self.0.part(|part| part.put_slice(response))
    }

    fn complete(&mut self) -> Bytes {
        Bytes::from_static(b"--\r\n")
    }
}

impl Parts {
    fn part(&mut self, write: impl FnOnce(&mut BytesMut)) -> Bytes {
        let mut part = BytesMut::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            part.put_slice(DELIMITER);
        }
        part.put_slice(PART_HEADERS);
        write(&mut part);
        part.put_slice(DELIMITER);
        part.freeze()
    }
}

impl Form for Subscription {
    fn alive(&mut self) -> Bytes {
        self.0.part(|part| part.put_slice(b"{}"))
    }

    fn next(&mut self, response: &[u8]) -> Bytes {
        self.0.part(|part| {
            part.reserve(response.len() + 32);
            part.put_slice(b"{\"payload\":");
            part.put_slice(response);
            part.put_slice(b"}");
        })
    }

    fn complete(&mut self) -> Bytes {
        if self.0.has_begun {
            Bytes::from_static(b"--\r\n")
        } else {
            Bytes::from_static(b"\r\n--graphql--\r\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use futures::stream;
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn each_response_is_a_part_that_the_next_delimiter_ends() {
        let source =
            stream::iter(["{\"data\":1}", "{\"data\":2}"].map(|item| Bytes::from_static(item.as_bytes())));
        let ends = Ends { draining: CancellationToken::new(), credential: None };
        let chunks =
            body::chunks(Subscription(Parts::default()), source.boxed(), Duration::from_mins(1), ends);
        let chunks: Vec<Bytes> = chunks.map(Result::unwrap).collect().await;
        let head = "\r\ncontent-type: application/json\r\n\r\n";
        let text =
            String::from_utf8(chunks.concat()).unwrap().replace(&format!("{head}{{}}\r\n--graphql"), "");
        assert_eq!(
            text,
            format!(
                "\r\n--graphql{head}{{\"payload\":{{\"data\":1}}}}\r\n--graphql{head}{{\"payload\":{{\"data\":2}}}}\r\n--graphql--\r\n"
            )
        );
        assert!(chunks.iter().rev().skip(1).all(|chunk| chunk.ends_with(DELIMITER)));
    }
}
