//! The connection to the shared store, and what happens without one.
//!
//! Always: nobody waits for a connection, nor for an answer longer than the settings allow. Without a connection, and after
//! some answers in a row that did not come in time, everything fails at once, while somebody connects in the background.
//! Elsewhere: what is said on the connection (`mod.rs`).

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::settings::{Place, RedisSettings};
use crate::telemetry::Telemetry;

/// After so many answers in a row that did not come in time, none is waited for.
const LATE_MAX: u32 = 3;
/// Before the second try to connect; each further one waits twice as long as the one before it.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The server's clock: whether it is right does not matter, only that all gateways go by the same one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// What it said, in milliseconds since 1970,
    millis: u64,
    /// and when.
    at: Instant,
}

impl Clock {
    /// A clock that says this now.
    pub(super) fn new(millis: u64) -> Self {
        Self { millis, at: Instant::now() }
    }

    /// What the server's clock says at a moment.
    pub(super) fn millis(self, moment: Instant) -> u64 {
        let between = |later: Instant, earlier: Instant| {
            u64::try_from(later.saturating_duration_since(earlier).as_millis()).unwrap_or(u64::MAX)
        };
        self.millis.saturating_add(between(moment, self.at)).saturating_sub(between(self.at, moment))
    }

    /// When the server's clock says this; `None`: never, for this machine.
    pub(super) fn moment(self, millis: u64) -> Option<Instant> {
        match millis.checked_sub(self.millis) {
            Some(later) => self.at.checked_add(Duration::from_millis(later)),
            None => self.at.checked_sub(Duration::from_millis(self.millis - millis)),
        }
    }
}

/// An open connection.
#[derive(Debug)]
struct Open {
    connection: MultiplexedConnection,
    clock: Clock,
    /// Which of this link's connections it is.
    number: u64,
    /// Answers in a row that did not come in time.
    late: u32,
    /// Whether the log has a refusal of it.
    has_refused: bool,
    _driver: Driver,
}

/// What reads and writes on a connection. It ends when this is dropped: answers that are waited for then fail.
#[derive(Debug)]
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    /// Connections so far.
    opened: u64,
    is_connecting: bool,
}

/// What is asked of the server: an answer waits for a lookup only.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Find,
    Put,
    Invalidate,
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct Link {
    settings: RedisSettings,
    telemetry: Telemetry,
    state: Mutex<State>,
    /// For work in the background, which must not keep the link alive.
    own: Weak<Self>,
}

impl Link {
    pub(super) fn new(settings: RedisSettings, telemetry: Telemetry) -> Arc<Self> {
        Arc::new_cyclic(|own| Self { settings, telemetry, state: Mutex::default(), own: own.clone() })
    }

    /// Tries to connect once; without success that goes on in the background.
    pub(super) async fn open(&self) {
        self.lock().is_connecting = true;
        if let Err(error) = self.connect().await {
            tracing::warn!(
                reason = told(&error),
                "the cache's shared store cannot be reached: nothing is kept"
            );
            self.reconnect();
        }
    }

