//! Signing keys, access tokens (EdDSA) and refresh tokens (random, stored hashed).
//!
//! Always: the keys are in the database, so every replica signs with the same; an access token names its key (`kid`).
//! Elsewhere: which of the keys signs (`key_ring.rs`).

use std::sync::{Arc, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kopitiam_kit::config::LiveKeys;
use rand::RngCore;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::account::{Role, User};
use crate::domain::service_account::ServiceIdentity;
use crate::domain::session::ACCESS_TOKEN_LIFE;
use crate::security::key_ring;
use crate::store::keys::{self, StoredKey};

/// Everything before the 32 secret bytes of an Ed25519 key in PKCS#8.
///
/// # Source
/// RFC 8410, section 7, and RFC 5958: version 0, algorithm 1.3.101.112, an octet string in an octet string.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// A program asks again in time; shorter than a person's, because there is no session to end.
const SERVICE_TOKEN_LIFE: Duration = Duration::minutes(5);
const SECRET_BYTES: usize = 32;

/// Why keys could not be made, read or used: always our fault.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The key store.
    #[error("signing keys: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// A stored key is unusable, or signing failed.
    #[error("signing: {0}")]
    Jwt(#[from] jsonwebtoken::errors::Error),
    /// A stored key is not base64.
    #[error("signing key `{0}` is not base64")]
    Encoding(String),
    /// There is no key to sign with.
    #[error("no signing key")]
    NoKey,
}

/// Who issues tokens, and for whom.
#[derive(Debug, Clone)]
pub struct Audience {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

/// Signs access tokens.
pub struct Signer {
    ring: RwLock<Arc<Ring>>,
    /// What everyone in this process verifies with.
    published: LiveKeys,
    audience: Audience,
}

/// The keys as of the last look, oldest first.
struct Ring {
    keys: Vec<(String, EncodingKey)>,
    made: Vec<DateTime<Utc>>,
}

/// What an access token says.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    sub: String,
    roles: Vec<String>,
    scope: String,
    sid: String,
    ver: i32,
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

/// A signed access token and the end of its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The compact JWT.
    pub token: String,
    /// `exp`.
    pub expires_at: DateTime<Utc>,
}

/// Makes a key pair where there is none or the newest is due for another, and removes those of no more use.
///
/// # Errors
/// [`TokenError`].
pub async fn rotate_keys(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), TokenError> {
    let stored = keys::all(db).await?;
    let made: Vec<DateTime<Utc>> = stored.iter().map(|key| key.created_at).collect();
    let plan = key_ring::plan(&made, now);
    for obsolete in plan.iter().flat_map(|plan| &plan.obsolete) {
        tracing::info!(kid = stored[*obsolete].kid, "signing key removed");
        keys::remove(db, &stored[*obsolete].kid).await?;
    }
    if plan.is_some_and(|plan| !plan.due) {
        return Ok(());
    }
    let mut secret = [0_u8; 32];
    rand::rng().fill_bytes(&mut secret);
    let pkcs8: Vec<u8> = PKCS8_PREFIX.iter().chain(&secret).copied().collect();
    // The name is the key's RFC 7638 thumbprint in all but form: derived from the public half, so it cannot clash.
    let jwk = Jwk::from_encoding_key(&EncodingKey::from_ed_der(&pkcs8), Algorithm::EdDSA)?;
    let digest =
        Sha256::digest(serde_json::to_vec(&jwk).map_err(|error| TokenError::Encoding(error.to_string()))?);
    let kid = URL_SAFE_NO_PAD.encode(&digest[..12]);
    tracing::info!(kid, "signing key made");
    keys::insert(db, &StoredKey { kid, private_key: STANDARD.encode(pkcs8), created_at: now }).await?;
    Ok(())
}

impl Ring {
    async fn load(db: &impl ConnectionTrait) -> Result<Ring, TokenError> {
        let mut ring = Ring { keys: Vec::new(), made: Vec::new() };
        for StoredKey { kid, private_key, created_at } in keys::all(db).await? {
            let pkcs8 = STANDARD.decode(private_key).map_err(|_| TokenError::Encoding(kid.clone()))?;
            ring.keys.push((kid, EncodingKey::from_ed_der(&pkcs8)));
            ring.made.push(created_at);
        }
        if ring.keys.is_empty() { Err(TokenError::NoKey) } else { Ok(ring) }
    }

    fn public(&self, now: DateTime<Utc>) -> Result<JwkSet, TokenError> {
        let plan = key_ring::plan(&self.made, now).ok_or(TokenError::NoKey)?;
        let mut public = JwkSet { keys: Vec::new() };
        for at in plan.published {
            let (kid, key) = &self.keys[at];
            let mut jwk = Jwk::from_encoding_key(key, Algorithm::EdDSA)?;
            jwk.common.key_id = Some(kid.clone());
            jwk.common.public_key_use = Some(PublicKeyUse::Signature);
            jwk.common.key_algorithm = Some(KeyAlgorithm::EdDSA);
            public.keys.push(jwk);
        }
        Ok(public)
    }
}

impl Signer {
    /// Reads the keys and publishes those of `now` in `published`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn load(
        db: &impl ConnectionTrait,
        audience: Audience,
        published: LiveKeys,
        now: DateTime<Utc>,
    ) -> Result<Signer, TokenError> {
        let ring = Ring::load(db).await?;
        published.set(ring.public(now)?);
        Ok(Signer { ring: RwLock::new(Arc::new(ring)), published, audience })
    }

    /// Reads the keys again: this process or another may have made one.
    ///
    /// # Errors
    /// [`TokenError`]; the keys stay as they were.
    pub async fn reload(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), TokenError> {
        let ring = Ring::load(db).await?;
        self.published.set(ring.public(now)?);
        *self.ring.write().expect("no code panics while it holds this lock") = Arc::new(ring);
        Ok(())
    }

    /// The public keys, for everyone who verifies.
    pub fn public_keys(&self) -> Arc<JwkSet> {
        self.published.get()
    }

    /// The public keys, as they change.
    pub fn live_keys(&self) -> LiveKeys {
        self.published.clone()
    }

    /// Signs an access token for a session of `user`.
    ///
    /// # Errors
    /// [`TokenError::Jwt`].
    pub fn sign(&self, user: &User, session_id: Uuid, now: DateTime<Utc>) -> Result<AccessToken, TokenError> {
        let expires_at = now + ACCESS_TOKEN_LIFE;
        self.sign_claims(
            &Claims {
                sub: user.id.to_string(),
                roles: user.roles.names(),
                scope: user.roles.scope(),
                sid: session_id.to_string(),
                ver: user.token_version,
                iss: &self.audience.issuer,
                aud: &self.audience.audience,
                iat: now.timestamp(),
                exp: expires_at.timestamp(),
            },
            expires_at,
            now,
        )
    }

    /// Signs a token for a program.
    ///
    /// # Errors
    /// [`TokenError::Jwt`].
    pub fn sign_service(
        &self,
        id: Uuid,
        identity: ServiceIdentity,
        now: DateTime<Utc>,
    ) -> Result<AccessToken, TokenError> {
        let expires_at = now + SERVICE_TOKEN_LIFE;
        self.sign_claims(
            &Claims {
                sub: id.to_string(),
                roles: vec![Role::Service.name().to_owned()],
                scope: identity.scope(),
                sid: format!("service:{}", identity.name),
                ver: 1,
                iss: &self.audience.issuer,
                aud: &self.audience.audience,
                iat: now.timestamp(),
                exp: expires_at.timestamp(),
            },
            expires_at,
            now,
        )
    }

    fn sign_claims(
        &self,
        claims: &Claims<'_>,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<AccessToken, TokenError> {
        let ring = Arc::clone(&self.ring.read().expect("no code panics while it holds this lock"));
        let plan = key_ring::plan(&ring.made, now).ok_or(TokenError::NoKey)?;
        let (kid, key) = &ring.keys[plan.signing];
        let header = Header { kid: Some(kid.clone()), ..Header::new(Algorithm::EdDSA) };
        let token = jsonwebtoken::encode(&header, claims, key)?;
        Ok(AccessToken { token, expires_at })
    }
}

/// A new refresh or one-time token in clear text; only its hash is stored.
pub fn new_secret() -> String {
    let mut bytes = [0_u8; SECRET_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The stored form of a secret. A plain hash is enough: the token is 256 random bits, not a password.
pub fn secret_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_random_and_not_stored_in_clear() {
        let (one, two) = (new_secret(), new_secret());
        assert_ne!(one, two);
        assert_eq!(one.len(), 43);
        assert_ne!(secret_hash(&one), one);
        assert_eq!(secret_hash(&one), secret_hash(&one));
    }
}
