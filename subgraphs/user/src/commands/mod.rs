//! What a mutation does: checks input with the domain's rules, then changes rows and writes events in one transaction.
//!
//! - `sessions.rs`: register, log in, refresh, log out
//! - `profiles.rs`: profile, password, opening a stall
//! - `management.rs`: credit, bans, roles

mod management;
mod profiles;
mod sessions;

use std::sync::Arc;

use kopitiam_kit::live::Hub;
use kopitiam_kit::money::Currency;
use kopitiam_kit::{Db, Failure, SystemError};
use uuid::Uuid;

use crate::domain::refusal::Refusal;
use crate::security::attempts::Attempts;
use crate::security::passwords::{PasswordError, Passwords};
use crate::security::tokens::{Signer, TokenError};

pub use management::{GRANT_MINOR_MAX, Grant};
pub use profiles::{ProfileChange, StallForm};
pub use sessions::{Registration, SignedIn};

/// What every wallet is kept in, and what a new one starts with.
#[derive(Debug, Clone, Copy)]
pub struct WalletRules {
    /// One currency for every ledger account.
    pub currency: Currency,
    /// Minor units granted to each new user.
    pub signup_credit: i64,
}

/// The service's commands with what they need. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    /// The database.
    pub db: Db,
    /// Signs access tokens.
    pub signer: Arc<Signer>,
    /// Hashes and compares.
    pub passwords: Passwords,
    /// Counts failed log-ins.
    pub attempts: Attempts,
    /// Wakes `walletChanged`.
    pub wallets: Hub<Uuid>,
    /// Currency and sign-up credit.
    pub rules: WalletRules,
}

/// Splits results of several rules: every refusal at once, or nothing.
fn refuse_all(refusals: Vec<Refusal>) -> Result<(), Failure> {
    if refusals.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused(refusals.into_iter().map(Into::into).collect()))
}

/// Keeps a refusal for later; `None` in its place.
fn keep<T>(refusals: &mut Vec<Refusal>, result: Result<T, Refusal>) -> Option<T> {
    result.map_err(|refusal| refusals.push(refusal)).ok()
}

fn password_failure(error: &PasswordError) -> Failure {
    SystemError::Unavailable(error.to_string()).into()
}

fn token_failure(error: &TokenError) -> Failure {
    SystemError::Invariant(error.to_string()).into()
}
