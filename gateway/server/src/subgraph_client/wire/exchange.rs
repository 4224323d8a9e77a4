//! One GraphQL request and its whole answer on one connection of HTTP/1.1 (RFC 9112).
//!
//! Own code because it is what most requests go through: without a task and a queue for each connection, and with each
//! answer read straight into its place, the gateway needs 13 % less CPU and half the memory (`make bench`, mode full).
//!
//! Always: reads while it writes, so an answer that comes before the request is sent whole is not missed and cannot
//! block; every length is bounded before anything is kept.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::{BufMut, Bytes};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::Answer;
use super::connect::Stream;

/// Status line and headers together, and the trailers of a chunked body.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How much is read at once as long as the answer's length is unknown; most answers fit.
const READ_BYTES: usize = 8 * 1024;
const HEADERS_MAX: usize = 100;
/// A length that an answer announces is not believed further than this before the bytes are there.
const RESERVE_MAX: usize = 1024 * 1024;
/// The longest line that begins a chunk, extensions included.
const CHUNK_LINE_MAX: usize = 4 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// Not a byte of an answer came.
    BeforeAnswer(io::Error),
    /// The answer began and is not whole, or is not HTTP.
    InAnswer(io::Error),
    /// The body is larger than allowed.
    TooLarge,
}

fn malformed(what: &str) -> Broken {
    Broken::InAnswer(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// A connection on which nothing is under way.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    /// Empty; kept for its memory.
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, buffer: Vec::with_capacity(READ_BYTES) }
    }

    /// Whether the connection is open and the other side has sent nothing that nobody asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_read(&mut context, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    #[cfg(test)]
    pub(super) async fn readable(&self) {
        let Stream::Tcp(stream) = &self.stream else { panic!("the test uses TCP") };
        stream.readable().await.expect("the test's runtime runs");
    }

    /// Sends a complete request and reads its answer; gives the connection back when it can be used again.
    pub(super) async fn exchange(
        self,
        request: &[u8],
        wanted: &[HeaderName],
        bytes_max: usize,
    ) -> Result<(Answer, Option<Self>), Broken> {
        let Self { mut stream, mut buffer } = self;
        let mut wire = Wire { stream: &mut stream, unsent: request, is_flushed: false, is_cut: false };
        let (head, start) = wire.head(&mut buffer, wanted).await?;
        let mut reader = Reader { wire, buffer: &mut buffer, position: start };
        let body = match head.framing {
            Framing::Length(length) => reader.sized(length, bytes_max).await?,
            Framing::Chunked => reader.chunked(bytes_max).await?,
            Framing::UntilClose => reader.rest(bytes_max).await?,
        };
        let is_over = reader.position == reader.buffer.len();
        let is_reusable = head.keep_alive && is_over && reader.wire.unsent.is_empty() && !reader.wire.is_cut;
        let answer = Answer { status: head.status, headers: head.headers, body };
        buffer.clear();
        buffer.shrink_to(READ_BYTES);
        Ok((answer, is_reusable.then_some(Self { stream, buffer })))
    }
}

/// Both directions of a connection during an exchange.
struct Wire<'a> {
    stream: &'a mut Stream,
    unsent: &'a [u8],
    /// TLS may keep what was written.
    is_flushed: bool,
    /// The other side takes no more; what it answered may be there all the same.
    is_cut: bool,
}

