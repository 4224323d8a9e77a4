//! What the gateway tells of itself, beside its log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Metrics, traces, and what of them clients may see. By default none of it is on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TelemetrySettings {
    /// Where `GET /metrics` answers (Prometheus' text format). Never the address that clients use.
    pub metrics_listen: Option<SocketAddr>,
    /// Bounds of labels.
    pub labels: LabelSettings,
    /// Where an OpenTelemetry collector takes traces and metrics.
    pub otlp: Option<OtlpSettings>,
    /// What a client may ask to see of its own request, by the header `gateway-expose`.
    pub expose: ExposeSettings,
}

/// Bounds of metrics' labels: each value is a time series of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelSettings {
    /// How many operation names are told apart; those beyond are counted together as `(other)`.
    pub operation_names_max: usize,
}

impl Default for LabelSettings {
    fn default() -> Self {
        Self { operation_names_max: 500 }
    }
}

/// An OpenTelemetry collector, reached by OTLP over HTTP with protobuf.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpSettings {
    /// Its base URL, such as `http://127.0.0.1:4318`; `/v1/traces` and `/v1/metrics` are appended.
    pub endpoint: String,
    /// Headers of each export, such as a key.
    pub headers: BTreeMap<String, String>,
    /// Whether traces are sent.
    pub traces: bool,
    /// Whether metrics are sent.
    pub metrics: bool,
    /// The share of traces that is recorded, from 0 to 1, of those that come without a decision in `traceparent`.
    pub sample_ratio: f64,
    /// How often metrics are sent, and how long a span waits at most.
    pub interval: Duration,
    /// The resource attribute `service.name`.
    pub service_name: String,
}

impl OtlpSettings {
    /// A collector that gets everything.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            headers: BTreeMap::new(),
            traces: true,
            metrics: true,
            sample_ratio: 1.0,
            interval: Duration::from_secs(15),
            service_name: "gateway".to_owned(),
        }
    }
}

/// What a client may ask to see of its own request; all of it on a developer's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExposeSettings {
    /// `gateway-expose: plan` gives `extensions.queryPlan`.
    pub plan: bool,
    /// `gateway-expose: trace` gives `extensions.trace`: ids, planning time, and the time of each subgraph request.
    pub trace: bool,
    /// Every response with errors has `extensions.traceId`, asked for or not.
    pub trace_id_with_errors: bool,
}
