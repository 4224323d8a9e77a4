//! What keeps one subgraph's trouble from becoming everybody's: bounds on how much it is asked, and when it is asked again.
//!
//! In: a call. Out: its result, or why it was not made.
//! Always: every wait is bounded, in number and by the call's deadline; a mutation is never sent again.
//!
//! - `admission.rs`: how many calls at once, how many a second, and how many may wait
//! - `breaker.rs`: a subgraph that keeps failing is left alone for a while
//! - `retry.rs`: which failures are tried again, when, and how many at most
//!
//! Elsewhere: one connection that breaks (`wire/origin.rs`), equal queries in flight (`sharing.rs`).

mod admission;
mod breaker;
mod retry;

use tokio::time::Instant;

use kopitiam_executor::transport::TransportError;

use self::admission::Admission;
pub use self::admission::{ConcurrencySettings, RateSettings};
use self::breaker::Breaker;
pub use self::breaker::{BreakerSettings, BreakerState};
use self::retry::Retries;
pub use self::retry::RetrySettings;
use super::settings::SubgraphSettings;

/// The traffic to one subgraph.
#[derive(Debug)]
pub(super) struct Traffic {
    admission: Admission,
    breaker: Option<Breaker>,
    retries: Retries,
}

/// What is going on with a subgraph, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficState {
    /// `None`: it has no circuit breaker.
    pub breaker: Option<BreakerState>,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait to be made.
    pub waiting: usize,
}

impl Traffic {
    pub(super) fn new(settings: &SubgraphSettings) -> Self {
        Self {
            admission: Admission::new(&settings.concurrency, settings.rate),
            breaker: settings.breaker.map(|breaker| Breaker::new(breaker, Instant::now())),
            retries: Retries::new(&settings.retry),
        }
    }

    pub(super) fn state(&self) -> TrafficState {
        TrafficState {
            breaker: self.breaker.as_ref().map(|breaker| breaker.state(Instant::now())),
            in_flight: self.admission.in_flight(),
            waiting: self.admission.waiting(),
        }
    }

    /// Makes a call once.
    ///
    /// # Errors
    /// What the call says; [`TransportError::Timeout`] at the deadline, [`TransportError::Overloaded`] and
    /// [`TransportError::CircuitOpen`] when it was not made.
    pub(super) fn once<T>(
        &self,
        deadline: Instant,
        call: impl Future<Output = Result<T, TransportError>>,
    ) -> impl Future<Output = Result<T, TransportError>> {
        self.once_judged(deadline, call, |error| error)
    }

    /// As [`Traffic::once`]; `judge` says what an error of the call means, a timeout included, before it is recorded.
    ///
    /// # Errors
    /// As [`Traffic::once`].
    pub(super) async fn once_judged<T>(
        &self,
        deadline: Instant,
        call: impl Future<Output = Result<T, TransportError>>,
        judge: impl FnOnce(TransportError) -> TransportError,
    ) -> Result<T, TransportError> {
        let entered = tokio::time::timeout_at(deadline, self.admission.enter()).await;
        let _permit = entered.map_err(|_| TransportError::Timeout)??;
        let pass = self.breaker.as_ref().map(|breaker| breaker.admit(Instant::now())).transpose()?;
        let result = tokio::time::timeout_at(deadline, call).await.unwrap_or(Err(TransportError::Timeout));
        let result = result.map_err(judge);
        if let Some(pass) = pass {
            pass.record(Instant::now(), result.as_ref().err());
        }
        result
    }

    /// Makes a call that may be made again, until it succeeds, fails for good, or there is no time or budget left.
    ///
    /// # Errors
    /// As [`Traffic::once`], of the last time.
    pub(super) async fn repeatedly<T, F>(
        &self,
        deadline: Instant,
        mut call: impl FnMut() -> F,
    ) -> Result<T, TransportError>
    where
        F: Future<Output = Result<T, TransportError>>,
    {
        let mut attempts = self.retries.begin();
        loop {
            let result = self.once(deadline, call()).await;
            let Err(error) = &result else { return result };
            let Some(pause) = attempts.again(error) else { return result };
            if Instant::now() + pause >= deadline {
                return result;
            }
            tracing::debug!(%error, ?pause, "asking again");
            tokio::time::sleep(pause).await;
        }
    }
}
