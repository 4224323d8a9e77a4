//! Register, log in, refresh, log out.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use kopitiam_kit::errors::is_unique_violation;
use kopitiam_kit::{Failure, SystemError, Tx, UserError, time};
use uuid::Uuid;

use super::{Commands, keep, password_failure, refuse_all, token_failure};
use crate::domain::account::{Roles, User, UserStatus};
use crate::domain::input::{self, Email, Password, Username};
use crate::domain::ledger::Transaction;
use crate::domain::letter::Letter;
use crate::domain::refusal::Refusal;
use crate::domain::session::{TokenVerdict, judge};
use crate::domain::strength;
use crate::events::{self, Cause, publish};
use crate::security::limits::{self, Limit};
use crate::security::passwords::Verdict;
use crate::security::tokens::{new_secret, secret_hash};
use crate::store::mails::Recipient;
use crate::store::users::NewUser;
use crate::store::{attempts, ledger, sessions, users, wallets};

/// Raw input of `register`.
#[derive(Clone)]
pub struct Registration {
    /// A fresh UUIDv7; fixed in seed data.
    pub id: Uuid,
    /// Any text.
    pub email: String,
    /// Any text.
    pub username: String,
    /// Any text.
    pub password: String,
    /// Any text.
    pub full_name: Option<String>,
    /// Where the request came from, if known.
    pub from: Option<IpAddr>,
}

/// A signed-in user with both tokens.
#[derive(Clone)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// The compact JWT.
    pub access_token: String,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
    /// Clear text, given out once.
    pub refresh_token: String,
    /// When the refresh token ends.
    pub refresh_expires_at: DateTime<Utc>,
}

/// A session and its refresh token, just stored.
pub(super) struct Opened {
    user: User,
    session_id: Uuid,
    refresh_token: String,
    refresh_expires_at: DateTime<Utc>,
}

impl Commands {
    /// Makes an account with the sign-up credit and signs it in.
    ///
    /// # Errors
    /// Refusals by field; taken and malformed e-mails get the same one.
    pub async fn register(&self, form: Registration) -> Result<SignedIn, Failure> {
        let mut refusals = Vec::new();
        let email = keep(&mut refusals, Email::parse(&form.email));
        let username = keep(&mut refusals, Username::parse(&form.username));
        let password = keep(&mut refusals, Password::parse(form.password));
        let full_name = keep(&mut refusals, input::full_name(form.full_name.as_deref()));
        refuse_all(refusals)?;
        let (Some(email), Some(username), Some(password), Some(full_name)) =
            (email, username, password, full_name)
        else {
            return Err(SystemError::Invariant("a refused field was not reported".to_owned()).into());
        };
        let local = email.as_str().split('@').next().unwrap_or_default();
        strength::check(&password, &[local, username.as_str()])?;
        if let Some(from) = form.from {
            self.admit(&[limits::register_from(from)]).await?;
        }
        // Hashed before anything is looked up, so that a taken address takes as long as a free one.
        let password_hash = self.passwords.hash(password).await.map_err(|error| password_failure(&error))?;
        let new = NewUser {
            id: form.id,
            email,
            username,
            full_name,
            password_hash,
            roles: Roles::new([]),
            verified: false,
        };
        let now = time::now();
        let outcome = self.db.transaction(|tx| self.register_in(tx, new.clone(), now)).await;
        match outcome {
            Ok(opened) => self.sign_in(opened, now),
            Err(Failure::Refused(refusals)) => {
                self.tell_owner(&new.email, &refusals, now).await?;
                Err(Failure::Refused(refusals))
            }
            // Someone took the name between the look and the insert.
            Err(Failure::System(SystemError::Database(error))) if is_unique_violation(&error) => {
                let (email_taken, _) = users::taken(self.db.read(), &new.email, &new.username).await?;
                Err(if email_taken { Refusal::EmailNotAcceptable } else { Refusal::UsernameTaken }.into())
            }
            Err(failure) => Err(failure),
        }
    }

