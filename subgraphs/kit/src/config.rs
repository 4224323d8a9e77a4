//! Settings from environment variables, typed, each refusal naming the variable.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `LISTEN` | `127.0.0.1:0` | address of the service's HTTP listener |
//! | `DATA_DIR` | `./data` | folder of SQLite files |
//! | `DATABASE_URL` | `sqlite://$DATA_DIR/<service>.db` | `sqlite://path` or `postgres://…` |
//! | `KAFKA_BROKERS` | none: must be set | `host:port[,…]` |
//! | `KAFKA_REPLICATION` | `1` | copies of each topic made at start |
//! | `KAFKA_PARTITIONS` | `3` | parts of each topic made at start |
//! | `KAFKA_TOPIC_PREFIX` | none | goes before topics' and groups' names on a shared cluster |
//! | `JWKS_URL`, `JWKS_FILE` or `JWKS` | none: one must be set | keys that sign access tokens |
//! | `JWT_ISSUER`, `JWT_AUDIENCE` | `kopitiam` | expected in tokens |
//! | `GATEWAY_SIGNING_KEYS` | none | requests must be signed with one of these (`new,old`); without, anybody may ask |
//! | `MESSAGE_KEY` | none | secret key (Ed25519, 32 bytes in base64url) that signs this service's messages |
//! | `MESSAGE_SENDERS` | none | public keys of all services, `user=KEY,order=NEW+OLD,…`: messages must be signed by theirs |
//! | `MESSAGE_SIGNING_KEYS` | none | keys that all services shared in an earlier release: what they signed is believed, too |
//! | `KOPITIAM_FAULTS` | `off` | `on`: whoever reaches the listener may end the process (`POST /faults/crash`); a release build refuses to start with it |

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, RwLock};

use jsonwebtoken::jwk::JwkSet;
use kopitiam_kafka::topics::Layout;

use crate::auth::Denylist;
use crate::message_keys::MessageKeys;
use crate::signing::SigningKeys;

/// A setting that is missing or not understood.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The variable has no default and is not set.
    #[error("{variable} must be set: {meaning}")]
    Missing {
        /// Its name.
        variable: String,
        /// What it is for.
        meaning: &'static str,
    },
    /// The variable's value is not understood.
    #[error("{variable}=`{value}` is not valid: {reason}")]
    Invalid {
        /// Its name.
        variable: String,
        /// What was found.
        value: String,
        /// Why it was refused.
        reason: String,
    },
}

/// What every service needs to start.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// The service's name: consumer group, actor of its events, default file name.
    pub name: String,
    /// Where to listen when served on a port of its own.
    pub listen: SocketAddr,
    /// `sqlite://path` or `postgres://…`.
    pub database_url: String,
    /// The broker.
    pub kafka: KafkaConfig,
    /// Who signs access tokens.
    pub auth: AuthConfig,
    /// Folder for files of the service.
    pub data_dir: PathBuf,
    /// Whose tokens are refused; services in one process share it.
    pub denylist: Denylist,
}

/// Where the broker is.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// `host:port[,host:port…]`.
    pub brokers: String,
    /// How topics made at start are laid out.
    pub layout: Layout,
    /// As which service messages are sent; without a name nobody may see whose they are.
    pub sender: Option<&'static str>,
    /// What signs messages, and what they must be signed with.
    pub keys: MessageKeys,
}

impl KafkaConfig {
    /// A single broker of our own.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self { brokers: brokers.into(), layout: Layout::single(), sender: None, keys: MessageKeys::default() }
    }

    /// The same, sending as this service.
    #[must_use]
    pub fn sent_by(self, service: &'static str) -> Self {
        Self { sender: Some(service), ..self }
    }

    /// Reads `KAFKA_BROKERS`, `KAFKA_REPLICATION`, `KAFKA_PARTITIONS`, `KAFKA_TOPIC_PREFIX` and the keys of messages
    /// ([`MessageKeys::from_env`]) for the service of that name.
    ///
    /// # Errors
    /// [`ConfigError`] when no broker is named, a number is none, or a key is wrong.
    pub fn from_env(service: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            brokers: required("KAFKA_BROKERS", "host:port of a Kafka broker")?,
            layout: Layout {
                replication: parsed("KAFKA_REPLICATION")?.unwrap_or(1),
                partitions: parsed("KAFKA_PARTITIONS")?.unwrap_or(3),
                prefix: variable("KAFKA_TOPIC_PREFIX").unwrap_or_default(),
            },
            sender: None,
            keys: MessageKeys::from_env(service)?,
        })
    }
}

