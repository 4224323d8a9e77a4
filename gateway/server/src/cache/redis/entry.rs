//! A part of an answer as bytes.
//!
//! Always: what was not written by this version, or is cut short, is no entry; times are those of the server's clock, so
//! gateways whose clocks differ agree on them.
//!
//! One byte each: the version, whether it is private. Eight each, little-endian: the epoch in which it was asked, and in
//! milliseconds since 1970 when it was stored, when it expires, until when clients may be told that it is fresh. Then the number
//! of labels (two bytes), each with its length (two) before it, and the part's JSON to the end.

use bytes::{Buf, BufMut, Bytes};
use tokio::time::Instant;

use super::super::store::{Epoch, Kept};
use super::link::Clock;

const VERSION: u8 = 1;
const PRIVATE: u8 = 1;
/// Before the labels.
const HEAD_BYTES: usize = 1 + 1 + 4 * 8 + 2;

/// A part, and when it was asked.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kept: Kept,
    pub(super) asked_in: u64,
}

/// A part as it stands in the store.
pub(super) fn write(kept: &Kept, asked_in: Epoch, clock: Clock) -> Vec<u8> {
    let labels: usize = kept.labels.iter().map(|label| 2 + label.len()).sum();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + labels + kept.value.len());
    bytes.put_u8(VERSION);
    bytes.put_u8(if kept.is_private { PRIVATE } else { 0 });
    bytes.put_u64_le(asked_in.0);
    for moment in [kept.stored, kept.expires, kept.told_until] {
        bytes.put_u64_le(clock.millis(moment));
    }
    let length = |length: usize| u16::try_from(length).expect("labels are few and short");
    bytes.put_u16_le(length(kept.labels.len()));
    for label in kept.labels.iter() {
        bytes.put_u16_le(length(label.len()));
        bytes.put_slice(label.as_bytes());
    }
    bytes.put_slice(&kept.value);
    bytes
}

impl Entry {
    /// `None` when it is none, or has expired.
    pub(super) fn read(raw: &Bytes, clock: Clock) -> Option<Self> {
        let mut rest = &raw[..];
        if rest.len() < HEAD_BYTES || rest.get_u8() != VERSION {
            return None;
        }
        let is_private = match rest.get_u8() {
            0 => false,
            PRIVATE => true,
            _ => return None,
        };
        let asked_in = rest.get_u64_le();
        let [stored, expires, told_until] = [(); 3].map(|()| clock.moment(rest.get_u64_le()));
        let count = rest.get_u16_le();
        let labels = (0..count).map(|_| {
            let length = rest.try_get_u16_le().ok()?;
            let (label, after) = rest.split_at_checked(length.into())?;
            rest = after;
            std::str::from_utf8(label).ok().map(Into::into)
        });
        let labels = labels.collect::<Option<_>>()?;
        let value = raw.slice(raw.len() - rest.len()..);
        let (stored, expires) = (stored?, expires?);
        if value.is_empty() || expires <= Instant::now() {
            return None;
        }
        let told_until = told_until?;
        Some(Self { kept: Kept { value, is_private, stored, expires, told_until, labels }, asked_in })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::freshness::Keeping;
    use super::*;

    fn kept(seconds: u64, is_private: bool) -> Kept {
        let (ttl, told) = (Duration::from_secs(seconds), Duration::from_secs(5));
        let labels = ["type:Product".into(), "tag:ä".into()].into();
        Kept::new(Bytes::from_static(br#"{"id":"1"}"#), Keeping { ttl, told, is_private }, labels)
    }

    /// Whether it is so long, but for the time that the test takes.
    fn is_about(duration: Duration, seconds: u64) -> bool {
        duration.abs_diff(Duration::from_secs(seconds)) < Duration::from_millis(900)
    }

    #[test]
    fn an_entry_is_read_as_it_was_written_also_by_a_gateway_whose_clock_is_wrong() {
        for is_private in [false, true] {
            let written = kept(60, is_private);
            let raw = write(&written, Epoch(7), Clock::new(1_700_000_000_000));
            // By the server's clock ten seconds later, by this machine's at once.
            let clock = Clock::new(1_700_000_010_000);
            let Entry { kept, asked_in } = Entry::read(&raw.into(), clock).unwrap();
            assert_eq!((asked_in, kept.is_private), (7, is_private));
            assert_eq!((kept.value, kept.labels), (written.value, written.labels));
            let now = Instant::now();
            assert!(is_about(kept.expires - now, 50));
            assert!(is_about(now - kept.stored, 10));
            assert!(is_about(now - kept.told_until, 5));
        }
    }

    #[test]
    fn what_is_cut_short_of_another_version_or_expired_is_no_entry() {
        let clock = Clock::new(1_700_000_000_000);
        let written = kept(60, false);
        let raw = Bytes::from(write(&written, Epoch(7), clock));
        for length in 0..raw.len() - written.value.len() {
            assert!(Entry::read(&raw.slice(..length), clock).is_none(), "{length}");
        }
        for (at, byte) in [(0, 0), (0, 2), (1, 2), (HEAD_BYTES - 2, 200), (HEAD_BYTES + 1, 200)] {
            let mut other = raw.to_vec();
            other[at] = byte;
            assert!(Entry::read(&other.into(), clock).is_none(), "{at}: {byte}");
        }
        assert!(Entry::read(&raw, Clock::new(1_700_000_061_000)).is_none());
        assert!(Entry::read(&raw, Clock::new(1_700_000_050_000)).is_some());
    }
}
