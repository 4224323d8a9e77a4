//! One place that is asked again and again, and the connections to it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, Version};
use http_body_util::Full;
use kopitiam_executor::transport::TransportError;
use tokio::sync::Semaphore;

use super::address::Address;
use super::body::{AnswerBody, RequestBody};
use super::connect::{Connector, Stream};
use super::exchange::{Broken as Cut, Connection};
use super::http2::{self, Http2, Shared};
use super::pool::Pool;
use super::{Answer, ConnectionSettings, HttpVersion, single, with_causes};
use crate::subgraph_client::answer::read_bounded;

/// Gives all headers of a request, but `host` and `content-length`, one after the other; each time the same.
pub(crate) type Headers<'a> = &'a (dyn Fn(&mut dyn FnMut(&HeaderName, &HeaderValue)) + Sync);

/// A request before it is known how it travels.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    pub(crate) headers: Headers<'a>,
    pub(crate) body: Bytes,
    /// Whether it may be sent once more when the connection breaks before an answer begins, though the other side may have
    /// begun with it.
    pub(crate) is_repeatable: bool,
}

/// A place and the connections to it.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) address: Address,
    connector: Connector,
    pool: Arc<Pool>,
    shared: Shared,
    /// Who opens the connection that all will share.
    turn: Semaphore,
    /// What a new connection speaks, as far as is known without asking.
    expects_http2: AtomicBool,
}

enum Open {
    Http1(Stream),
    Http2(Http2),
}

enum Ready {
    Http1(Connection),
    Http2(Http2),
}

/// Why a request has no answer.
#[derive(Debug)]
enum Broken {
    /// No connection.
    Connect(io::Error),
    /// Nothing of the request was executed: any request may be sent again.
    Unsent(hyper::Error),
    /// The connection broke before an answer began.
    BeforeAnswer(BoxedError),
    /// The answer is not whole, or is not HTTP.
    InAnswer(BoxedError),
    /// The answer is larger than allowed.
    TooLarge,
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

impl Origin {
    pub(crate) fn new(address: Address, settings: &ConnectionSettings) -> Self {
        let connector = Connector::new(&address, settings);
        let expects_http2 = match settings.version {
            HttpVersion::Auto => connector.is_tls(),
            HttpVersion::Http1 => false,
            HttpVersion::Http2 => true,
        };
        Self {
            connector,
            pool: Arc::new(Pool::new(settings.idle_timeout, settings.idle_max)),
            shared: Shared::default(),
            turn: Semaphore::new(1),
            expects_http2: AtomicBool::new(expects_http2),
            address,
        }
    }

    /// Sends a request and reads its whole answer; of its headers those that are `wanted`.
    ///
    /// A request whose connection breaks before an answer begins is sent once more, on a new connection: a subgraph that
    /// restarts or closes an idle connection looks like that. One that is not repeatable only when nothing of it was
    /// executed for certain.
    ///
    /// # Errors
    /// [`TransportError::TooLarge`] for a body beyond `bytes_max`, [`TransportError::Unreachable`] for every failure
    /// below HTTP; the reason goes to the log, never to a client.
    pub(crate) async fn ask(
        &self,
        request: &Outgoing<'_>,
        wanted: &[HeaderName],
        bytes_max: usize,
    ) -> Result<Answer, TransportError> {
        let mut result = self.attempt(request, wanted, bytes_max, false).await;
        if let Err(broken) = &result
            && broken.allows_another(request.is_repeatable)
        {
            tracing::debug!(url = self.address.text, ?broken, "connection broke, sending again");
            result = self.attempt(request, wanted, bytes_max, true).await;
        }
        result.map_err(|broken| self.failure(&broken))
    }

    /// Sends a request whose answer is read as it comes, or whose body is sent as it comes; it is sent once.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] for every failure.
    pub(crate) async fn stream(
        &self,
        method: Method,
        headers: Headers<'_>,
        body: RequestBody,
    ) -> Result<Response<AnswerBody>, TransportError> {
        let sent = async {
            match self.open_for_one().await? {
                Open::Http1(stream) => {
                    let request = self.request(method, headers, body, Version::HTTP_11);
                    let answer = single::send(stream, request).await;
                    answer.map(|answer| answer.map(AnswerBody::Http1)).map_err(before_answer)
                }
                Open::Http2(mut connection) => {
                    let request = self.request(method, headers, body, Version::HTTP_2);
                    let answer = connection.send_request(request).await;
                    answer.map(|answer| answer.map(AnswerBody::Http2)).map_err(before_answer)
                }
            }
        };
        sent.await.map_err(|broken| self.failure(&broken))
    }

    /// Opens a connection and says nothing on it yet; HTTP/2 is not offered.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] for every failure.
    pub(crate) async fn dial(&self) -> Result<Stream, TransportError> {
        let dialled = self.connector.connect_http1(&self.address).await;
        dialled.map_err(|error| self.failure(&Broken::Connect(error)))
    }

    fn failure(&self, broken: &Broken) -> TransportError {
        let error = match broken {
            Broken::TooLarge => return TransportError::TooLarge,
            Broken::Connect(error) => with_causes(error),
            Broken::Unsent(error) => with_causes(error),
            Broken::BeforeAnswer(error) | Broken::InAnswer(error) => with_causes(&**error),
        };
        tracing::warn!(url = self.address.text, error, "request failed");
        TransportError::Unreachable
    }

