//! Webhook signatures: HMAC-SHA256 over the time and the raw body, compared in constant time.
//!
//! # Source
//! The scheme of Stripe's webhook signatures: `t=<seconds>,v1=<hex of HMAC(secret, "<seconds>.<body>")>`, several `v1`
//! while a secret is replaced.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::WebhookError;

/// A signature is good this long, and this far ahead of our clock.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

fn mac(secret: &str, seconds: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// The header for a body sent at `at`.
pub fn sign(secret: &str, body: &[u8], at: DateTime<Utc>) -> String {
    use std::fmt::Write as _;
    let seconds = at.timestamp();
    let digest = mac(secret, seconds, body).finalize().into_bytes();
    let hex = digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("t={seconds},v1={hex}")
}

/// Checks the header of a body that came at `now`.
///
/// # Errors
/// [`WebhookError`].
pub fn verify(
    secret: &str,
    header: Option<&str>,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), WebhookError> {
    let header = header.ok_or(WebhookError::Unsigned)?;
    let mut seconds = None;
    let mut candidates = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) => seconds = value.parse::<i64>().ok(),
            Some(("v1", value)) => candidates.extend(bytes(value)),
            _ => {}
        }
    }
    let seconds = seconds.ok_or(WebhookError::Unsigned)?;
    if candidates.is_empty() {
        return Err(WebhookError::Unsigned);
    }
    // The signature first: of a forged message nothing is believed, not even its time.
    if !candidates.iter().any(|candidate| mac(secret, seconds, body).verify_slice(candidate).is_ok()) {
        return Err(WebhookError::Forged);
    }
    let signed_at = DateTime::from_timestamp(seconds, 0).ok_or(WebhookError::Stale)?;
    if (now - signed_at).abs() > TOLERANCE { Err(WebhookError::Stale) } else { Ok(()) }
}

/// 32 bytes in hexadecimal.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test";

    #[test]
    fn a_body_is_believed_as_it_was_signed_and_for_five_minutes() {
        let now = Utc::now();
        let header = sign(SECRET, b"{\"id\": 1}", now);
        let check = |body: &[u8], at| verify(SECRET, Some(&header), body, at);
        assert_eq!(check(b"{\"id\": 1}", now), Ok(()));
        assert_eq!(check(b"{\"id\": 1}", now + TimeDelta::seconds(299)), Ok(()));
        assert_eq!(check(b"{\"id\":1}", now), Err(WebhookError::Forged), "a body encoded anew");
        for skew in [TimeDelta::seconds(302), TimeDelta::seconds(-302)] {
            assert_eq!(check(b"{\"id\": 1}", now + skew), Err(WebhookError::Stale));
        }
        assert_eq!(verify("another", Some(&header), b"{\"id\": 1}", now), Err(WebhookError::Forged));
        let later = header.replace("t=", "t=1");
        assert_eq!(verify(SECRET, Some(&later), b"{\"id\": 1}", now), Err(WebhookError::Forged));
    }

    #[test]
    fn no_header_and_nonsense_are_no_signature() {
        let now = Utc::now();
        let time = now.timestamp();
        for header in
            ["", "t=,v1=", "v1=00", &format!("t={time}"), &format!("t={time},v1=ä{}", "0".repeat(62))]
        {
            assert_eq!(verify(SECRET, Some(header), b"", now), Err(WebhookError::Unsigned), "{header}");
        }
        assert_eq!(verify(SECRET, None, b"", now), Err(WebhookError::Unsigned));
    }

    #[test]
    fn while_a_secret_is_replaced_one_of_several_signatures_is_enough() {
        let now = Utc::now();
        let (old, new) = (sign("old", b"x", now), sign(SECRET, b"x", now));
        let both = format!("{old},{}", new.split(',').next_back().unwrap());
        assert_eq!(verify(SECRET, Some(&both), b"x", now), Ok(()));
    }
}
