//! What the gateway tells of itself: log lines, metrics, traces.
//!
//! Always: what is off costs nothing; nothing told carries a variable, a token, a document or a body.
//!
//! - `log.rs`: log lines on stderr
//! - `metrics.rs`, `instruments.rs`, `labels.rs`, `process.rs`: what is counted and timed
//! - `breakers.rs`: the circuit breakers of the subgraphs; `caches.rs`: answers that are kept
//! - `listener.rs`: `/metrics`
//! - `trace_context.rs`, `spans.rs`: traces
//! - `otlp.rs`: sending both to a collector
//! - `observed.rs`: subgraph requests, watched
//! - `exposed.rs`: what a client may see of its own request
//!
//! Elsewhere: what is logged of a request (`http/access_log.rs`).

mod breakers;
mod caches;
mod exposed;
mod instruments;
mod labels;
mod listener;
mod log;
mod metrics;
mod observed;
mod otlp;
mod process;
mod spans;
mod trace_context;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;

pub(crate) use self::exposed::{Exposed, Fetches};
pub(crate) use self::listener::MetricsListener;
pub use self::log::init;
use self::metrics::Gauged;
pub(crate) use self::metrics::{Guard, Metrics, RequestOutcome};
pub(crate) use self::observed::Observed;
use self::otlp::Exporters;
use self::spans::{Span, Spans};
pub(crate) use self::trace_context::{TRACEPARENT, TRACESTATE, TraceContext};
use crate::options::TelemetrySettings;
use crate::subgraph_client::{BreakerState, HttpClient};

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the OpenTelemetry collector cannot be used: {0}")]
pub struct TelemetryError(#[from] opentelemetry_otlp::ExporterBuildError);

/// Where everything is counted and traced. Cheap to clone; one for the life of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telemetry {
    /// `None`: nothing is counted.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// `None`: nothing is traced, though the trace of a client goes on to subgraphs.
    pub(crate) spans: Option<Arc<Spans>>,
    exporters: Option<Arc<Exporters>>,
}

impl Telemetry {
    /// Starts what the settings ask for. Needs the runtime.
    pub(crate) fn new(settings: &TelemetrySettings, client: &HttpClient) -> Result<Self, TelemetryError> {
        let exporters = settings.otlp.as_ref().map(|otlp| Exporters::new(otlp, client)).transpose()?;
        let meter = exporters.as_ref().and_then(Exporters::meter);
        let counts = settings.metrics_listen.is_some() || meter.is_some();
        let metrics = counts.then(|| Arc::new(Metrics::new(settings.labels, meter.as_ref())));
        let tracer = exporters.as_ref().and_then(Exporters::tracer);
        let spans = tracer.map(|tracer| Arc::new(Spans { tracer }));
        Ok(Self { metrics, spans, exporters: exporters.map(Arc::new) })
    }

    /// Sends what has not been sent yet.
    pub(crate) async fn close(&self) {
        if let Some(exporters) = self.exporters.clone() {
            // A panic in there would leave figures unsent and nothing else.
            let _ = tokio::task::spawn_blocking(move || exporters.close()).await;
        }
    }

    /// A client request began.
    pub(crate) fn request(&self, headers: &HeaderMap, method: &str) -> ClientRequest {
        let client = TraceContext::from_client(headers);
        let (span, trace) = match &self.spans {
            Some(spans) => {
                let (span, trace) = spans.request(&client, method);
                (Some(span), trace)
            }
            None => (None, client),
        };
        ClientRequest { started: Instant::now(), trace, span, _in_flight: self.gauge(Gauged::Request) }
    }

    /// Counts an operation and its planning, whatever it came by.
    pub(crate) fn operation(&self, outcome: &RequestOutcome<'_>) {
        if let Some(metrics) = &self.metrics {
            metrics.request(outcome);
        }
    }

    /// A socket or a stream was one too many for this cap.
    pub(crate) fn refused(&self, what: &'static str, cap: &'static str) {
        if let Some(metrics) = &self.metrics {
            metrics.refused(what, cap);
        }
    }

