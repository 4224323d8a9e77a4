//! `coprocessor`: a program that is asked at the stages of a request.
//!
//! Elsewhere: asking it (`plugins/coprocessor.rs`).

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::header::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::options::Options;
use crate::plugins::{Coprocessor, CoprocessorSettings, CoprocessorStages, OnError};

/// A program beside the gateway that is asked by HTTP at the stages of a request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CoprocessorConfig {
    /// Its URL.
    pub url: String,
    /// From asking it to its whole answer. Default: 1s.
    pub timeout: Option<HumanDuration>,
    /// The stages at which it is asked. By default none.
    #[serde(default)]
    pub stages: CoprocessorStages,
    /// Headers of requests and answers that it is told; no other leaves the gateway.
    #[serde(default)]
    pub headers: Vec<String>,
    /// What happens to a request when it does not answer. Default: refuse.
    #[serde(default)]
    pub on_error: OnError,
}

impl CoprocessorConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        let url: Option<Uri> = self.url.parse().ok();
        let url = url.filter(|url| url.host().is_some() && url.scheme().is_some());
        let url = url.ok_or_else(|| format!("`coprocessor.url`: `{}` is not a URL", self.url))?;
        let name = |name: &String| {
            name.parse().map_err(|_| format!("`coprocessor.headers`: `{name}` is not a header name"))
        };
        let headers: Vec<HeaderName> = self.headers.iter().map(name).collect::<Result<_, _>>()?;
        let settings = CoprocessorSettings {
            url,
            timeout: self.timeout.map_or(Duration::from_secs(1), |timeout| timeout.0),
            stages: self.stages,
            headers,
            on_error: self.on_error,
        };
        options.plugins.push(Arc::new(Coprocessor::new(settings)));
        Ok(())
    }
}
