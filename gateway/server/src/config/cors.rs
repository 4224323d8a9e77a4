//! `cors`: which web pages may read answers.

use ::http::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::options::{CorsSettings, Options};

/// Which web pages may read answers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CorsConfig {
    /// Exact origins, such as `https://shop.example`.
    pub origins: Vec<String>,
    /// Whether browsers may send cookies along. Tokens in `Authorization` need it not.
    pub credentials: bool,
    /// Request headers that pages may set, beside `Authorization` and those of GraphQL over HTTP.
    pub allowed_headers: Vec<String>,
    /// Response headers that pages may read.
    pub exposed_headers: Vec<String>,
    /// How long browsers may remember the answer to a preflight.
    pub max_age: HumanDuration,
}

impl Default for CorsConfig {
    fn default() -> Self {
        let settings = CorsSettings::default();
        Self {
            origins: Vec::new(),
            credentials: settings.credentials,
            allowed_headers: Vec::new(),
            exposed_headers: settings.exposed_headers.iter().map(ToString::to_string).collect(),
            max_age: HumanDuration(settings.max_age),
        }
    }
}

impl CorsConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        options.cors = CorsSettings {
            origins: origins(&self.origins)?,
            credentials: self.credentials,
            allowed_headers: names("allowed_headers", &self.allowed_headers)?,
            exposed_headers: names("exposed_headers", &self.exposed_headers)?,
            max_age: self.max_age.0,
        };
        Ok(())
    }
}

fn names(key: &str, names: &[String]) -> Result<Vec<HeaderName>, String> {
    // A wildcard is no list: with credentials it would be one literal name, without it would be everything.
    let parse = |name: &String| {
        let parsed = name.parse().ok().filter(|_| name != "*");
        parsed.ok_or_else(|| format!("`cors.{key}`: `{name}` is not a header name"))
    };
    names.iter().map(parse).collect()
}

fn origins(origins: &[String]) -> Result<Vec<HeaderValue>, String> {
    let is_origin = |origin: &str| {
        origin.split_once("://").is_some_and(|(scheme, host)| {
            matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains(['/', '*'])
        })
    };
    origins
        .iter()
        .map(|origin| {
            let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin(origin));
            value.ok_or_else(|| {
                format!("`cors.origins`: `{origin}` is not an origin such as https://shop.example")
            })
        })
        .collect()
}
