//! Counters, durations and gauges that are seen both ways: scraped by Prometheus and sent to an OpenTelemetry collector.
//!
//! Elsewhere: which of them there are (`metrics.rs`).

use std::time::Duration;

use opentelemetry::metrics::Meter;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{Label, attributes};

/// Upper bounds of durations in seconds, from what a cache answers to what times out.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What makes instruments, and registers them under a common prefix.
pub(super) struct Maker<'a> {
    pub(super) registry: &'a mut Registry,
    pub(super) meter: Option<&'a Meter>,
}

/// The name of a metric for OpenTelemetry.
fn dotted(name: &str) -> String {
    format!("gateway.{name}")
}

impl Maker<'_> {
    pub(super) fn counters<const N: usize>(&mut self, name: &str, help: &str) -> Counters<N> {
        let family = Family::default();
        self.registry.register(name, help, Family::clone(&family));
        let otlp =
            self.meter.map(|meter| meter.u64_counter(dotted(name)).with_description(help.to_owned()).build());
        Counters { family, otlp }
    }

    pub(super) fn durations<const N: usize>(&mut self, name: &str, help: &str) -> Durations<N> {
        let family = Family::new_with_constructor(histogram as fn() -> Histogram);
        self.registry.register(format!("{name}_seconds"), help, Family::clone(&family));
        let otlp = self.meter.map(|meter| {
            let builder = meter.f64_histogram(dotted(name)).with_description(help.to_owned()).with_unit("s");
            builder.with_boundaries(SECONDS.to_vec()).build()
        });
        Durations { family, otlp }
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::<i64>::default();
        self.registry.register(name, help, gauge.clone());
        if let Some(meter) = self.meter {
            let seen = gauge.clone();
            // The provider keeps the callback; what is returned is only a name for it.
            let _ = meter
                .i64_observable_gauge(dotted(name))
                .with_description(help.to_owned())
                .with_callback(move |observer| observer.observe(seen.get(), &[]))
                .build();
        }
        gauge
    }
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

/// Counts by labels.
#[derive(Debug)]
pub(super) struct Counters<const N: usize> {
    family: Family<[Label; N], Counter>,
    otlp: Option<opentelemetry::metrics::Counter<u64>>,
}

impl<const N: usize> Counters<N> {
    pub(super) fn add(&self, labels: &[Label; N]) {
        self.add_many(labels, 1);
    }

    pub(super) fn add_many(&self, labels: &[Label; N], count: u64) {
        self.family.get_or_create(labels).inc_by(count);
        if let Some(otlp) = &self.otlp {
            otlp.add(count, &attributes(labels));
        }
    }
}

/// Durations by labels.
#[derive(Debug)]
pub(super) struct Durations<const N: usize> {
    family: Family<[Label; N], Histogram, fn() -> Histogram>,
    otlp: Option<opentelemetry::metrics::Histogram<f64>>,
}

impl<const N: usize> Durations<N> {
    pub(super) fn record(&self, labels: &[Label; N], duration: Duration) {
        self.family.get_or_create(labels).observe(duration.as_secs_f64());
        if let Some(otlp) = &self.otlp {
            otlp.record(duration.as_secs_f64(), &attributes(labels));
        }
    }
}