    async fn attempt(
        &self,
        request: &Outgoing<'_>,
        wanted: &[HeaderName],
        bytes_max: usize,
        anew: bool,
    ) -> Result<Answer, Broken> {
        match self.ready(anew).await? {
            Ready::Http1(connection) => {
                let (answer, connection) =
                    connection.exchange(&self.lines(request), wanted, bytes_max).await?;
                if let Some(connection) = connection {
                    self.pool.put(connection);
                }
                Ok(answer)
            }
            Ready::Http2(mut connection) => {
                let body = RequestBody::Whole(Full::new(request.body.clone()));
                let sent = self.request(request.method.clone(), request.headers, body, Version::HTTP_2);
                let answer = connection.try_send_request(sent).await.map_err(|mut error| {
                    match error.take_message() {
                        Some(_) => Broken::Unsent(error.into_error()),
                        None => before_answer(error.into_error()),
                    }
                })?;
                let (head, body) = answer.into_parts();
                let body = read_bounded(body, bytes_max).await.map_err(|error| match error {
                    TransportError::TooLarge => Broken::TooLarge,
                    other => Broken::InAnswer(other.into()),
                })?;
                Ok(Answer { status: head.status, headers: head.headers, body })
            }
        }
    }

    /// The request as HTTP/1.1.
    fn lines(&self, request: &Outgoing<'_>) -> Vec<u8> {
        let mut lines = Vec::with_capacity(request.body.len() + 1024);
        lines.extend_from_slice(request.method.as_str().as_bytes());
        lines.extend_from_slice(b" ");
        lines.extend_from_slice(self.address.target().as_bytes());
        lines.extend_from_slice(b" HTTP/1.1\r\n");
        let mut line = |name: &HeaderName, value: &[u8]| {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.extend_from_slice(b": ");
            // A header's value has no line break, by its type.
            lines.extend_from_slice(value);
            lines.extend_from_slice(b"\r\n");
        };
        line(&HOST, self.address.host.as_bytes());
        (request.headers)(&mut |name, value| line(name, value.as_bytes()));
        line(&CONTENT_LENGTH, request.body.len().to_string().as_bytes());
        lines.extend_from_slice(b"\r\n");
        lines.extend_from_slice(&request.body);
        lines
    }

    fn request(
        &self,
        method: Method,
        headers: Headers<'_>,
        body: RequestBody,
        version: Version,
    ) -> Request<RequestBody> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.version_mut() = version;
        let mut map = HeaderMap::with_capacity(16);
        headers(&mut |name, value| {
            map.append(name.clone(), value.clone());
        });
        if version == Version::HTTP_2 {
            *request.uri_mut() = self.address.absolute.clone();
        } else {
            *request.uri_mut() = self.address.relative.clone();
            map.insert(HOST, self.address.host.clone());
        }
        *request.headers_mut() = map;
        request
    }

    /// A connection to ask on.
    async fn ready(&self, anew: bool) -> Result<Ready, Broken> {
        if !self.expects_http2.load(Ordering::Relaxed)
            && !anew
            && let Some(connection) = self.pool.take()
        {
            return Ok(Ready::Http1(connection));
        }
        Ok(match self.open_for_one().await? {
            Open::Http1(stream) => Ready::Http1(Connection::new(stream)),
            Open::Http2(connection) => Ready::Http2(connection),
        })
    }

    /// A new connection of HTTP/1.1, or the one of HTTP/2.
    async fn open_for_one(&self) -> Result<Open, Broken> {
        if !self.expects_http2.load(Ordering::Relaxed) {
            return Ok(Open::Http1(self.connect().await?));
        }
        if let Some(connection) = self.shared.get() {
            return Ok(Open::Http2(connection));
        }
        let _turn = self.turn.acquire().await.expect("the semaphore is never closed");
        // While this one waited for its turn, another may have found out.
        if !self.expects_http2.load(Ordering::Relaxed) {
            return Ok(Open::Http1(self.connect().await?));
        }
        if let Some(connection) = self.shared.get() {
            return Ok(Open::Http2(connection));
        }
        let stream = self.connect().await?;
        if self.connector.is_tls() && !stream.is_http2() {
            self.expects_http2.store(false, Ordering::Relaxed);
            return Ok(Open::Http1(stream));
        }
        let connection = http2::begin(stream).await.map_err(Broken::Unsent)?;
        self.shared.set(connection.clone());
        Ok(Open::Http2(connection))
    }

    async fn connect(&self) -> Result<Stream, Broken> {
        let stream = self.connector.connect(&self.address).await.map_err(Broken::Connect)?;
        if stream.is_http2() {
            self.expects_http2.store(true, Ordering::Relaxed);
        }
        Ok(stream)
    }

    #[cfg(test)]
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

impl Broken {
    fn allows_another(&self, is_repeatable: bool) -> bool {
        match self {
            Self::Unsent(_) => true,
            Self::BeforeAnswer(_) => is_repeatable,
            Self::Connect(_) | Self::InAnswer(_) | Self::TooLarge => false,
        }
    }
}

impl From<Cut> for Broken {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::BeforeAnswer(error) => Self::BeforeAnswer(error.into()),
            Cut::InAnswer(error) => Self::InAnswer(error.into()),
            Cut::TooLarge => Self::TooLarge,
        }
    }
}

fn before_answer(error: hyper::Error) -> Broken {
    if error.is_parse() { Broken::InAnswer(error.into()) } else { Broken::BeforeAnswer(error.into()) }
}
