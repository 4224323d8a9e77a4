//! Who asks: access tokens verified against a key set, the viewer in the request's data, and guards.
//!
//! Always: the algorithm follows from the key, never from the token; every refused token gets the same answer.
//! Elsewhere: issuing tokens (the user service), refusing banned users early (the gateway).

mod denylist;
mod jwks;

use std::sync::Arc;

use async_graphql::{Context, Guard};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

pub use denylist::Denylist;
pub use jwks::Verifier;

use crate::errors::Denied;

/// A verified caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `sub`.
    pub user_id: Uuid,
    /// `roles`, such as `USER`.
    pub roles: Vec<String>,
    /// `scope`, split at spaces.
    pub scopes: Vec<String>,
    /// `sid`: the login session.
    pub session_id: Option<String>,
    /// `ver`: the account's version when the token was issued.
    pub version: Option<i64>,
    /// `iat`.
    pub issued_at: Option<DateTime<Utc>>,
    /// `exp`: streams end here.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Identity {
    /// How events and idempotency keys name this caller.
    pub fn actor(&self) -> String {
        format!("user:{}", self.user_id)
    }
}

/// The role of programs.
const SERVICE: &str = "SERVICE";

/// Who asks: a verified caller, or nobody.
#[derive(Clone, Debug, Default)]
pub struct Viewer(Option<Arc<Identity>>);

impl Viewer {
    /// Nobody is logged in.
    pub fn anonymous() -> Self {
        Self(None)
    }

    /// A verified caller.
    pub fn known(identity: Identity) -> Self {
        Self(Some(Arc::new(identity)))
    }

    /// The caller, if there is one.
    pub fn identity(&self) -> Option<&Identity> {
        self.0.as_deref()
    }

    /// The caller's user id, if there is one.
    pub fn user_id(&self) -> Option<Uuid> {
        self.identity().map(|identity| identity.user_id)
    }

    /// The caller, who must be a person: programs send messages, and have nothing of their own here.
    ///
    /// # Errors
    /// [`Denied::Unauthenticated`] when there is none, [`Denied::Forbidden`] for a service.
    pub fn require(&self) -> Result<&Identity, Denied> {
        let identity = self.identity().ok_or(Denied::Unauthenticated)?;
        if self.has_role(SERVICE) { Err(Denied::Forbidden) } else { Ok(identity) }
    }

    /// The caller, who must be this user.
    ///
    /// # Errors
    /// [`Denied`] when there is none, or it is another one.
    pub fn require_user(&self, user_id: Uuid) -> Result<&Identity, Denied> {
        let identity = self.require()?;
        if identity.user_id == user_id { Ok(identity) } else { Err(Denied::Forbidden) }
    }

    /// The caller, who must have the scope.
    ///
    /// # Errors
    /// [`Denied`] when there is none, or without it.
    pub fn require_scope(&self, scope: &str) -> Result<&Identity, Denied> {
        let identity = self.require()?;
        if self.has_scope(scope) { Ok(identity) } else { Err(Denied::Forbidden) }
    }

    /// Whether the caller is this user.
    pub fn is_user(&self, user_id: Uuid) -> bool {
        self.user_id() == Some(user_id)
    }

    /// Whether the caller has the role.
    pub fn has_role(&self, role: &str) -> bool {
        self.identity().is_some_and(|identity| identity.roles.iter().any(|own| own == role))
    }

    /// Whether the caller has the scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.identity().is_some_and(|identity| identity.scopes.iter().any(|own| own == scope))
    }
}

/// The viewer of a request; nobody where the server put none.
pub fn viewer<'context>(context: &Context<'context>) -> &'context Viewer {
    const NOBODY: &Viewer = &Viewer(None);
    context.data_opt::<Viewer>().unwrap_or(NOBODY)
}

/// Guard: a person must be logged in. `#[graphql(guard = "LoggedIn")]`
pub struct LoggedIn;

impl Guard for LoggedIn {
    async fn check(&self, context: &Context<'_>) -> async_graphql::Result<()> {
        viewer(context).require()?;
        Ok(())
    }
}

/// Guard: the caller must have the scope. `#[graphql(guard = "HasScope(\"stock:write\")")]`
pub struct HasScope(pub &'static str);

impl Guard for HasScope {
    async fn check(&self, context: &Context<'_>) -> async_graphql::Result<()> {
        viewer(context).require_scope(self.0)?;
        Ok(())
    }
}

/// Why a token was refused. The client learns only that it was.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a token, wrong signature, expired, other issuer or audience…
    #[error("token refused: {0}")]
    Refused(#[from] jsonwebtoken::errors::Error),
    /// Signed with a key that the issuer does not publish.
    #[error("token signed with an unknown key")]
    UnknownKey,
    /// Of somebody who is banned.
    #[error("token of a banned user")]
    Banned,
    /// `sub` is no user id.
    #[error("token is for no user")]
    Subject,
    /// The key set could not be had; the token may be good.
    #[error("no keys to verify with: {0}")]
    NoKeys(String),
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scope: String,
    sid: Option<String>,
    ver: Option<i64>,
    iat: Option<i64>,
    exp: Option<i64>,
}

impl TryFrom<Claims> for Identity {
    type Error = TokenError;

    fn try_from(claims: Claims) -> Result<Self, TokenError> {
        Ok(Self {
            user_id: Uuid::try_parse(&claims.sub).map_err(|_| TokenError::Subject)?,
            roles: claims.roles,
            scopes: claims.scope.split_whitespace().map(str::to_owned).collect(),
            session_id: claims.sid,
            version: claims.ver,
            issued_at: claims.iat.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
            expires_at: claims.exp.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        })
    }
}
