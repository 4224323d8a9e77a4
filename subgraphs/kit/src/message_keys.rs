//! The keys of messages: each service signs with a key of its own, and everybody knows the public halves of all, so that
//! whoever steals one service's key speaks for that service and for no other.
//!
//! Ed25519 over the same bytes for every key. A sender may have several public keys: while one replaces another, and for as
//! long as what the older one signed is still read. Beside them there may be the shared keys of an earlier release
//! (HMAC-SHA256), which sign only where a service has no key of its own.
//!
//! Elsewhere: what is signed and where it stands in a record (`senders`); who may send what (`kopitiam_kafka::senders`).

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};

use crate::config::{ConfigError, variable};
use crate::signing::SigningKeys;

/// Everything before the 32 secret bytes of an Ed25519 key in PKCS#8.
///
/// # Source
/// RFC 8410, section 7, and RFC 5958: version 0, algorithm 1.3.101.112, an octet string in an octet string.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const KEY_BYTES: usize = 32;
/// Public keys of one sender: the present one, the next one, and those whose messages are still read.
const KEYS_OF_SENDER_MAX: usize = 8;
/// Before a signature by a service's own key; one by a shared key is bare hexadecimal.
const SCHEME: &str = "ed25519:";

/// What signs messages, and what they must be signed with. Clones share. Without any key nothing is signed and nothing is
/// demanded.
#[derive(Clone, Default)]
pub struct MessageKeys {
    own: Option<EncodingKey>,
    senders: Arc<BTreeMap<String, Vec<DecodingKey>>>,
    shared: SigningKeys,
}

impl std::fmt::Debug for MessageKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let own = if self.own.is_some() { "an own secret key" } else { "no own key" };
        let senders: Vec<&String> = self.senders.keys().collect();
        write!(formatter, "{own}, public keys of {senders:?}, {:?} shared", self.shared)
    }
}

impl MessageKeys {
    /// Only the keys that all services share, as in an earlier release.
    pub fn shared(keys: SigningKeys) -> Self {
        Self { shared: keys, ..Self::default() }
    }

    /// A service's own secret key (32 bytes in base64url, the `d` of a JWK) and the public keys of all services (the `x`):
    /// `user=KEY,order=KEY+KEY`.
    ///
    /// # Errors
    /// What is wrong with them, without their text.
    pub fn parse(own: &str, senders: &str, shared: SigningKeys) -> Result<Self, String> {
        let pkcs8 = [&PKCS8_PREFIX[..], &bytes(own)?].concat();
        let mut all = BTreeMap::new();
        for sender in senders.split(',').map(str::trim) {
            let (name, keys) = sender.split_once('=').ok_or("expected name=key[+key],…")?;
            let keys = keys.split('+').map(public).collect::<Result<Vec<_>, _>>()?;
            if keys.len() > KEYS_OF_SENDER_MAX {
                return Err(format!("`{name}` has more than {KEYS_OF_SENDER_MAX} keys"));
            }
            if all.insert(name.to_owned(), keys).is_some() {
                return Err(format!("`{name}` is there twice"));
            }
        }
        Ok(Self { own: Some(EncodingKey::from_ed_der(&pkcs8)), senders: Arc::new(all), shared })
    }

    /// Reads `MESSAGE_KEY`, `MESSAGE_SENDERS` and `MESSAGE_SIGNING_KEYS` for the service of that name.
    ///
    /// # Errors
    /// [`ConfigError`] when one of the first two is missing beside the other, a key is none, or the service's own is not
    /// among its public ones: nobody would believe what it signs.
    pub fn from_env(service: &str) -> Result<Self, ConfigError> {
        let shared = SigningKeys::from_env("MESSAGE_SIGNING_KEYS")?;
        let missing =
            |variable: &str, meaning| ConfigError::Missing { variable: variable.to_owned(), meaning };
        let invalid = |reason: String| ConfigError::Invalid {
            variable: "MESSAGE_KEY or MESSAGE_SENDERS".to_owned(),
            value: "…".to_owned(),
            reason,
        };
        let (own, senders) = match (variable("MESSAGE_KEY"), variable("MESSAGE_SENDERS")) {
            (None, None) => return Ok(Self::shared(shared)),
            (Some(_), None) => return Err(missing("MESSAGE_SENDERS", "the public keys of all services")),
            (None, Some(_)) => return Err(missing("MESSAGE_KEY", "the secret key of this service")),
            (Some(own), Some(senders)) => (own, senders),
        };
        let keys = Self::parse(&own, &senders, shared).map_err(invalid)?;
        if keys.speak_for(service) {
            Ok(keys)
        } else {
            Err(invalid(format!("the secret key is not that of a public key of `{service}`")))
        }
    }

    /// Whether what these keys sign is believed to be that service's.
    pub fn speak_for(&self, service: &str) -> bool {
        let probe: [&[u8]; 1] = [b"whose?"];
        self.sign(&probe).is_some_and(|signature| self.verify(service, &probe, &signature))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.own.is_none() && self.senders.is_empty() && self.shared.is_empty()
    }

