//! Closed-loop HTTP clients: each sends, waits for the whole answer, checks it and sends again.
//!
//! In: an address, a number of connections, a time. Out: how long each request took.
//! Always: every answer is compared with the first one, which was checked as a whole; one wrong answer ends the run.
//! Elsewhere: what the answer must be (`operation.rs`).

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why a run is worthless.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// A connection broke.
    #[error("a request failed: {0}")]
    Http(#[from] hyper::Error),
    /// The status is not 200.
    #[error("an answer has status {0}")]
    Status(StatusCode),
    /// An answer that is not the one expected.
    #[error("an answer is wrong: {0}")]
    Wrong(String),
    /// Nothing came in time.
    #[error("no answer in time")]
    Timeout,
}

/// What every answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    length: usize,
    hash: u64,
}

/// Takes fingerprints; the seeds are fixed, since nobody attacks this.
fn fingerprint(body: &[u8]) -> Fingerprint {
    let hash = ahash::RandomState::with_seeds(1, 2, 3, 4).hash_one(body);
    Fingerprint { length: body.len(), hash }
}

/// One keep-alive connection.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// Connects. Must be called within a `LocalSet`.
    ///
    /// # Errors
    /// [`LoadError`] when nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self, LoadError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// [`LoadError`] unless it is answered with status 200.
    pub async fn request(&mut self, method: Method, path: &str, body: Bytes) -> Result<Bytes, LoadError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .expect("fixed parts make a request");
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(LoadError::Status(response.status()));
        }
        Ok(response.into_body().collect().await?.to_bytes())
    }
}

/// Sends the operation until it is answered, and compares the answer with the expected one, part by part.
///
/// # Errors
/// [`LoadError`] when it is answered wrongly, or not at all within `timeout`.
pub async fn verify(
    address: SocketAddr,
    body: &Bytes,
    expected: &serde_json::Value,
    timeout: Duration,
) -> Result<Fingerprint, LoadError> {
    let deadline = Instant::now() + timeout;
    let answer = loop {
        let attempt =
            async { Connection::open(address).await?.request(Method::POST, "/graphql", body.clone()).await };
        match attempt.await {
            Ok(answer) => break answer,
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let parsed: serde_json::Value =
        serde_json::from_slice(&answer).map_err(|error| LoadError::Wrong(error.to_string()))?;
    match difference(&parsed, expected, &mut String::from("$")) {
        None => Ok(fingerprint(&answer)),
        Some(difference) => Err(LoadError::Wrong(difference)),
    }
}

/// Where two JSON values first differ.
fn difference(left: &serde_json::Value, right: &serde_json::Value, path: &mut String) -> Option<String> {
    use serde_json::Value;
    let length = path.len();
    let mut below = |step: String, left: &Value, right: &Value| {
        path.push_str(&step);
        let found = difference(left, right, path);
        path.truncate(length);
        found
    };
    match (left, right) {
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => left
            .iter()
            .find_map(|(key, value)| below(format!(".{key}"), value, right.get(key).unwrap_or(&Value::Null))),
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let mut items = left.iter().zip(right).enumerate();
            items.find_map(|(index, (left, right))| below(format!("[{index}]"), left, right))
        }
        _ if left == right => None,
        _ => {
            let short = |value: &Value| value.to_string().chars().take(200).collect::<String>();
            Some(format!("at {path}: {} instead of {}", short(left), short(right)))
        }
    }
}

/// What to send, where, and how.
#[derive(Debug, Clone)]
pub struct Load {
    /// The gateway.
    pub address: SocketAddr,
    /// The request's body.
    pub body: Bytes,
    /// What every answer must be.
    pub fingerprint: Fingerprint,
    /// Clients at the same time.
    pub connections: usize,
}

/// What a run gave.
#[derive(Debug, Clone)]
pub struct Run {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Microseconds of each request, sorted.
    pub latencies_us: Vec<u32>,
}

impl Run {
    /// Requests per second.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 requests")]
    pub fn per_second(&self) -> f64 {
        self.latencies_us.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `per_mille` of a thousand requests stay within, in milliseconds.
    pub fn percentile_ms(&self, per_mille: usize) -> f64 {
        let last = self.latencies_us.len().saturating_sub(1);
        let index = (self.latencies_us.len() * per_mille / 1000).min(last);
        self.latencies_us.get(index).map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

/// Keeps all connections busy for `time`. Must be called within a `LocalSet`.
///
/// # Errors
/// [`LoadError`] when any request fails or is answered with anything but the fingerprint's body.
pub async fn run(load: &Load, time: Duration) -> Result<Run, LoadError> {
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        connections.push(Connection::open(load.address).await?);
    }
    let started = Instant::now();
    let deadline = started + time;
    let failed = Rc::new(Cell::new(false));
    let clients: Vec<_> = connections
        .into_iter()
        .map(|connection| {
            tokio::task::spawn_local(client(connection, load.clone(), deadline, Rc::clone(&failed)))
        })
        .collect();
    let mut latencies_us = Vec::new();
    for client in clients {
        latencies_us.extend(client.await.expect("a client does not panic")?);
    }
    let elapsed = started.elapsed();
    latencies_us.sort_unstable();
    Ok(Run { elapsed, latencies_us })
}

async fn client(
    mut connection: Connection,
    load: Load,
    deadline: Instant,
    failed: Rc<Cell<bool>>,
) -> Result<Vec<u32>, LoadError> {
    let mut latencies = Vec::new();
    let mut sent = Instant::now();
    while sent < deadline && !failed.get() {
        let answered = connection.request(Method::POST, "/graphql", load.body.clone()).await;
        let now = Instant::now();
        let checked = answered.and_then(|answer| {
            if fingerprint(&answer) == load.fingerprint {
                Ok(())
            } else {
                Err(LoadError::Wrong(String::from_utf8_lossy(&answer).chars().take(300).collect()))
            }
        });
        if let Err(error) = checked {
            failed.set(true);
            return Err(error);
        }
        latencies.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
        sent = Instant::now();
    }
    Ok(latencies)
}
