//! Who is on the other end, apart from a credential.
//!
//! In: the parts of a request. Out: a [`Caller`] for each of the operations that come by it: one of a plain request,
//! many of a WebSocket.
//! Elsewhere: credentials (`auth/`); addresses behind proxies (`client_address.rs`).

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;

use super::access_log::CorrelationId;
use super::app::App;
use super::client_address::{self, Peer};
use super::error_ids::Ids;
use super::operation::Caller;
use super::rate_limit::Client;
use crate::auth::Verified;
use crate::subgraph_client::{Answered, RequestContext};
use crate::telemetry::TraceContext;

/// What a connection that outlives its request keeps of it.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    headers: HeaderMap,
    address: Option<IpAddr>,
    peer: Option<Peer>,
    id: CorrelationId,
    trace: TraceContext,
}

impl Visitor {
    pub(crate) fn new(app: &App, parts: &Parts) -> Self {
        let peer = peer(parts);
        Self {
            headers: parts.headers.clone(),
            address: address(app, &parts.headers, peer),
            peer,
            id: correlation_id(parts).clone(),
            trace: trace(parts).clone(),
        }
    }

    /// Where the client is; `None` for one on the same machine, by a Unix socket, who names nobody else.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Who asks, for an operation that may be of any kind.
    pub(crate) fn caller(&self, app: &App, verified: Option<&Verified>) -> Caller {
        make(app, &self.headers, self.peer, &self.id, &self.trace, verified, true)
    }
}

/// Who asks by a request.
pub(super) fn caller(app: &App, parts: &Parts, verified: Option<&Verified>, may_mutate: bool) -> Caller {
    make(app, &parts.headers, peer(parts), correlation_id(parts), trace(parts), verified, may_mutate)
}

pub(super) fn correlation_id(parts: &Parts) -> &CorrelationId {
    parts.extensions.get().expect("the access log gives every request its id")
}

/// What a request's log lines and trace are found by.
pub(super) fn ids(parts: &Parts) -> Ids<'_> {
    Ids { request: correlation_id(parts).as_str(), trace: trace(parts).trace_id() }
}

fn trace(parts: &Parts) -> &TraceContext {
    parts.extensions.get().expect("the access log gives every request its trace")
}

fn peer(parts: &Parts) -> Option<Peer> {
    parts.extensions.get().copied()
}

fn address(app: &App, headers: &HeaderMap, peer: Option<Peer>) -> Option<IpAddr> {
    client_address::of(peer?, headers, &app.trusted_proxies)
}

fn make(
    app: &App,
    headers: &HeaderMap,
    peer: Option<Peer>,
    id: &CorrelationId,
    trace: &TraceContext,
    verified: Option<&Verified>,
    may_mutate: bool,
) -> Caller {
    let told = app.client_address.as_ref().zip(peer);
    let context = RequestContext::from_client(
        headers,
        &id.0,
        trace,
        verified.map(|verified| verified.authorization.clone()),
        &app.forward_headers,
        told.and_then(|(settings, peer)| client_address::header(settings, peer, headers)),
    );
    let rules = app.answer_headers.as_ref();
    let context = context.with_answered(rules.map(|rules| Arc::new(Answered::new(Arc::clone(rules)))));
    let client = Client {
        address: address(app, headers, peer),
        subject: verified.and_then(|verified| verified.subject.clone()),
    };
    let grants = verified.map(|verified| Arc::clone(&verified.grants)).unwrap_or_default();
    Caller { context, client, grants, trace: trace.clone(), may_mutate }
}
