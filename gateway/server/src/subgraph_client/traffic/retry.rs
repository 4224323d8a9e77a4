//! Which failures are tried again.
//!
//! Always: only where a second try can help and cannot harm; later and later, at random within the pause; and never more
//! than a share of all calls, so that a subgraph in trouble does not get more of them than one that is well.

use std::sync::Arc;
use std::time::Duration;

use kopitiam_executor::transport::TransportError;
use tower::retry::budget::{Budget, TpsBudget};

/// How often a query is tried again. Mutations and subscriptions never are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetrySettings {
    /// Further tries of one query; 0: none.
    pub retries_max: u32,
    /// The longest pause before the first further try; each next one may be twice as long. The pause is chosen at random.
    pub pause_first: Duration,
    /// The longest pause of all.
    pub pause_max: Duration,
    /// Tries of all queries together, as a share of the queries of the last ten seconds, in per cent, beside one a second.
    pub budget_percent: u32,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            retries_max: 0,
            pause_first: Duration::from_millis(50),
            pause_max: Duration::from_secs(1),
            budget_percent: 10,
        }
    }
}

/// How far back queries count for the budget.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// The tries to one subgraph.
#[derive(Debug)]
pub(super) struct Retries {
    settings: RetrySettings,
    /// `None`: nothing is tried again.
    budget: Option<Arc<TpsBudget>>,
}

impl Retries {
    pub(super) fn new(settings: &RetrySettings) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a per cent figure is small")]
        let share = settings.budget_percent.min(1000) as f32 / 100.0;
        let budget = (settings.retries_max > 0).then(|| Arc::new(TpsBudget::new(BUDGET_WINDOW, 1, share)));
        Self { settings: *settings, budget }
    }

    /// A query is about to be sent for the first time.
    pub(super) fn begin(&self) -> Attempts<'_> {
        if let Some(budget) = &self.budget {
            budget.deposit();
        }
        Attempts { retries: self, made: 0 }
    }
}

/// The tries of one query.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    retries: &'a Retries,
    made: u32,
}

impl Attempts<'_> {
    /// How long to wait before the next try; `None` when there shall be none.
    pub(super) fn again(&mut self, error: &TransportError) -> Option<Duration> {
        let Retries { settings, budget } = self.retries;
        if self.made >= settings.retries_max || !is_passing(error) || !budget.as_ref()?.withdraw() {
            return None;
        }
        let longest =
            settings.pause_first.saturating_mul(2_u32.saturating_pow(self.made)).min(settings.pause_max);
        self.made += 1;
        Some(longest.mul_f64(rand::random()))
    }
}

/// Whether the next try may end otherwise. After a timeout there is no time left, and a large answer stays large.
fn is_passing(error: &TransportError) -> bool {
    match error {
        TransportError::Unreachable => true,
        TransportError::Status(status) => matches!(status, 429 | 500 | 502 | 503 | 504),
        TransportError::Timeout
        | TransportError::TooLarge
        | TransportError::UploadBroken
        | TransportError::Overloaded
        | TransportError::CircuitOpen => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(retries_max: u32, budget_percent: u32) -> Retries {
        Retries::new(&RetrySettings { retries_max, budget_percent, ..RetrySettings::default() })
    }

    #[test]
    fn pauses_grow_up_to_their_bound_and_tries_end() {
        let retries = retries(8, 1000);
        let mut attempts = retries.begin();
        let longest = [50, 100, 200, 400, 800, 1000, 1000, 1000];
        for milliseconds in longest {
            let pause = attempts.again(&TransportError::Unreachable).expect("another try");
            assert!(pause <= Duration::from_millis(milliseconds), "{pause:?} of {milliseconds}");
        }
        assert_eq!(attempts.again(&TransportError::Unreachable), None);
    }

    #[test]
    fn only_failures_that_may_pass_are_tried_again() {
        let retries = retries(1, 1000);
        let again = |error| retries.begin().again(&error).is_some();
        assert!(again(TransportError::Unreachable) && again(TransportError::Status(503)));
        for error in [
            TransportError::Timeout,
            TransportError::TooLarge,
            TransportError::Status(400),
            TransportError::CircuitOpen,
            TransportError::Overloaded,
        ] {
            assert!(!again(error));
        }
    }

    #[test]
    fn tries_are_a_share_of_all_queries() {
        let retries = retries(1, 10);
        let again =
            (0..1000).filter(|_| retries.begin().again(&TransportError::Unreachable).is_some()).count();
        // A tenth, and one for each second of the window.
        assert!((100..=111).contains(&again), "{again}");
    }
}
