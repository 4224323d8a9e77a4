//! How one subgraph is reached, as an embedding program says it.
//!
//! Elsewhere: the same as YAML (`config/subgraphs.rs`).

use std::time::Duration;

use http::header::HeaderName;

use super::compression::Coding;
use super::signature::SigningKey;
use super::streams::SourceSettings;
use super::traffic::{BreakerSettings, ConcurrencySettings, RateSettings, RetrySettings};
use super::wire::ConnectionSettings;
use crate::cache::CacheSettings;

/// How one subgraph is reached, and within which bounds.
#[derive(Debug, Clone)]
pub struct SubgraphSettings {
    /// From the moment somebody wants to ask to the last byte of the answer, further tries and waiting included; for a
    /// subscription, to its opening.
    pub timeout: Duration,
    /// The largest answer, decompressed, and the largest event of a subscription.
    pub response_bytes_max: usize,
    /// Connections.
    pub connection: ConnectionSettings,
    /// What is sent and taken compressed.
    pub compression: CompressionSettings,
    /// Requests at once.
    pub concurrency: ConcurrencySettings,
    /// Requests in a time. `None`: as many as come.
    pub rate: Option<RateSettings>,
    /// Further tries.
    pub retry: RetrySettings,
    /// When a failing subgraph is left alone. `None`: never.
    pub breaker: Option<BreakerSettings>,
    /// Subscriptions.
    pub subscriptions: SourceSettings,
    /// The header that tells the subgraph how many milliseconds its answer is waited for. `None`: it is not told.
    pub deadline_header: Option<HeaderName>,
    /// Signs requests, so that the subgraph can refuse those of anyone else. `None`: they are not signed.
    pub signing: Option<SigningKey>,
    /// Keeps answers for as long as the subgraph allows it. `None`: none is kept.
    pub cache: Option<CacheSettings>,
}

impl Default for SubgraphSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            response_bytes_max: 32 * 1024 * 1024,
            connection: ConnectionSettings::default(),
            compression: CompressionSettings::default(),
            concurrency: ConcurrencySettings::default(),
            rate: None,
            retry: RetrySettings::default(),
            breaker: Some(BreakerSettings::default()),
            subscriptions: SourceSettings::default(),
            deadline_header: None,
            signing: None,
            cache: None,
        }
    }
}

/// What travels compressed between gateway and subgraph. By default nothing is: in one network it costs more time than it
/// saves. An answer that comes compressed unasked is understood all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressionSettings {
    /// Asks for compressed answers.
    pub answers: bool,
    /// How requests are compressed. `None`: they are not.
    pub requests: Option<Coding>,
    /// Smaller requests are not compressed, in bytes.
    pub request_bytes_min: usize,
}

impl Default for CompressionSettings {
    fn default() -> Self {
        Self { answers: false, requests: None, request_bytes_min: 2 * 1024 }
    }
}
