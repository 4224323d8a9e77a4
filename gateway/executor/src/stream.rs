//! Runs a subscription: the source's stream, and for each of its events the fetches that follow.
//!
//! In: a compiled plan whose first fetch is the source. Out: one complete response for each event, in order.
//! Always: each event starts from an empty tree; an event is answered before the next is read, so a slow client slows
//! its source down instead of filling memory.
//! Elsewhere: the follow-up fetches (`run.rs`).

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

/// Opens a subscription; each item of the stream is one response for the client.
///
/// # Errors
/// A complete response without data when the source could not be opened.
pub async fn subscribe<T: SubgraphTransport>(
    subscription: Subscription<T>,
) -> Result<BoxStream<'static, Bytes>, Bytes> {
    let opened = open(&subscription).await;
    let source = opened.map_err(|error| refusal(&subscription, &error))?;
    let subscription = Arc::new(subscription);
    let events = source.then(move |event| {
        let subscription = Arc::clone(&subscription);
        async move { respond(&subscription, event).await }
    });
    Ok(events.boxed())
}

async fn open<T: SubgraphTransport>(
    subscription: &Subscription<T>,
) -> Result<BoxStream<'static, Result<Bytes, TransportError>>, TransportError> {
    let body = State::new(execution(subscription)).request(SOURCE);
    let Some(body) = body else {
        // `@skip` on a subscription's only root field: nothing to listen to.
        return Ok(futures::stream::empty().boxed());
    };
    let subgraph = &*subscription.program.fetches[SOURCE as usize].subgraph;
    let request = SubgraphRequest { subgraph, body, is_mutation: false };
    subscription.transport.subscribe(request, &subscription.context).await
}

fn execution<T: SubgraphTransport>(subscription: &Subscription<T>) -> Execution<'_> {
    Execution {
        program: &subscription.program,
        variables: &subscription.variables,
        introspection: &[],
        limits: &subscription.limits,
    }
}

async fn respond<T: SubgraphTransport>(
    subscription: &Subscription<T>,
    event: Result<Bytes, TransportError>,
) -> Bytes {
    let mut state = State::new(execution(subscription));
    state.receive(SOURCE, event);
    let mut ready = Vec::new();
    state.release(SOURCE, &mut ready);
    state.fetch(ready, &*subscription.transport, &subscription.context).await;
    state.respond()
}

fn refusal<T: SubgraphTransport>(subscription: &Subscription<T>, error: &TransportError) -> Bytes {
    let subgraph = &*subscription.program.fetches[SOURCE as usize].subgraph;
    let mut errors = ErrorList::new(1);
    errors.push_cause(&Cause::of_transport(error, subgraph), None);
    let errors = errors.finish().expect("one error was pushed");
    [b"{\"errors\":[", &*errors, b"]}"].concat().into()
}
