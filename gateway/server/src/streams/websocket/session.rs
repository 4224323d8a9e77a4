//! One socket of `graphql-transport-ws`, from the handshake to its end.
//!
//! In: an open WebSocket and who opened it. Out: nothing; returns when the socket is closed.
//! Always: one task for each socket, which also drives its operations: an operation that the client completes is dropped
//! at once and never heard of again. What waits for the client is bounded in bytes, and so is the time it may wait.
//! Elsewhere: the messages (`protocol.rs`), what waits (`outbox.rs`), whether an operation may run (`http/operation.rs`).

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::{AbortHandle, Abortable, Aborted, BoxFuture};
use futures::stream::{FuturesUnordered, SplitSink, SplitStream};
use futures::{FutureExt, SinkExt, StreamExt};
use http::header::{AUTHORIZATION, HeaderMap};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::identify;
use super::outbox::{Outbox, Overflow};
use super::protocol::{self, ClientMessage, Close, Introduction, Malformed};
use crate::auth::{AuthError, Verified};
use crate::documents::ClientRequest;
use crate::http::{App, NamedFormat, Visitor, error_body};
use crate::options::SubscriptionSettings;
use crate::streams::websocket::operation::{self, Refused};
use crate::streams::{Place, instant_of};

/// How long a client may take to close its side once it was told to.
const FAREWELL: Duration = Duration::from_secs(2);

/// Pings and pongs of a client in [`PINGS_WINDOW`], as frames and as messages. Without a bound a client that takes nothing
/// has its pongs kept by the library until it is found out.
const PINGS_MAX: u32 = 100;
const PINGS_WINDOW: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Who is at the other end.
pub(super) struct Session {
    pub(super) app: Arc<App>,
    pub(super) visitor: Visitor,
    /// By the header of the handshake; what `connection_init` says replaces it.
    pub(super) verified: Option<Verified>,
    /// Among the sockets of that subject.
    pub(super) subject_place: Option<Place>,
}

/// Why a session is over.
enum End {
    /// The client is told why.
    Close(Close),
    /// The client closes, and hears that we know.
    Closed,
    /// Nothing can be told: the client has gone, or takes nothing.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl From<Malformed> for End {
    fn from(Malformed(reason): Malformed) -> Self {
        Self::Close(Close::Malformed(reason))
    }
}

impl From<Overflow> for End {
    fn from(_: Overflow) -> Self {
        Self::Gone
    }
}

/// Serves a socket until it is closed.
pub(super) async fn serve(socket: Socket, session: Session) {
    let settings = session.app.streams.settings.clone();
    let (draining, retired) = (session.app.ending.draining.clone(), session.app.retired.clone());
    let (sink, mut source) = socket.split();
    let outbox = Outbox::new(settings.buffer_bytes_max);
    let mut writing = pin!(write(outbox.clone(), sink, settings.slow_client_timeout));
    let conversation = Conversation::new(session, &settings, outbox.clone());
    let end = tokio::select! {
        end = conversation.run(&mut source, draining, retired) => end,
        () = &mut writing => End::Gone,
    };
    match end {
        End::Close(close) => {
            let (code, reason) = close.code_and_reason();
            tracing::debug!(code, reason, "a WebSocket is closed");
            outbox.close(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
            writing.await;
        }
        End::Closed => {}
        End::Gone => return,
    }
    // Closing at once could make the network drop what the client has not read yet, the reason included. Reading on also
    // writes the answer to a client's own farewell (RFC 6455, section 5.5.1), which the library has at hand.
    let farewell = async { while let Some(Ok(_)) = source.next().await {} };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

/// Writes what waits, until it ends or the client takes nothing for too long.
async fn write(outbox: Outbox, mut sink: SplitSink<Socket, Message>, timeout: Duration) {
    while let Some(message) = outbox.next().await {
        match tokio::time::timeout(timeout, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "a WebSocket broke");
                return;
            }
            Err(_) => {
                tracing::info!("a client of a WebSocket takes nothing and is cut off");
                return;
            }
        }
    }
}

