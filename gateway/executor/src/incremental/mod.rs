//! Runs a query or a mutation whose response comes in several payloads (`@defer`, `@stream`).
//!
//! In: a compiled plan with parts. Out: payloads, each as soon as the fetches of its parts are done.
//! Always: the first payload has `data` and waits for its own fetches alone; dropping the stream cancels what is in flight;
//! once nothing is left to deliver, fetches still in flight are cancelled.
//!
//! - `later.rs`: what is left to deliver, found while a response is written; writing it
//! - `delivery.rs`: what is announced, delivered and completed with which payload
//! - `format.rs`: payloads as JSON
//!
//! Elsewhere: the fetches (`run.rs`), writing values (`project.rs`, `nulls.rs`).

mod delivery;
mod format;
mod later;

use std::sync::Arc;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::stream::{self, BoxStream, FuturesUnordered, StreamExt};

use self::delivery::Delivery;
pub use self::format::IncrementalFormat;
pub(crate) use self::later::{Later, initial_count};
use crate::AnswerLimits;
use crate::program::Program;
use crate::run::{Execution, State};
use crate::transport::SubgraphTransport;
use crate::variables::Variables;

/// One piece of a response.
#[derive(Debug, Clone)]
pub struct Payload {
    /// The JSON body.
    pub body: Bytes,
    /// Whether another one follows.
    pub has_next: bool,
    /// Whether it is the first and has `errors` beside its `data`.
    pub has_errors: bool,
}

/// A query or a mutation to be answered in several payloads, with all it needs.
pub struct IncrementalRun<T: SubgraphTransport> {
    /// The compiled plan.
    pub program: Arc<Program>,
    /// The coerced variables.
    pub variables: Variables,
    /// Root fields answered without any fetch: response key and JSON.
    pub introspection: Vec<(Box<str>, Box<str>)>,
    /// Bounds on the answers.
    pub limits: AnswerLimits,
    /// Where the fetches go.
    pub transport: Arc<T>,
    /// Travels with every request.
    pub context: T::Context,
    /// How payloads are written.
    pub format: IncrementalFormat,
}

impl<T: SubgraphTransport> IncrementalRun<T> {
    /// The payloads: at least one. A response of which nothing is left for later is one payload, written as usual.
    pub fn payloads(self) -> BoxStream<'static, Payload>
    where
        T: 'static,
        T::Context: 'static,
    {
        // Not more than one payload for each fetch, and some for what is streamed.
        let (sender, receiver) = mpsc::unbounded();
        let running = async move {
            let emit = |payload| {
                // Whoever reads no more has dropped this as well.
                let _ = sender.unbounded_send(payload);
            };
            self.run(emit).await;
        };
        let running = stream::once(running).filter_map(|()| std::future::ready(None));
        stream::select(receiver, running).boxed()
    }

    async fn run(&self, mut emit: impl FnMut(Payload)) {
        let execution = Execution {
            program: &self.program,
            variables: &self.variables,
            introspection: &self.introspection,
            limits: &self.limits,
        };
        let program = execution.program;
        let mut state = State::in_payloads(execution);
        let mut delivery = Delivery::new(execution, self.format, state.waves.as_ref());
        let send = async |index: u32, part: usize, body: Bytes| {
            let request = program.fetch(index).request(body);
            (index, part, self.transport.send(request, &self.context).await)
        };
        let mut in_flight = FuturesUnordered::new();
        let mut ready = state.without_dependencies();
        loop {
            while let Some(index) = ready.pop() {
                let bodies = state.requests(index);
                ready.extend(state.second(index));
                delivery.caused_by(index, state.causes.count());
                if bodies.is_empty() {
                    state.release(index, &mut ready);
                    delivery.finished(index, state.causes.count());
                }
                state.unanswered[index as usize] = bodies.len();
                in_flight.extend(bodies.into_iter().enumerate().map(|(part, body)| send(index, part, body)));
            }
            while let Some(payload) = delivery.next(&mut state) {
                let is_last = !payload.has_next;
                emit(payload);
                if is_last {
                    return;
                }
            }
            let Some((index, part, answer)) = in_flight.next().await else { return };
            state.receive_part(index, part, answer);
            delivery.caused_by(index, state.causes.count());
            state.unanswered[index as usize] -= 1;
            if state.unanswered[index as usize] == 0 {
                state.release(index, &mut ready);
                delivery.finished(index, state.causes.count());
            }
        }
    }
}
