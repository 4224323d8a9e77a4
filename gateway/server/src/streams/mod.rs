//! Streams of GraphQL responses to clients.
//!
//! - `sse.rs`: server-sent events, the distinct connections mode
//! - `multipart.rs`: `multipart/mixed`, as Apollo's clients take subscriptions, and as clients take `@defer`
//! - `body.rs`: what both have in common
//! - `websocket/`: `graphql-transport-ws`
//! - `census.rs`: how many are open, and whose
//!
//! Elsewhere: streams from subgraphs (`subgraph_client/streams/`), planning of a subscription (`kopitiam-planner`), going
//! on with another schema (`kopitiam-engine`).

mod body;
mod census;
mod multipart;
mod sse;
pub(crate) mod websocket;

use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::Response;
use http::header::HeaderValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::census::{Caps, Census, Full, Place};
use crate::http::{Carrier, StreamType};
use crate::options::SubscriptionSettings;

/// What all streams of one gateway share.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) settings: SubscriptionSettings,
    /// Origins whose pages may open a WebSocket, besides those of the gateway's own host.
    pub(crate) origins: Vec<HeaderValue>,
    pub(crate) sockets: Sockets,
}

/// The WebSockets and streams of a gateway; they outlive its settings. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sockets {
    /// How many sockets there are.
    pub(crate) census: Census,
    /// How many streams there are, whatever they go by.
    pub(crate) streams: Census,
    /// One task for each: a gateway that stops waits for them.
    pub(crate) tasks: TaskTracker,
}

impl Sockets {
    /// Waits until every socket is closed; they close by themselves when the gateway drains.
    pub(crate) async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The HTTP response whose body is a stream of responses.
pub(crate) fn http_response(
    form: StreamType,
    source: BoxStream<'static, Bytes>,
    keep_alive: Duration,
    ends: Ends,
) -> Response<Body> {
    match form {
        StreamType::Events => sse::response(source, keep_alive, ends),
        StreamType::Parts => multipart::subscription(source, keep_alive, ends),
    }
}

/// The HTTP response whose body is the payloads of one response.
pub(crate) fn incremental_response(
    carrier: Carrier,
    source: BoxStream<'static, Bytes>,
    keep_alive: Duration,
    ends: Ends,
) -> Response<Body> {
    match carrier {
        Carrier::Parts(parameter) => multipart::incremental(parameter, source, ends),
        Carrier::Events => sse::response(source, keep_alive, ends),
    }
}

/// When a stream ends other than by its source.
pub(crate) struct Ends {
    /// The server is shutting down, or other settings hold: the stream is cut without a proper end, so that the client
    /// connects anew.
    pub(crate) draining: CancellationToken,
    /// The credential it was opened with ends: the client is told, and the stream completes.
    pub(crate) credential: Option<SystemTime>,
}

impl Ends {
    /// For a stream of one answer, which is there already.
    pub(crate) fn never() -> Self {
        Self { draining: CancellationToken::new(), credential: None }
    }
}

/// A moment of the wall clock as one of the timer; without an end, one that no stream lives to see.
fn instant_of(end: Option<SystemTime>) -> Instant {
    const FAR: Duration = Duration::from_hours(24 * 365);
    let left = end.map_or(FAR, |end| end.duration_since(SystemTime::now()).unwrap_or_default());
    Instant::now() + left.min(FAR)
}