/// An operation that runs.
struct Running {
    number: u64,
    abort: AbortHandle,
}

/// An operation's end: which one, and its last message.
struct Done {
    id: String,
    number: u64,
    last: tungstenite::Utf8Bytes,
}

struct Conversation {
    session: Session,
    outbox: Outbox,
    operations_max: usize,
    is_acknowledged: bool,
    init_deadline: Pin<Box<Sleep>>,
    credential_end: Pin<Box<Sleep>>,
    ping: Interval,
    /// Pings since the client was last heard of.
    unanswered: u32,
    /// The client's pings and pongs in the current window, and when that began.
    pings: (u32, Instant),
    running: HashMap<String, Running>,
    next_number: u64,
    operations: FuturesUnordered<Abortable<BoxFuture<'static, Done>>>,
    /// Operations that are not answered yet and no streams; closed when the session takes no more of them.
    requests: TaskTracker,
    /// How the client takes responses in several payloads.
    incremental: NamedFormat,
}

impl Conversation {
    fn new(session: Session, settings: &SubscriptionSettings, outbox: Outbox) -> Self {
        let websocket = &settings.websocket;
        let mut ping =
            tokio::time::interval_at(Instant::now() + websocket.ping_interval, websocket.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let expiry = session.verified.as_ref().map(|verified| verified.expires_at);
        Self {
            session,
            outbox,
            operations_max: websocket.operations_max,
            is_acknowledged: false,
            init_deadline: Box::pin(tokio::time::sleep(websocket.init_timeout)),
            credential_end: Box::pin(tokio::time::sleep_until(instant_of(expiry))),
            ping,
            unanswered: 0,
            pings: (0, Instant::now()),
            running: HashMap::new(),
            next_number: 0,
            operations: FuturesUnordered::new(),
            requests: TaskTracker::new(),
            incremental: NamedFormat::default(),
        }
    }

    async fn run(
        mut self,
        source: &mut SplitStream<Socket>,
        draining: CancellationToken,
        retired: CancellationToken,
    ) -> End {
        loop {
            let step = tokio::select! {
                biased;
                () = draining.cancelled() => Err(Close::GoingAway.into()),
                () = retired.cancelled(), if !self.requests.is_closed() => {
                    self.requests.close();
                    Ok(())
                }
                () = &mut self.credential_end => Err(Close::Forbidden("the access token has expired").into()),
                () = &mut self.init_deadline, if !self.is_acknowledged => Err(Close::InitTimeout.into()),
                _ = self.ping.tick() => self.look_after_client(),
                Some(done) = self.operations.next(), if !self.operations.is_empty() => self.finish(done),
                // After what is done, whose last message comes before the farewell.
                () = self.requests.wait() => Err(Close::Retired.into()),
                message = source.next() => self.hear(message).await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn look_after_client(&mut self) -> Result<(), End> {
        if self.unanswered >= 2 {
            return Err(Close::Silent.into());
        }
        self.unanswered += 1;
        Ok(self.outbox.push_now(Message::Ping(bytes::Bytes::new()))?)
    }

    async fn hear(&mut self, message: Option<tungstenite::Result<Message>>) -> Result<(), End> {
        self.unanswered = 0;
        match message {
            Some(Ok(Message::Text(text))) => self.answer(ClientMessage::parse(&text)?).await,
            // The library answers pings by itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.count_ping(),
            Some(Ok(Message::Binary(_))) => Err(Close::Malformed("a message is a text frame").into()),
            Some(Ok(Message::Close(_))) => Err(End::Closed),
            Some(Ok(Message::Frame(_))) | None => Err(End::Gone),
            Some(Err(error)) => Err(end_of(&error)),
        }
    }

    fn count_ping(&mut self) -> Result<(), End> {
        let (count, began) = &mut self.pings;
        if began.elapsed() >= PINGS_WINDOW {
            (*count, *began) = (0, Instant::now());
        }
        *count += 1;
        if *count > PINGS_MAX { Err(Close::PingFlood.into()) } else { Ok(()) }
    }

    async fn answer(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::Init(introduction) => self.init(introduction).await,
            ClientMessage::Ping => {
                self.count_ping()?;
                Ok(self.outbox.push_now(Message::Text(protocol::PONG))?)
            }
            ClientMessage::Pong => self.count_ping(),
            ClientMessage::Subscribe { id, request } => {
                if !self.is_acknowledged {
                    return Err(Close::Unauthorized.into());
                }
                self.subscribe(id, *request)
            }
            ClientMessage::Complete { id } => {
                if let Some(running) = self.running.remove(&id) {
                    running.abort.abort();
                }
                Ok(())
            }
        }
    }

    async fn init(&mut self, introduction: Introduction) -> Result<(), End> {
        if self.is_acknowledged {
            return Err(Close::SecondInit.into());
        }
        if let (Some(auth), Some(authorization)) = (&self.session.app.auth, introduction.authorization) {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
            let verified = auth.authenticate(&headers).await.map_err(|error| match error {
                AuthError::KeysUnavailable => Close::TryLater,
                AuthError::NotBearer | AuthError::InvalidToken(_) => Close::Forbidden("Forbidden"),
            })?;
            let expiry: Option<SystemTime> = verified.as_ref().map(|verified| verified.expires_at);
            self.credential_end = Box::pin(tokio::time::sleep_until(instant_of(expiry)));
            // Given back first: who introduces himself by the credential of the handshake is not a second one.
            self.session.subject_place = None;
            if let Some(subject) = verified.as_ref().and_then(|verified| verified.subject.as_ref()) {
                let place = identify(&self.session.app, subject);
                self.session.subject_place = Some(place.map_err(|full| {
                    self.session.app.telemetry.refused("socket", full.name());
                    Close::TooMany
                })?);
            }
            self.session.verified = verified;
        }
        self.incremental = introduction.incremental;
        self.is_acknowledged = true;
        Ok(self.outbox.push_now(Message::Text(protocol::ACK))?)
    }

    fn subscribe(&mut self, id: String, mut request: ClientRequest) -> Result<(), End> {
        if self.requests.is_closed() {
            // Never begun: the client asks again on its next socket.
            return Ok(());
        }
        if self.running.contains_key(&id) {
            return Err(Close::IdInUse.into());
        }
        if self.running.len() >= self.operations_max {
            let body = error_body("too many operations at a time on one connection", "TOO_MANY_OPERATIONS");
            return Ok(self.outbox.push_now(Message::Text(protocol::error(&id, &body)))?);
        }
        request.request.incremental = self.incremental.written();
        let number = self.next_number;
        self.next_number += 1;
        let (abort, registration) = AbortHandle::new_pair();
        self.running.insert(id.clone(), Running { number, abort });
        let app = Arc::clone(&self.session.app);
        let caller = self.session.visitor.caller(&app, self.session.verified.as_ref());
        let (outbox, request_token) = (self.outbox.clone(), self.requests.token());
        let operation = async move {
            let ended = operation::run(&app, request, caller, &id, &outbox, request_token).await;
            let last = match ended {
                Ok(()) => protocol::complete(&id),
                Err(Refused(body)) => protocol::error(&id, &body),
            };
            Done { id, number, last }
        };
        self.operations.push(Abortable::new(operation.boxed(), registration));
        Ok(())
    }

    /// The id is free again before the client learns that the operation is done.
    fn finish(&mut self, done: Result<Done, Aborted>) -> Result<(), End> {
        let Ok(Done { id, number, last }) = done else { return Ok(()) };
        if self.running.get(&id).is_none_or(|running| running.number != number) {
            return Ok(());
        }
        self.running.remove(&id);
        Ok(self.outbox.push_now(Message::Text(last))?)
    }
}

fn end_of(error: &tungstenite::Error) -> End {
    match error {
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => Close::TooLarge.into(),
        tungstenite::Error::Protocol(_)
        | tungstenite::Error::Utf8(_)
        | tungstenite::Error::Capacity(CapacityError::TooManyHeaders) => Close::NotWebSocket.into(),
        _ => End::Gone,
    }
}
