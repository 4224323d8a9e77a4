//! What travels from a client request to every subgraph request it causes.
//!
//! In: the client's headers, after authentication. Out: the headers a subgraph sees, from an allow-list.
//! Always: a header not on the list never reaches a subgraph, so no client can pose as another by `x-user-id` and its like.
//! Elsewhere: verification of the token (`auth/`).

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::telemetry::{Fetches, TRACEPARENT, TRACESTATE, TraceContext};

/// The header that carries the correlation id of a request, in and out.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The headers and the deadline that every subgraph request of one client request shares.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// What an answer may depend on: the verified credential, and the headers on the list.
    relevant: Arc<HeaderMap>,
    /// What only ties log lines and traces together; `None` for the gateway's own requests.
    trace: Option<Trace>,
    /// The subgraph requests made so far, when the client asked to see them.
    fetches: Option<Arc<Fetches>>,
    /// Where the client is, when subgraphs are told. Not relevant to an answer: a query's must not depend on it.
    client_address: Option<(HeaderName, HeaderValue)>,
    deadline: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Trace {
    request_id: HeaderValue,
    context: TraceContext,
}

impl RequestContext {
    /// A context without any client header: for requests that the gateway makes on its own account.
    pub fn empty() -> Self {
        Self { relevant: Arc::default(), trace: None, fetches: None, client_address: None, deadline: None }
    }

    /// Takes from a client's headers what may travel on, the headers in `allowed`, and adds the request's trace. `authorization` is the *verified* credential and replaces whatever the client sent.
    pub(crate) fn from_client(
        client: &HeaderMap,
        request_id: &HeaderValue,
        trace: &TraceContext,
        authorization: Option<HeaderValue>,
        allowed: &[HeaderName],
        client_address: Option<(HeaderName, HeaderValue)>,
    ) -> Self {
        let mut relevant = HeaderMap::new();
        let own = client_address.as_ref().map(|(name, _)| name);
        for name in allowed.iter().filter(|name| Some(*name) != own) {
            for value in client.get_all(name) {
                relevant.append(name.clone(), value.clone());
            }
        }
        if let Some(mut authorization) = authorization {
            authorization.set_sensitive(true);
            relevant.insert(AUTHORIZATION, authorization);
        }
        let trace = Some(Trace { request_id: request_id.clone(), context: trace.clone() });
        Self { relevant: Arc::new(relevant), trace, fetches: None, client_address, deadline: None }
    }

    /// The trace that subgraph requests go on with.
    pub(crate) fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref().map(|trace| &trace.context)
    }

    /// The same at another place of the trace.
    pub(crate) fn with_trace(mut self, context: TraceContext) -> Self {
        if let Some(trace) = &mut self.trace {
            trace.context = context;
        }
        self
    }

    /// Notes subgraph requests for the client that asked to see them.
    pub(crate) fn with_fetches(mut self, fetches: Option<Arc<Fetches>>) -> Self {
        self.fetches = fetches;
        self
    }

    pub(crate) fn fetches(&self) -> Option<&Arc<Fetches>> {
        self.fetches.as_ref()
    }

    /// Sets the moment after which no answer is of use to the client.
    pub(crate) fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// For work that several requests wait for: each of them has a deadline of its own.
    pub(crate) fn without_deadline(&self) -> Self {
        Self { deadline: None, ..self.clone() }
    }

    /// The headers for a subgraph request. The trace's replace those of the same name on the list.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.relevant.len() + 8);
        for (name, value) in &*self.relevant {
            headers.append(name.clone(), value.clone());
        }
        if let Some(Trace { request_id, context: TraceContext { parent, state, .. } }) = &self.trace {
            headers.insert(REQUEST_ID, request_id.clone());
            headers.insert(TRACEPARENT, parent.clone());
            if let Some(state) = state {
                headers.insert(TRACESTATE, state.clone());
            }
        }
        if let Some((name, value)) = &self.client_address {
            headers.insert(name.clone(), value.clone());
        }
        headers
    }

    /// Writes the headers of [`RequestContext::headers`] as lines of HTTP/1.1.
    pub(super) fn write_headers(&self, out: &mut Vec<u8>) {
        for (name, value) in &*self.relevant {
            let replaced = self.trace.is_some() && (name == REQUEST_ID || name == TRACEPARENT)
                || name == TRACESTATE
                    && self.trace.as_ref().is_some_and(|trace| trace.context.state.is_some());
            if !replaced {
                write_header(out, name, value);
            }
        }
        if let Some(Trace { request_id, context: TraceContext { parent, state, .. } }) = &self.trace {
            write_header(out, &REQUEST_ID, request_id);
            write_header(out, &TRACEPARENT, parent);
            if let Some(state) = state {
                write_header(out, &TRACESTATE, state);
            }
        }
        if let Some((name, value)) = &self.client_address {
            write_header(out, name, value);
        }
    }

    /// The headers that an answer may depend on: requests that differ in the others only may share one.
    pub(crate) fn relevant(&self) -> &Arc<HeaderMap> {
        &self.relevant
    }

    /// The moment after which no answer is of use to the client.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// A header's value has no line break, by its type.
