//! What travels from a client request to every subgraph request it causes.
//!
//! In: the client's headers, after authentication. Out: the headers a subgraph sees, from an allow-list.
//! Always: a header not on the list never reaches a subgraph, so no client can pose as another by `x-user-id` and its like.
//! Elsewhere: verification of the token (`auth/`).

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::answered::Answered;
use super::headers::HeaderPlan;
use super::signature::SIGNATURE;
use crate::http::Ids;
use crate::telemetry::{Fetches, TRACEPARENT, TRACESTATE, TraceContext};
use crate::uploads::Uploads;

/// The header that carries the correlation id of a request, in and out.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

static OF_TRACE: [HeaderName; 3] = [REQUEST_ID, TRACEPARENT, TRACESTATE];
static CREDENTIAL: HeaderName = AUTHORIZATION;

/// The headers and the deadline that every subgraph request of one client request shares.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// What an answer may depend on: the verified credential, and the headers on the list.
    relevant: Arc<HeaderMap>,
    /// The verified credential.
    credential: Option<HeaderValue>,
    /// What plugins add to one subgraph request; also among the relevant ones.
    added: Option<Arc<HeaderMap>>,
    /// What only ties log lines and traces together; `None` for the gateway's own requests.
    trace: Option<Trace>,
    /// The subgraph requests made so far, when the client asked to see them.
    fetches: Option<Arc<Fetches>>,
    /// Where the client is, when subgraphs are told. Not relevant to an answer: a query's must not depend on it.
    client_address: Option<(HeaderName, HeaderValue)>,
    deadline: Option<Instant>,
    /// What the answers say that the client may see; `None` when there are no rules about that.
    answered: Option<Arc<Answered>>,
    /// The files that the client sent along.
    uploads: Option<Arc<Uploads>>,
}

#[derive(Debug, Clone)]
struct Trace {
    request_id: HeaderValue,
    context: TraceContext,
}

impl RequestContext {
    /// A context without any client header: for requests that the gateway makes on its own account.
    pub fn empty() -> Self {
        Self {
            relevant: Arc::default(),
            added: None,
            credential: None,
            trace: None,
            fetches: None,
            client_address: None,
            deadline: None,
            answered: None,
            uploads: None,
        }
    }

