//! Documents that clients registered, by the SHA-256 of their text.
//!
//! Always: bounded in bytes; the least used leave first. The hash is cryptographic and checked before a document is kept,
//! so that nobody can register another's.

use std::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use sha2::{Digest, Sha256};

/// The SHA-256 of a document's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(document: &str) -> Self {
        Self(Sha256::digest(document.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let text = text.as_bytes();
        if text.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    pub(super) fn is_of(&self, document: &str) -> bool {
        *self == Self::of(document)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

#[derive(Debug, Clone)]
struct ByBytes;

/// What an entry costs beside its text: key, pointers, bookkeeping.
const ENTRY_BYTES: u64 = 128;

impl Weighter<Hash, Arc<str>> for ByBytes {
    fn weight(&self, _: &Hash, document: &Arc<str>) -> u64 {
        document.len() as u64 + ENTRY_BYTES
    }
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct Registered {
    documents: Cache<Hash, Arc<str>, ByBytes, ahash::RandomState>,
}

impl Registered {
    pub(super) fn new(bytes_max: u64) -> Self {
        // A guess for the first allocation; only the weight bounds the cache.
        let entries = usize::try_from(bytes_max / 4096).unwrap_or(usize::MAX).clamp(16, 1024);
        let documents =
            Cache::with(entries, bytes_max, ByBytes, ahash::RandomState::new(), DefaultLifecycle::default());
        Self { documents }
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<String> {
        self.documents.get(hash).map(|document| (*document).to_owned())
    }

    pub(super) fn insert(&self, hash: Hash, document: &str) {
        if self.documents.get(&hash).is_none() {
            self.documents.insert(hash, document.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_registrations_stays_within_the_bound() {
        let registered = Registered::new(1_000_000);
        for number in 0..10_000 {
            let document = format!("{{ a{number} }} # {}", "x".repeat(1_000));
            registered.insert(Hash::of(&document), &document);
        }
        assert!(registered.documents.weight() <= 1_000_000);
        assert!(registered.documents.len() > 100);
    }

    #[test]
    fn a_hash_is_64_hexadecimal_digits_of_either_case() {
        let hash = Hash::of("{ a }");
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        assert_eq!(Hash::parse(&hash.to_string().to_uppercase()), Some(hash));
        for wrong in ["", "abc", &"g".repeat(64), &"a".repeat(65), &"é".repeat(32)] {
            assert_eq!(Hash::parse(wrong), None, "{wrong}");
        }
    }
}
