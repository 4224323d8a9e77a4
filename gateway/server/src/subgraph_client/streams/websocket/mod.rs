//! `graphql-transport-ws` to a subgraph: subscriptions of one credential share sockets.
//!
//! In: a call. Out: the subscription's responses.
//! Always: a socket is opened with what its subscriptions have in common and nothing of one alone: the headers that an
//! answer may depend on, and the client's address where subgraphs are told it. Sockets are bounded in number, their
//! subscriptions too, and what waits for one slow client is bounded in bytes and never holds up the others.
//!
//! - `socket.rs`: one socket, run by a task of its own
//! - `messages.rs`: what is said on it
//!
//! # Source
//! GraphQL over WebSocket Protocol (`graphql-transport-ws`).

mod messages;
mod socket;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::header::{HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use kopitiam_executor::transport::TransportError;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use self::socket::{Command, Waiting};
use crate::streams::websocket::SUBPROTOCOL;
use crate::subgraph_client::call::Call;
use crate::subgraph_client::signature::SIGNATURE;
use crate::subgraph_client::wire::Origin;

/// The sockets to one subgraph. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(in crate::subgraph_client) struct Sockets(Arc<Mutex<Vec<Handle>>>);

/// One socket as its subscriptions see it.
#[derive(Debug, Clone)]
struct Handle {
    headers: Arc<HeaderMap>,
    /// Has room for the beginning and the end of every subscription that may be on it.
    commands: mpsc::Sender<Command>,
    /// Subscriptions on it, until the socket knows that they are gone.
    load: Arc<AtomicUsize>,
}

/// A subscription's place on a socket; the subgraph is told when it is dropped.
struct Place {
    id: u64,
    handle: Handle,
}

impl Drop for Place {
    fn drop(&mut self) {
        let load = Arc::clone(&self.handle.load);
        // The socket may be gone: then so is the subscription.
        let _ = self.handle.commands.try_send(Command::Complete { id: self.id, load });
    }
}

/// Sockets that are tried for one subscription: one that ends just then is normal, several in a row are not.
const TRIES_MAX: usize = 4;

/// Opens a subscription on a socket that others may use, too.
pub(super) async fn open(
    call: &Call,
    origin: &Origin,
) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
    for _ in 0..TRIES_MAX {
        let handle = find(call, origin)?;
        let id = rand::random();
        let (waiting, items) = Waiting::new(call.settings().subscriptions.buffer_bytes_max);
        let (sent, is_sent) = tokio::sync::oneshot::channel();
        let place = Place { id, handle: handle.clone() };
        let command = Command::Subscribe { id, body: call.body.clone(), waiting, sent };
        match handle.commands.try_send(command) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(TransportError::Overloaded),
            Err(TrySendError::Closed(_)) => continue,
        }
        match is_sent.await {
            Ok(sent) => sent?,
            // The socket was just being closed for want of subscriptions, or broke before it asked: take another one.
            Err(_) => continue,
        }
        let items = stream::unfold((items, place), |(mut items, place)| async move {
            let item = items.next().await?;
            Some((item, (items, place)))
        });
        return Ok(items.boxed());
    }
    Err(TransportError::Unreachable)
}

/// A socket with room for one more subscription; its place is taken.
fn find(call: &Call, origin: &Origin) -> Result<Handle, TransportError> {
    let settings = &call.settings().subscriptions;
    let headers = call.context.socket_headers(&call.plan);
    let mut sockets = call.route.sockets.0.lock().unwrap_or_else(PoisonError::into_inner);
    sockets.retain(|socket| !socket.commands.is_closed());
    let known = sockets.iter().find(|socket| {
        *socket.headers == headers && socket.load.load(Ordering::SeqCst) < settings.per_socket_max
    });
    if let Some(known) = known {
        known.load.fetch_add(1, Ordering::SeqCst);
        return Ok(known.clone());
    }
    if sockets.len() >= settings.sockets_max {
        return Err(TransportError::Overloaded);
    }
    let request = handshake(call, origin, &headers)?;
    let room = settings.per_socket_max.saturating_mul(2).clamp(2, Semaphore::MAX_PERMITS);
    let (commands, receiver) = mpsc::channel(room);
    let introduction = messages::init(&headers);
    let handle = Handle { headers: Arc::new(headers), commands, load: Arc::new(AtomicUsize::new(1)) };
    tokio::spawn(socket::run(call.clone(), request, introduction, receiver));
    sockets.push(handle.clone());
    Ok(handle)
}

fn handshake(call: &Call, origin: &Origin, headers: &HeaderMap) -> Result<Request, TransportError> {
    let path = call.settings().subscriptions.websocket_path.as_deref().unwrap_or(origin.address.target());
    let uri = format!("ws://{}{path}", origin.address.authority());
    let mut request = uri.into_client_request().map_err(|_| TransportError::Unreachable)?;
    for (name, value) in headers {
        request.headers_mut().append(name.clone(), value.clone());
    }
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Some(key) = &call.settings().signing {
        let signature = key.sign("GET", path, call.credential().as_ref(), &[]);
        request.headers_mut().insert(HeaderName::from(&SIGNATURE), signature);
    }
    Ok(request)
}