    /// Takes from a client's headers what may travel on, the headers in `allowed`, and adds the request's trace.
    /// `authorization` is the *verified* credential and replaces whatever the client sent.
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
        let credential = authorization.map(|mut authorization| {
            authorization.set_sensitive(true);
            relevant.insert(AUTHORIZATION, authorization.clone());
            authorization
        });
        let trace = Some(Trace { request_id: request_id.clone(), context: trace.clone() });
        Self {
            relevant: Arc::new(relevant),
            added: None,
            credential,
            trace,
            fetches: None,
            client_address,
            deadline: None,
            answered: None,
            uploads: None,
        }
    }

    /// The client's correlation id; empty for the gateway's own requests.
    pub(crate) fn request_id(&self) -> &str {
        self.trace.as_ref().and_then(|trace| trace.request_id.to_str().ok()).unwrap_or_default()
    }

    /// What the request's log lines and trace are found by.
    pub(crate) fn ids(&self) -> Ids<'_> {
        Ids { request: self.request_id(), trace: self.trace().map_or("", TraceContext::trace_id) }
    }

    /// A context of the same request for nothing but telling it from others; on the heap, where it takes no room in futures.
    pub(crate) fn trace_only(&self) -> Box<Self> {
        Box::new(Self { trace: self.trace.clone(), ..Self::empty() })
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

    /// Files that go to the subgraphs whose requests name them.
    pub(crate) fn with_uploads(mut self, uploads: Option<Arc<Uploads>>) -> Self {
        self.uploads = uploads;
        self
    }

    /// The files of the client's request.
    pub(crate) fn uploads(&self) -> Option<&Arc<Uploads>> {
        self.uploads.as_ref()
    }

    /// The same with further headers; answers to requests that differ in them are not shared.
    pub(crate) fn with_headers(mut self, headers: HeaderMap) -> Self {
        if !headers.is_empty() {
            let mut relevant = HeaderMap::clone(&self.relevant);
            for name in headers.keys() {
                relevant.remove(name);
            }
            relevant.extend(headers.clone());
            self.relevant = Arc::new(relevant);
            self.added = Some(Arc::new(headers));
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

    /// Notes the headers of answers that the client may see.
    pub(crate) fn with_answered(mut self, answered: Option<Arc<Answered>>) -> Self {
        self.answered = answered;
        self
    }

    pub(crate) fn answered(&self) -> Option<&Arc<Answered>> {
        self.answered.as_ref()
    }

    /// The headers of answers that are to be read.
    pub(super) fn wanted_headers(&self) -> &[HeaderName] {
        self.answered.as_ref().map_or(&[], |answered| answered.wanted())
    }

    /// Whether there is a verified credential.
    pub(crate) fn has_credential(&self) -> bool {
        self.credential.is_some()
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

    /// Gives the headers for a request to a subgraph with this plan, one after the other: the gateway's own that the plan
    /// leaves alone, and what the plan says of the client's.
    pub(super) fn for_each_header(&self, plan: &HeaderPlan, emit: &mut dyn FnMut(&HeaderName, &HeaderValue)) {
        let trace = self.trace.as_ref();
        let of_trace = [
            trace.map(|trace| (&OF_TRACE[0], &trace.request_id)),
            trace.map(|trace| (&OF_TRACE[1], &trace.context.parent)),
            trace.and_then(|trace| Some((&OF_TRACE[2], trace.context.state.as_ref()?))),
        ];
        self.emit(&of_trace, plan, emit);
    }

    /// The headers of a connection that other requests with the same ones may use, too.
    pub(super) fn socket_headers(&self, plan: &HeaderPlan) -> HeaderMap {
        let mut headers = HeaderMap::new();
        self.emit(&[], plan, &mut |name, value| {
            headers.append(name.clone(), value.clone());
        });
        headers
    }

    /// Gives the headers that an answer of a subgraph with this plan may depend on: what it is sent, but for those that
    /// only tie log lines together or say where the client is.
    pub(super) fn for_each_keyed(&self, plan: &HeaderPlan, emit: &mut dyn FnMut(&HeaderName, &HeaderValue)) {
        let address = self.client_address.as_ref().map(|(name, _)| name);
        let is_added = |name: &HeaderName| self.added.as_ref().is_some_and(|added| added.contains_key(name));
        self.emit(&[], plan, &mut |name, value| {
            if Some(name) != address || is_added(name) {
                emit(name, value);
            }
        });
    }

    /// Those that are left out of it.
    pub(super) fn unkeyed(&self) -> impl Iterator<Item = HeaderName> {
        let address = self.client_address.iter().map(|(name, _)| name);
        OF_TRACE.iter().chain(address).cloned().chain([SIGNATURE])
    }

    fn emit(
        &self,
        of_trace: &[Option<(&HeaderName, &HeaderValue)>],
        plan: &HeaderPlan,
        emit: &mut dyn FnMut(&HeaderName, &HeaderValue),
    ) {
        let credential = self.credential.as_ref().map(|value| (&CREDENTIAL, value));
        let address = self.client_address.as_ref().map(|(name, value)| (name, value));
        let own = || of_trace.iter().copied().chain([credential, address]).flatten();
        let added = self.added.as_deref();
        let is_added = |name: &HeaderName| added.is_some_and(|added| added.contains_key(name));
        for (name, value) in own().filter(|(name, _)| !plan.replaces(name) && !is_added(name)) {
            emit(name, value);
        }
        let is_given = |name: &HeaderName| is_added(name) || own().any(|(own, _)| own == name);
        plan.for_each(&self.relevant, is_given, emit);
        for (name, value) in added.into_iter().flatten() {
            emit(name, value);
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
        SIGNATURE,
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
    use crate::subgraph_client::headers::{HeaderPlans, HeaderRule, HeaderRules};

    #[test]
    fn identity_headers_of_the_client_never_travel() {
        let mut client = HeaderMap::new();
        for name in ["x-user-id", "x-roles", "x_user_id", "cookie", "forwarded", "authorization"] {
            client.append(name, HeaderValue::from_static("forged"));
        }
        let id = HeaderValue::from_static("id");
        let context =
            RequestContext::from_client(&client, &id, &TraceContext::from_client(&client), None, &[], None);
        assert_eq!(names(&context, Vec::new()), ["x-request-id", "traceparent"]);
    }

    #[test]
    fn a_header_of_the_gateways_own_is_given_once() {
        let mut client = HeaderMap::new();
        let (state, tenants) = (("tracestate", "s=1"), [("x-tenant", "a"), ("x-tenant", "b")]);
        for (name, value) in tenants.into_iter().chain([("x-request-id", "r"), state]) {
            client.append(name, HeaderValue::from_static(value));
        }
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        client.insert(TRACEPARENT, HeaderValue::from_static(trace));
        let allowed = ["x-tenant", "x-request-id", "tracestate"].map(HeaderName::from_static);
        let credential = Some(HeaderValue::from_static("Bearer t"));
        let (id, trace) = (HeaderValue::from_static("r"), TraceContext::from_client(&client));
        let context = RequestContext::from_client(&client, &id, &trace, credential, &allowed, None);
        let rules: Vec<_> = allowed.into_iter().chain([AUTHORIZATION]).map(HeaderRule::forward).collect();
        let mut sent = names(&context, rules.clone());
        sent.sort_unstable();
        let all = ["authorization", "traceparent", "tracestate", "x-request-id", "x-tenant", "x-tenant"];
        assert_eq!(sent, all);
        let removed = [AUTHORIZATION, REQUEST_ID].map(|name| HeaderRule::Remove { name });
        let mut sent = names(&context, rules.into_iter().chain(removed).collect());
        sent.sort_unstable();
        assert_eq!(sent, ["traceparent", "tracestate", "x-tenant", "x-tenant"]);
    }

    fn names(context: &RequestContext, rules: Vec<HeaderRule>) -> Vec<String> {
        let plans = HeaderPlans::new(&HeaderRules { all: rules, ..HeaderRules::default() });
        let mut names = Vec::new();
        context.for_each_header(&plans.of("any"), &mut |name, _| names.push(name.to_string()));
        names
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
