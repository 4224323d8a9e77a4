//! `cors`: which web pages may read answers.

use ::http::header::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::Options;

/// Which web pages may read answers.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CorsConfig {
    /// Exact origins, such as `https://shop.example`.
    pub origins: Vec<String>,
}

impl CorsConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        options.cors_origins = origins(&self.origins)?;
        Ok(())
    }
}

fn origins(origins: &[String]) -> Result<Vec<HeaderValue>, String> {
    let is_origin = |origin: &str| {
        origin.split_once("://").is_some_and(|(scheme, host)| {
            matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains('/')
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
