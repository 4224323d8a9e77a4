//! `/metrics` on a listener of its own, which no client needs to reach.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// The text format of OpenMetrics 1.0, section "Overall Structure".
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A bound listener that does not answer yet.
#[derive(Debug)]
pub(crate) struct MetricsListener {
    listener: TcpListener,
    metrics: Arc<Metrics>,
}

impl MetricsListener {
    pub(crate) async fn bind(address: SocketAddr, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, metrics })
    }

    pub(crate) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `ended`: also while clients' requests drain, which is when figures matter.
    pub(crate) async fn run(self, ended: CancellationToken) {
        let router = Router::new().route("/metrics", get(metrics)).with_state(self.metrics);
        let serving = axum::serve(self.listener, router).into_future();
        tokio::select! {
            () = ended.cancelled() => {}
            result = serving => if let Err(error) = result {
                tracing::error!(%error, "metrics are no longer served");
            }
        }
    }
}

async fn metrics(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENMETRICS)], metrics.render())
}
