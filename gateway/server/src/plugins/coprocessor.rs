//! A coprocessor: a program beside the gateway that is asked by HTTP at the stages of a request.
//!
//! In: `POST` of `{"version":1,"stage":…,"headers":{…},…}`; a header that came several times is a list. Out: `{"headers":{"name":"value"|null}}` to change headers, and
//! `{"break":{"status":401,"code":"…","message":"…"}}` to answer in place of the gateway, where the stage allows it.
//! Always: bounded in time and size; only headers that the settings name are told; what happens when it does not answer is
//! the settings' choice.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri, request, response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{PlannedOperation, Plugin, PluginRefusal, SubgraphCall};
use crate::subgraph_client::{HttpClient, fetch};

/// No answer is larger.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Where a coprocessor is, and when it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoprocessorSettings {
    /// Its URL.
    pub url: Uri,
    /// From asking it to its whole answer.
    pub timeout: Duration,
    /// The stages at which it is asked.
    pub stages: CoprocessorStages,
    /// Headers of requests and answers that it is told; no other leaves the gateway.
    pub headers: Vec<HeaderName>,
    /// What happens to a request when it does not answer.
    pub on_error: OnError,
}

/// The stages at which a coprocessor is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each stage is on or off by itself")]
pub struct CoprocessorStages {
    /// A request came: it may change headers, or answer.
    pub request: bool,
    /// An operation is planned: it may answer.
    pub plan: bool,
    /// A subgraph is about to be asked: it may add headers.
    pub subgraph_request: bool,
    /// The answer is about to be sent: it may change headers.
    pub response: bool,
}

/// What happens to a request when the coprocessor does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// It is refused with status 503, at the stages that may answer.
    #[default]
    Refuse,
    /// It goes on as if the coprocessor had said nothing.
    Continue,
}

/// Why a coprocessor said nothing; for the log.
#[derive(Debug, thiserror::Error)]
pub enum CoprocessorError {
    /// No answer, or not in time.
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
    /// A status that is not 200.
    #[error("status {0}")]
    Status(StatusCode),
    /// An answer of another form.
    #[error("not an answer of a coprocessor: {0}")]
    Malformed(#[from] serde_json::Error),
}

#[derive(Debug)]
pub(crate) struct Coprocessor {
    settings: CoprocessorSettings,
    client: HttpClient,
}

#[derive(Debug, Default, Deserialize)]
struct Answer {
    /// `null` removes a header.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    #[serde(rename = "break")]
    ended: Option<Ended>,
}

#[derive(Debug, Deserialize)]
struct Ended {
    status: u16,
    #[serde(default = "refused")]
    code: String,
    #[serde(default = "refused_message")]
    message: String,
}

fn refused() -> String {
    "REFUSED".to_owned()
}

fn refused_message() -> String {
    "the request is refused".to_owned()
}

impl Coprocessor {
    pub(crate) fn new(settings: CoprocessorSettings) -> Self {
        Self { settings, client: HttpClient::new() }
    }

    /// Asks; `None`: there is no answer, and the request goes on.
    async fn ask(&self, stage: &str, mut about: Map<String, Value>) -> Result<Option<Answer>, PluginRefusal> {
        about.insert("version".to_owned(), 1.into());
        about.insert("stage".to_owned(), stage.into());
        match self.exchange(Value::Object(about)).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => {
                tracing::warn!(stage, %error, "the coprocessor did not answer");
                match self.settings.on_error {
                    OnError::Continue => Ok(None),
                    OnError::Refuse => Err(PluginRefusal {
                        status: StatusCode::SERVICE_UNAVAILABLE,
                        code: "COPROCESSOR_UNAVAILABLE".to_owned(),
                        message: "the request cannot be checked at the moment".to_owned(),
                    }),
                }
            }
        }
    }

