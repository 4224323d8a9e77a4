//! For tests of services: real databases, a real broker, signed tokens, bounded waiting. Not for production code.

mod batches;
mod database;
mod entities;
mod fields;
mod history;
mod lag;
mod peer;
mod postgres;
mod queries;
mod tokens;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_graphql::{ObjectType, Request, Response, Schema, SubscriptionType};
use kopitiam_kafka::embedded::EmbeddedBroker;
use kopitiam_kafka::topics::Layout;
use tempfile::TempDir;

pub use batches::batches;
pub use database::{TestDb, each_database, sqlite};
pub use entities::{Entity, entities};
pub use fields::{assert_decided, assert_roots_decided, fields};
pub use history::assert_kept;
pub use lag::caught_up;
pub use peer::Peer;
pub use postgres::new_database as new_postgres;
pub use queries::queries;
pub use tokens::TestTokens;

#[cfg(debug_assertions)]
pub use crate::time::skew::Skewed;

use crate::auth::{Denylist, Viewer};
use crate::config::{AuthConfig, KafkaConfig, ServiceConfig};
use crate::signing::SigningKeys;

/// Longest wait of [`eventually`]: generous, because a loaded machine is slow and a passing test never waits for it.
const WAIT_MAX: Duration = Duration::from_mins(2);
const WAIT_STEP: Duration = Duration::from_millis(20);

/// Polls `probe` until it gives a value, at most two minutes.
///
/// # Panics
/// When it never does; `what` says what was waited for.
pub async fn eventually<T, F, Fut>(what: &str, probe: F) -> T
where
    F: Fn() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(started.elapsed() < WAIT_MAX, "waited {WAIT_MAX:?} for: {what}");
        tokio::time::sleep(WAIT_STEP).await;
    }
}

/// The codes of a response's `errors`; `no code` for one without.
pub fn error_codes(response: &serde_json::Value) -> Vec<&str> {
    let errors = response["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("no code")).collect()
}

/// How often a race is run: `RACE_ROUNDS`, else `usual`.
pub fn rounds(usual: u32) -> u32 {
    crate::config::variable("RACE_ROUNDS").and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

/// Of two things that happen at once, whichever is polled first changes from round to round.
pub async fn at_once<A, B>(
    round: u32,
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> (A, B) {
    if round.is_multiple_of(2) {
        futures::future::join(one, other).await
    } else {
        let (other, one) = futures::future::join(other, one).await;
        (one, other)
    }
}

/// Names a running Kafka (`host:port`) to test against instead of embedded brokers.
const KAFKA_VARIABLE: &str = "KOPITIAM_TEST_KAFKA";

/// A broker with no one else's messages: an embedded one of this test's own, gone with the value, or topics of this test's
/// own on the Kafka that `KOPITIAM_TEST_KAFKA` names.
pub struct TestBroker(Broker);

enum Broker {
    Embedded { broker: EmbeddedBroker, data: TempDir },
    External(KafkaConfig),
}

impl TestBroker {
    /// Starts one.
    ///
    /// # Panics
    /// When the broker's binary has not been built; the message says how.
    pub async fn start() -> Self {
        if let Some(brokers) = crate::config::variable(KAFKA_VARIABLE) {
            let prefix = format!("test-{}.", uuid::Uuid::now_v7().simple());
            let layout = Layout { prefix, partitions: 3, ..Layout::single() };
            return Self(Broker::External(KafkaConfig { layout, ..KafkaConfig::new(brokers) }));
        }
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let broker = EmbeddedBroker::start(data.path()).await.unwrap_or_else(|error| panic!("{error}"));
        Self(Broker::Embedded { broker, data })
    }

    /// How services reach it.
    pub fn kafka(&self) -> KafkaConfig {
        match &self.0 {
            Broker::Embedded { broker, .. } => KafkaConfig::new(broker.brokers()),
            Broker::External(kafka) => kafka.clone(),
        }
    }

    /// Whether it is ours to kill: not one that `KOPITIAM_TEST_KAFKA` names.
    pub fn is_ours(&self) -> bool {
        matches!(self.0, Broker::Embedded { .. })
    }

    /// Kills it and starts it again at the same address with the same log. A Kafka that is not ours stays as it is.
    ///
    /// # Panics
    /// When it does not come up again.
    pub async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// Like [`Self::restart`], with something done to the folder of its log while it is down: losing a part of it, say.
    ///
    /// # Panics
    /// When it does not come up again.
    pub async fn restart_after(self, meanwhile: impl FnOnce(&Path)) -> Self {
        match self.stop().await {
            Ok(stopped) => {
                meanwhile(stopped.folder());
                stopped.start().await
            }
            Err(not_ours) => not_ours,
        }
    }

    /// Kills it. A Kafka that is not ours stays as it is and is given back.
    ///
    /// # Errors
    /// The broker, when it is not ours.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn stop(self) -> Result<StoppedBroker, Self> {
        let Broker::Embedded { broker, data } = self.0 else { return Err(self) };
        let address = broker.address();
        broker.kill().await.expect("the broker is our child");
        Ok(StoppedBroker { address, data })
    }
}

/// A broker that was killed.
pub struct StoppedBroker {
    address: SocketAddr,
    data: TempDir,
}

impl StoppedBroker {
    /// Where its log is.
    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    /// Starts it again at the same address with the log as it is now.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(self) -> TestBroker {
        let broker = EmbeddedBroker::start_on(self.data.path(), self.address)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        TestBroker(Broker::Embedded { broker, data: self.data })
    }
}

/// Settings of a service under test: this database, this broker, keys of `tokens`.
pub fn service_config(name: &str, db: &TestDb, kafka: KafkaConfig, tokens: &TestTokens) -> ServiceConfig {
    ServiceConfig {
        name: name.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        database_url: db.url().to_owned(),
        kafka,
        auth: auth_config(tokens),
        data_dir: PathBuf::from("."),
        denylist: Denylist::default(),
    }
}

/// What makes tokens of `tokens` valid.
pub fn auth_config(tokens: &TestTokens) -> AuthConfig {
    AuthConfig {
        jwks: crate::config::JwksSource::Static(tokens.jwks()),
        issuer: tokens::ISSUER.to_owned(),
        audience: tokens::AUDIENCE.to_owned(),
        gateway: SigningKeys::default(),
    }
}

/// Executes a query as `viewer`, with `attach` adding the request's loaders.
pub async fn execute<Q, M, S>(
    schema: &Schema<Q, M, S>,
    viewer: Viewer,
    query: &str,
    variables: serde_json::Value,
    attach: impl FnOnce(Request) -> Request,
) -> Response
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    let variables = async_graphql::Variables::from_json(variables);
    schema.execute(attach(Request::new(query).variables(variables).data(viewer))).await
}
