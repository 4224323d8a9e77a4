//! What managers and admins do to other accounts: credit, bans, roles. Each is written into the audit trail.

use chrono::{DateTime, Utc};
use kopitiam_kit::idempotency::{self, Key};
use kopitiam_kit::{Failure, Money, SystemError, Tx, time};
use serde::Serialize;
use uuid::Uuid;

use super::Commands;
use crate::domain::account::{Role, Roles, User, UserStatus};
use crate::domain::input;
use crate::domain::ledger::Transaction;
use crate::domain::letter::Letter;
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::events::{self, Cause, publish};
use crate::store::ledger::{self, Posted};
use crate::store::mails::Recipient;
use crate::store::users::Change;
use crate::store::{sessions, users};

/// Most that one grant gives or takes, in minor units.
pub const GRANT_MINOR_MAX: i64 = 1_000_000;

/// Raw input of `grantCredit`.
#[derive(Debug, Clone, Serialize)]
pub struct Grant {
    /// Whose wallet.
    pub user_id: Uuid,
    /// Any amount; below zero takes credit back.
    pub minor: i64,
    /// Any code.
    pub currency: String,
    /// Any text.
    pub reason: String,
}

impl Commands {
    /// Grants credit, once per key.
    ///
    /// # Errors
    /// Refusals by field; `IDEMPOTENCY_MISMATCH`, `IN_PROGRESS`.
    pub async fn grant_credit(
        &self,
        actor_id: Uuid,
        grant: Grant,
        client_key: &str,
    ) -> Result<Uuid, Failure> {
        let key = Key::new(format!("user:{actor_id}"), "grantCredit", client_key)?;
        let now = time::now();
        idempotency::once(&self.db, &key, &grant.clone(), |tx| {
            self.grant_in(tx, actor_id, grant.clone(), now)
        })
        .await
    }

    async fn grant_in(
        &self,
        tx: Tx,
        actor_id: Uuid,
        grant: Grant,
        now: DateTime<Utc>,
    ) -> Result<Uuid, Failure> {
        let currency = self.rules.currency.code();
        let reason = input::reason(&grant.reason)?;
        if grant.currency != currency {
            return Err(Refusal::CurrencyUnsupported.into());
        }
        if grant.minor == 0 || grant.minor.unsigned_abs() > GRANT_MINOR_MAX.unsigned_abs() {
            return Err(Refusal::AmountInvalid.into());
        }
        if grant.user_id == actor_id {
            return Err(Refusal::OwnAccount.into());
        }
        users::find(&tx, grant.user_id).await?.ok_or(Refusal::UserNotFound)?;
        let transaction = Transaction::grant(grant.user_id, grant.minor, Uuid::now_v7(), reason.clone())
            .map_err(|error| SystemError::Invariant(error.to_string()))?;
        if let Posted::Insufficient(_) = ledger::post(&tx, &transaction, currency, now).await? {
            return Err(Refusal::InsufficientFunds.into());
        }
        let amount = Money::new(grant.minor, self.rules.currency);
        let detail = format!("{amount}: {reason}");
        users::audit(&tx, Some(actor_id), "GRANT_CREDIT", grant.user_id, detail, now).await?;
        let event = events::credit_granted(grant.minor, currency, &reason, actor_id);
        publish(&tx, Cause::User(actor_id), grant.user_id, &event).await?;
        let notice = Notice::CreditGranted { amount: amount.to_string(), reason };
        self.herald().tell(&tx, grant.user_id, notice, transaction.cause(), now).await?;
        self.wallets.changed_by(&tx, grant.user_id);
        Ok(grant.user_id)
    }

