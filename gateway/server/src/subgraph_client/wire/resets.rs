//! What a subgraph sends over HTTP/2, with each reset that cuts an answer made one that says so.
//!
//! The client library takes a reset with `NO_ERROR` for the end of an answer, whether the answer was whole or not, and does not
//! tell which it was. By the protocol only a stream with `END_STREAM` has ended; a reset after it means that the rest of the
//! request is not needed. So resets with `NO_ERROR` of streams that have not ended become resets with `CANCEL` on their way in.
//! Always: no byte is added or held back.
//!
//! # Source
//! RFC 9113, sections 4.1 "Frame Format", 6.4 "RST_STREAM" and 8.1 "HTTP Message Framing".

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 1;
const CANCEL: u8 = 8;
/// Streams whose end is remembered: far more than are open at once.
const ENDED_MAX: usize = 1_024;

/// A connection whose resets tell what they are.
#[derive(Debug)]
pub(super) struct Told<S> {
    stream: S,
    frames: Frames,
}

impl<S> Told<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, frames: Frames::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Told<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.frames.pass(&mut buffer.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Told<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The frames of one direction, as they pass in pieces of any size.
#[derive(Debug, Default)]
struct Frames {
    /// Of the next frame's head, what has passed.
    head: Vec<u8>,
    /// Of the current frame's payload, what has yet to pass.
    payload_left: usize,
    /// Whether the payload is the code of a reset that cuts an answer; its code so far is zero.
    cuts: bool,
    /// Streams that have ended, the latest of them.
    ended: BTreeSet<u32>,
}

impl Frames {
    fn pass(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.payload_left == 0 {
                let taken = (HEAD - self.head.len()).min(bytes.len());
                self.head.extend_from_slice(&bytes[..taken]);
                bytes = &mut bytes[taken..];
                if self.head.len() == HEAD {
                    self.begin();
                    self.head.clear();
                }
                continue;
            }
            let taken = self.payload_left.min(bytes.len());
            self.payload_left -= taken;
            let (payload, rest) = bytes.split_at_mut(taken);
            if self.cuts {
                self.cut(payload);
            }
            bytes = rest;
        }
    }

    /// A frame begins.
    fn begin(&mut self) {
        let head = &self.head;
        self.payload_left = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            self.ended.insert(stream);
            if self.ended.len() > ENDED_MAX {
                self.ended.pop_first();
            }
        }
        self.cuts = kind == RST_STREAM && self.payload_left == 4 && !self.ended.remove(&stream);
    }

    /// The code of a reset passes, perhaps in pieces: a last byte of zero after zeros is `NO_ERROR`.
    fn cut(&mut self, payload: &mut [u8]) {
        let is_last = self.payload_left == 0;
        let Some((last, before)) = payload.split_last_mut().filter(|_| is_last) else {
            self.cuts = payload.iter().all(|byte| *byte == 0);
            return;
        };
        if *last == 0 && before.iter().all(|byte| *byte == 0) {
            *last = CANCEL;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn reset(stream: u32, code: u8) -> Vec<u8> {
        frame(RST_STREAM, 0, stream, &[0, 0, 0, code])
    }

    #[test]
    fn a_reset_before_the_end_is_told_from_one_after_it_in_pieces_of_any_size() {
        let sent = [
            frame(HEADERS, 4, 1, b"head"),
            frame(DATA, 0, 1, b"\0\0\0\0"),
            frame(HEADERS, END_STREAM, 3, b""),
            reset(1, 0),
            reset(3, 0),
            reset(5, 2),
            frame(DATA, END_STREAM, 7, b"x"),
            reset(7, 0),
            frame(6, 0, 0, &[0; 8]),
        ]
        .concat();
        let mut expected = sent.clone();
        let first = 2 * (HEAD + 4) + HEAD + HEAD + 3;
        expected[first] = CANCEL;
        for size in 1..=sent.len() {
            let mut passed = sent.clone();
            let mut frames = Frames::default();
            passed.chunks_mut(size).for_each(|piece| frames.pass(piece));
            assert_eq!(passed, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut frames = Frames::default();
        for stream in 0..100_000 {
            frames.pass(&mut frame(DATA, END_STREAM, stream, b""));
        }
        assert_eq!(frames.ended.len(), ENDED_MAX);
    }
}
