//! `rate_limits`: how much one client may ask.
//!
//! Elsewhere: counting (`http/rate_limit.rs`).

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use kopitiam_engine::OperationKind;
use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::options::{FieldLimit, Options, Rate, RateLimitSettings};

/// How much one client may ask. Counted in operations, of which a batch has several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitsConfig {
    /// For each address that requests come from; for IPv6, for each /64 network. Behind proxies, name them in
    /// `headers.trusted_proxies`, or all clients share one limit.
    pub per_address: Option<RateConfig>,
    /// For each subject of access tokens.
    pub per_subject: Option<RateConfig>,
    /// For each address and one root field, such as `Mutation.logIn`, counted as often as an operation names it.
    pub fields: BTreeMap<String, RateConfig>,
    /// Clients remembered by each limit; those that ask the least are forgotten first.
    pub clients_max: usize,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateConfig {
    /// How many.
    pub operations: NonZeroU32,
    /// In how long. Default: 1s.
    #[serde(default = "second")]
    pub per: HumanDuration,
    /// How many at once. Default: as many as `operations`.
    #[serde(default)]
    pub burst: Option<NonZeroU32>,
}

fn second() -> HumanDuration {
    HumanDuration(std::time::Duration::from_secs(1))
}

impl Default for RateLimitsConfig {
    fn default() -> Self {
        let settings = RateLimitSettings::default();
        Self {
            per_address: None,
            per_subject: None,
            fields: BTreeMap::new(),
            clients_max: settings.clients_max,
        }
    }
}

impl RateConfig {
    fn rate(self) -> Result<Rate, String> {
        if self.per.0.is_zero() {
            return Err("`rate_limits`: `per` must not be zero".to_owned());
        }
        Ok(Rate {
            operations: self.operations,
            per: self.per.0,
            burst: self.burst.unwrap_or(self.operations),
        })
    }
}

impl RateLimitsConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        let fields = self.fields.iter().map(|(field, rate)| field_limit(field, *rate));
        options.rate_limits = RateLimitSettings {
            per_address: self.per_address.map(RateConfig::rate).transpose()?,
            per_subject: self.per_subject.map(RateConfig::rate).transpose()?,
            fields: fields.collect::<Result<_, _>>()?,
            clients_max: self.clients_max,
        };
        Ok(())
    }
}

fn field_limit(field: &str, rate: RateConfig) -> Result<FieldLimit, String> {
    let (kind, name) = match field.split_once('.') {
        Some(("Query", name)) => (OperationKind::Query, name),
        Some(("Mutation", name)) => (OperationKind::Mutation, name),
        Some(("Subscription", name)) => (OperationKind::Subscription, name),
        _ => {
            return Err(format!(
                "`rate_limits.fields`: `{field}` is not a root field such as Mutation.logIn"
            ));
        }
    };
    Ok(FieldLimit { kind, name: name.to_owned(), rate: rate.rate()? })
}
