//! A circuit breaker: a subgraph that keeps failing is not asked for a while, then tried with one call.
//!
//! In: how each call ended. Out: whether the next may be made.
//! Always: what counts as a failure is that the subgraph could not serve, never what a client asked for; a call that
//! nobody waited for to its end, or whose client broke off its upload, counts as neither.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kopitiam_executor::transport::TransportError;
use tokio::time::Instant;

/// When a subgraph is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// How far back calls count.
    pub window: Duration,
    /// With fewer calls than this in the window it never opens.
    pub calls_min: u32,
    /// It opens when at least this share of them failed, in per cent.
    pub failures_percent: u32,
    /// How long the subgraph is then left alone.
    pub open_for: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            calls_min: 20,
            failures_percent: 50,
            open_for: Duration::from_secs(5),
        }
    }
}

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Lets them through.
    Closed,
    /// Lets one through, to see.
    HalfOpen,
    /// Refuses them.
    Open,
}

/// The window moves in steps of a tenth.
const STEPS: u32 = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// Counted from the breaker's beginning.
    number: u64,
    calls: u32,
    failures: u32,
}

#[derive(Debug)]
enum State {
    Closed([Step; STEPS as usize]),
    Open {
        until: Instant,
    },
    /// One call is under way.
    Trying,
}

/// See the module's header.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    begin: Instant,
    state: Mutex<State>,
}

impl Breaker {
    pub(super) fn new(settings: BreakerSettings, begin: Instant) -> Self {
        Self { settings, begin, state: Mutex::new(State::Closed(Default::default())) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match &*self.lock() {
            State::Closed(_) => BreakerState::Closed,
            State::Open { until } if *until > now => BreakerState::Open,
            State::Open { .. } | State::Trying => BreakerState::HalfOpen,
        }
    }

    /// Begins a call.
    ///
    /// # Errors
    /// [`TransportError::CircuitOpen`] when the subgraph is to be left alone.
    pub(super) fn admit(&self, now: Instant) -> Result<Pass<'_>, TransportError> {
        let mut state = self.lock();
        match &*state {
            State::Closed(_) => Ok(Pass { breaker: self, is_trial: false, is_over: false }),
            State::Open { until } if *until <= now => {
                *state = State::Trying;
                Ok(Pass { breaker: self, is_trial: true, is_over: false })
            }
            State::Open { .. } | State::Trying => Err(TransportError::CircuitOpen),
        }
    }

    fn count(&self, now: Instant, failed: bool) {
        let step_length = (self.settings.window / STEPS).max(Duration::from_millis(1));
        let number =
            u64::try_from((now - self.begin).as_nanos() / step_length.as_nanos()).unwrap_or(u64::MAX);
        let mut state = self.lock();
        // A call from before it opened says nothing new.
        let State::Closed(steps) = &mut *state else { return };
        let step = &mut steps[usize::try_from(number % u64::from(STEPS)).expect("a remainder is small")];
        if step.number != number {
            *step = Step { number, ..Step::default() };
        }
        step.calls += 1;
        step.failures += u32::from(failed);
        if !failed {
            return;
        }
        let recent = steps.iter().filter(|step| step.number + u64::from(STEPS) > number);
        let (calls, failures) = recent.fold((0, 0), |(calls, failures), step| {
            (calls + u64::from(step.calls), failures + u64::from(step.failures))
        });
        let is_bad = failures * 100 >= calls * u64::from(self.settings.failures_percent);
        if calls >= u64::from(self.settings.calls_min) && is_bad {
            tracing::warn!(calls, failures, "a subgraph keeps failing and is left alone for a while");
            *state = State::Open { until: now + self.settings.open_for };
        }
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
    is_over: bool,
}

impl Pass<'_> {
    /// The call has ended, with an error or without.
    pub(super) fn record(mut self, now: Instant, error: Option<&TransportError>) {
        if matches!(error, Some(TransportError::UploadBroken)) {
            // Neither: the call says nothing about the subgraph.
            return;
        }
        let failed = error.is_some_and(is_failure);
        self.is_over = true;
        if !self.is_trial {
            self.breaker.count(now, failed);
        } else if failed {
            *self.breaker.lock() = State::Open { until: now + self.breaker.settings.open_for };
        } else {
            tracing::info!("a subgraph that kept failing answers again");
            *self.breaker.lock() = State::Closed(Default::default());
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_trial && !self.is_over {
            // Nobody waited for it, or it was the client's end; the next call tries.
            *self.breaker.lock() = State::Open { until: self.breaker.begin };
        }
    }
}

fn is_failure(error: &TransportError) -> bool {
    match error {
        TransportError::Unreachable | TransportError::Timeout => true,
        TransportError::Status(status) => *status >= 500,
        TransportError::TooLarge
        | TransportError::UploadBroken
        | TransportError::Overloaded
        | TransportError::CircuitOpen => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        window: Duration::from_secs(10),
        calls_min: 4,
        failures_percent: 50,
        open_for: Duration::from_secs(5),
    };

    /// A breaker and its clock.
    struct Clock(Breaker, Instant);

    impl Clock {
        fn new() -> Self {
            let now = Instant::now();
            Self(Breaker::new(SETTINGS, now), now)
        }

        fn later(&mut self, milliseconds: u64) {
            self.1 += Duration::from_millis(milliseconds);
        }

        fn admit(&self) -> Result<Pass<'_>, TransportError> {
            self.0.admit(self.1)
        }

        fn calls(&self, results: &[bool]) {
            for success in results {
                let error = (!success).then_some(TransportError::Status(503));
                self.admit().unwrap().record(self.1, error.as_ref());
            }
        }

        fn is(&self, state: BreakerState) {
            assert_eq!(self.0.state(self.1), state);
        }
    }

