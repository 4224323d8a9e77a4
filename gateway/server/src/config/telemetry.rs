//! `telemetry`: what the gateway tells of itself.
//!
//! Elsewhere: telling it (`telemetry/`).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HumanDuration;
use crate::options::{ExposeSettings, LabelSettings, Options, OtlpSettings, TelemetrySettings};

/// What the gateway tells of itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The form of a log line on stderr.
    pub format: LogFormat,
    /// Levels of log lines by target, such as `info` or `warn,access=info`.
    pub filter: String,
    /// Figures for Prometheus.
    pub metrics: MetricsConfig,
    /// An OpenTelemetry collector that takes traces and metrics. Unset: neither is sent, nor made.
    pub otlp: Option<OtlpConfig>,
    /// What clients may see of their own requests.
    pub expose: ExposeConfig,
}

/// Figures for Prometheus.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Address and port on which `GET /metrics` answers, such as `127.0.0.1:9090`: never the one that clients use. Unset:
    /// nothing is counted.
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// How many operation names are told apart; those beyond are counted together as `(other)`.
    pub operation_names_max: usize,
}

/// An OpenTelemetry collector, reached by OTLP over HTTP with protobuf.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// Its base URL, such as `http://127.0.0.1:4318`; `/v1/traces` and `/v1/metrics` are appended.
    pub endpoint: String,
    /// Headers of each export, such as a key: `{ x-api-key: '${env.COLLECTOR_KEY}' }`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether traces are sent. Default: true.
    #[serde(default = "yes")]
    pub traces: bool,
    /// Whether metrics are sent. Default: true.
    #[serde(default = "yes")]
    pub metrics: bool,
    /// The share of traces that is recorded, from 0 to 1, of those that come without a decision in `traceparent`.
    /// Default: 1.
    #[serde(default = "all")]
    pub sample_ratio: f64,
    /// How often metrics are sent, and how long a span waits at most. Default: 15s.
    pub interval: Option<HumanDuration>,
    /// The resource attribute `service.name`. Default: gateway.
    pub service_name: Option<String>,
}

/// What clients may see of their own requests. With `dev`, they may see all of it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExposeConfig {
    /// A request with the header `gateway-expose: plan` gets its query plan in `extensions.queryPlan`.
    pub plan: bool,
    /// A request with the header `gateway-expose: trace` gets ids and the times of its subgraph requests in
    /// `extensions.trace`.
    pub trace: bool,
    /// Every response with errors has `extensions.traceId`.
    pub trace_id_with_errors: bool,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// For people.
    Text,
}

fn yes() -> bool {
    true
}

fn all() -> f64 {
    1.0
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Json,
            filter: "info".to_owned(),
            metrics: MetricsConfig::default(),
            otlp: None,
            expose: ExposeConfig::default(),
        }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { listen: None, operation_names_max: LabelSettings::default().operation_names_max }
    }
}

impl TelemetryConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        if self.metrics.listen.is_some_and(|listen| listen.port() != 0 && listen == options.listen) {
            return Err("`telemetry.metrics.listen`: metrics need an address of their own".to_owned());
        }
        options.telemetry = TelemetrySettings {
            metrics_listen: self.metrics.listen,
            labels: LabelSettings { operation_names_max: self.metrics.operation_names_max },
            otlp: self.otlp.map(OtlpConfig::settings).transpose()?,
            expose: ExposeSettings {
                plan: self.expose.plan,
                trace: self.expose.trace,
                trace_id_with_errors: self.expose.trace_id_with_errors,
            },
        };
        Ok(())
    }
}

impl OtlpConfig {
    fn settings(self) -> Result<OtlpSettings, String> {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err("`telemetry.otlp.sample_ratio` must be from 0 to 1".to_owned());
        }
        let default = OtlpSettings::new(self.endpoint);
        Ok(OtlpSettings {
            headers: self.headers,
            traces: self.traces,
            metrics: self.metrics,
            sample_ratio: self.sample_ratio,
            interval: self.interval.map_or(default.interval, |interval| interval.0),
            service_name: self.service_name.unwrap_or(default.service_name),
            endpoint: default.endpoint,
        })
    }
}
