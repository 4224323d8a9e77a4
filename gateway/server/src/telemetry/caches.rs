//! What is counted of answers that are kept.
//!
//! Elsewhere: keeping them (`cache/`).

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use super::instruments::{Counters, Durations, Maker};
use super::labels::Value;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Caches {
    lookups: Counters<2>,
    stores: Counters<1>,
    stored_bytes: Counters<1>,
    invalidations: Counters<1>,
    bytes: Gauge,
    store_requests: Counters<2>,
    store_durations: Durations<1>,
    store_waiting: Gauge,
}

impl Caches {
    pub(super) fn new(make: &mut Maker<'_>) -> Self {
        Self {
            lookups: make.counters(
                "cache_lookups",
                "Parts of answers (entities, root fields) looked up in the cache, by subgraph and result",
            ),
            stores: make.counters("cache_stores", "Parts of answers that were kept, by subgraph"),
            stored_bytes: make.counters("cache_stored_bytes", "Their bytes, by subgraph"),
            invalidations: make
                .counters("cache_invalidations", "Entries removed before their time, by what named them"),
            bytes: make.gauge("cache_bytes", "Bytes in the cache of this process"),
            store_requests: make.counters(
                "cache_store_requests",
                "What was asked of the cache's shared store, by what and outcome: ok, error, timeout, or not asked: down, full",
            ),
            store_waiting: make.gauge(
                "cache_store_waiting",
                "Writes that the shared store has not taken yet; beyond `cache.redis.waiting_bytes_max` they are dropped (full)",
            ),
            store_durations: make.durations("cache_store_duration", "How long the shared store took, by what"),
        }
    }

    pub(super) fn looked_up(&self, subgraph: &Value, hits: u64, misses: u64) {
        for (result, count) in [("hit", hits), ("miss", misses)] {
            if count > 0 {
                let labels = [("subgraph", subgraph.clone()), ("result", Value::Fixed(result))];
                self.lookups.add_many(&labels, count);
            }
        }
    }

    pub(super) fn stored(&self, subgraph: Value, count: u64, bytes: u64, held: u64) {
        let subgraph = [("subgraph", subgraph)];
        self.stores.add_many(&subgraph, count);
        self.stored_bytes.add_many(&subgraph, bytes);
        self.holds(held);
    }

    pub(super) fn invalidated(&self, by: &'static str, count: u64, held: u64) {
        self.invalidations.add_many(&[("by", Value::Fixed(by))], count);
        self.holds(held);
    }

    pub(super) fn store_request(&self, what: &'static str, outcome: &'static str, duration: Duration) {
        let what = ("what", Value::Fixed(what));
        if !matches!(outcome, "down" | "full") {
            self.store_durations.record(std::array::from_ref(&what), duration);
        }
        self.store_requests.add(&[what, ("outcome", Value::Fixed(outcome))]);
    }

    pub(super) fn waiting(&self) -> &Gauge {
        &self.store_waiting
    }

    fn holds(&self, bytes: u64) {
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
