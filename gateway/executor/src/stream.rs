//! Runs a subscription: the source's stream, and for each of its events the fetches that follow.
//!
//! In: a compiled plan whose first fetch is the source. Out: one complete response for each event, in order.
//! Always: each event starts from an empty tree.
//! Elsewhere: the follow-up fetches (`run.rs`); reading the source, event by event, while schemas come and go (`engine`).

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};

use crate::AnswerLimits;
use crate::errors::{Cause, ErrorList};
use crate::program::Program;
use crate::run::{Execution, State};
use crate::transport::{SubgraphRequest, SubgraphTransport, TransportError};
use crate::variables::Variables;

/// The plan's first fetch: the source of a subscription.
const SOURCE: u32 = 0;

/// What a subscription keeps for as long as it lives.
pub struct Subscription<T: SubgraphTransport> {
    /// The compiled plan.
    pub program: Arc<Program>,
    /// The coerced variables.
    pub variables: Variables,
    /// Bounds on the answers.
    pub limits: AnswerLimits,
    /// Where the source and the follow-up fetches go.
    pub transport: Arc<T>,
    /// Travels with every request.
    pub context: T::Context,
}

/// The events of a subscription as its subgraph sends them.
pub type Source = BoxStream<'static, Result<Bytes, TransportError>>;

/// What a subscription asks of its source. Equal for two plans: they can be fed by one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRequest {
    /// The subgraph's name.
    pub subgraph: Box<str>,
    /// The JSON body.
    pub body: Bytes,
}

impl<T: SubgraphTransport> Subscription<T> {
    /// What is asked of the source; `None` when `@skip` leaves nothing to listen to.
    pub fn source(&self) -> Option<SourceRequest> {
        let body = State::new(self.execution()).request(SOURCE)?;
        Some(SourceRequest { subgraph: self.program.fetches[SOURCE as usize].subgraph.clone(), body })
    }

    /// Opens the source.
    ///
    /// # Errors
    /// A complete response without data when it could not be opened.
    pub async fn open(&self, request: Option<&SourceRequest>) -> Result<Source, Bytes> {
        let Some(SourceRequest { subgraph, body }) = request else {
            return Ok(futures::stream::empty().boxed());
        };
        let request = SubgraphRequest { subgraph, body: body.clone(), is_mutation: false, cacheable: None };
        let opened = self.transport.subscribe(request, &self.context).await;
        opened.map_err(|error| self.refusal(&error))
    }

    /// As [`Subscription::open`], for a client that listens already.
    ///
    /// # Errors
    /// As [`Subscription::open`].
    pub async fn reopen(&self, request: Option<&SourceRequest>) -> Result<Source, Bytes> {
        let Some(SourceRequest { subgraph, body }) = request else {
            return Ok(futures::stream::empty().boxed());
        };
        let request = SubgraphRequest { subgraph, body: body.clone(), is_mutation: false, cacheable: None };
        let opened = self.transport.resubscribe(request, &self.context).await;
        opened.map_err(|error| self.refusal(&error))
    }

    /// The response to an event of the source.
    pub async fn respond(&self, event: Result<Bytes, TransportError>) -> Bytes {
        let mut state = State::new(self.execution());
        state.receive(SOURCE, event);
        let mut ready = Vec::new();
        state.release(SOURCE, &mut ready);
        state.fetch(ready, &*self.transport, &self.context).await;
        state.respond()
    }

    fn execution(&self) -> Execution<'_> {
        Execution {
            program: &self.program,
            variables: &self.variables,
            introspection: &[],
            limits: &self.limits,
        }
    }

    fn refusal(&self, error: &TransportError) -> Bytes {
        let subgraph = &*self.program.fetches[SOURCE as usize].subgraph;
        let mut errors = ErrorList::new(1, &self.limits.errors);
        errors.push_cause(&Cause::of_transport(error, subgraph), None);
        let errors = errors.finish().expect("one error was pushed");
        [b"{\"errors\":[", &*errors, b"]}"].concat().into()
    }
}