    /// The owner of a taken address learns of the attempt; who made it learns nothing.
    async fn tell_owner(
        &self,
        email: &Email,
        refusals: &[UserError],
        now: DateTime<Utc>,
    ) -> Result<(), Failure> {
        let code = Refusal::EmailNotAcceptable.code();
        if !refusals.iter().any(|refusal| refusal.code == code) {
            return Ok(());
        }
        let told = self.db.transaction(|tx| async move {
            // The same bound as for reset letters: nobody's mailbox is filled from here.
            if attempts::take(&tx, &limits::reset(email.as_str()), now).await? {
                self.post.post(&tx, Recipient::Address(email.key()), &Letter::AddressTaken, now).await?;
            }
            Ok::<_, SystemError>(())
        });
        Ok(told.await?)
    }

    async fn register_in(&self, tx: Tx, new: NewUser, now: DateTime<Utc>) -> Result<Opened, Failure> {
        let (email_taken, username_taken) = users::taken(&tx, &new.email, &new.username).await?;
        let mut refusals = Vec::new();
        if email_taken {
            refusals.push(Refusal::EmailNotAcceptable);
        }
        if username_taken {
            refusals.push(Refusal::UsernameTaken);
        }
        refuse_all(refusals)?;
        let user = users::insert(&tx, new, now).await?;
        self.open_wallet(&tx, &user, now).await?;
        publish(&tx, Cause::User(user.id), user.id, &events::registered(&user)).await?;
        self.post.post(&tx, Recipient::User(user.id), &Letter::VerifyEmail, now).await?;
        open_session(&tx, user, now).await
    }

    /// Opens a wallet with the sign-up credit: granted by a posting, never by what a client says.
    async fn open_wallet(&self, tx: &Tx, user: &User, now: DateTime<Utc>) -> Result<(), Failure> {
        let currency = self.rules.currency.code();
        wallets::open(tx, user.id, currency).await?;
        if self.rules.signup_credit <= 0 {
            return Ok(());
        }
        let reason = "Sign-up credit";
        let grant = Transaction::grant(user.id, self.rules.signup_credit, user.id, reason.to_owned())
            .map_err(|error| SystemError::Invariant(error.to_string()))?;
        ledger::post(tx, &grant, currency, now).await?;
        let event = events::credit_granted(self.rules.signup_credit, currency, reason, user.id);
        publish(tx, Cause::Service, user.id, &event).await?;
        Ok(())
    }

    /// Signs in by e-mail and password; any wrong part gets the same answer after the same work.
    ///
    /// # Errors
    /// [`Refusal::WrongCredentials`], [`Refusal::TooManyAttempts`]; [`Refusal::UserBanned`] to those who know the
    /// password.
    pub async fn login(
        &self,
        email: &str,
        password: &str,
        from: Option<IpAddr>,
    ) -> Result<SignedIn, Failure> {
        let account = limits::log_in(email);
        let address = from.map(limits::log_in_from);
        let counted: Vec<Limit> = address.iter().chain([&account]).cloned().collect();
        self.admit(&counted).await?;
        let found = match Email::parse(email) {
            Ok(email) => users::find_credentials(self.db.read(), &email).await?,
            Err(_) => None,
        };
        let stored = found.as_ref().map(|(_, hash)| hash.clone());
        let verdict = self
            .passwords
            .verify(Password::attempt(password), stored.clone())
            .await
            .map_err(|error| password_failure(&error))?;
        let (Some((user, old_hash)), Verdict::Right | Verdict::RightButWeak(_)) = (found, &verdict) else {
            return Err(Refusal::WrongCredentials.into());
        };
        let (user, old_hash, verdict) = (&user, old_hash.as_str(), &verdict);
        let (account, address, now) = (&account, &address, time::now());
        let opened = self
            .db
            .transaction(|tx| async move {
                attempts::forget(&tx, account).await?;
                if let Some(address) = address {
                    attempts::give_back(&tx, address).await?;
                }
                if let Verdict::RightButWeak(new_hash) = verdict {
                    users::rehash(&tx, user.id, old_hash, new_hash).await?;
                }
                // Read again: a ban or a new password may have come while the password was compared.
                let user =
                    users::find(&tx, user.id).await?.filter(|now| now.token_version == user.token_version);
                match user {
                    Some(user) if user.status == UserStatus::Banned => Ok(Err(Refusal::UserBanned)),
                    Some(user) => open_session(&tx, user, now).await.map(Ok),
                    None => Ok(Err(Refusal::WrongCredentials)),
                }
            })
            .await?;
        self.sign_in(opened.map_err(Failure::from)?, now)
    }

