//! What is counted and timed.
//!
//! Always: the number of time series is bounded, whatever clients send.
//! Elsewhere: where it is read (`listener.rs`, `otlp.rs`), the instruments (`instruments.rs`).

use std::time::Duration;

use kopitiam_executor::transport::TransportError;
use opentelemetry::metrics::Meter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::breakers::Breakers;
use super::caches::Caches;
use super::instruments::{Counters, Durations, Maker};
use super::labels::{Names, Value};
use super::process::Process;
use crate::options::LabelSettings;

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    operations: Names,
    subgraphs: Names,
    topics: Names,
    requests: Counters<4>,
    request_durations: Durations<2>,
    subgraph_requests: Counters<2>,
    subgraph_durations: Durations<1>,
    plan_cache: Counters<1>,
    planning: Durations<0>,
    reloads: Counters<2>,
    refused: Counters<2>,
    event_topics: Counters<2>,
    in_flight: Gauge,
    connections: Gauge,
    streams: Gauge,
    generation: Gauge,
    last_reload: Gauge,
    pub(super) breakers: Breakers,
    caches: Caches,
}

/// A finished client request.
#[derive(Debug)]
pub(crate) struct RequestOutcome<'a> {
    pub(crate) kind: &'static str,
    pub(crate) operation: Option<&'a str>,
    /// Whether it came so far that its operation is known.
    pub(crate) is_known: bool,
    pub(crate) status: u16,
    /// How it ended: `ok`, `partial` (an answer with errors), or the code of a refusal.
    pub(crate) outcome: &'static str,
    pub(crate) duration: Duration,
}

/// More subgraphs than anybody has.
const SUBGRAPHS_MAX: usize = 1_000;
/// More topics than anybody feeds subscriptions from.
const TOPICS_MAX: usize = 1_000;

