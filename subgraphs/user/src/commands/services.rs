//! Identities of programs: a secret from the operator, short tokens for it.

use kopitiam_kit::{Failure, time};

use super::{Commands, token_failure};
use crate::domain::refusal::Refusal;
use crate::domain::service_account::ServiceIdentity;
use crate::security::limits;
use crate::security::tokens::{AccessToken, new_secret, secret_hash};
use crate::store::{attempts, service_accounts};

impl Commands {
    /// Gives a service a new secret, in clear text this once.
    ///
    /// # Errors
    /// [`Refusal::UserNotFound`] for a name that is no service's.
    pub async fn issue_service_secret(&self, name: &str) -> Result<String, Failure> {
        let identity = ServiceIdentity::named(name).ok_or(Refusal::UserNotFound)?;
        let (secret, now) = (new_secret(), time::now());
        let hash = secret_hash(&secret);
        let hash = &hash;
        self.db
            .transaction(|tx| async move {
                Ok::<_, Failure>(service_accounts::set_secret(&tx, identity.name, hash.clone(), now).await?)
            })
            .await?;
        tracing::info!(service = identity.name, "service secret issued");
        Ok(secret)
    }

    /// Takes a service's secret away; its tokens end within minutes.
    ///
    /// # Errors
    /// [`Refusal::UserNotFound`].
    pub async fn disable_service(&self, name: &str) -> Result<(), Failure> {
        let now = time::now();
        let disabled = self.db.transaction(|tx| async move {
            Ok::<_, Failure>(service_accounts::disable(&tx, name, now).await?)
        });
        if disabled.await? { Ok(()) } else { Err(Refusal::UserNotFound.into()) }
    }

    /// A token for the service with that secret: role `SERVICE`, the identity's own scopes.
    ///
    /// # Errors
    /// [`Refusal::WrongCredentials`], [`Refusal::TooManyAttempts`].
    pub async fn service_token(&self, name: &str, secret: &str) -> Result<AccessToken, Failure> {
        let limit = limits::service(name);
        self.admit(std::slice::from_ref(&limit)).await?;
        let found = service_accounts::find(self.db.read(), name, &secret_hash(secret)).await?;
        let (Some(id), Some(identity)) = (found, ServiceIdentity::named(name)) else {
            return Err(Refusal::WrongCredentials.into());
        };
        let limit = &limit;
        self.db
            .transaction(|tx| async move { Ok::<_, Failure>(attempts::forget(&tx, limit).await?) })
            .await?;
        self.signer.sign_service(id, identity, time::now()).map_err(|error| token_failure(&error))
    }
}
