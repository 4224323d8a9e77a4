//! Signatures by a shared key: what proves that a request came through the gateway.
//!
//! HMAC-SHA256, compared in constant time. While a key is replaced there are two: the first signs, both verify.
//!
//! Elsewhere: people's access tokens (`auth`); the keys of messages, one per service (`message_keys`).

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::config::ConfigError;

/// Header of a request that the gateway signed: `v1 t=<unix seconds> m=<hex>`.
pub const GATEWAY_SIGNATURE: &str = "x-gateway-signature";
/// A signed request is good this long, and this far ahead of our clock.
const TOLERANCE: TimeDelta = TimeDelta::seconds(30);
const KEY_BYTES_MIN: usize = 32;
const KEYS_MAX: usize = 2;

/// The keys of one kind of signature. Clones share. Without keys nothing is signed and nothing is demanded.
#[derive(Clone, Default)]
pub struct SigningKeys(Arc<[String]>);

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} secret keys", self.0.len())
    }
}

impl SigningKeys {
    /// Keys separated by commas, each of 32 bytes or more; at most two.
    ///
    /// # Errors
    /// What is wrong with them, without their text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let keys: Arc<[String]> = text.split(',').map(|key| key.trim().to_owned()).collect();
        if keys.len() > KEYS_MAX {
            return Err(format!("expected at most {KEYS_MAX} keys, found {}", keys.len()));
        }
        if keys.iter().any(|key| key.len() < KEY_BYTES_MIN) {
            return Err(format!("a key must have {KEY_BYTES_MIN} bytes or more"));
        }
        Ok(Self(keys))
    }

    /// The keys of a variable; none when it is not set.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub fn from_env(variable: &str) -> Result<Self, ConfigError> {
        let Some(text) = crate::config::variable(variable) else { return Ok(Self::default()) };
        Self::parse(&text).map_err(|reason| ConfigError::Invalid {
            variable: variable.to_owned(),
            value: "…".to_owned(),
            reason,
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The signature of these bytes, one part after the other, in hexadecimal; `None` without keys.
    pub fn sign(&self, parts: &[&[u8]]) -> Option<String> {
        self.0.first().map(|key| hex(&mac(key, parts).finalize().into_bytes()))
    }

    /// Whether one of the keys signed these bytes so.
    pub fn verify(&self, parts: &[&[u8]], signature: &str) -> bool {
        let Some(signature) = bytes(signature) else { return false };
        self.0.iter().any(|key| mac(key, parts).verify_slice(&signature).is_ok())
    }
}

fn mac(key: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// A request as the gateway signs it.
#[derive(Clone, Copy, Debug)]
pub struct SignedCall<'request> {
    /// `POST`.
    pub method: &'request str,
    /// As in the request line.
    pub path_and_query: &'request str,
    /// As it was sent.
    pub body: &'request [u8],
    /// The `Authorization` header's value, empty without one: binds the call to whom it is for.
    pub authorization: &'request [u8],
}

impl SignedCall<'_> {
    fn text(&self, seconds: i64) -> String {
        let Self { method, path_and_query, body, authorization } = self;
        let (body, authorization) = (hex(&Sha256::digest(body)), hex(&Sha256::digest(authorization)));
        format!("v1\n{seconds}\n{method}\n{path_and_query}\n{body}\n{authorization}")
    }

    /// The header's value at `now`; `None` without keys.
    pub fn sign(&self, keys: &SigningKeys, now: DateTime<Utc>) -> Option<String> {
        let seconds = now.timestamp();
        let signature = keys.sign(&[self.text(seconds).as_bytes()])?;
        Some(format!("v1 t={seconds} m={signature}"))
    }

    /// Whether the header's value is the gateway's own for this call, made within half a minute of `now`.
    pub fn verify(&self, keys: &SigningKeys, header: &str, now: DateTime<Utc>) -> bool {
        let mut words = header.split(' ');
        let (Some("v1"), Some(time), Some(signature), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return false;
        };
        let seconds = time.strip_prefix("t=").and_then(|seconds| seconds.parse::<i64>().ok());
        let (Some(seconds), Some(signature)) = (seconds, signature.strip_prefix("m=")) else { return false };
        // The signature first: of a forged call nothing is believed, not even its time.
        keys.verify(&[self.text(seconds).as_bytes()], signature)
            && DateTime::from_timestamp(seconds, 0).is_some_and(|at| (now - at).abs() <= TOLERANCE)
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old key of thirty-two bytes or more";
    const NEW: &str = "a new key of thirty-two bytes and more";
    const CALL: SignedCall<'_> = SignedCall {
        method: "POST",
        path_and_query: "/graphql",
        body: br#"{"query":"{ me { id } }"}"#,
        authorization: b"Bearer token",
    };

    fn keys(text: &str) -> SigningKeys {
        SigningKeys::parse(text).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn a_signed_call_is_good_for_half_a_minute_and_for_nothing_else() {
        let keys = keys(NEW);
        let header = CALL.sign(&keys, at(1_000)).unwrap();
        for (now, good) in [(969, false), (970, true), (1_000, true), (1_030, true), (1_031, false)] {
            assert_eq!(CALL.verify(&keys, &header, at(now)), good, "{now}");
        }
        let others = [
            SignedCall { method: "GET", ..CALL },
            SignedCall { path_and_query: "/graphql?a", ..CALL },
            SignedCall { body: b"{}", ..CALL },
            SignedCall { authorization: b"", ..CALL },
        ];
        for other in others {
            assert!(!other.verify(&keys, &header, at(1_000)), "{other:?}");
        }
        for forged in
            ["", "v1", "v1 t=1000 m=", &header.replace("v1", "v2"), &format!("{header} x"), &header[1..]]
        {
            assert!(!CALL.verify(&keys, forged, at(1_000)), "{forged}");
        }
        assert!(!CALL.verify(&keys, &header.replace("t=1000", "t=1001"), at(1_000)), "another time");
    }

    /// The gateway signs with code of its own: both hold to these bytes.
    #[test]
    fn the_signed_text_is_as_agreed() {
        let header = CALL.sign(&keys(NEW), at(1_000)).unwrap();
        assert_eq!(
            CALL.text(1_000),
            "v1\n1000\nPOST\n/graphql\n\
             64d4ae404c393f3916a308845f1df6e2ccd4243d889d3883f9b2dd7da9d31114\n\
             b22ac30e61f624d5d9ecfaec62edc932976e15d2f1599809297f5422ed3b396b"
        );
        assert_eq!(header, "v1 t=1000 m=6c8330bca36df6c548417c8be6814a7be2cbf1abb05bbf9c2d9a7632da3f3220");
    }

    #[test]
    fn two_keys_verify_while_one_replaces_the_other() {
        let header = CALL.sign(&keys(OLD), at(0)).unwrap();
        let both = keys(&format!("{NEW},{OLD}"));
        assert!(CALL.verify(&both, &header, at(0)));
        assert_eq!(CALL.sign(&both, at(0)), CALL.sign(&keys(NEW), at(0)), "the first signs");
        assert!(!CALL.verify(&keys(NEW), &header, at(0)), "the old one is gone");
        assert!(!CALL.verify(&SigningKeys::default(), &header, at(0)), "no key, no belief");
    }

    #[test]
    fn weak_or_many_keys_are_refused_and_none_is_shown() {
        for text in ["short", &format!("{NEW},"), &format!("{NEW},{OLD},{NEW}")] {
            assert!(!SigningKeys::parse(text).unwrap_err().contains("key of thirty"));
        }
        assert_eq!(format!("{:?}", keys(NEW)), "1 secret keys");
    }
}
