//! How many calls to a subgraph are under way at once, how many begin in a second, and how many wait for that.
//!
//! Always: who finds the queue full is refused at once; who goes away leaves the queue.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota};
use kopitiam_executor::transport::TransportError;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many calls at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConcurrencySettings {
    /// Calls under way; further ones wait.
    pub in_flight_max: usize,
    /// Calls that wait, also for the rate; further ones are refused.
    pub waiting_max: usize,
}

impl Default for ConcurrencySettings {
    fn default() -> Self {
        Self { in_flight_max: 1_000, waiting_max: 10_000 }
    }
}

/// How many calls in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSettings {
    /// So many calls, which may also come all at once,
    pub calls: NonZeroU32,
    /// in this time.
    pub per: Duration,
}

impl RateSettings {
    fn quota(self) -> Option<Quota> {
        Some(Quota::with_period(self.per / self.calls.get())?.allow_burst(self.calls))
    }
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct Admission {
    rate: Option<DefaultDirectRateLimiter>,
    permits: Semaphore,
    in_flight_max: usize,
    waiting: AtomicUsize,
    waiting_max: usize,
}

impl Admission {
    pub(super) fn new(concurrency: &ConcurrencySettings, rate: Option<RateSettings>) -> Self {
        let in_flight_max = concurrency.in_flight_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            rate: rate.and_then(RateSettings::quota).map(DefaultDirectRateLimiter::direct),
            permits: Semaphore::new(in_flight_max),
            in_flight_max,
            waiting: AtomicUsize::new(0),
            waiting_max: concurrency.waiting_max,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight_max - self.permits.available_permits()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits until a call may begin; it is under way until the permit is dropped.
    ///
    /// # Errors
    /// [`TransportError::Overloaded`] when too many wait already.
    pub(super) async fn enter(&self) -> Result<SemaphorePermit<'_>, TransportError> {
        if let Some(rate) = &self.rate
            && rate.check().is_err()
        {
            let _waiting = self.wait()?;
            rate.until_ready().await;
        }
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let _waiting = self.wait()?;
        Ok(self.permits.acquire().await.expect("the semaphore is never closed"))
    }

    fn wait(&self) -> Result<Waiting<'_>, TransportError> {
        let waiting = Waiting(&self.waiting);
        // Counted first and taken back: two who come at once cannot both get the last place.
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.waiting_max {
            return Err(TransportError::Overloaded);
        }
        Ok(waiting)
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;

    use super::*;

    fn admission(in_flight_max: usize, waiting_max: usize) -> Admission {
        Admission::new(&ConcurrencySettings { in_flight_max, waiting_max }, None)
    }

    #[tokio::test]
    async fn who_finds_no_place_in_the_queue_is_refused_at_once() {
        let admission = admission(1, 1);
        let first = admission.enter().await.unwrap();
        let mut second = pin!(admission.enter());
        assert!(poll!(&mut second).is_pending());
        assert!(matches!(admission.enter().await, Err(TransportError::Overloaded)));
        assert_eq!((admission.in_flight(), admission.waiting()), (1, 1));
        drop(first);
        let second = second.await.unwrap();
        assert_eq!((admission.in_flight(), admission.waiting()), (1, 0));
        drop(second);
        assert_eq!(admission.in_flight(), 0);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_the_queue() {
        let admission = admission(1, 1);
        let _first = admission.enter().await.unwrap();
        {
            let mut second = pin!(admission.enter());
            assert!(poll!(&mut second).is_pending());
        }
        let mut third = pin!(admission.enter());
        assert!(poll!(&mut third).is_pending());
    }

    #[tokio::test]
    async fn calls_beyond_the_rate_wait() {
        let rate = RateSettings { calls: NonZeroU32::new(2).unwrap(), per: Duration::from_hours(1) };
        let admission =
            Admission::new(&ConcurrencySettings { in_flight_max: 10, waiting_max: 1 }, Some(rate));
        let (_one, _two) = (admission.enter().await.unwrap(), admission.enter().await.unwrap());
        let mut third = pin!(admission.enter());
        assert!(poll!(&mut third).is_pending());
        assert!(matches!(admission.enter().await, Err(TransportError::Overloaded)));
    }
}
