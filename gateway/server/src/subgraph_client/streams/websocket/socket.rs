//! One socket to a subgraph, and the task that runs it.
//!
//! In: commands of subscriptions. Out: to each its own responses.
//! Always: nothing is waited for longer than a ping may take; the task ends when no subscription is left for a while, or when the socket breaks; then every subscription
//! learns it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use kopitiam_executor::transport::TransportError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::messages::{self, Said};
use crate::streams::websocket::SUBPROTOCOL;
use crate::subgraph_client::call::Call;
use crate::subgraph_client::wire;

/// How long a socket without subscriptions waits for one.
const IDLE: Duration = Duration::from_secs(5);

type Item = Result<Bytes, TransportError>;
type Socket = WebSocketStream<wire::Stream>;

/// What subscriptions want of a socket.
#[derive(Debug)]
pub(super) enum Command {
    Subscribe {
        id: u64,
        body: Bytes,
        waiting: Waiting,
        /// Told when the subgraph was asked.
        sent: oneshot::Sender<Result<(), TransportError>>,
    },
    Complete {
        id: u64,
        /// Counted down now and not before, so that what waits in the queue has its place, too.
        load: Arc<AtomicUsize>,
    },
}

/// Where the responses of one subscription wait.
#[derive(Debug)]
pub(super) struct Waiting {
    items: mpsc::UnboundedSender<Item>,
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
}

/// The other end of [`Waiting`].
#[derive(Debug)]
pub(super) struct Items {
    items: mpsc::UnboundedReceiver<Item>,
    bytes: Arc<AtomicUsize>,
}

impl Waiting {
    pub(super) fn new(bytes_max: usize) -> (Self, Items) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let bytes = Arc::new(AtomicUsize::new(0));
        (Self { items: sender, bytes: Arc::clone(&bytes), bytes_max }, Items { items: receiver, bytes })
    }

    /// Whether there is room for it; one response alone always has.
    fn push(&self, response: Bytes) -> bool {
        let before = self.bytes.fetch_add(response.len(), Ordering::SeqCst);
        (before == 0 || before + response.len() <= self.bytes_max) && self.items.send(Ok(response)).is_ok()
    }

    fn fail(&self, error: TransportError) {
        // Whoever waited may have gone.
        let _ = self.items.send(Err(error));
    }
}

impl Items {
    pub(super) async fn next(&mut self) -> Option<Item> {
        let item = self.items.recv().await?;
        if let Ok(response) = &item {
            self.bytes.fetch_sub(response.len(), Ordering::SeqCst);
        }
        Some(item)
    }
}

/// Runs a socket to its end.
pub(super) async fn run(
    call: Call,
    request: Request,
    introduction: Utf8Bytes,
    mut commands: mpsc::Receiver<Command>,
) {
    let opening = tokio::time::timeout(call.settings().timeout, open(&call, request, introduction));
    match opening.await.unwrap_or(Err(TransportError::Timeout)) {
        Ok(socket) => Running::new(socket, call.settings().subscriptions.ping_interval).run(commands).await,
        Err(error) => {
            commands.close();
            refuse(&mut commands, &error).await;
        }
    }
}

/// Tells all that wait in the closed queue.
async fn refuse(commands: &mut mpsc::Receiver<Command>, error: &TransportError) {
    while let Some(command) = commands.recv().await {
        if let Command::Subscribe { sent, .. } = command {
            let _ = sent.send(Err(error.clone()));
        }
    }
}

async fn open(call: &Call, request: Request, introduction: Utf8Bytes) -> Result<Socket, TransportError> {
    let bytes_max = call.settings().response_bytes_max;
    let config = WebSocketConfig::default()
        .write_buffer_size(0)
        .max_message_size(Some(bytes_max))
        .max_frame_size(Some(bytes_max));
    let unreachable = |error: tokio_tungstenite::tungstenite::Error| {
        tracing::warn!(%error, "a WebSocket to a subgraph could not be opened");
        match error {
            tokio_tungstenite::tungstenite::Error::Http(response) => {
                TransportError::Status(response.status().as_u16())
            }
            _ => TransportError::Unreachable,
        }
    };
    let stream = call.dial().await?;
    let (mut socket, response) =
        client_async_with_config(request, stream, Some(config)).await.map_err(unreachable)?;
    if response.headers().get("sec-websocket-protocol").is_none_or(|protocol| protocol != SUBPROTOCOL) {
        return Err(TransportError::Unreachable);
    }
    socket.send(Message::Text(introduction)).await.map_err(unreachable)?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => match Said::parse(&text) {
                Some(Said::Ack) => return Ok(socket),
                Some(Said::Ping) => socket.send(Message::Text(messages::PONG)).await.map_err(unreachable)?,
                Some(_) => {}
                None => return Err(TransportError::Unreachable),
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                let code = frame.map(|frame| u16::from(frame.code));
                tracing::warn!(code, "a subgraph refused a WebSocket");
                return Err(closed(code));
            }
            Some(Ok(_)) | None => return Err(TransportError::Unreachable),
            Some(Err(error)) => return Err(unreachable(error)),
        }
    }
}

