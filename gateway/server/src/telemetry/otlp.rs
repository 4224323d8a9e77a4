//! Sends traces and metrics to an OpenTelemetry collector: OTLP over HTTP, in protobuf.
//!
//! Always: what cannot be sent is dropped, never waited for by a request; the queue of spans is bounded.
//! Elsewhere: what is sent (`spans.rs`, `metrics.rs`).

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient as Exporting, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider,
};
use tokio::runtime::Handle;

use crate::options::OtlpSettings;
use crate::subgraph_client::{HttpClient, fetch};

/// A collector answers with nothing, or with a few lines on what it did not take.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

/// What sends, until it is closed.
#[derive(Debug)]
pub(super) struct Exporters {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

impl Exporters {
    pub(super) fn new(settings: &OtlpSettings, client: &HttpClient) -> Result<Self, ExporterBuildError> {
        let resource = Resource::builder()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let traces = settings.traces.then(|| traces(settings, client, resource.clone())).transpose()?;
        let metrics = settings.metrics.then(|| metrics(settings, client, resource)).transpose()?;
        Ok(Self { traces, metrics })
    }

    pub(super) fn tracer(&self) -> Option<SdkTracer> {
        self.traces.as_ref().map(|provider| provider.tracer("gateway"))
    }

    pub(super) fn meter(&self) -> Option<Meter> {
        self.metrics.as_ref().map(|provider| provider.meter("gateway"))
    }

    /// Sends what is left. Blocks, and needs the runtime: call it beside that.
    pub(super) fn close(&self) {
        let traces = self.traces.as_ref().map(|provider| provider.shutdown_with_timeout(TIMEOUT));
        let metrics = self.metrics.as_ref().map(SdkMeterProvider::shutdown);
        for result in traces.into_iter().chain(metrics) {
            if let Err(error) = result {
                tracing::warn!(%error, "the last traces or metrics were not sent");
            }
        }
    }
}

fn traces(
    settings: &OtlpSettings,
    client: &HttpClient,
    resource: Resource,
) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new(client))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint(settings, "traces"))
        .with_headers(headers(settings))
        .with_timeout(TIMEOUT)
        .build()?;
    let batches =
        BatchConfigBuilder::default().with_scheduled_delay(settings.interval.min(Duration::from_secs(5)));
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio)));
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(sampler)
        .with_resource(resource)
        .build())
}

fn metrics(
    settings: &OtlpSettings,
    client: &HttpClient,
    resource: Resource,
) -> Result<SdkMeterProvider, ExporterBuildError> {
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(Collector::new(client))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint(settings, "metrics"))
        .with_headers(headers(settings))
        .with_timeout(TIMEOUT)
        .build()?;
    let reader = PeriodicReader::builder(exporter).with_interval(settings.interval).build();
    Ok(SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build())
}

fn endpoint(settings: &OtlpSettings, signal: &str) -> String {
    format!("{}/v1/{signal}", settings.endpoint.trim_end_matches('/'))
}

fn headers(settings: &OtlpSettings) -> HashMap<String, String> {
    settings.headers.clone().into_iter().collect()
}

/// The gateway's own client, for exporters: they call from threads of their own, it needs the runtime.
#[derive(Debug)]
struct Collector {
    client: HttpClient,
    runtime: Handle,
}

impl Collector {
    fn new(client: &HttpClient) -> Self {
        Self { client: client.clone(), runtime: Handle::current() }
    }
}

#[async_trait]
impl Exporting for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self
            .runtime
            .spawn(async move { fetch::exchange(&client, request, TIMEOUT, ANSWER_BYTES_MAX).await });
        Ok(sent.await??)
    }
}
