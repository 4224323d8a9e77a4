//! What a client may see of its own request in `extensions`, when it asks and the settings allow it.
//!
//! In: the header `gateway-expose: plan, trace`. Out: `extensions.queryPlan` and `extensions.trace`.
//! Always: nothing is gathered for requests that do not ask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::trace_context::TraceContext;
use crate::options::ExposeSettings;

/// Names what of its request a client wants to see.
const EXPOSE: &str = "gateway-expose";

/// What one request asked for and may see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exposed {
    pub(crate) plan: bool,
    /// The subgraph requests so far; `None`: not asked for.
    pub(crate) fetches: Option<Arc<Fetches>>,
    trace_id_with_errors: bool,
}

/// Subgraph requests of one client request.
#[derive(Debug)]
pub(crate) struct Fetches {
    started: Instant,
    all: Mutex<Vec<Value>>,
}

/// Beyond it a response would be mostly about itself.
const FETCHES_MAX: usize = 1_000;

impl Fetches {
    pub(super) fn add(&self, subgraph: &str, started: Instant, duration: Duration, outcome: &'static str) {
        let fetch = json!({
            "subgraph": subgraph,
            "startMicroseconds": micros(started.saturating_duration_since(self.started)),
            "durationMicroseconds": micros(duration),
            "outcome": outcome,
        });
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < FETCHES_MAX {
            all.push(fetch);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Exposed {
    /// What the headers ask for, as far as it is allowed.
    pub(crate) fn asked(headers: &HeaderMap, allowed: ExposeSettings, dev: bool) -> Self {
        let trace_id_with_errors = allowed.trace_id_with_errors;
        let values = headers.get_all(EXPOSE).iter().filter_map(|value| value.to_str().ok());
        let mut exposed = Self { trace_id_with_errors, ..Self::default() };
        for word in values.flat_map(|value| value.split(',')).map(str::trim) {
            match word {
                "plan" => exposed.plan = allowed.plan || dev,
                "trace" if allowed.trace || dev => {
                    let (started, all) = (Instant::now(), Mutex::default());
                    exposed.fetches = Some(Arc::new(Fetches { started, all }));
                }
                _ => {}
            }
        }
        exposed
    }

    /// The response with what is to be seen in its `extensions`.
    pub(crate) fn add_to(
        &self,
        body: Bytes,
        plan: impl FnOnce() -> Value,
        planned_in: Option<Duration>,
        trace: &TraceContext,
        request_id: &str,
    ) -> Bytes {
        let mut extensions = Map::new();
        if self.plan {
            extensions.insert("queryPlan".to_owned(), plan());
        }
        if let Some(fetches) = &self.fetches {
            let all = std::mem::take(&mut *fetches.all.lock().unwrap_or_else(PoisonError::into_inner));
            let trace = json!({
                "traceId": trace.trace_id(),
                "requestId": request_id,
                "durationMicroseconds": micros(fetches.started.elapsed()),
                "planning": { "cached": planned_in.is_none(), "durationMicroseconds": planned_in.map_or(0, micros) },
                "fetches": all,
            });
            extensions.insert("trace".to_owned(), trace);
        }
        if self.trace_id_with_errors && has_errors(&body) {
            extensions.insert("traceId".to_owned(), trace.trace_id().into());
        }
        if extensions.is_empty() { body } else { with_extensions(&body, extensions) }
    }
}

/// Whether a response has `errors`.
fn has_errors(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct TopLevel<'a> {
        #[serde(borrow)]
        errors: Option<&'a serde_json::value::RawValue>,
    }
    serde_json::from_slice::<TopLevel<'_>>(body).is_ok_and(|top| top.errors.is_some())
}

/// The rest of the body stays as it is, byte for byte: numbers beyond a double's precision survive.
fn with_extensions(body: &Bytes, mut added: Map<String, Value>) -> Bytes {
    #[derive(serde::Deserialize)]
    struct Extended {
        extensions: Option<Map<String, Value>>,
    }
    let is_object = body.ends_with(b"}");
    let existing = serde_json::from_slice::<Extended>(body).ok().and_then(|top| top.extensions);
    match existing {
        None if is_object => {
            let mut out = body[..body.len() - 1].to_vec();
            out.extend_from_slice(if out.len() > 1 { b",\"extensions\":" } else { b"\"extensions\":" });
            serde_json::to_writer(&mut out, &added).expect("a map of JSON is JSON");
            out.push(b'}');
            out.into()
        }
        None => body.clone(),
        Some(existing) => {
            let Ok(mut top) = serde_json::from_slice::<Map<String, Value>>(body) else { return body.clone() };
            added.extend(existing);
            top.insert("extensions".to_owned(), added.into());
            serde_json::to_vec(&top).map_or_else(|_| body.clone(), Bytes::from)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added() -> Map<String, Value> {
        [("traceId".to_owned(), json!("1"))].into_iter().collect()
    }

    #[test]
    fn extensions_are_added_behind_a_body_that_stays_as_it_is() {
        let body = Bytes::from_static(br#"{"data":{"n":12345678901234567890.10}}"#);
        let expected = r#"{"data":{"n":12345678901234567890.10},"extensions":{"traceId":"1"}}"#;
        assert_eq!(with_extensions(&body, added()), expected);
    }

    #[test]
    fn extensions_that_are_there_are_kept() {
        let body = Bytes::from_static(br#"{"data":null,"extensions":{"a":1}}"#);
        let both: Value = serde_json::from_slice(&with_extensions(&body, added())).unwrap();
        assert_eq!(both, json!({ "data": null, "extensions": { "traceId": "1", "a": 1 } }));
    }

    #[test]
    fn what_is_not_allowed_is_not_gathered() {
        let mut headers = HeaderMap::new();
        headers.insert(EXPOSE, "plan, trace".parse().unwrap());
        let exposed = Exposed::asked(&headers, ExposeSettings::default(), false);
        assert!(!exposed.plan && exposed.fetches.is_none());
        let exposed = Exposed::asked(&headers, ExposeSettings::default(), true);
        assert!(exposed.plan && exposed.fetches.is_some());
    }
}