impl Metrics {
    pub(super) fn new(labels: LabelSettings, meter: Option<&Meter>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process::new()));
        let breakers = Breakers::new(meter);
        registry.register_collector(Box::new(breakers.clone()));
        let mut make = Maker { registry: registry.sub_registry_with_prefix("gateway"), meter };
        let requests = make
            .counters("requests", "GraphQL requests of clients, by operation, kind, HTTP status and outcome");
        let request_durations = make
            .durations("request_duration", "From a request's header to its answer's, by operation and kind");
        let subgraph_requests =
            make.counters("subgraph_requests", "Requests to subgraphs, by subgraph and outcome");
        let subgraph_durations =
            make.durations("subgraph_request_duration", "From a subgraph request to its whole answer");
        let plan_cache = make.counters("plan_cache_lookups", "Operations looked up in the plan cache");
        let planning =
            make.durations("planning_duration", "From a document that is not in the cache to its plan");
        let reloads = make.counters("reloads", "What was read anew, by what it is and outcome");
        let refused = make.counters(
            "refused",
            "Sockets and streams refused for being too many, by what and whose cap it was: total, address, subject",
        );
        let event_topics = make.counters(
            "event_topic_failures",
            "Topics of subscriptions that could not be read, by topic and what",
        );
        let in_flight = make.gauge("requests_in_flight", "Client requests without an answer yet");
        let connections = make.gauge("connections", "Open connections of clients");
        let streams = make.gauge("streams", "Open subscriptions of clients");
        let generation =
            make.gauge("schema_generation", "Supergraphs taken since the start, the first included");
        let last_reload =
            make.gauge("schema_last_change_timestamp_seconds", "When the supergraph served was taken");
        let caches = Caches::new(&mut make);
        let metrics = Self {
            registry,
            operations: Names::new(labels.operation_names_max),
            subgraphs: Names::new(SUBGRAPHS_MAX),
            topics: Names::new(TOPICS_MAX),
            requests,
            request_durations,
            subgraph_requests,
            subgraph_durations,
            plan_cache,
            planning,
            reloads,
            refused,
            event_topics,
            in_flight,
            connections,
            streams,
            generation,
            last_reload,
            breakers,
            caches,
        };
        metrics.schema_taken();
        metrics
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("a String takes every write");
        text
    }

    /// A client request ended.
    pub(crate) fn request(&self, request: &RequestOutcome<'_>) {
        let operation = if request.is_known {
            self.operations.value(request.operation)
        } else {
            Value::Fixed("(refused)")
        };
        let operation = ("operation", operation);
        let kind = ("kind", Value::Fixed(request.kind));
        self.request_durations.record(&[operation.clone(), kind.clone()], request.duration);
        let status = ("status", Value::Status(request.status));
        self.requests.add(&[operation, kind, status, ("outcome", Value::Fixed(request.outcome))]);
    }

    /// A subgraph request ended.
    pub(crate) fn subgraph_request<T>(
        &self,
        subgraph: &str,
        result: &Result<T, TransportError>,
        duration: Duration,
    ) {
        let subgraph = ("subgraph", self.subgraphs.value(Some(subgraph)));
        self.subgraph_durations.record(std::array::from_ref(&subgraph), duration);
        self.subgraph_requests.add(&[subgraph, ("outcome", Value::Fixed(transport_outcome(result)))]);
    }

    /// Parts of an answer were looked up in the cache.
    pub(super) fn cache_lookups(&self, subgraph: &str, hits: u64, misses: u64) {
        self.caches.looked_up(&self.subgraphs.value(Some(subgraph)), hits, misses);
    }

    /// Parts of an answer were kept; `held`: how many bytes the cache has now.
    pub(super) fn cache_stores(&self, subgraph: &str, count: u64, bytes: u64, held: u64) {
        self.caches.stored(self.subgraphs.value(Some(subgraph)), count, bytes, held);
    }

    /// Entries were removed before their time.
    pub(super) fn cache_invalidations(&self, by: &'static str, count: u64, held: u64) {
        self.caches.invalidated(by, count, held);
    }

    /// The cache's shared store was asked.
    pub(super) fn cache_store_request(&self, what: &'static str, outcome: &'static str, duration: Duration) {
        self.caches.store_request(what, outcome, duration);
    }

    /// An operation was taken from the plan cache, or prepared in so long.
    pub(crate) fn prepared(&self, planned_in: Option<Duration>) {
        let result = if planned_in.is_some() { "miss" } else { "hit" };
        self.plan_cache.add(&[("result", Value::Fixed(result))]);
        if let Some(duration) = planned_in {
            self.planning.record(&[], duration);
        }
    }

    /// Another supergraph is served.
    pub(crate) fn schema_taken(&self) {
        self.generation.inc();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        self.last_reload.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    }

    /// `what` (the supergraph, the settings) was read anew.
    pub(crate) fn reloaded(&self, what: &'static str, good: bool) {
        let outcome = if good { "ok" } else { "error" };
        self.reloads.add(&[("what", Value::Fixed(what)), ("outcome", Value::Fixed(outcome))]);
    }

    /// A socket or a stream was one too many.
    pub(crate) fn refused(&self, what: &'static str, cap: &'static str) {
        self.refused.add(&[("what", Value::Fixed(what)), ("cap", Value::Fixed(cap))]);
    }

    /// A topic that subscriptions are fed from could not be read.
    pub(crate) fn topic_failed(&self, topic: &str, what: &'static str) {
        self.event_topics.add(&[("topic", self.topics.value(Some(topic))), ("what", Value::Fixed(what))]);
    }

    pub(super) fn gauge(&self, what: Gauged) -> Guard {
        let gauge = match what {
            Gauged::Request => &self.in_flight,
            Gauged::Connection => &self.connections,
            Gauged::Stream => &self.streams,
            Gauged::StoreWrite => self.caches.waiting(),
        };
        gauge.inc();
        Guard(Some(gauge.clone()))
    }
}

/// What is counted while it is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gauged {
    Request,
    Connection,
    Stream,
    StoreWrite,
}

/// Something that is there; dropped, it is not.
#[derive(Debug)]
pub(crate) struct Guard(Option<Gauge>);

impl Guard {
    pub(super) fn uncounted() -> Self {
        Self(None)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0 {
            gauge.dec();
        }
    }
}

/// The word for how a subgraph request ended.
pub(super) fn transport_outcome<T>(result: &Result<T, TransportError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(TransportError::Unreachable) => "unreachable",
        Err(TransportError::Timeout) => "timeout",
        Err(TransportError::TooLarge) => "too_large",
        Err(TransportError::Status(_)) => "status",
        Err(TransportError::UploadBroken) => "upload_broken",
        Err(_) => "refused",
    }
}
