//! Where the shared store is, and how long one waits for it.
//!
//! Always: nothing of it that is secret is written anywhere.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::subgraph_client::Tls;

/// The shortest secret in bytes.
const SECRET_BYTES_MIN: usize = 16;

/// Why a shared store cannot be used. Never repeats the URL: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisSettingsError {
    /// The URL has none of the forms.
    #[error(
        "the URL must be redis://[user:password@]host[:port][/database], the same with rediss (TLS), \
         or unix:///socket[?db=1&user=…&pass=…]"
    )]
    Url,
    /// The secret is too short to be one.
    #[error("the secret must have at least 16 characters")]
    SecretTooShort,
}

/// A store that several gateways share: a server that speaks the Redis protocol.
#[derive(Clone)]
pub struct RedisSettings {
    pub(super) place: Place,
    pub(super) login: RedisConnectionInfo,
    secret: Box<[u8]>,
    /// Before every name in the server, so that several uses can share it.
    pub key_prefix: String,
    /// How long a lookup may take; what takes longer is as if it were not there.
    pub timeout: Duration,
    /// How long connecting may take, keeping something, for which no answer waits, and an invalidation.
    pub connect_timeout: Duration,
    /// How much may wait to be kept, in bytes; what is more is not kept.
    pub waiting_bytes_max: usize,
    /// Whom to trust with `rediss`, and who we are.
    pub tls: Tls,
}

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Tcp(String, u16),
    /// With the name that the certificate must have.
    Tls(String, u16, ServerName<'static>),
    Unix(PathBuf),
}

impl RedisSettings {
    /// What `key_prefix` is unless it is set.
    pub const KEY_PREFIX: &str = "gateway:";
    /// What `timeout` is unless it is set.
    pub const TIMEOUT: Duration = Duration::from_millis(20);
    /// What `connect_timeout` is unless it is set.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
    /// What `waiting_bytes_max` is unless it is set.
    pub const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

    /// A server at a URL. Gateways that share it have the same `secret`: it keeps credentials from being guessed by who can
    /// read the server's keys.
    ///
    /// # Errors
    /// [`RedisSettingsError`].
    pub fn new(url: &str, secret: &str) -> Result<Self, RedisSettingsError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(RedisSettingsError::SecretTooShort);
        }
        // The library would want TLS of its own for this scheme.
        let (url, is_tls) = match url.strip_prefix("rediss://").or_else(|| url.strip_prefix("valkeys://")) {
            Some(rest) => (format!("redis://{rest}"), true),
            None => (url.to_owned(), false),
        };
        let info = url.into_connection_info().map_err(|_| RedisSettingsError::Url)?;
        let place = match info.addr() {
            ConnectionAddr::Tcp(host, port) if is_tls => {
                let name = ServerName::try_from(host.clone()).map_err(|_| RedisSettingsError::Url)?;
                Place::Tls(host.clone(), *port, name)
            }
            ConnectionAddr::Tcp(host, port) => Place::Tcp(host.clone(), *port),
            ConnectionAddr::Unix(path) => Place::Unix(path.clone()),
            _ => return Err(RedisSettingsError::Url),
        };
        Ok(Self {
            place,
            login: info.redis_settings().clone().set_skip_set_lib_name(),
            secret: secret.as_bytes().into(),
            key_prefix: Self::KEY_PREFIX.to_owned(),
            timeout: Self::TIMEOUT,
            connect_timeout: Self::CONNECT_TIMEOUT,
            waiting_bytes_max: Self::WAITING_BYTES_MAX,
            tls: Tls::default(),
        })
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key_prefix, timeout, connect_timeout, .. } = self;
        formatter
            .debug_struct("RedisSettings")
            .field("key_prefix", key_prefix)
            .field("timeout", timeout)
            .field("connect_timeout", connect_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of some length";

    fn place(url: &str) -> Result<Place, RedisSettingsError> {
        RedisSettings::new(url, SECRET).map(|settings| settings.place)
    }

    #[test]
    fn urls_of_every_form_are_read_and_others_refused_without_being_repeated() {
        assert_eq!(place("redis://cache"), Ok(Place::Tcp("cache".into(), 6379)));
        assert_eq!(place("redis://u:p@127.0.0.1:7000/2"), Ok(Place::Tcp("127.0.0.1".into(), 7000)));
        let name = ServerName::try_from("cache.example").unwrap();
        assert_eq!(place("rediss://:p@cache.example"), Ok(Place::Tls("cache.example".into(), 6379, name)));
        assert_eq!(place("unix:///run/redis.sock?db=1"), Ok(Place::Unix("/run/redis.sock".into())));
        for wrong in ["", "cache:6379", "http://cache", "redis://", "redis://u:secret@cache/x"] {
            assert_eq!(place(wrong), Err(RedisSettingsError::Url), "{wrong}");
        }
        assert_eq!(
            RedisSettings::new("redis://cache", "short").unwrap_err(),
            RedisSettingsError::SecretTooShort
        );
    }

    #[test]
    fn neither_the_password_nor_the_secret_is_shown() {
        let settings = RedisSettings::new("redis://user:planted@cache", SECRET).unwrap();
        let shown = format!("{settings:?}");
        assert!(!["planted", "user", "cache", SECRET].iter().any(|secret| shown.contains(secret)), "{shown}");
    }
}
