//! Decodes a server-sent event stream into GraphQL responses.
//!
//! In: the bytes of a `text/event-stream` body, cut anywhere. Out: the data of each `next` event; the end at `complete`.
//! Always: an event larger than the limit ends the stream with an error, so a subgraph cannot fill the memory.
//! Elsewhere: opening the stream (`mod.rs`); writing events to clients (`streams/sse.rs`).

use bytes::{Bytes, BytesMut};

/// What one event means in the distinct connections mode of the GraphQL over SSE protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// One GraphQL response as JSON.
    Next(Bytes),
    /// The operation is done; nothing follows.
    Complete,
}

/// An event grew beyond the limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EventTooLarge;

/// Incremental decoder of one stream.
///
/// # Source
/// HTML Living Standard, section 9.2.6 "Interpreting an event stream": lines end with LF, CR or CR LF; several `data`
/// lines join by LF; a line that begins with a colon is a comment; an event without data is dropped.
#[derive(Debug)]
pub(crate) struct SseDecoder {
    buffer: BytesMut,
    /// Bytes of `buffer` already searched for the end of a line.
    searched: usize,
    event: String,
    data: Option<BytesMut>,
    skip_line_feed: bool,
    at_start: bool,
    event_bytes_max: usize,
}

impl SseDecoder {
    pub(crate) fn new(event_bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            event: String::new(),
            data: None,
            skip_line_feed: false,
            at_start: true,
            event_bytes_max,
        }
    }

    /// Adds what the network gave.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole event among the bytes so far, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`EventTooLarge`] when an event exceeds the limit; the decoder is then useless.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event>, EventTooLarge> {
        while let Some(line) = self.next_line() {
            if !line.is_empty() {
                self.field(&line)?;
            } else if let Some(event) = self.dispatch() {
                return Ok(Some(event));
            }
        }
        if self.buffer.len() > self.event_bytes_max { Err(EventTooLarge) } else { Ok(None) }
    }

    fn next_line(&mut self) -> Option<Bytes> {
        if self.skip_line_feed && !self.buffer.is_empty() {
            self.skip_line_feed = false;
            if self.buffer[0] == b'\n' {
                let _ = self.buffer.split_to(1);
                self.searched = self.searched.saturating_sub(1);
            }
        }
        let found = self.buffer[self.searched..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let Some(offset) = found else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + offset;
        self.skip_line_feed = self.buffer[end] == b'\r';
        let mut line = self.buffer.split_to(end + 1).freeze();
        line.truncate(end);
        self.searched = 0;
        if std::mem::take(&mut self.at_start) && line.starts_with("\u{feff}".as_bytes()) {
            line = line.slice(3..);
        }
        Some(line)
    }

    fn field(&mut self, line: &Bytes) -> Result<(), EventTooLarge> {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value_start = (colon + 1).min(line.len());
        let value = &line[value_start..];
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"event" => self.event = String::from_utf8_lossy(value).into_owned(),
            b"data" => {
                let data = self.data.get_or_insert_with(BytesMut::new);
                if data.len() + value.len() > self.event_bytes_max {
                    return Err(EventTooLarge);
                }
                if !data.is_empty() {
                    data.extend_from_slice(b"\n");
                }
                data.extend_from_slice(value);
            }
            // `id` and `retry` have no meaning in this protocol; an empty name is a comment.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self) -> Option<Event> {
        let event = std::mem::take(&mut self.event);
        let data = self.data.take();
        match event.as_str() {
            // The protocol sends `complete` with empty data, and some servers with none at all.
            "complete" => Some(Event::Complete),
            "next" => data.filter(|data| !data.is_empty()).map(|data| Event::Next(data.freeze())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(chunks: &[&str]) -> Vec<Event> {
        let mut decoder = SseDecoder::new(1000);
        let mut events = Vec::new();
        for chunk in chunks {
            decoder.push(chunk.as_bytes());
            while let Some(event) = decoder.next_event().expect("small events") {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let text = ":\n\nevent: next\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n:ping\n\nevent:next\rdata:{}\r\revent: complete\ndata:\n\n";
        let whole = decode(&[text]);
        assert_eq!(whole, [Event::Next("{\"a\":\n1}".into()), Event::Next("{}".into()), Event::Complete],);
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(decode(&letters), whole);
    }

    #[test]
    fn an_unfinished_event_is_not_delivered() {
        assert_eq!(decode(&["event: next\ndata: {}\n"]), []);
    }

    #[test]
    fn an_event_beyond_the_limit_is_an_error() {
        let mut decoder = SseDecoder::new(10);
        decoder.push(b"event: next\ndata: 01234567890123456789");
        assert_eq!(decoder.next_event(), Err(EventTooLarge));
    }
}