    /// Has something done in time; `None`: it was not, or nobody knows.
    pub(super) async fn run<T, F>(
        &self,
        what: What,
        work: impl FnOnce(MultiplexedConnection, Clock) -> F,
    ) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let (what, patience) = match what {
            What::Find => ("find", self.settings.timeout),
            What::Put => ("put", self.settings.connect_timeout),
            What::Invalidate => ("invalidate", self.settings.connect_timeout),
        };
        let open = self.lock().open.as_ref().map(|open| (open.connection.clone(), open.clock, open.number));
        let Some((connection, clock, number)) = open else {
            self.telemetry.cache_store_request(what, "down", Duration::ZERO);
            return None;
        };
        let started = Instant::now();
        let result = timeout(patience, work(connection, clock)).await;
        let (outcome, done) = match result {
            Ok(Ok(done)) => {
                self.in_time(number);
                ("ok", Some(done))
            }
            Ok(Err(error)) => {
                self.failed(number, what, &error);
                ("error", None)
            }
            Err(_) => {
                self.late(number);
                ("timeout", None)
            }
        };
        self.telemetry.cache_store_request(what, outcome, started.elapsed());
        done
    }

    fn in_time(&self, number: u64) {
        if let Some(open) = self.lock().open.as_mut().filter(|open| open.number == number) {
            open.late = 0;
        }
    }

    fn late(&self, number: u64) {
        let mut state = self.lock();
        let Some(open) = state.open.as_mut().filter(|open| open.number == number) else { return };
        open.late += 1;
        if open.late >= LATE_MAX {
            drop(state);
            self.give_up(number, "it does not answer in time");
        }
    }

    fn failed(&self, number: u64, what: &'static str, error: &RedisError) {
        if error.is_unrecoverable_error() || is_of_no_use(error) {
            self.give_up(number, told(error));
        } else {
            let mut state = self.lock();
            let open = state.open.as_mut().filter(|open| open.number == number);
            if open.is_some_and(|open| !std::mem::replace(&mut open.has_refused, true)) {
                let code = error.code();
                tracing::warn!(
                    what,
                    code,
                    "the cache's shared store refuses; logged once for each connection"
                );
            }
        }
    }

    /// Ends a connection, unless another one has taken its place.
    fn give_up(&self, number: u64, reason: &str) {
        let mut state = self.lock();
        if state.open.as_ref().is_none_or(|open| open.number != number) {
            return;
        }
        state.open = None;
        let begins = !std::mem::replace(&mut state.is_connecting, true);
        drop(state);
        tracing::warn!(reason, "the cache's shared store is left alone: nothing is kept until it is back");
        if begins {
            self.reconnect();
        }
    }

    /// Connects in the background, for as long as it takes.
    fn reconnect(&self) {
        let own = self.own.clone();
        tokio::spawn(async move {
            let mut pause = PAUSE_FIRST;
            loop {
                tokio::time::sleep(pause).await;
                let Some(link) = own.upgrade() else { return };
                if link.connect().await.is_ok() {
                    tracing::info!("the cache's shared store is used again");
                    return;
                }
                pause = (2 * pause).min(PAUSE_MAX);
            }
        });
    }

    async fn connect(&self) -> RedisResult<()> {
        let connecting = async {
            match &self.settings.place {
                Place::Tcp(host, port) => self.greet(tcp(host, *port).await?).await,
                Place::Tls(host, port, name) => {
                    let tls = TlsConnector::from(self.settings.tls.offering(&[]));
                    self.greet(tls.connect(name.clone(), tcp(host, *port).await?).await?).await
                }
                Place::Unix(path) => self.greet(UnixStream::connect(path).await?).await,
            }
        };
        let connected = timeout(self.settings.connect_timeout, connecting).await;
        let (connection, clock, driver) =
            connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))?;
        let mut state = self.lock();
        state.opened += 1;
        state.is_connecting = false;
        let number = state.opened;
        state.open = Some(Open { connection, clock, number, late: 0, has_refused: false, _driver: driver });
        Ok(())
    }

    /// Logs in, and asks for the time.
    async fn greet(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> RedisResult<(MultiplexedConnection, Clock, Driver)> {
        // Whoever waits has a time limit of its own.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(&self.settings.login, stream, config);
        let (mut connection, driver) = opened.await?;
        let driver = Driver(tokio::spawn(driver).abort_handle());
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut connection).await?;
        let clock = Clock::new(seconds.saturating_mul(1_000) + micros / 1_000);
        Ok((connection, clock, driver))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A server that is loading, that only replicates, or that wants another password, has nothing for us on this connection.
fn is_of_no_use(error: &RedisError) -> bool {
    matches!(error.code(), Some("LOADING" | "READONLY" | "MASTERDOWN" | "NOAUTH" | "CLUSTERDOWN"))
}

/// What may be logged of an error. Its own text may repeat what was sent.
fn told(error: &RedisError) -> &str {
    if error.is_timeout() { "it does not answer in time" } else { error.category() }
}
