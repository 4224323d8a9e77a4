//! What a mutation does: checks input with the domain's rules, then changes rows and writes events in one transaction.
//!
//! - `sessions.rs`: register, log in, refresh, log out
//! - `recovery.rs`: verifying an address, a forgotten password
//! - `profiles.rs`: profile, password, opening a stall
//! - `services.rs`: identities of programs
//! - `top_ups.rs`: real money into a wallet
//! - `management.rs`: credit, bans, roles

mod management;
mod profiles;
mod recovery;
mod services;
mod sessions;
mod top_ups;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kopitiam_kit::auth::Denylist;
use kopitiam_kit::live::Hub;
use kopitiam_kit::money::Currency;
use kopitiam_kit::{Db, Failure, SystemError, Tx, time};
use uuid::Uuid;

use crate::domain::account::User;
use crate::domain::refusal::Refusal;
use crate::events::{self, Cause, publish};
use crate::herald::Herald;
use crate::mail::PostOffice;
use crate::payments::Payments;
use crate::security::limits::Limit;
use crate::security::passwords::{PasswordError, Passwords};
use crate::security::tokens::{Signer, TokenError};
use crate::store::{attempts, notifications, users};

pub use management::{GRANT_MINOR_MAX, Grant};
pub use profiles::{ProfileChange, StallForm};
pub use sessions::{Registration, SignedIn};
pub use top_ups::{Heard, TopUpForm};

/// Longest list of `markNotificationsRead`.
const NOTIFICATIONS_AT_ONCE_MAX: usize = 100;

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
    /// Sends letters.
    pub post: PostOffice,
    /// Takes real money in.
    pub payments: Payments,
    /// Wakes `walletChanged`.
    pub wallets: Hub<Uuid>,
    /// Wakes `notificationAdded`.
    pub notifications: Hub<Uuid>,
    /// Whose tokens are refused; it hears of a ban here before the topic tells the other processes.
    pub denylist: Denylist,
    /// Currency and sign-up credit.
    pub rules: WalletRules,
}

impl Commands {
    /// Tells people.
    pub fn herald(&self) -> Herald {
        Herald { post: self.post.clone(), notifications: self.notifications.clone() }
    }

    /// Marks those of the caller's notifications as read.
    ///
    /// # Errors
    /// [`Refusal::TooManyIds`], [`Refusal::UserNotFound`].
    pub async fn mark_notifications_read(&self, user_id: Uuid, ids: &[Uuid]) -> Result<User, Failure> {
        if ids.len() > NOTIFICATIONS_AT_ONCE_MAX {
            return Err(Refusal::TooManyIds.into());
        }
        let now = time::now();
        self.db
            .transaction(|tx| async move {
                notifications::mark_read(&tx, user_id, ids, now).await?;
                Ok(users::find(&tx, user_id).await?.ok_or(Refusal::UserNotFound)?)
            })
            .await
    }

    /// Ends the access tokens that were issued before the account's change: here with the commit, in other processes when
    /// they hear of it.
    async fn end_tokens(
        &self,
        tx: &Tx,
        cause: Cause<'_>,
        user: &User,
        now: DateTime<Utc>,
    ) -> Result<(), SystemError> {
        let ended = events::tokens_ended(user);
        publish(tx, cause, user.id, &ended).await?;
        let (denylist, user_id) = (self.denylist.clone(), user.id);
        tx.after_commit(move || denylist.end(user_id, ended.token_version, now));
        Ok(())
    }

    /// Counts an attempt at each of `limits`, before it is made.
    ///
    /// # Errors
    /// [`Refusal::TooManyAttempts`]; what was counted stays counted.
    async fn admit(&self, limits: &[Limit]) -> Result<(), Failure> {
        let now = time::now();
        let admitted = self.db.transaction(|tx| async move {
            let mut admitted = true;
            for limit in limits {
                admitted &= attempts::take(&tx, limit, now).await?;
            }
            Ok::<_, SystemError>(admitted)
        });
        if admitted.await? { Ok(()) } else { Err(Refusal::TooManyAttempts.into()) }
    }
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