    /// The signature of these bytes, one part after the other; `None` without keys.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> Option<String> {
        let Some(own) = &self.own else { return self.shared.sign(parts) };
        // It cannot fail: the length of the key was looked at, and any 32 bytes are one.
        let signature = crypto::sign(&parts.concat(), own, Algorithm::EdDSA).ok()?;
        Some(format!("{SCHEME}{signature}"))
    }

    /// Whether a key of that sender, or a shared one, signed these bytes so.
    pub(crate) fn verify(&self, sender: &str, parts: &[&[u8]], signature: &str) -> bool {
        let Some(signature) = signature.strip_prefix(SCHEME) else {
            return self.shared.verify(parts, signature);
        };
        let message = parts.concat();
        let proves = |key: &DecodingKey| {
            crypto::verify(signature, &message, key, Algorithm::EdDSA).is_ok_and(|genuine| genuine)
        };
        self.senders.get(sender).is_some_and(|keys| keys.iter().any(proves))
    }
}

/// The public half (`x`) of a secret key (`d`), both as in a JWK.
///
/// # Errors
/// Why it is no secret key, without its text.
pub fn public_of(secret: &str) -> Result<String, String> {
    let pkcs8 = [&PKCS8_PREFIX[..], &bytes(secret)?].concat();
    let jwk = Jwk::from_encoding_key(&EncodingKey::from_ed_der(&pkcs8), Algorithm::EdDSA);
    match jwk.map_err(|error| error.to_string())?.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) => Ok(pair.x),
        _ => Err("not an Ed25519 key".to_owned()),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default();
    if bytes.len() == KEY_BYTES { Ok(bytes) } else { Err(format!("a key is {KEY_BYTES} bytes in base64url")) }
}

fn public(text: &str) -> Result<DecodingKey, String> {
    bytes(text)?;
    DecodingKey::from_ed_components(text.trim()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Secret keys that differ in their last character only.
    const USER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    const ORDER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHhA";
    const NEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHhE";
    const MESSAGE: [&[u8]; 2] = [b"message", b"body"];

    fn keys(own: &str, senders: &[(&str, &[&str])]) -> MessageKeys {
        let public = |(name, keys): &(&str, &[&str])| {
            let keys: Vec<String> = keys.iter().map(|key| public_of(key).unwrap()).collect();
            format!("{name}={}", keys.join("+"))
        };
        let senders: Vec<String> = senders.iter().map(public).collect();
        MessageKeys::parse(own, &senders.join(","), SigningKeys::default()).unwrap()
    }

    #[test]
    fn a_key_speaks_for_its_service_and_for_no_other() {
        let user = keys(USER, &[("user", &[USER]), ("order", &[ORDER])]);
        let signature = user.sign(&MESSAGE).unwrap();
        assert!(user.verify("user", &MESSAGE, &signature) && user.speak_for("user"));
        for other in ["order", "product", ""] {
            assert!(!user.verify(other, &MESSAGE, &signature) && !user.speak_for(other), "{other}");
        }
        assert!(!user.verify("user", &[b"message", b"bodies"], &signature));
        for forged in ["", SCHEME, &signature[1..], &signature[SCHEME.len()..], &format!("{signature}A")] {
            assert!(!user.verify("user", &MESSAGE, forged), "{forged}");
        }
    }

    #[test]
    fn two_keys_of_a_service_verify_while_one_replaces_the_other() {
        let before = keys(USER, &[("user", &[USER])]);
        let told = keys(ORDER, &[("user", &[NEXT, USER]), ("order", &[ORDER])]);
        let after = keys(NEXT, &[("user", &[NEXT, USER])]);
        for sender in [&before, &after] {
            let signature = sender.sign(&MESSAGE).unwrap();
            assert!(told.verify("user", &MESSAGE, &signature));
        }
        let last = keys(ORDER, &[("user", &[NEXT]), ("order", &[ORDER])]);
        assert!(!last.verify("user", &MESSAGE, &before.sign(&MESSAGE).unwrap()), "the old one is gone");
    }

    #[test]
    fn what_a_shared_key_signed_is_read_as_long_as_it_is_known() {
        let shared = SigningKeys::parse("a key that all the services share").unwrap();
        let earlier = MessageKeys::shared(shared.clone()).sign(&MESSAGE).unwrap();
        let order = keys(ORDER, &[("user", &[USER]), ("order", &[ORDER])]);
        assert!(!order.verify("user", &MESSAGE, &earlier));
        let still = MessageKeys { shared, ..order };
        assert!(still.verify("user", &MESSAGE, &earlier));
        assert!(still.sign(&MESSAGE).unwrap().starts_with(SCHEME), "its own key signs");
    }

    #[test]
    fn what_is_no_key_is_refused_and_none_is_shown() {
        let public = public_of(USER).unwrap();
        for (own, senders) in [
            ("short", format!("user={public}")),
            (USER, public.clone()),
            (USER, format!("user={public},user={public}")),
            (USER, format!("user={}", [public.as_str(); KEYS_OF_SENDER_MAX + 1].join("+"))),
            (USER, "user=short".to_owned()),
        ] {
            let refusal = MessageKeys::parse(own, &senders, SigningKeys::default()).unwrap_err();
            assert!(!refusal.contains(USER) && !refusal.contains("short"), "{refusal}");
        }
        assert!(!format!("{:?}", keys(USER, &[("user", &[USER])])).contains(&USER[..8]));
    }
}
