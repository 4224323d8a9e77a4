//! Tokens sent by mail: what they are for and how long they are good. Random, single use; storing and hashing live in
//! `store/one_time.rs`.

use chrono::Duration;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Proves that mail to the address arrives at the account's owner.
    VerifyEmail,
    /// Lets the account's owner choose a new password.
    ResetPassword,
}

impl Purpose {
    /// The stored name.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::VerifyEmail => "VERIFY_EMAIL",
            Purpose::ResetPassword => "RESET_PASSWORD",
        }
    }

    /// How long a token is good. Short where it opens the account.
    pub fn life(self) -> Duration {
        match self {
            Purpose::VerifyEmail => Duration::hours(48),
            Purpose::ResetPassword => Duration::minutes(60),
        }
    }
}