    #[test]
    fn it_opens_at_the_share_of_failures_and_not_before() {
        let breaker = Clock::new();
        breaker.calls(&[false, false, false]);
        breaker.is(BreakerState::Closed);
        breaker.calls(&[true, true, true, true]);
        breaker.is(BreakerState::Closed);
        breaker.calls(&[false]);
        breaker.is(BreakerState::Open);
        assert!(matches!(breaker.admit(), Err(TransportError::CircuitOpen)));
    }

    #[test]
    fn failures_that_lie_further_back_than_the_window_do_not_count() {
        let mut breaker = Clock::new();
        breaker.calls(&[false, false, false]);
        breaker.later(11_000);
        breaker.calls(&[false]);
        breaker.is(BreakerState::Closed);
        breaker.calls(&[false, false, false]);
        breaker.is(BreakerState::Open);
    }

    #[test]
    fn after_a_while_one_call_tries_and_decides() {
        let mut breaker = Clock::new();
        breaker.calls(&[false; 4]);
        for succeeds in [false, true] {
            breaker.later(4_900);
            assert!(breaker.admit().is_err());
            breaker.later(100);
            let trial = breaker.admit().unwrap();
            breaker.is(BreakerState::HalfOpen);
            assert!(breaker.admit().is_err(), "one at a time");
            trial.record(breaker.1, (!succeeds).then_some(&TransportError::Timeout));
        }
        breaker.is(BreakerState::Closed);
        breaker.calls(&[true; 3]);
    }

    #[test]
    fn a_trial_that_nobody_waits_for_leaves_the_next_call_to_try() {
        let mut breaker = Clock::new();
        breaker.calls(&[false; 4]);
        breaker.later(5_000);
        drop(breaker.admit().unwrap());
        breaker.admit().unwrap().record(breaker.1, None);
        breaker.is(BreakerState::Closed);
    }

    #[test]
    fn an_upload_that_its_client_breaks_is_neither_success_nor_failure() {
        let mut breaker = Clock::new();
        breaker.calls(&[false; 3]);
        for _ in 0..10 {
            breaker.admit().unwrap().record(breaker.1, Some(&TransportError::UploadBroken));
        }
        breaker.calls(&[false]);
        breaker.is(BreakerState::Open);
        breaker.later(5_000);
        breaker.admit().unwrap().record(breaker.1, Some(&TransportError::UploadBroken));
        breaker.is(BreakerState::HalfOpen);
    }

    #[test]
    fn what_a_client_asked_for_is_not_the_subgraphs_failure() {
        let breaker = Clock::new();
        for error in [TransportError::TooLarge, TransportError::Status(404), TransportError::Overloaded] {
            for _ in 0..10 {
                breaker.admit().unwrap().record(breaker.1, Some(&error));
            }
        }
        breaker.is(BreakerState::Closed);
    }
}