/// What it means that the subgraph closed the socket. A refused credential is as it is over HTTP: the client's affair.
fn closed(code: Option<u16>) -> TransportError {
    match code {
        Some(code @ (4401 | 4403)) => TransportError::Status(code - 4000),
        _ => TransportError::Unreachable,
    }
}

struct Running<S> {
    socket: WebSocketStream<S>,
    subscriptions: HashMap<u64, Waiting>,
    ping: tokio::time::Interval,
    /// Pings since the subgraph was last heard of.
    unanswered: u32,
    idle_since: Instant,
}

/// The socket is of no use any more.
struct Broken(TransportError);

impl From<tokio_tungstenite::tungstenite::Error> for Broken {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        tracing::debug!(%error, "a WebSocket to a subgraph broke");
        match error {
            tokio_tungstenite::tungstenite::Error::Capacity(_) => Self(TransportError::TooLarge),
            _ => Self(TransportError::Unreachable),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Running<S> {
    fn new(socket: WebSocketStream<S>, period: Duration) -> Self {
        let mut ping = tokio::time::interval_at(Instant::now() + period, period);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { socket, subscriptions: HashMap::new(), ping, unanswered: 0, idle_since: Instant::now() }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let idle_end = self.idle_since + IDLE;
            let step = tokio::select! {
                message = self.socket.next() => self.hear(message).await,
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return self.leave().await,
                },
                _ = self.ping.tick() => self.look_after().await,
                () = tokio::time::sleep_until(idle_end), if self.subscriptions.is_empty() => {
                    commands.close();
                    // What came in between is dropped, and asked of another socket.
                    return self.leave().await;
                }
            };
            if let Err(Broken(error)) = step {
                // Closed first: what comes later goes to another socket.
                commands.close();
                for waiting in self.subscriptions.values() {
                    waiting.fail(error.clone());
                }
                // Another socket with this credential would be closed as well; after anything else what was not asked
                // yet is dropped, and asked of another one.
                if matches!(error, TransportError::Status(_)) {
                    refuse(&mut commands, &error).await;
                }
                return;
            }
        }
    }

    async fn leave(mut self) {
        let _ = tokio::time::timeout(IDLE, self.socket.close(None)).await;
    }

    async fn look_after(&mut self) -> Result<(), Broken> {
        if self.unanswered >= 2 {
            return Err(Broken(TransportError::Timeout));
        }
        self.unanswered += 1;
        self.say(Message::Ping(Bytes::new())).await
    }

    /// A subgraph that reads nothing must not hold up everybody who shares the socket.
    async fn say(&mut self, message: Message) -> Result<(), Broken> {
        let said = tokio::time::timeout(self.ping.period(), self.socket.send(message)).await;
        Ok(said.map_err(|_| Broken(TransportError::Timeout))??)
    }

    async fn obey(&mut self, command: Command) -> Result<(), Broken> {
        match command {
            Command::Subscribe { id, body, waiting, sent } => {
                self.subscriptions.insert(id, waiting);
                let asked = self.say(Message::Text(messages::subscribe(id, &body))).await;
                let _ = sent.send(asked.as_ref().map(|&()| ()).map_err(|Broken(error)| error.clone()));
                asked
            }
            Command::Complete { id, load } => {
                load.fetch_sub(1, Ordering::SeqCst);
                self.drop_subscription(id).await
            }
        }
    }