/// What makes an access token valid.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// Where the public keys come from.
    pub jwks: JwksSource,
    /// Expected `iss`.
    pub issuer: String,
    /// Expected in `aud`.
    pub audience: String,
    /// What the gateway signs requests with; without keys anybody who reaches the service may ask.
    pub gateway: SigningKeys,
}

/// Where the public keys come from.
#[derive(Clone, Debug)]
pub enum JwksSource {
    /// Fetched, kept, and fetched again (at most every 30 s) when a token names an unknown key.
    Url(String),
    /// Read, kept, and read again when a token names an unknown key.
    File(PathBuf),
    /// Fixed.
    Static(JwkSet),
    /// Kept by whoever signs, in this process.
    Live(LiveKeys),
}

/// A key set that its owner replaces while it is used. Clones share.
#[derive(Clone, Debug)]
pub struct LiveKeys(Arc<RwLock<Arc<JwkSet>>>);

impl Default for LiveKeys {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Arc::new(JwkSet { keys: Vec::new() }))))
    }
}

impl LiveKeys {
    /// Replaces the set.
    pub fn set(&self, keys: JwkSet) {
        *self.0.write().expect("no code panics while it holds this lock") = Arc::new(keys);
    }

    /// The set as of now.
    pub fn get(&self) -> Arc<JwkSet> {
        Arc::clone(&self.0.read().expect("no code panics while it holds this lock"))
    }
}

impl ServiceConfig {
    /// Reads the settings of the service `name`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the first variable at fault.
    pub fn from_env(name: &str) -> Result<Self, ConfigError> {
        let data_dir: PathBuf = parsed("DATA_DIR")?.unwrap_or_else(|| PathBuf::from("./data"));
        let database_url = variable("DATABASE_URL")
            .unwrap_or_else(|| format!("sqlite://{}", data_dir.join(format!("{name}.db")).display()));
        if !(database_url.starts_with("sqlite:") || database_url.starts_with("postgres")) {
            return Err(ConfigError::Invalid {
                variable: "DATABASE_URL".to_owned(),
                value: database_url.split(':').next().unwrap_or_default().to_owned(),
                reason: "expected sqlite://path or postgres://…".to_owned(),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            listen: parsed("LISTEN")?.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))),
            database_url,
            kafka: KafkaConfig::from_env(name)?,
            auth: AuthConfig::from_env()?,
            data_dir,
            denylist: Denylist::default(),
        })
    }
}

impl AuthConfig {
    /// Reads `JWKS_URL`, `JWKS_FILE` or `JWKS`, `JWT_ISSUER`, `JWT_AUDIENCE` and `GATEWAY_SIGNING_KEYS`.
    ///
    /// # Errors
    /// [`ConfigError`] when no key source is set, or the inline one is no key set.
    pub fn from_env() -> Result<Self, ConfigError> {
        let jwks = if let Some(url) = variable("JWKS_URL") {
            JwksSource::Url(url)
        } else if let Some(path) = variable("JWKS_FILE") {
            JwksSource::File(PathBuf::from(path))
        } else {
            let inline = required("JWKS", "the key set itself, or set JWKS_URL or JWKS_FILE")?;
            JwksSource::Static(serde_json::from_str(&inline).map_err(|error| ConfigError::Invalid {
                variable: "JWKS".to_owned(),
                value: "…".to_owned(),
                reason: error.to_string(),
            })?)
        };
        Ok(Self {
            jwks,
            issuer: variable("JWT_ISSUER").unwrap_or_else(|| "kopitiam".to_owned()),
            audience: variable("JWT_AUDIENCE").unwrap_or_else(|| "kopitiam".to_owned()),
            gateway: SigningKeys::from_env("GATEWAY_SIGNING_KEYS")?,
        })
    }
}

/// The variable's value; unset and empty are the same.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable without a default.
///
/// # Errors
/// [`ConfigError::Missing`] when it is not set.
pub fn required(name: &str, meaning: &'static str) -> Result<String, ConfigError> {
    variable(name).ok_or_else(|| ConfigError::Missing { variable: name.to_owned(), meaning })
}

/// A typed variable, `None` when unset.
///
/// # Errors
/// [`ConfigError::Invalid`] when the value does not parse.
pub fn parsed<T: FromStr>(name: &str) -> Result<Option<T>, ConfigError>
where
    T::Err: std::fmt::Display,
{
    variable(name)
        .map(|value| {
            value.parse().map_err(|error: T::Err| ConfigError::Invalid {
                variable: name.to_owned(),
                value: value.clone(),
                reason: error.to_string(),
            })
        })
        .transpose()
}