fn write_header(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Whether a header may travel on. Those of the connection, of the body's form and of the gateway's own choice may not,
/// whatever the operator's list says.
pub(crate) fn may_be_forwarded(name: &HeaderName) -> bool {
    use http::header;
    ![
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::EXPECT,
        header::HOST,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ]
    .contains(name)
}

/// The client's correlation id when it is short and harmless in a log, a new one otherwise.
pub(crate) fn request_id(client: &HeaderMap) -> HeaderValue {
    client.get(REQUEST_ID).filter(|value| is_request_id(value.as_bytes())).cloned().unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(now.as_millis()).unwrap_or_default();
        // As `Uuid::now_v7` without asking the kernel for each one.
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
        HeaderValue::from_str(&id.to_string()).expect("a UUID is visible ASCII")
    })
}

fn is_request_id(value: &[u8]) -> bool {
    (1..=64).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_headers_of_the_client_never_travel() {
        let mut client = HeaderMap::new();
        for name in ["x-user-id", "x-roles", "x_user_id", "cookie", "forwarded", "authorization"] {
            client.append(name, HeaderValue::from_static("forged"));
        }
        let id = HeaderValue::from_static("id");
        let context =
            RequestContext::from_client(&client, &id, &TraceContext::from_client(&client), None, &[], None);
        let headers = context.headers();
        let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-request-id", "traceparent"]);
    }

    #[test]
    fn lines_and_map_say_the_same() {
        let mut client = HeaderMap::new();
        for (name, value) in
            [("x-tenant", "a"), ("x-tenant", "b"), ("x-request-id", "r"), ("tracestate", "s=1")]
        {
            client.append(name, HeaderValue::from_static(value));
        }
        let allowed = ["x-tenant", "x-request-id", "tracestate"].map(HeaderName::from_static);
        let credential = Some(HeaderValue::from_static("Bearer t"));
        let id = HeaderValue::from_static("r");
        let context = RequestContext::from_client(
            &client,
            &id,
            &TraceContext::from_client(&client),
            credential,
            &allowed,
            None,
        );
        let mut lines = Vec::new();
        context.write_headers(&mut lines);
        let mut lines: Vec<_> = std::str::from_utf8(&lines).unwrap().split_terminator("\r\n").collect();
        lines.sort_unstable();
        let headers = context.headers();
        let text =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut expected: Vec<_> = headers.iter().map(text).collect();
        expected.sort_unstable();
        assert_eq!(lines, expected);
        assert!(lines.contains(&"authorization: Bearer t"), "{lines:?}");
    }

    #[test]
    fn a_correlation_id_that_could_break_a_log_line_is_replaced() {
        let mut client = HeaderMap::new();
        client.insert(REQUEST_ID, HeaderValue::from_static("order-17"));
        assert_eq!(request_id(&client), "order-17");
        client.insert(REQUEST_ID, HeaderValue::from_static("a b"));
        assert_ne!(request_id(&client), "a b");
    }
}
