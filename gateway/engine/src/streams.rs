//! Subscriptions that outlive the schema they began with.
//!
//! In: an opened source. Out: one response for each of its events, in order, until the source ends.
//! Always: an event is answered before the next is read, so a slow client slows its source down instead of filling
//! memory. When another supergraph is served, the operation is prepared anew on it: where the source is asked the same as
//! before, its stream goes on without a gap; where it is asked something else, the new source is opened before the old one
//! is let go, and what that one still has to say comes first; an operation that is not valid any more gets one last response that says so. No stream holds on to an old
//! schema.
//! Elsewhere: the source and the fetches of an event (`executor`), a source that breaks (the transport).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use kopitiam_executor::transport::{SubgraphTransport, TransportError};
use kopitiam_executor::{Source, SourceRequest, Subscription};
use kopitiam_plan::OperationKind;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::engine::{Current, Prepared, executed, subscription};
use crate::{EngineSettings, ErrorCode, Outcome, Request, Response};

/// An old source that says nothing for as long, when the new one is open, has nothing left to say.
const QUIET: Duration = Duration::from_millis(200);
/// Waits for an old source together; the new one keeps its events meanwhile.
const GRACE: Duration = Duration::from_secs(1);
/// Events of an old source that are still answered when the new one is open.
const LEFT_OVER_MAX: usize = 256;

type Event = Result<Bytes, TransportError>;

/// What a stream needs of its engine.
pub(crate) struct Parts<T: SubgraphTransport> {
    pub(crate) current: Arc<Current>,
    pub(crate) settings: Arc<EngineSettings>,
    pub(crate) transport: Arc<T>,
}

/// A source that is read.
struct Running<T: SubgraphTransport> {
    subscription: Arc<Subscription<T>>,
    asked: Option<SourceRequest>,
    source: Source,
}

/// A source that another one has taken over from.
struct Leaving<T: SubgraphTransport> {
    running: Running<T>,
    /// Time that it may still be waited for.
    grace: Duration,
    events_left: usize,
}

impl<T: SubgraphTransport> Leaving<T> {
    /// The next event; `None` when there are none to wait for.
    async fn next(&mut self) -> Option<Event> {
        self.events_left = self.events_left.checked_sub(1)?;
        let begin = Instant::now();
        let event = tokio::time::timeout(QUIET.min(self.grace), self.running.source.next()).await;
        self.grace = self.grace.saturating_sub(begin.elapsed());
        // That it broke is of no interest any more.
        event.ok()?.filter(Result::is_ok)
    }
}

struct Live<T: SubgraphTransport> {
    parts: Parts<T>,
    request: Request,
    changed: watch::Receiver<()>,
    running: Running<T>,
    /// The source that takes over when it is open.
    opening: Option<BoxFuture<'static, Result<Running<T>, Bytes>>>,
    /// The source before this one, as long as it may have something left to say.
    leaving: Option<Leaving<T>>,
    /// The source has ended or broken, and `opening` is waited for.
    is_cut: bool,
    is_over: bool,
}

enum Step<T: SubgraphTransport> {
    Changed,
    Opened(Result<Running<T>, Bytes>),
    Event(Option<Event>),
    /// Of the source before.
    LeftOver(Option<Event>),
}

/// Opens the source of a prepared subscription and answers its events.
///
/// # Errors
/// A complete response that says why no stream could be opened.
pub(crate) async fn open<T: SubgraphTransport>(
    parts: Parts<T>,
    prepared: &Prepared,
    request: &Request,
    context: &T::Context,
) -> Result<BoxStream<'static, Response>, Response> {
    let changed = parts.current.watch(prepared);
    let subscription = subscription(&parts, prepared, request, context.clone())?;
    let asked = subscription.source();
    let source = subscription.open(asked.as_ref()).await.map_err(executed)?;
    let live = Live {
        parts,
        request: request.clone(),
        changed,
        running: Running { subscription: Arc::new(subscription), asked, source },
        opening: None,
        leaving: None,
        is_cut: false,
        is_over: false,
    };
    let responses = stream::unfold(live, |mut live| async move {
        let response = live.next().await?;
        Some((response, live))
    });
    Ok(responses.boxed())
}

impl<T: SubgraphTransport> Live<T> {
    async fn next(&mut self) -> Option<Response> {
        while !self.is_over {
            match self.step().await {
                Step::Changed => {
                    if let Err(refused) = self.prepare_anew() {
                        self.is_over = true;
                        return Some(refused);
                    }
                }
                Step::Opened(Ok(running)) => self.take_over(running),
                Step::Opened(Err(refusal)) => {
                    self.opening = None;
                    // As long as the old source speaks, the stream goes on with what the old plan asked.
                    if self.is_cut {
                        self.is_over = true;
                        return Some(executed(refusal));
                    }
                }
                Step::LeftOver(event) => {
                    // Answered by the plan that it was asked for.
                    let subscription = self.leaving.as_ref().map(|old| Arc::clone(&old.running.subscription));
                    match subscription.zip(event) {
                        Some((subscription, event)) => {
                            return Some(executed(subscription.respond(event).await));
                        }
                        None => self.leaving = None,
                    }
                }
                Step::Event(Some(Err(_)) | None) if self.opening.is_some() => self.is_cut = true,
                Step::Event(None) => self.is_over = true,
                Step::Event(Some(event)) => {
                    return Some(executed(self.running.subscription.respond(event).await));
                }
            }
        }
        None
    }

    async fn step(&mut self) -> Step<T> {
        let Self { changed, running, opening, leaving, is_cut, .. } = self;
        tokio::select! {
            biased;
            Ok(()) = changed.changed() => Step::Changed,
            event = async { leaving.as_mut().expect("checked below").next().await }, if leaving.is_some() => {
                Step::LeftOver(event)
            }
            opened = async { opening.as_mut().expect("checked below").await }, if leaving.is_none() && opening.is_some() => {
                Step::Opened(opened)
            }
            event = running.source.next(), if leaving.is_none() && !*is_cut => Step::Event(event),
        }
    }

    /// Another supergraph is served.
    fn prepare_anew(&mut self) -> Result<(), Response> {
        let prepared = self.parts.current.prepare(&self.parts.settings, &self.request)?;
        if prepared.kind() != OperationKind::Subscription {
            return Err(Response::refused_with(
                Outcome::ValidationError,
                ErrorCode::OperationKindNotSupported,
                "The operation is no subscription any more.",
            ));
        }
        let context = self.running.subscription.context.clone();
        let subscription = Arc::new(subscription(&self.parts, &prepared, &self.request, context)?);
        let asked = subscription.source();
        if asked == self.running.asked && !self.is_cut {
            self.running.subscription = subscription;
            self.opening = None;
            return Ok(());
        }
        let opening = async move {
            let source = subscription.reopen(asked.as_ref()).await?;
            Ok(Running { subscription, asked, source })
        };
        self.opening = Some(opening.boxed());
        Ok(())
    }

    /// The old source is read on for a moment: its events may be on their way, and not at hand. An event that both sources
    /// send is answered twice rather than not at all.
    fn take_over(&mut self, running: Running<T>) {
        let old = std::mem::replace(&mut self.running, running);
        self.opening = None;
        self.leaving =
            (!self.is_cut).then_some(Leaving { running: old, grace: GRACE, events_left: LEFT_OVER_MAX });
        self.is_cut = false;
    }
}
