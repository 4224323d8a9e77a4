//! The way to the subgraphs, watched: plugins see each request, and it is counted, timed and has its span.
//!
//! Elsewhere: the way itself (`subgraph_client/`).

use std::future::Future;
use std::ops::Deref;
use std::time::Instant;

use bytes::Bytes;
use futures::stream::BoxStream;
use kopitiam_executor::transport::{SubgraphRequest, SubgraphTransport, TransportError};

use super::Telemetry;
use super::metrics::transport_outcome;
use crate::plugins::Plugins;
use crate::subgraph_client::{RequestContext, Transport};

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Observed {
    transport: Transport,
    telemetry: Telemetry,
    plugins: Plugins,
}

impl Observed {
    pub(crate) fn new(transport: Transport, telemetry: Telemetry, plugins: Plugins) -> Self {
        Self { transport, telemetry, plugins }
    }

    async fn observe<T, F>(
        &self,
        request: &SubgraphRequest<'_>,
        context: &RequestContext,
        send: impl FnOnce(RequestContext) -> F,
        is_cached: impl FnOnce(&T) -> bool,
    ) -> Result<T, TransportError>
    where
        F: Future<Output = Result<T, TransportError>>,
    {
        let started = Instant::now();
        let mut context = context.clone();
        if !self.plugins.is_empty() {
            let added =
                self.plugins.subgraph_request(request.subgraph, request.is_mutation, &request.body).await;
            context = context.with_headers(added);
        }
        let span = match (&self.telemetry.spans, context.trace()) {
            (Some(spans), Some(trace)) => {
                let (span, trace) = spans.subgraph(trace, request.subgraph, request.is_mutation);
                context = context.with_trace(trace);
                Some(span)
            }
            _ => None,
        };
        let fetches = context.fetches().cloned();
        let result = send(context).await;
        let is_cached = result.as_ref().is_ok_and(is_cached);
        let (duration, outcome) = (started.elapsed(), transport_outcome(&result));
        if let Some(metrics) = self.telemetry.metrics.as_ref().filter(|_| !is_cached) {
            metrics.subgraph_request(request.subgraph, &result, duration);
        }
        if let Some(span) = span {
            span.end_subgraph(outcome, is_cached);
        }
        if let Some(fetches) = fetches {
            fetches.add(request.subgraph, started, duration, if is_cached { "cached" } else { outcome });
        }
        result
    }

    /// Whether anybody looks.
    fn is_watched(&self, context: &RequestContext) -> bool {
        self.telemetry.metrics.is_some()
            || self.telemetry.spans.is_some()
            || context.fetches().is_some()
            || !self.plugins.is_empty()
    }
}

impl Deref for Observed {
    type Target = Transport;

    fn deref(&self) -> &Transport {
        &self.transport
    }
}

impl SubgraphTransport for Observed {
    type Context = RequestContext;

    async fn send(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<Bytes, TransportError> {
        if !self.is_watched(context) {
            return self.transport.send(request, context).await;
        }
        let sent = request.clone();
        let send = |context| async move { self.transport.answer(sent, &context).await };
        Ok(self.observe(&request, context, send, |sent| sent.is_cached).await?.body)
    }

    async fn subscribe(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
        if !self.is_watched(context) {
            return self.transport.subscribe(request, context).await;
        }
        let sent = request.clone();
        self.observe(
            &request,
            context,
            |context| async move { self.transport.subscribe(sent, &context).await },
            |_| false,
        )
        .await
    }

    async fn resubscribe(
        &self,
        request: SubgraphRequest<'_>,
        context: &RequestContext,
    ) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
        if !self.is_watched(context) {
            return self.transport.resubscribe(request, context).await;
        }
        let sent = request.clone();
        self.observe(
            &request,
            context,
            |context| async move { self.transport.resubscribe(sent, &context).await },
            |_| false,
        )
        .await
    }
}
