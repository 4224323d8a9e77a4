//! A top-up and what reports about its payment do to it.

use chrono::{DateTime, Utc};
use kopitiam_kit::Money;
use uuid::Uuid;

/// Least that is worth a provider's fee, in minor units.
pub const MINOR_MIN: i64 = 100;
/// Most at once, in minor units.
pub const MINOR_MAX: i64 = 500_000;

/// How far a top-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopUpStatus {
    /// The person has not paid yet.
    Pending,
    /// The money is in the wallet. Final.
    Succeeded,
    /// A try failed; the person may try again with the provider.
    Failed,
}

impl TopUpStatus {
    /// The stored name.
    pub fn name(self) -> &'static str {
        match self {
            TopUpStatus::Pending => "PENDING",
            TopUpStatus::Succeeded => "SUCCEEDED",
            TopUpStatus::Failed => "FAILED",
        }
    }

    /// Reads a stored name; an unknown one counts as final, so that nothing is paid twice.
    pub fn parse(name: &str) -> TopUpStatus {
        match name {
            "PENDING" => TopUpStatus::Pending,
            "FAILED" => TopUpStatus::Failed,
            _ => TopUpStatus::Succeeded,
        }
    }

    /// The status after a report, or `None` when it changes nothing: reports come twice and out of order.
    pub fn after(self, reported: TopUpStatus) -> Option<TopUpStatus> {
        match (self, reported) {
            (TopUpStatus::Pending | TopUpStatus::Failed, TopUpStatus::Succeeded) => {
                Some(TopUpStatus::Succeeded)
            }
            (TopUpStatus::Pending, TopUpStatus::Failed) => Some(TopUpStatus::Failed),
            _ => None,
        }
    }
}

/// Money on its way into a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUp {
    /// UUIDv7; the provider knows it as metadata and idempotency key.
    pub id: Uuid,
    /// Whose wallet.
    pub user_id: Uuid,
    /// How much.
    pub amount: Money,
    /// How far it is.
    pub status: TopUpStatus,
    /// The provider's id, once it answered.
    pub payment_id: Option<String>,
    /// Where the person pays.
    pub url: Option<String>,
    /// When it began.
    pub created_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::TopUpStatus::{Failed, Pending, Succeeded};

    #[test]
    fn success_is_final_and_may_follow_a_failure_but_not_the_reverse() {
        assert_eq!(Pending.after(Succeeded), Some(Succeeded));
        assert_eq!(Failed.after(Succeeded), Some(Succeeded));
        assert_eq!(Pending.after(Failed), Some(Failed));
        for report in [Pending, Succeeded, Failed] {
            assert_eq!(Succeeded.after(report), None);
        }
        assert_eq!((Failed.after(Failed), Failed.after(Pending)), (None, None));
    }
}