    /// A topic that subscriptions are fed from could not be read.
    pub(crate) fn topic_failed(&self, topic: &str, what: &'static str) {
        if let Some(metrics) = &self.metrics {
            metrics.topic_failed(topic, what);
        }
    }

    /// An operation was prepared: from the plan cache, or within the time that planning took.
    pub(crate) fn prepared(&self, planned_in: Option<Duration>, trace: Option<&TraceContext>) {
        if let Some(metrics) = &self.metrics {
            metrics.prepared(planned_in);
        }
        if let (Some(spans), Some(duration), Some(trace)) = (&self.spans, planned_in, trace) {
            spans.planned(trace, duration);
        }
    }

    /// Parts of a subgraph's answer were looked up in the cache.
    pub(crate) fn cache_lookups(&self, subgraph: &str, hits: u64, misses: u64) {
        if let Some(metrics) = &self.metrics {
            metrics.cache_lookups(subgraph, hits, misses);
        }
    }

    /// Parts of a subgraph's answer were kept; `held`: how many bytes the cache has now.
    pub(crate) fn cache_stores(&self, subgraph: &str, count: usize, bytes: usize, held: u64) {
        if let Some(metrics) = &self.metrics {
            metrics.cache_stores(subgraph, count as u64, bytes as u64, held);
        }
    }

    /// Entries of the cache were removed before their time.
    pub(crate) fn cache_invalidations(&self, by: &'static str, count: u64, held: u64) {
        if let Some(metrics) = &self.metrics {
            metrics.cache_invalidations(by, count, held);
        }
    }

    /// The cache's shared store was asked, or would have been if it were not `down` or what waits for it not too much.
    pub(crate) fn cache_store_request(&self, what: &'static str, outcome: &'static str, duration: Duration) {
        if let Some(metrics) = &self.metrics {
            metrics.cache_store_request(what, outcome, duration);
        }
    }

    /// A connection is open for as long as the guard lives.
    pub(crate) fn connection(&self) -> Guard {
        self.gauge(Gauged::Connection)
    }

    /// A subscription is open for as long as the guard lives.
    pub(crate) fn stream(&self) -> Guard {
        self.gauge(Gauged::Stream)
    }

    /// Something waits to be kept in the cache's shared store for as long as the guard lives.
    pub(crate) fn store_write(&self) -> Guard {
        self.gauge(Gauged::StoreWrite)
    }

    /// The subgraphs' circuit breakers are shown as `read` tells them: their subgraphs' names and what they do.
    pub(crate) fn watch_breakers(
        &self,
        read: impl Fn() -> Vec<(String, BreakerState)> + Send + Sync + 'static,
    ) {
        if let Some(metrics) = &self.metrics {
            metrics.breakers.watch(Box::new(read));
        }
    }

    /// Another supergraph is served from now on, or could not be.
    pub(crate) fn schema_replaced(&self, good: bool) {
        if let Some(metrics) = &self.metrics {
            metrics.reloaded("supergraph", good);
            if good {
                metrics.schema_taken();
            }
        }
    }

    /// Other settings hold from now on, or could not be taken.
    pub(crate) fn settings_replaced(&self, good: bool) {
        if let Some(metrics) = &self.metrics {
            metrics.reloaded("settings", good);
        }
    }

    fn gauge(&self, what: Gauged) -> Guard {
        self.metrics.as_ref().map_or_else(Guard::uncounted, |metrics| metrics.gauge(what))
    }
}

/// A client request that has no answer yet.
#[derive(Debug)]
pub(crate) struct ClientRequest {
    started: Instant,
    /// The trace, as it goes on from this request.
    pub(crate) trace: TraceContext,
    span: Option<Span>,
    _in_flight: Guard,
}

impl ClientRequest {
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends the request's span.
    pub(crate) fn end(
        self,
        kind: Option<&'static str>,
        operation: Option<&str>,
        status: u16,
        code: Option<&'static str>,
    ) {
        if let Some(span) = self.span {
            span.end_request(kind, operation, status, code);
        }
    }
}
