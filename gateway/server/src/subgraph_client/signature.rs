//! Signs requests to subgraphs, so that a subgraph can tell the gateway's from anyone else's.
//!
//! In: a request as it is sent. Out: the value of the header `x-gateway-signature`, `v1 t=<time> m=<MAC>`: `time` is Unix
//! seconds, `MAC` the HMAC-SHA256 (RFC 2104), in lower-case hexadecimal, of these six lines, joined by line feeds:
//!
//! ```text
//! v1
//! <time>
//! <method>
//! <path and query, as in the request line>
//! <SHA-256 of the body as sent, in lower-case hexadecimal>
//! <SHA-256 of the value of the `authorization` header, of nothing when there is none, likewise>
//! ```
//!
//! A subgraph refuses what is older or newer than its clock allows, and accepts two keys while the gateway goes over from
//! one to the other.
//! Elsewhere: verification (a subgraph's).

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use http::header::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

/// The header that carries the signature.
pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("x-gateway-signature");

/// Fewer letters can be guessed.
const KEY_CHARS_MIN: usize = 32;

/// The secret that gateway and subgraphs share.
#[derive(Clone)]
pub struct SigningKey(Arc<Hmac<Sha256>>);

/// A key too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key has at least {KEY_CHARS_MIN} characters")]
pub struct KeyTooShort;

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey")
    }
}

impl SigningKey {
    /// A key as text: its bytes are the key.
    ///
    /// # Errors
    /// [`KeyTooShort`] below 32 characters.
    pub fn new(key: &str) -> Result<Self, KeyTooShort> {
        if key.chars().count() < KEY_CHARS_MIN {
            return Err(KeyTooShort);
        }
        let mac = Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
        Ok(Self(Arc::new(mac)))
    }

    /// The signature of a request that is sent now.
    pub(super) fn sign(
        &self,
        method: &str,
        path_and_query: &str,
        credential: Option<&HeaderValue>,
        body: &[u8],
    ) -> HeaderValue {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.sign_at(now, method, path_and_query, credential, body)
    }

    fn sign_at(
        &self,
        time: u64,
        method: &str,
        path: &str,
        credential: Option<&HeaderValue>,
        body: &[u8],
    ) -> HeaderValue {
        let credential = credential.map_or(&[][..], HeaderValue::as_bytes);
        let (body, credential) = (hex(&Sha256::digest(body)), hex(&Sha256::digest(credential)));
        let mut mac = Hmac::clone(&self.0);
        mac.update(format!("v1\n{time}\n{method}\n{path}\n{body}\n{credential}").as_bytes());
        let mac = hex(&mac.finalize().into_bytes());
        let mut value = HeaderValue::from_str(&format!("v1 t={time} m={mac}")).expect("visible ASCII");
        value.set_sensitive(true);
        value
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes what is written");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed once with another implementation (Python's hmac).
    #[test]
    fn a_signature_is_what_every_implementation_computes() {
        let key = SigningKey::new("0123456789abcdef0123456789abcdef").unwrap();
        let signed =
            |credential| key.sign_at(1_700_000_000, "POST", "/graphql", credential, b"{\"query\":\"{a}\"}");
        let without = signed(None);
        let with = signed(Some(&HeaderValue::from_static("Bearer t")));
        assert_eq!(
            without,
            "v1 t=1700000000 m=89b9e326972e8e0b5e4ce5a726a3963af3fc2ced015309bc0c866425383b7f6c"
        );
        assert_eq!(
            with,
            "v1 t=1700000000 m=e08c4ae195d3559045e17df66fb5422a881f85b29d831dacd65ad6267e4d8c15"
        );
    }

    #[test]
    fn a_short_key_is_refused_and_none_is_printed() {
        assert_eq!(SigningKey::new(&"a".repeat(31)).unwrap_err(), KeyTooShort);
        let key = SigningKey::new(&"secret".repeat(6)).unwrap();
        assert!(!format!("{key:?}").contains("secret"));
    }
}
