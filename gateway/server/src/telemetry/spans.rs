//! Spans of OpenTelemetry: one for each client request, below it one for planning and one for each subgraph request.
//!
//! Always: without a collector none is made and none of this costs anything; a span carries no document, no variable and no
//! credential.
//! Elsewhere: sending them (`otlp.rs`).

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

use super::trace_context::TraceContext;

/// What makes spans.
#[derive(Debug)]
pub(crate) struct Spans {
    pub(super) tracer: SdkTracer,
}

/// A span that is not ended yet; dropped, it ends.
#[derive(Debug)]
pub(crate) struct Span(SdkSpan);

impl Spans {
    /// The span of a client request, and the trace as it goes on from there.
    pub(super) fn request(&self, client: &TraceContext, method: &str) -> (Span, TraceContext) {
        let builder = self
            .tracer
            .span_builder("graphql request")
            .with_kind(SpanKind::Server)
            .with_attributes([KeyValue::new("http.request.method", method.to_owned())]);
        // A trace that began here has no span above this one.
        let parent = if client.is_remote { parent_of(client) } else { Context::new() };
        self.start(builder, &parent, client)
    }

    /// The span of a request to a subgraph.
    pub(super) fn subgraph(
        &self,
        trace: &TraceContext,
        subgraph: &str,
        is_mutation: bool,
    ) -> (Span, TraceContext) {
        let kind = if is_mutation { "mutation" } else { "query" };
        let attributes = [
            KeyValue::new("graphql.subgraph.name", subgraph.to_owned()),
            KeyValue::new("graphql.operation.type", kind),
        ];
        let builder = self
            .tracer
            .span_builder(format!("subgraph {subgraph}"))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        self.start(builder, &parent_of(trace), trace)
    }

    /// The span of planning, which has just ended.
    pub(super) fn planned(&self, trace: &TraceContext, duration: Duration) {
        let now = SystemTime::now();
        let builder = self.tracer.span_builder("plan").with_start_time(now - duration);
        self.tracer.build_with_context(builder, &parent_of(trace)).end_with_timestamp(now);
    }

    fn start(&self, builder: SpanBuilder, parent: &Context, trace: &TraceContext) -> (Span, TraceContext) {
        let span = self.tracer.build_with_context(builder, parent);
        let context = span.span_context();
        let header =
            format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        let trace = HeaderValue::from_str(&header).map_or_else(|_| trace.clone(), |parent| trace.at(parent));
        (Span(span), trace)
    }
}

fn parent_of(trace: &TraceContext) -> Context {
    let trace_id = TraceId::from_hex(trace.trace_id()).unwrap_or(TraceId::INVALID);
    let span_id = SpanId::from_hex(trace.span_id()).unwrap_or(SpanId::INVALID);
    let flags = if trace.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let context = SpanContext::new(trace_id, span_id, flags, trace.is_remote, TraceState::default());
    Context::new().with_remote_span_context(context)
}

impl Span {
    /// Ends the span of a client request.
    pub(super) fn end_request(
        mut self,
        kind: Option<&'static str>,
        operation: Option<&str>,
        status: u16,
        code: Option<&'static str>,
    ) {
        let span = &mut self.0;
        if let Some(kind) = kind {
            span.update_name(operation.map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}")));
            span.set_attribute(KeyValue::new("graphql.operation.type", kind));
        }
        if let Some(operation) = operation {
            span.set_attribute(KeyValue::new("graphql.operation.name", operation.to_owned()));
        }
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if let Some(code) = code {
            span.set_attribute(KeyValue::new("error.type", code));
            span.set_status(Status::error(code));
        }
        span.end();
    }

    /// Ends the span of a subgraph request.
    pub(super) fn end_subgraph(mut self, outcome: &'static str, is_cached: bool) {
        if is_cached {
            self.0.set_attribute(KeyValue::new("gateway.cache.hit", true));
        }
        if outcome != "ok" {
            self.0.set_attribute(KeyValue::new("error.type", outcome));
            self.0.set_status(Status::error(outcome));
        }
        self.0.end();
    }
}
