//! A supergraph from Apollo Uplink: a GraphQL query that names what one has already.
//!
//! Source: Apollo's documentation of Uplink, and the `routerConfig` field of its public schema.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Uri};
use serde::Deserialize;
use serde_json::json;

use super::source::{SDL_BYTES_MAX, TIMEOUT, text};
use crate::subgraph_client::{HttpClient, fetch};

const QUERY: &str = "query SupergraphSdl($key: String!, $ref: String!, $after: ID) { \
    routerConfig(ref: $ref, apiKey: $key, ifAfterId: $after) { \
        __typename \
        ... on RouterConfigResult { id supergraphSdl: supergraphSDL minDelaySeconds } \
        ... on Unchanged { id minDelaySeconds } \
        ... on FetchError { code message } \
    } }";

/// Where and what to ask.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UplinkSource {
    /// Asked in this order until one answers.
    pub(crate) endpoints: Vec<Uri>,
    pub(crate) graph_ref: String,
    pub(crate) key: String,
}

impl fmt::Debug for UplinkSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UplinkSource").field("graph_ref", &self.graph_ref).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Uplink {
    source: UplinkSource,
    /// What was read last.
    id: Option<String>,
    /// Uplink says how long it does not want to be asked.
    not_before: Option<Instant>,
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    router_config: RouterConfig,
}

#[derive(Deserialize)]
#[serde(tag = "__typename", rename_all_fields = "camelCase")]
enum RouterConfig {
    #[serde(rename = "RouterConfigResult")]
    Changed {
        id: String,
        supergraph_sdl: String,
        min_delay_seconds: f64,
    },
    Unchanged {
        id: String,
        min_delay_seconds: f64,
    },
    FetchError {
        code: String,
        message: String,
    },
}

impl Uplink {
    pub(super) fn new(source: UplinkSource) -> Self {
        Self { source, id: None, not_before: None }
    }

    /// The supergraph; `None`: it has not changed, or it is too early to ask.
    pub(super) async fn read(&mut self, client: &HttpClient) -> Result<Option<String>, String> {
        if self.not_before.is_some_and(|moment| Instant::now() < moment) {
            return Ok(None);
        }
        let mut last = "no endpoint".to_owned();
        for endpoint in self.source.endpoints.clone() {
            match self.ask(client, &endpoint).await {
                Ok(answer) => return self.take(answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn ask(&self, client: &HttpClient, endpoint: &Uri) -> Result<RouterConfig, String> {
        let UplinkSource { graph_ref, key, .. } = &self.source;
        let variables = json!({ "key": key, "ref": graph_ref, "after": self.id });
        let body = json!({ "query": QUERY, "operationName": "SupergraphSdl", "variables": variables });
        let mut request = Request::new(Bytes::from(body.to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json.clone());
        request.headers_mut().insert(ACCEPT, json);
        let answer = fetch::exchange(client, request, TIMEOUT, SDL_BYTES_MAX).await;
        let body = text(answer.map_err(|error| error.to_string())?)?;
        let answer: Answer = serde_json::from_str(&body)
            .map_err(|error| format!("`{endpoint}`: not an answer of Uplink: {error}"))?;
        answer
            .data
            .map(|data| data.router_config)
            .ok_or_else(|| format!("`{endpoint}`: an answer without data"))
    }

    fn take(&mut self, answer: RouterConfig) -> Result<Option<String>, String> {
        let (id, sdl, delay) = match answer {
            RouterConfig::Changed { id, supergraph_sdl, min_delay_seconds } => {
                (id, Some(supergraph_sdl), min_delay_seconds)
            }
            RouterConfig::Unchanged { id, min_delay_seconds } => (id, None, min_delay_seconds),
            RouterConfig::FetchError { code, message } => return Err(format!("{code}: {message}")),
        };
        self.id = Some(id);
        let delay = Duration::try_from_secs_f64(delay.clamp(0.0, 3600.0)).unwrap_or_default();
        self.not_before = Some(Instant::now() + delay);
        Ok(sdl)
    }
}
