//! The one window of execution on the network.
//!
//! In: a complete GraphQL request for a subgraph. Out: its answer as bytes, or a stream of answers.
//! Elsewhere: the implementations (`server`: HTTP and in process; `testkit`: in memory).

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

/// One GraphQL request to one subgraph.
#[derive(Debug, Clone)]
pub struct SubgraphRequest<'a> {
    /// The subgraph's name as in the supergraph.
    pub subgraph: &'a str,
    /// The JSON body: `{"query":…,"variables":…}`.
    pub body: Bytes,
    /// Whether the operation is a mutation: such a request is never repeated or shared.
    pub is_mutation: bool,
    /// What a cache has to know of it. `None`: its answer belongs to this request alone.
    pub cacheable: Option<&'a Cacheable>,
}

/// What a cache has to know of a query to a subgraph. Compiled with the plan: a request costs nothing for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cacheable {
    /// The schema that the query was planned on: an answer never outlives it.
    pub schema: Arc<str>,
    /// The `_entities` fields of the document; none when it asks root fields.
    pub entities: Vec<EntityField>,
}

/// An `_entities` field of a document: its answer is a list with one item for each item of its variable, and each item
/// depends on its own representation, on the document and on the other variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityField {
    /// Its response key.
    pub response_key: Box<str>,
    /// The variable that takes the representations.
    pub variable: Box<str>,
}

/// Why a subgraph gave no usable answer. Messages are safe to show to a client: no host, no address.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// Nothing listens, the connection broke, or the subgraph is not configured.
    #[error("could not reach the subgraph")]
    Unreachable,
    /// No complete answer in time.
    #[error("the subgraph did not answer in time")]
    Timeout,
    /// The answer is larger than the limit.
    #[error("the subgraph's answer is too large")]
    TooLarge,
    /// An HTTP status that is not success and a body that is not a GraphQL answer.
    #[error("the subgraph answered with status {0}")]
    Status(u16),
    /// The client did not send what belongs to the request: its upload broke off, came too late or exceeds a bound. It
    /// says nothing about the subgraph.
    #[error("the client's upload broke off")]
    UploadBroken,
    /// It was not asked: too many requests wait for it already.
    #[error("too many requests wait for the subgraph")]
    Overloaded,
    /// It was not asked: it failed too often lately.
    #[error("the subgraph failed too often and is not asked for a while")]
    CircuitOpen,
}

/// The executor's only window on the network. Implementors: the HTTP client and the in-process services in `server`,
/// the in-memory subgraphs in `testkit`.
pub trait SubgraphTransport: Send + Sync + 'static {
    /// What travels beside each client request to every subgraph request it causes (headers, deadline, trace): opaque
    /// to the executor. Cheap to clone: a subscription keeps one.
    type Context: Clone + Send + Sync + 'static;

    /// Sends a query or a mutation and waits for the whole answer, a GraphQL response as JSON bytes.
    ///
    /// # Errors
    /// [`TransportError`] when there is no answer that could be parsed as a GraphQL response.
    fn send(
        &self,
        request: SubgraphRequest<'_>,
        context: &Self::Context,
    ) -> impl Future<Output = Result<Bytes, TransportError>> + Send;

    /// Opens a subscription; each item is one GraphQL response as JSON bytes, the stream's end is its completion. A transport
    /// need not have any.
    ///
    /// # Errors
    /// [`TransportError`] when the subscription could not be opened.
    fn subscribe(
        &self,
        _request: SubgraphRequest<'_>,
        _context: &Self::Context,
    ) -> impl Future<Output = Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError>> + Send
    {
        std::future::ready(Err(TransportError::Unreachable))
    }

    /// As [`SubgraphTransport::subscribe`], for a client that already listens and is to go on: worth several attempts.
    ///
    /// # Errors
    /// As [`SubgraphTransport::subscribe`].
    fn resubscribe(
        &self,
        request: SubgraphRequest<'_>,
        context: &Self::Context,
    ) -> impl Future<Output = Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError>> + Send
    {
        self.subscribe(request, context)
    }
}
