//! Which subgraph requests are the same request.
//!
//! Always: only queries; equal in subgraph, body and every header that an answer may depend on, compared in full; and
//! never one that began before a mutation which ended before the other came: who changes something through this gateway
//! sees the change in the next answer.
//! Elsewhere: doing the work once (`in_flight.rs`), which headers are relevant (`context.rs`).

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use kopitiam_executor::transport::TransportError;

use super::Route;
use super::answer::Whole;
use crate::in_flight::InFlight;

/// Subgraph queries in flight.
pub(super) type Shared = InFlight<FetchKey, Result<Whole, TransportError>>;

/// What makes two queries to a subgraph one.
#[derive(Debug, Clone)]
pub(super) struct FetchKey {
    /// The same place; held, so that no other route can get its address.
    pub(super) route: Arc<Route>,
    pub(super) body: Bytes,
    pub(super) relevant: Arc<HeaderMap>,
    pub(super) age: Age,
}

impl PartialEq for FetchKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.route, &other.route)
            && self.age == other.age
            && self.body == other.body
            && self.relevant == other.relevant
    }
}

impl Eq for FetchKey {}

impl Hash for FetchKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.route).hash(state);
        self.body.hash(state);
    }
}

/// How many mutations had ended at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Age(u64);

/// Counts the mutations that have ended, whatever became of them.
#[derive(Debug, Default)]
pub(crate) struct Mutations(AtomicU64);

impl Mutations {
    /// Now.
    pub(crate) fn age(&self) -> Age {
        Age(self.0.load(Ordering::SeqCst))
    }

    /// A mutation begins; it has ended when the value is dropped.
    pub(crate) fn begin(&self) -> impl Drop {
        Running(self)
    }
}

struct Running<'a>(&'a Mutations);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}