    /// Bans an account and ends its sessions.
    ///
    /// # Errors
    /// [`Refusal::OwnAccount`], [`Refusal::ReasonInvalid`], [`Refusal::UserNotFound`].
    pub async fn ban(&self, actor_id: Uuid, user_id: Uuid, reason: &str) -> Result<User, Failure> {
        let reason = input::reason(reason)?;
        if actor_id == user_id {
            return Err(Refusal::OwnAccount.into());
        }
        let change = Change { status: Some(UserStatus::Banned), end_tokens: true, ..Change::default() };
        let now = time::now();
        self.db
            .transaction(|tx| {
                let (change, reason) = (change.clone(), reason.clone());
                async move {
                    let user = current(&tx, user_id).await?;
                    if user.status == UserStatus::Banned {
                        return Ok(user);
                    }
                    let user = apply(&tx, user, change, now).await?;
                    sessions::revoke_all(&tx, user_id, "BANNED", now).await?;
                    users::audit(&tx, Some(actor_id), "BAN", user_id, reason.clone(), now).await?;
                    publish(&tx, Cause::User(actor_id), user_id, &events::banned(&reason)).await?;
                    let denylist = self.denylist.clone();
                    tx.after_commit(move || denylist.deny(user_id, now));
                    let letter = Letter::Banned { reason };
                    self.post.post(&tx, Recipient::User(user_id), &letter, now).await?;
                    Ok(user)
                }
            })
            .await
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// [`Refusal::UserNotFound`].
    pub async fn unban(&self, actor_id: Uuid, user_id: Uuid) -> Result<User, Failure> {
        let now = time::now();
        self.db
            .transaction(|tx| async move {
                let user = current(&tx, user_id).await?;
                if user.status != UserStatus::Banned {
                    return Ok(user);
                }
                let change = Change { status: Some(user.unbanned_status()), ..Change::default() };
                let user = apply(&tx, user, change, now).await?;
                users::audit(&tx, Some(actor_id), "UNBAN", user_id, String::new(), now).await?;
                publish(&tx, Cause::User(actor_id), user_id, &events::unbanned()).await?;
                let denylist = self.denylist.clone();
                tx.after_commit(move || denylist.allow(user_id, now));
                self.post.post(&tx, Recipient::User(user_id), &Letter::Unbanned, now).await?;
                Ok(user)
            })
            .await
    }

    /// Replaces an account's roles; they are in its next access token, and those with the old ones are good no more.
    ///
    /// # Errors
    /// [`Refusal::OwnAccount`], [`Refusal::RolesInvalid`] for a service's role, [`Refusal::UserNotFound`].
    pub async fn set_roles(&self, actor_id: Uuid, user_id: Uuid, roles: Vec<Role>) -> Result<User, Failure> {
        if actor_id == user_id {
            return Err(Refusal::OwnAccount.into());
        }
        if roles.is_empty() || roles.contains(&Role::Service) {
            return Err(Refusal::RolesInvalid.into());
        }
        let roles = Roles::new(roles);
        let now = time::now();
        self.db
            .transaction(|tx| {
                let roles = roles.clone();
                async move {
                    let user = current(&tx, user_id).await?;
                    if user.roles == roles {
                        return Ok(user);
                    }
                    let detail = format!("{} -> {}", user.roles.stored(), roles.stored());
                    let change = Change { roles: Some(roles), end_tokens: true, ..Change::default() };
                    let user = apply(&tx, user, change, now).await?;
                    users::audit(&tx, Some(actor_id), "SET_ROLES", user_id, detail, now).await?;
                    publish(&tx, Cause::User(actor_id), user_id, &events::roles_changed(&user)).await?;
                    self.end_tokens(&tx, Cause::User(actor_id), &user, now).await?;
                    Ok(user)
                }
            })
            .await
    }
}

async fn current(tx: &Tx, user_id: Uuid) -> Result<User, Failure> {
    Ok(users::find(tx, user_id).await?.ok_or(Refusal::UserNotFound)?)
}

async fn apply(tx: &Tx, user: User, change: Change, now: DateTime<Utc>) -> Result<User, Failure> {
    Ok(users::change(tx, user.id, user.version, change, now).await?.ok_or(Refusal::VersionConflict)?)
}