impl Wire<'_> {
    /// Reads what has come, at least a byte, and sends on meanwhile; 0 at the end.
    async fn fill(&mut self, buffer: &mut impl BufMut) -> io::Result<usize> {
        poll_fn(|context| {
            while !self.unsent.is_empty() {
                match Pin::new(&mut *self.stream).poll_write(context, self.unsent) {
                    Poll::Ready(Ok(sent)) if sent > 0 => self.unsent = &self.unsent[sent..],
                    Poll::Ready(_) => (self.unsent, self.is_cut) = (&[], true),
                    Poll::Pending => break,
                }
            }
            if self.unsent.is_empty() && !self.is_flushed {
                match Pin::new(&mut *self.stream).poll_flush(context) {
                    Poll::Ready(Ok(())) => self.is_flushed = true,
                    Poll::Ready(Err(_)) => (self.is_flushed, self.is_cut) = (true, true),
                    Poll::Pending => {}
                }
            }
            // Has no state beyond this call: a new one each time is the same.
            pin!(self.stream.read_buf(buffer)).poll(context)
        })
        .await
    }

    /// Reads to the end of the head; gives it and where the body starts.
    async fn head(&mut self, buffer: &mut Vec<u8>, wanted: &[HeaderName]) -> Result<(Head, usize), Broken> {
        loop {
            buffer.reserve(READ_BYTES);
            match self.fill(buffer).await {
                Ok(0) if buffer.is_empty() => {
                    return Err(Broken::BeforeAnswer(io::ErrorKind::ConnectionReset.into()));
                }
                Ok(0) => return Err(Broken::InAnswer(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) if buffer.is_empty() => return Err(Broken::BeforeAnswer(error)),
                Err(error) => return Err(Broken::InAnswer(error)),
            }
            while let Some((head, length)) = Head::parse(buffer, wanted)? {
                if !head.status.is_informational() {
                    return Ok((head, length));
                }
                if head.status == StatusCode::SWITCHING_PROTOCOLS {
                    return Err(malformed("an answer in another protocol"));
                }
                buffer.drain(..length);
            }
            if buffer.len() > HEAD_BYTES_MAX {
                return Err(malformed("the answer's headers are too large"));
            }
        }
    }
}

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// What matters of status line and headers.
#[derive(Debug)]
struct Head {
    status: StatusCode,
    framing: Framing,
    keep_alive: bool,
    /// Those that somebody wants.
    headers: HeaderMap,
}

impl Head {
    /// Reads the head and its length, when it is there as a whole.
    fn parse(bytes: &[u8], wanted: &[HeaderName]) -> Result<Option<(Self, usize)>, Broken> {
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        let length = match parser.parse_response_with_uninit_headers(&mut response, bytes, &mut headers) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(malformed(&error.to_string())),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or_else(|| malformed("a status that does not exist"))?;
        let mut head = Self {
            status,
            framing: Framing::UntilClose,
            keep_alive: response.version == Some(1),
            headers: HeaderMap::new(),
        };
        let (mut announced, mut encodings) = (None, None);
        for header in response.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                let value = content_length(header.value).ok_or_else(|| malformed("content-length"))?;
                if announced.is_some_and(|known| known != value) {
                    return Err(malformed("two lengths"));
                }
                announced = Some(value);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                encodings = Some(header.value);
            } else if header.name.eq_ignore_ascii_case("connection") {
                let mut tokens = header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                let has = |wanted: &[u8]| tokens.any(|token| token.eq_ignore_ascii_case(wanted));
                head.keep_alive = head.connection(has);
            } else if let Some(name) = wanted_name(header.name, wanted)
                && let Ok(value) = HeaderValue::from_bytes(header.value)
            {
                head.headers.append(name, value);
            }
        }
        let has_no_body = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        head.framing = match (encodings, announced) {
            _ if has_no_body || status.is_informational() => Framing::Length(0),
            (Some(encodings), _) if encodings.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
                Framing::Chunked
            }
            (Some(_), _) => return Err(malformed("a transfer-encoding that nobody asked for")),
            (None, Some(length)) => Framing::Length(length),
            (None, None) => Framing::UntilClose,
        };
        // Both together is how answers are smuggled in (RFC 9112, section 6.3).
        head.keep_alive &=
            head.framing != Framing::UntilClose && !(encodings.is_some() && announced.is_some());
        Ok(Some((head, length)))
    }

    /// What a `connection` header says: `close`, or `keep-alive` for the older version, which closes without it.
    fn connection(&self, mut has: impl FnMut(&[u8]) -> bool) -> bool {
        if self.keep_alive { !has(b"close") } else { has(b"keep-alive") }
    }
}

