//! Code of the operator's own at four stages of a request: in this process as a [`Plugin`], or beside it as a coprocessor.
//!
//! Always: plugins run in their order, on the way back in the opposite one; the first refusal ends the request; without
//! plugins none of this costs anything.
//!
//! - `coprocessor.rs`: a plugin that asks a program by HTTP
//!
//! Elsewhere: where the stages are (`http/plugged.rs`, `http/operation.rs`, `telemetry/observed.rs`).

mod coprocessor;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HeaderMap;
use http::{Response, StatusCode, request, response};
use kopitiam_engine::{OperationKind, Outcome, Plan, Response as GraphqlResponse};

pub(crate) use self::coprocessor::Coprocessor;
pub use self::coprocessor::{CoprocessorError, CoprocessorSettings, CoprocessorStages, OnError};
use crate::http::error_body;
use crate::subgraph_client::may_be_forwarded;

/// Code at the stages of a request. Every hook does nothing unless it is written.
#[async_trait]
pub trait Plugin: fmt::Debug + Send + Sync + 'static {
    /// A request to the GraphQL path came, nothing of it is checked yet. Its headers may be changed.
    ///
    /// # Errors
    /// A [`PluginRefusal`] is the answer.
    async fn request(&self, _request: &mut request::Parts) -> Result<(), PluginRefusal> {
        Ok(())
    }

    /// An operation is valid, planned and about to run.
    ///
    /// # Errors
    /// A [`PluginRefusal`] is the answer; nothing is fetched.
    async fn plan(&self, _operation: &PlannedOperation<'_>) -> Result<(), PluginRefusal> {
        Ok(())
    }

    /// A subgraph is about to be asked. Headers may be added to the request; answers to requests that differ in them are
    /// not shared.
    async fn subgraph_request(&self, _request: &mut SubgraphCall<'_>) {}

    /// The answer to a request is about to be sent. Status and headers may be changed.
    async fn response(&self, _response: &mut response::Parts) {}
}

/// What a plugin sees of an operation that is about to run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PlannedOperation<'a> {
    /// Query, mutation or subscription.
    pub kind: OperationKind,
    /// Its name in the document.
    pub name: Option<&'a str>,
    /// The document as the client wrote it.
    pub document: &'a str,
    /// The variables as the client wrote them: a JSON object.
    pub variables: &'a str,
    /// Who will be asked for what.
    pub plan: &'a Plan,
}

/// What a plugin sees of a subgraph request.
#[derive(Debug)]
#[non_exhaustive]
pub struct SubgraphCall<'a> {
    /// As in the supergraph.
    pub subgraph: &'a str,
    /// Whether it is a mutation.
    pub is_mutation: bool,
    /// The JSON body.
    pub body: &'a [u8],
    /// To be added to the request. Those of the connection and of the body's form are not.
    pub headers: HeaderMap,
}

/// A plugin's answer in place of the gateway's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginRefusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// `extensions.code` of the error.
    pub code: String,
    /// Its message, for the client.
    pub message: String,
}

impl PluginRefusal {
    /// As JSON, a GraphQL response without data.
    fn body(&self) -> Bytes {
        error_body(&self.message, &self.code)
    }

    pub(crate) fn into_http<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(B::from(self.body()));
        *response.status_mut() = self.status;
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        response
    }

    /// For an operation that came by whatever means.
    pub(crate) fn into_graphql(self) -> GraphqlResponse {
        GraphqlResponse { body: self.body(), outcome: Outcome::ValidationError }
    }
}

/// The plugins of one gateway. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plugins(Arc<[Arc<dyn Plugin>]>);

impl Plugins {
    pub(crate) fn new(plugins: Vec<Arc<dyn Plugin>>) -> Self {
        Self(plugins.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) async fn request(&self, request: &mut request::Parts) -> Result<(), PluginRefusal> {
        for plugin in &*self.0 {
            plugin.request(request).await?;
        }
        Ok(())
    }

    pub(crate) async fn plan(&self, operation: &PlannedOperation<'_>) -> Result<(), PluginRefusal> {
        for plugin in &*self.0 {
            plugin.plan(operation).await?;
        }
        Ok(())
    }

    /// The headers to add to a subgraph request.
    pub(crate) async fn subgraph_request(&self, subgraph: &str, is_mutation: bool, body: &[u8]) -> HeaderMap {
        let mut call = SubgraphCall { subgraph, is_mutation, body, headers: HeaderMap::new() };
        for plugin in &*self.0 {
            plugin.subgraph_request(&mut call).await;
        }
        let mut headers = HeaderMap::new();
        let mut last = None;
        for (name, value) in call.headers {
            // A further value of a name comes without it.
            last = name.or(last);
            if let Some(name) = last.as_ref().filter(|name| may_be_forwarded(name)) {
                headers.append(name.clone(), value);
            }
        }
        headers
    }

    pub(crate) async fn response(&self, response: &mut response::Parts) {
        for plugin in self.0.iter().rev() {
            plugin.response(response).await;
        }
    }
}