    /// Exchanges a refresh token for a new pair; one that was used before ends its whole session. A client that lost the
    /// answer may ask again within ten seconds with the nonce it sent the first time.
    ///
    /// # Errors
    /// [`Refusal::SessionEnded`], [`Refusal::UserBanned`].
    pub async fn refresh(&self, refresh_token: &str, nonce: Option<&str>) -> Result<SignedIn, Failure> {
        let hash = secret_hash(refresh_token);
        let nonce = nonce.filter(|nonce| !nonce.is_empty()).map(secret_hash);
        let now = time::now();
        // A revocation must be committed, so a refusal leaves the closure as a value, not as an error.
        let outcome = self.db.transaction(|tx| self.rotate(tx, &hash, nonce.clone(), now)).await?;
        self.sign_in(outcome.map_err(Failure::from)?, now)
    }

    /// Ends this session, or every session of the user.
    ///
    /// # Errors
    /// System failures only: ending what has ended is fine.
    pub async fn logout(
        &self,
        user_id: Uuid,
        session_id: Option<Uuid>,
        everywhere: bool,
    ) -> Result<(), Failure> {
        let now = time::now();
        self.db
            .transaction(|tx| async move {
                match session_id {
                    Some(session_id) if !everywhere => {
                        sessions::revoke(&tx, session_id, "LOGOUT", now).await?;
                    }
                    _ => sessions::revoke_all(&tx, user_id, "LOGOUT_EVERYWHERE", now).await?,
                }
                Ok(())
            })
            .await
    }

    pub(super) fn sign_in(&self, opened: Opened, now: DateTime<Utc>) -> Result<SignedIn, Failure> {
        let Opened { user, session_id, refresh_token, refresh_expires_at } = opened;
        let access = self.signer.sign(&user, session_id, now).map_err(|error| token_failure(&error))?;
        let (access_token, expires_at) = (access.token, access.expires_at);
        Ok(SignedIn { user, access_token, expires_at, refresh_token, refresh_expires_at })
    }

    async fn rotate(
        &self,
        tx: Tx,
        hash: &str,
        nonce: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<Result<Opened, Refusal>, Failure> {
        let Some(mut token) = sessions::find_token(&tx, hash).await? else {
            return Ok(Err(Refusal::SessionEnded));
        };
        let mut verdict = judge(&token, nonce.as_deref(), now);
        if verdict == TokenVerdict::Rotate && !sessions::use_token(&tx, hash, nonce.clone(), now).await? {
            // Another request was faster: what it left decides.
            let Some(used) = sessions::find_token(&tx, hash).await? else {
                return Ok(Err(Refusal::SessionEnded));
            };
            verdict = judge(&used, nonce.as_deref(), now);
            token = used;
        }
        match verdict {
            TokenVerdict::Refuse => return Ok(Err(Refusal::SessionEnded)),
            TokenVerdict::RevokeFamily => {
                tracing::warn!(session = %token.session_id, user = %token.user_id, "refresh token used twice: session ended");
                sessions::revoke(&tx, token.session_id, "REFRESH_TOKEN_REUSED", now).await?;
                let owner = Recipient::User(token.user_id);
                self.post.post(&tx, owner, &Letter::SessionRevoked, now).await?;
                return Ok(Err(Refusal::SessionEnded));
            }
            TokenVerdict::Rotate | TokenVerdict::Repeat => {}
        }
        let Some(user) = users::find(&tx, token.user_id).await? else {
            return Ok(Err(Refusal::SessionEnded));
        };
        if user.status == UserStatus::Banned {
            return Ok(Err(Refusal::UserBanned));
        }
        let refresh_token = new_secret();
        let next_hash = secret_hash(&refresh_token);
        let refresh_expires_at = sessions::add_token(&tx, token.session_id, next_hash, now).await?;
        Ok(Ok(Opened { user, session_id: token.session_id, refresh_token, refresh_expires_at }))
    }
}

pub(super) async fn open_session(tx: &Tx, user: User, now: DateTime<Utc>) -> Result<Opened, Failure> {
    let session_id = sessions::open(tx, user.id, now).await?;
    let refresh_token = new_secret();
    let refresh_expires_at = sessions::add_token(tx, session_id, secret_hash(&refresh_token), now).await?;
    Ok(Opened { user, session_id, refresh_token, refresh_expires_at })
}
