//! Profile, password, opening a stall.

use kopitiam_kit::errors::is_unique_violation;
use kopitiam_kit::{Failure, SystemError, time};
use uuid::Uuid;

use super::{Commands, keep, password_failure, refuse_all};
use crate::domain::account::{Role, User, UserStatus};
use crate::domain::input::{self, Email, Handle, Password};
use crate::domain::letter::Letter;
use crate::domain::refusal::Refusal;
use crate::domain::strength;
use crate::events::{self, Cause, publish};
use crate::security::limits;
use crate::security::passwords::Verdict;
use crate::store::mails::Recipient;
use crate::store::users::Change;
use crate::store::{attempts, sellers, sessions, users};

/// Raw input of `updateProfile`; `None` leaves a part as it is.
#[derive(Clone)]
pub struct ProfileChange {
    /// Any text; empty removes the name.
    pub full_name: Option<String>,
    /// Any text.
    pub email: Option<String>,
    /// Needed for a new e-mail or password.
    pub current_password: Option<String>,
    /// Any text.
    pub new_password: Option<String>,
    /// What the caller has seen.
    pub expected_version: i32,
}

/// Raw input of `becomeSeller`.
#[derive(Clone)]
pub struct StallForm {
    /// Any text.
    pub handle: String,
    /// Any text.
    pub display_name: String,
    /// Any text.
    pub bio: Option<String>,
}

impl Commands {
    /// Changes the caller's profile. A new e-mail or password needs the current one; a new password ends every session.
    ///
    /// # Errors
    /// Refusals by field, [`Refusal::VersionConflict`], [`Refusal::TooManyAttempts`] after wrong passwords.
    pub async fn update_profile(&self, user_id: Uuid, form: ProfileChange) -> Result<User, Failure> {
        let mut refusals = Vec::new();
        let email = form.email.as_deref().map(Email::parse).transpose();
        let email = keep(&mut refusals, email).flatten();
        let full_name = form.full_name.as_deref().map(|name| input::full_name(Some(name))).transpose();
        let full_name = keep(&mut refusals, full_name).flatten();
        let new_password = form.new_password.map(Password::parse).transpose();
        let new_password = keep(&mut refusals, new_password).flatten();
        refuse_all(refusals)?;
        let before = users::find(self.db.read(), user_id).await?.ok_or(Refusal::UserNotFound)?;
        if let Some(password) = &new_password {
            let local = before.email.split('@').next().unwrap_or_default();
            strength::check(password, &[local, &before.username])?;
        }
        let email = email.filter(|new| new.as_str() != before.email);
        if email.is_some() || new_password.is_some() {
            self.check_password(user_id, form.current_password.as_deref()).await?;
        }
        let end_tokens = new_password.is_some();
        let password_hash = match new_password {
            Some(password) => {
                Some(self.passwords.hash(password).await.map_err(|error| password_failure(&error))?)
            }
            None => None,
        };
        // A new address is not known to be the person's.
        let new_address = email.as_ref().is_some_and(|new| new.key() != before.email.to_lowercase());
        let status = (new_address && before.status == UserStatus::Active).then_some(UserStatus::Unverified);
        let verified = new_address.then_some(false);
        let change =
            Change { email, full_name, password_hash, status, verified, end_tokens, ..Change::default() };
        let before = &before;
        let now = time::now();
        let outcome = self
            .db
            .transaction(|tx| {
                let change = change.clone();
                async move {
                    let user = users::change(&tx, user_id, form.expected_version, change, now)
                        .await?
                        .ok_or(Refusal::VersionConflict)?;
                    if end_tokens {
                        sessions::revoke_all(&tx, user_id, "PASSWORD_CHANGED", now).await?;
                        self.post.post(&tx, Recipient::User(user_id), &Letter::PasswordChanged, now).await?;
                    }
                    if new_address {
                        let old = Letter::AddressChanged { old_address: before.email.clone() };
                        self.post.post(&tx, Recipient::User(user_id), &old, now).await?;
                        self.post.post(&tx, Recipient::User(user_id), &Letter::VerifyEmail, now).await?;
                    }
                    publish(&tx, Cause::User(user_id), user_id, &events::updated(&user)).await?;
                    if end_tokens {
                        self.end_tokens(&tx, Cause::User(user_id), &user, now).await?;
                    }
                    Ok::<User, Failure>(user)
                }
            })
            .await;
        match outcome {
            Err(Failure::System(SystemError::Database(error))) if is_unique_violation(&error) => {
                Err(Refusal::EmailNotAcceptable.into())
            }
            outcome => outcome,
        }
    }

    async fn check_password(&self, user_id: Uuid, password: Option<&str>) -> Result<(), Failure> {
        let limit = limits::password_check(user_id);
        self.admit(std::slice::from_ref(&limit)).await?;
        let stored = users::password_hash(self.db.read(), user_id).await?;
        let attempt = Password::attempt(password.unwrap_or_default());
        match self.passwords.verify(attempt, stored).await.map_err(|error| password_failure(&error))? {
            Verdict::Right | Verdict::RightButWeak(_) => {
                let limit = &limit;
                self.db
                    .transaction(|tx| async move { Ok::<_, Failure>(attempts::forget(&tx, limit).await?) })
                    .await
            }
            Verdict::Wrong => Err(Refusal::WrongPassword.into()),
        }
    }

    /// Opens the caller's stall and makes them a seller; the role is in the next access token.
    ///
    /// # Errors
    /// Refusals by field, [`Refusal::AlreadySeller`].
    pub async fn become_seller(&self, user_id: Uuid, form: StallForm) -> Result<User, Failure> {
        let mut refusals = Vec::new();
        let handle = keep(&mut refusals, Handle::parse(&form.handle));
        let display_name = keep(&mut refusals, input::display_name(&form.display_name));
        let bio = keep(&mut refusals, input::bio(form.bio.as_deref()));
        refuse_all(refusals)?;
        let (Some(handle), Some(display_name), Some(bio)) = (handle, display_name, bio) else {
            return Err(SystemError::Invariant("a refused field was not reported".to_owned()).into());
        };
        let now = time::now();
        let stall = sellers::unverified(user_id, handle.as_str().to_owned(), display_name, bio, now);
        let outcome = self
            .db
            .transaction(|tx| {
                let stall = stall.clone();
                async move {
                    let user = users::find(&tx, user_id).await?.ok_or(Refusal::UserNotFound)?;
                    if !sellers::find_many(&tx, &[user_id]).await?.is_empty() {
                        return Err(Refusal::AlreadySeller.into());
                    }
                    sellers::insert(&tx, &stall).await?;
                    let change = Change { roles: Some(user.roles.with(Role::Seller)), ..Change::default() };
                    let user = users::change(&tx, user_id, user.version, change, now)
                        .await?
                        .ok_or(Refusal::VersionConflict)?;
                    let cause = Cause::User(user_id);
                    publish(&tx, cause, user_id, &events::seller_opened(&stall)).await?;
                    publish(&tx, cause, user_id, &events::roles_changed(&user)).await?;
                    Ok::<User, Failure>(user)
                }
            })
            .await;
        match outcome {
            Err(Failure::System(SystemError::Database(error))) if is_unique_violation(&error) => {
                Err(Refusal::HandleTaken.into())
            }
            outcome => outcome,
        }
    }
}
