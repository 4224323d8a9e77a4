//! Subscriptions of subgraphs: streams of GraphQL responses.
//!
//! In: a call whose operation is a subscription. Out: its responses as they come.
//! Always: a stream that ends without saying so was cut, and its last item says so; before that it is opened again.
//!
//! - `settings.rs`: what is spoken, and the bounds
//! - `reconnect.rs`: a source that breaks is opened again
//! - `events.rs`, `sse_decoder.rs`: server-sent events
//! - `websocket/`: `graphql-transport-ws`, many subscriptions on one socket
//!
//! Elsewhere: connections (`wire/`), streams to clients (`crate::streams`).

mod events;
mod reconnect;
mod settings;
mod sse_decoder;
mod websocket;

use bytes::Bytes;
use futures::stream::BoxStream;
use kopitiam_executor::transport::TransportError;

pub(super) use self::reconnect::{Source, again, source};
pub use self::settings::{SourceProtocol, SourceSettings};
pub(super) use self::websocket::Sockets;
use super::Target;
use super::call::Call;

/// Opens a subscription once.
async fn open(call: &Call) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
    let opening = async {
        match (call.settings().subscriptions.protocol, &call.route.target) {
            (SourceProtocol::Websocket, Target::Http(origin)) => websocket::open(call, origin).await,
            // A router of this process has no sockets.
            (SourceProtocol::Sse, _) | (_, Target::InProcess(_)) => events::open(call).await,
        }
    };
    call.admitted(opening).await
}
