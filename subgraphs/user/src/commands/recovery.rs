//! Letters with one-time tokens: verifying an address, choosing a new password.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use kopitiam_kit::{Failure, SystemError, Tx, time};
use uuid::Uuid;

use super::sessions::{SignedIn, open_session};
use super::{Commands, password_failure};
use crate::domain::account::{User, UserStatus};
use crate::domain::input::{Email, Password};
use crate::domain::letter::Letter;
use crate::domain::one_time::Purpose;
use crate::domain::refusal::Refusal;
use crate::domain::strength;
use crate::events::{self, Cause, publish};
use crate::security::limits;
use crate::security::tokens::secret_hash;
use crate::store::mails::Recipient;
use crate::store::one_time::{self, Redeemed};
use crate::store::users::Change;
use crate::store::{attempts, sessions, users};

impl Commands {
    /// Sends the caller a letter with a link that verifies the address; does nothing when it is verified.
    ///
    /// # Errors
    /// [`Refusal::TooManyAttempts`], [`Refusal::UserNotFound`].
    pub async fn request_email_verification(&self, user_id: Uuid) -> Result<User, Failure> {
        let user = users::find(self.db.read(), user_id).await?.ok_or(Refusal::UserNotFound)?;
        if user.email_verified {
            return Ok(user);
        }
        self.admit(&[limits::verification(user_id)]).await?;
        let now = time::now();
        self.db
            .transaction(|tx| async move {
                self.post.post(&tx, Recipient::User(user_id), &Letter::VerifyEmail, now).await
            })
            .await?;
        Ok(user)
    }

    /// Verifies the address that the token was sent to.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`] for one that is unknown, used or too old, or when the account has another address now.
    pub async fn verify_email(&self, token: &str) -> Result<User, Failure> {
        let hash = secret_hash(token);
        let hash = hash.as_str();
        let now = time::now();
        self.db
            .transaction(|tx| async move {
                let user = redeem(&tx, Purpose::VerifyEmail, hash, now).await?;
                verify(&tx, user, Change::default(), now).await
            })
            .await
    }

    /// Sends a letter with a link to choose a new password to whoever has the address. The answer and the work for it are
    /// the same whether there is such an account or not.
    ///
    /// # Errors
    /// [`Refusal::TooManyAttempts`] for an address on the network that asks too often.
    pub async fn request_password_reset(&self, email: &str, from: Option<IpAddr>) -> Result<(), Failure> {
        if let Some(from) = from {
            self.admit(&[limits::reset_from(from)]).await?;
        }
        let Ok(email) = Email::parse(email) else { return Ok(()) };
        let (email, now) = (&email, time::now());
        let outcome = self.db.transaction(|tx| async move {
            // Beyond the bound the answer is the same too, only no letter goes: nobody's mailbox is filled from here.
            if attempts::take(&tx, &limits::reset(email.as_str()), now).await? {
                let whoever = Recipient::Address(email.key());
                self.post.post(&tx, whoever, &Letter::ResetPassword, now).await?;
            }
            Ok::<_, SystemError>(())
        });
        Ok(outcome.await?)
    }

    /// Sets a new password by a token from a letter, ends every session and signs in.
    ///
    /// # Errors
    /// Refusals of the password; [`Refusal::TokenInvalid`]; [`Refusal::UserBanned`].
    pub async fn reset_password(&self, token: &str, new_password: String) -> Result<SignedIn, Failure> {
        let password = Password::parse(new_password)?;
        strength::check(&password, &[])?;
        // Hashed before the token is looked at: a wrong one takes as long as a right one.
        let hash = self.passwords.hash(password).await.map_err(|error| password_failure(&error))?;
        let (hash, token, now) = (hash.as_str(), secret_hash(token), time::now());
        let token = token.as_str();
        let opened = self
            .db
            .transaction(|tx| async move {
                let user = redeem(&tx, Purpose::ResetPassword, token, now).await?;
                if user.status == UserStatus::Banned {
                    return Err(Refusal::UserBanned.into());
                }
                attempts::forget(&tx, &limits::log_in(&user.email)).await?;
                sessions::revoke_all(&tx, user.id, "PASSWORD_RESET", now).await?;
                let change =
                    Change { password_hash: Some(hash.to_owned()), end_tokens: true, ..Change::default() };
                // Whoever has the letter has the mailbox.
                let user = verify(&tx, user, change, now).await?;
                self.end_tokens(&tx, Cause::User(user.id), &user, now).await?;
                self.post.post(&tx, Recipient::User(user.id), &Letter::PasswordChanged, now).await?;
                open_session(&tx, user, now).await
            })
            .await?;
        self.sign_in(opened, now)
    }
}

/// The account that the token was sent to, if it still has that address; the token is used up.
async fn redeem(tx: &Tx, purpose: Purpose, token_hash: &str, now: DateTime<Utc>) -> Result<User, Failure> {
    let Redeemed { user_id, email_key } =
        one_time::redeem(tx, purpose, token_hash, now).await?.ok_or(Refusal::TokenInvalid)?;
    let user = users::find(tx, user_id).await?.filter(|user| user.email.to_lowercase() == email_key);
    Ok(user.ok_or(Refusal::TokenInvalid)?)
}

/// Makes `change` and notes that the address is the person's.
async fn verify(tx: &Tx, user: User, change: Change, now: DateTime<Utc>) -> Result<User, Failure> {
    let status = (user.status == UserStatus::Unverified).then_some(UserStatus::Active);
    let change = Change { verified: Some(true), status, ..change };
    let user =
        users::change(tx, user.id, user.version, change, now).await?.ok_or(Refusal::VersionConflict)?;
    publish(tx, Cause::User(user.id), user.id, &events::updated(&user)).await?;
    Ok(user)
}
