//! The circuit breakers of the subgraphs, read when somebody asks.
//!
//! Elsewhere: the breakers themselves (`subgraph_client/traffic/`).

use std::fmt;
use std::sync::{Arc, OnceLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::subgraph_client::BreakerState;

const HELP: &str =
    "What the circuit breaker of a subgraph does: 0 lets calls through, 1 lets one through, 2 refuses them";

/// Tells the subgraphs that have a breaker, and what it does.
type Read = Box<dyn Fn() -> Vec<(String, BreakerState)> + Send + Sync>;

/// See the module's header. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Breakers(Arc<OnceLock<Read>>);

impl fmt::Debug for Breakers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Breakers").field(&self.0.get().is_some()).finish()
    }
}

impl Breakers {
    /// Shows them to a collector too.
    pub(super) fn new(meter: Option<&Meter>) -> Self {
        let breakers = Self::default();
        if let Some(meter) = meter {
            let seen = breakers.clone();
            // The provider keeps the callback; what is returned is only a name for it.
            let _ = meter
                .i64_observable_gauge("gateway.subgraph_breaker")
                .with_description(HELP)
                .with_callback(move |observer| {
                    for (subgraph, state) in seen.states() {
                        observer.observe(state, &[KeyValue::new("subgraph", subgraph)]);
                    }
                })
                .build();
        }
        breakers
    }

    /// From now on they are read so; the first call holds.
    pub(super) fn watch(&self, read: Read) {
        // There is one server for one telemetry.
        let _ = self.0.set(read);
    }

    fn states(&self) -> Vec<(String, i64)> {
        let states = self.0.get().map(|read| read()).unwrap_or_default();
        let number = |state| match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        states.into_iter().map(|(subgraph, state)| (subgraph, number(state))).collect()
    }
}

impl Collector for Breakers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let states = self.states();
        if states.is_empty() {
            return Ok(());
        }
        let mut family =
            encoder.encode_descriptor("gateway_subgraph_breaker", HELP, None, MetricType::Gauge)?;
        for (subgraph, state) in states {
            ConstGauge::new(state).encode(family.encode_family(&[("subgraph", subgraph)])?)?;
        }
        Ok(())
    }
}
