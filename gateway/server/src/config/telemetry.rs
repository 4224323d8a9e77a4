//! `telemetry`: what the gateway tells of itself.
//!
//! Elsewhere: telling it (`telemetry/`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is logged, on stderr.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// Levels by target, such as `info` or `warn,access=info`.
    pub filter: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { format: LogFormat::Json, filter: "info".to_owned() }
    }
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
