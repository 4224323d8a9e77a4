//! Subscriptions that outlive the schema they began with.
//!
//! In: an opened source. Out: one response for each of its events, in order, until the source ends.
//! Always: an event is answered before the next is read, so a slow client slows its source down instead of filling
//! memory. When another supergraph is served, the operation is prepared anew on it: where the source is asked the same as
//! before, its stream goes on without a gap; where it is asked something else, the new source is opened before the old one
//! is let go; an operation that is not valid any more gets one last response that says so. No stream holds on to an old
//! schema.
//! Elsewhere: the source and the fetches of an event (`executor`), a source that breaks (the transport).

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use kopitiam_executor::transport::{SubgraphTransport, TransportError};
use kopitiam_executor::{Source, SourceRequest, Subscription};
use kopitiam_plan::OperationKind;
use tokio::sync::watch;

use crate::engine::{Current, Prepared, executed, subscription};
use crate::{EngineSettings, ErrorCode, Outcome, Request, Response};

/// Events of an old source that are at hand when the new one is open, and are still answered.
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

struct Live<T: SubgraphTransport> {
    parts: Parts<T>,
    request: Request,
    changed: watch::Receiver<()>,
    running: Running<T>,
    /// The source that takes over when it is open.
    opening: Option<BoxFuture<'static, Result<Running<T>, Bytes>>>,
    /// What the source before this one had still to say.
    left_over: VecDeque<(Arc<Subscription<T>>, Event)>,
    /// The source has ended or broken, and `opening` is waited for.
    is_cut: bool,
    is_over: bool,
}

enum Step<T: SubgraphTransport> {
    Changed,
    Opened(Result<Running<T>, Bytes>),
    Event(Option<Event>),
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
        left_over: VecDeque::new(),
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
            if let Some((subscription, event)) = self.left_over.pop_front() {
                return Some(executed(subscription.respond(event).await));
            }
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
        let Self { changed, running, opening, is_cut, .. } = self;
        tokio::select! {
            biased;
            Ok(()) = changed.changed() => Step::Changed,
            opened = async { opening.as_mut().expect("checked below").await }, if opening.is_some() => {
                Step::Opened(opened)
            }
            event = running.source.next(), if !*is_cut => Step::Event(event),
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

    /// What the old source has at hand is answered by its own plan. An event that both sources send is answered twice
    /// rather than not at all.
    fn take_over(&mut self, running: Running<T>) {
        let mut old = std::mem::replace(&mut self.running, running);
        self.opening = None;
        while !self.is_cut && self.left_over.len() < LEFT_OVER_MAX {
            let Some(Some(Ok(event))) = old.source.next().now_or_never() else { break };
            self.left_over.push_back((Arc::clone(&old.subscription), Ok(event)));
        }
        self.is_cut = false;
    }
}