fn content_length(value: &[u8]) -> Option<usize> {
    let digits = value.trim_ascii();
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if all_digits { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// The name when it is one of those that every answer is read by, or `wanted`.
fn wanted_name(name: &str, wanted: &[HeaderName]) -> Option<HeaderName> {
    let mut always = [header::CONTENT_TYPE, header::CONTENT_ENCODING].into_iter();
    let is = |known: &HeaderName| name.eq_ignore_ascii_case(known.as_str());
    always.find(is).or_else(|| wanted.iter().find(|known| is(known)).cloned())
}

/// Reads a body: first what came with the head, then from the wire.
struct Reader<'a, 'w> {
    wire: Wire<'w>,
    buffer: &'a mut Vec<u8>,
    /// How much of `buffer` is consumed.
    position: usize,
}

impl Reader<'_, '_> {
    /// Reads more into `target`, which has room.
    async fn fill(&mut self, target: &mut impl BufMut) -> Result<(), Broken> {
        match self.wire.fill(target).await {
            Ok(0) => Err(Broken::InAnswer(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(Broken::InAnswer(error)),
        }
    }

    /// Takes at most `count` bytes of the buffer.
    fn buffered(&mut self, count: usize) -> &[u8] {
        let start = self.position;
        self.position = self.buffer.len().min(start + count);
        &self.buffer[start..self.position]
    }

    async fn sized(&mut self, length: usize, bytes_max: usize) -> Result<Bytes, Broken> {
        if length > bytes_max {
            return Err(Broken::TooLarge);
        }
        let first = self.buffered(length);
        if first.len() == length {
            return Ok(Bytes::copy_from_slice(first));
        }
        // One byte more than needed: a read that does not fill its buffer tells the runtime that there is no more, which
        // saves the next request a useless read. A byte too many shows up as such.
        let mut body = Vec::with_capacity((length + 1).min(RESERVE_MAX));
        body.extend_from_slice(first);
        while body.len() < length {
            let missing = length + 1 - body.len();
            body.reserve(missing.min(RESERVE_MAX));
            self.fill(&mut (&mut body).limit(missing)).await?;
        }
        if body.len() > length {
            body.truncate(length);
            self.wire.is_cut = true;
        }
        Ok(body.into())
    }

    async fn chunked(&mut self, bytes_max: usize) -> Result<Bytes, Broken> {
        let mut body = Vec::new();
        loop {
            let line = self.line(CHUNK_LINE_MAX).await?;
            let size = chunk_size(&self.buffer[line]).ok_or_else(|| malformed("the size of a chunk"))?;
            if size == 0 {
                break;
            }
            if size > bytes_max - body.len() {
                return Err(Broken::TooLarge);
            }
            let end = body.len() + size;
            body.extend_from_slice(self.buffered(size));
            while body.len() < end {
                let missing = end - body.len();
                body.reserve(missing.min(RESERVE_MAX));
                self.fill(&mut (&mut body).limit(missing)).await?;
            }
            if !self.line(2).await?.is_empty() {
                return Err(malformed("a chunk longer than its size"));
            }
        }
        // Trailers mean nothing here.
        let mut left = HEAD_BYTES_MAX;
        loop {
            let line = self.line(left).await?;
            if line.is_empty() {
                return Ok(body.into());
            }
            left = left.saturating_sub(line.len() + 2);
        }
    }

    /// Consumes a line of at most `length_max` bytes; gives where in the buffer it stands, without its end.
    async fn line(&mut self, length_max: usize) -> Result<std::ops::Range<usize>, Broken> {
        let mut searched = self.position;
        loop {
            if let Some(offset) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let (start, end) = (self.position, searched + offset);
                self.position = end + 1;
                let is_complete = end > start && self.buffer[end - 1] == b'\r';
                return if is_complete { Ok(start..end - 1) } else { Err(malformed("the end of a line")) };
            }
            searched = self.buffer.len();
            if searched - self.position > length_max {
                return Err(malformed("a line that does not end"));
            }
            let consumed = self.position;
            self.buffer.drain(..consumed);
            (self.position, searched) = (0, searched - consumed);
            self.buffer.reserve(READ_BYTES);
            match self.wire.fill(self.buffer).await {
                Ok(0) => return Err(Broken::InAnswer(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) => return Err(Broken::InAnswer(error)),
            }
        }
    }

    /// Everything until the other side closes the connection.
    async fn rest(&mut self, bytes_max: usize) -> Result<Bytes, Broken> {
        let mut body = self.buffered(usize::MAX / 2).to_vec();
        loop {
            if body.len() > bytes_max {
                return Err(Broken::TooLarge);
            }
            body.reserve(READ_BYTES);
            match self.wire.fill(&mut body).await {
                Ok(0) => return Ok(body.into()),
                Ok(_) => {}
                Err(error) => return Err(Broken::InAnswer(error)),
            }
        }
    }
}

/// The hexadecimal size before any extension.
fn chunk_size(line: &[u8]) -> Option<usize> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is_hex = !digits.is_empty() && digits.len() <= 8 && digits.iter().all(u8::is_ascii_hexdigit);
    if is_hex { usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok() } else { None }
}