    async fn hear(
        &mut self,
        message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<(), Broken> {
        self.unanswered = 0;
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(Message::Close(frame))) => {
                return Err(Broken(closed(frame.map(|frame| u16::from(frame.code)))));
            }
            Some(Ok(_)) | None => return Err(Broken(TransportError::Unreachable)),
        };
        match Said::parse(&text).ok_or(Broken(TransportError::Unreachable))? {
            Said::Ping => self.say(Message::Text(messages::PONG)).await?,
            Said::Next(id, response) => {
                let is_taken = self.subscriptions.get(&id).is_none_or(|waiting| waiting.push(response));
                if !is_taken {
                    self.give_up(id).await?;
                }
            }
            Said::Error(id, refusal) => {
                if let Some(waiting) = self.forget(id) {
                    waiting.push(refusal);
                }
            }
            Said::Complete(id) => {
                self.forget(id);
            }
            Said::Ack | Said::Pong | Said::Other => {}
        }
        Ok(())
    }

    /// Its client is too slow.
    async fn give_up(&mut self, id: u64) -> Result<(), Broken> {
        if let Some(waiting) = self.subscriptions.get(&id) {
            tracing::info!("a client is slower than its subscription, which ends");
            waiting.fail(TransportError::TooLarge);
        }
        self.drop_subscription(id).await
    }

    async fn drop_subscription(&mut self, id: u64) -> Result<(), Broken> {
        if self.forget(id).is_some() {
            self.say(Message::Text(messages::complete(id))).await?;
        }
        Ok(())
    }

    fn forget(&mut self, id: u64) -> Option<Waiting> {
        let forgotten = self.subscriptions.remove(&id);
        if self.subscriptions.is_empty() {
            self.idle_since = Instant::now();
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
    use tokio_tungstenite::tungstenite::protocol::{Role, frame::coding::CloseCode};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    struct Shared {
        subgraph: WebSocketStream<DuplexStream>,
        items: Items,
        is_sent: oneshot::Receiver<Result<(), TransportError>>,
        commands: mpsc::Sender<Command>,
    }

    /// A socket with one subscription that asks for `body`, to a subgraph that has room for few bytes.
    async fn shared(body: Bytes) -> Shared {
        let (ours, theirs) = duplex(1024);
        let config = Some(WebSocketConfig::default().write_buffer_size(0));
        let socket = WebSocketStream::from_raw_socket(ours, Role::Client, config).await;
        let subgraph = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
        let (commands, receiver) = mpsc::channel(4);
        let (waiting, items) = Waiting::new(1024);
        let (sent, is_sent) = oneshot::channel();
        commands.try_send(Command::Subscribe { id: 1, body, waiting, sent }).unwrap();
        tokio::spawn(Running::new(socket, Duration::from_millis(50)).run(receiver));
        Shared { subgraph, items, is_sent, commands }
    }

    #[tokio::test]
    async fn a_subgraph_that_reads_nothing_loses_the_socket() {
        let Shared { subgraph, mut items, is_sent, commands } = shared(vec![b'x'; 100_000].into()).await;
        let end = tokio::time::timeout(PATIENCE, items.next()).await.expect("it is not waited for for ever");
        assert!(matches!(end, Some(Err(TransportError::Timeout))), "{end:?}");
        assert!(matches!(is_sent.await, Ok(Err(TransportError::Timeout))));
        commands.closed().await;
        drop(subgraph);
    }

    #[tokio::test]
    async fn a_socket_that_is_closed_for_a_credential_is_not_taken_for_a_broken_one() {
        let Shared { mut subgraph, mut items, is_sent, commands: _commands } =
            shared(Bytes::from_static(b"{}")).await;
        is_sent.await.expect("it is told").expect("the subgraph was asked");
        subgraph.send(forbidden()).await.unwrap();
        let end = tokio::time::timeout(PATIENCE, items.next()).await.expect("it ends");
        assert!(matches!(end, Some(Err(TransportError::Status(403)))), "{end:?}");
    }

    #[tokio::test]
    async fn a_subscription_still_in_the_queue_learns_that_the_socket_was_closed_for_a_credential() {
        // Whether the task hears the socket or its queue first is chance: both come up in so many rounds.
        for _ in 0..32 {
            let Shared { mut subgraph, mut items, is_sent, commands: _commands } =
                shared(Bytes::from_static(b"{}")).await;
            subgraph.send(forbidden()).await.unwrap();
            let end = match is_sent.await.expect("it is not dropped without a word") {
                Ok(()) => tokio::time::timeout(PATIENCE, items.next()).await.expect("it ends"),
                Err(error) => Some(Err(error)),
            };
            assert!(matches!(end, Some(Err(TransportError::Status(403)))), "{end:?}");
        }
    }

    fn forbidden() -> Message {
        Message::Close(Some(CloseFrame { code: CloseCode::from(4403), reason: "Forbidden".into() }))
    }
}