    async fn exchange(&self, about: Value) -> Result<Answer, CoprocessorError> {
        let mut request = Request::new(Bytes::from(about.to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.settings.url.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = fetch::exchange(&self.client, request, self.settings.timeout, ANSWER_BYTES_MAX).await?;
        if answer.status() != StatusCode::OK {
            return Err(CoprocessorError::Status(answer.status()));
        }
        Ok(serde_json::from_slice(answer.body())?)
    }

    /// The headers that it is told: a text, or a list of them where a header comes more than once. A value that is no
    /// UTF-8, and so none of JSON, is the header's name as the error: what decides must not miss it.
    fn told(&self, headers: &HeaderMap) -> Result<Value, HeaderName> {
        let mut told = Map::new();
        for name in &self.settings.headers {
            let values = headers.get_all(name).iter();
            let texts = values.map(|value| str::from_utf8(value.as_bytes()).map(Value::from));
            let mut texts: Vec<Value> = texts.collect::<Result<_, _>>().map_err(|_| name.clone())?;
            match texts.len() {
                0 => {}
                1 => drop(told.insert(name.to_string(), texts.remove(0))),
                _ => drop(told.insert(name.to_string(), Value::Array(texts))),
            }
        }
        Ok(Value::Object(told))
    }
}

/// Changes headers as an answer says; what cannot be a header is left out.
fn change(headers: &mut HeaderMap, changes: BTreeMap<String, Option<String>>) {
    for (name, value) in changes {
        let Ok(name) = name.parse::<HeaderName>() else { continue };
        match value.map(|value| value.parse::<HeaderValue>()) {
            None => {
                headers.remove(name);
            }
            Some(Ok(value)) => {
                headers.insert(name, value);
            }
            Some(Err(_)) => {}
        }
    }
}

fn end(ended: Option<Ended>) -> Result<(), PluginRefusal> {
    let Some(Ended { status, code, message }) = ended else { return Ok(()) };
    let status = StatusCode::from_u16(status).ok().filter(|status| status.as_u16() >= 200);
    Err(PluginRefusal { status: status.unwrap_or(StatusCode::BAD_REQUEST), code, message })
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[async_trait]
impl Plugin for Coprocessor {
    async fn request(&self, request: &mut request::Parts) -> Result<(), PluginRefusal> {
        if !self.settings.stages.request {
            return Ok(());
        }
        let headers = self.told(&request.headers).map_err(|name| PluginRefusal {
            status: StatusCode::BAD_REQUEST,
            code: "BAD_REQUEST".to_owned(),
            message: format!("the header `{name}` is not UTF-8"),
        })?;
        let about =
            json!({ "method": request.method.as_str(), "path": request.uri.path(), "headers": headers });
        let Some(answer) = self.ask("request", map(about)).await? else { return Ok(()) };
        end(answer.ended)?;
        change(&mut request.headers, answer.headers);
        Ok(())
    }

    async fn plan(&self, operation: &PlannedOperation<'_>) -> Result<(), PluginRefusal> {
        if !self.settings.stages.plan {
            return Ok(());
        }
        let about = json!({
            "operation": { "kind": operation.kind, "name": operation.name, "document": operation.document },
            "plan": operation.plan.to_json(),
        });
        let answer = self.ask("plan", map(about)).await?;
        end(answer.and_then(|answer| answer.ended))
    }

    async fn subgraph_request(&self, request: &mut SubgraphCall<'_>) {
        if !self.settings.stages.subgraph_request {
            return;
        }
        let about = json!({ "subgraph": request.subgraph, "mutation": request.is_mutation });
        // A refusal has been logged; at this stage the request goes on.
        if let Ok(Some(answer)) = self.ask("subgraph_request", map(about)).await {
            change(&mut request.headers, answer.headers);
        }
    }

    async fn response(&self, response: &mut response::Parts) {
        if !self.settings.stages.response {
            return;
        }
        let Ok(headers) = self.told(&response.headers).inspect_err(|name| {
            tracing::warn!(%name, "the coprocessor is not asked about an answer with a header that is not UTF-8");
        }) else {
            return;
        };
        let about = json!({ "status": response.status.as_u16(), "headers": headers });
        if let Ok(Some(answer)) = self.ask("response", map(about)).await {
            change(&mut response.headers, answer.headers);
        }
    }
}
