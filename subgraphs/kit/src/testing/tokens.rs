//! Access tokens signed by a key that exists only in the test.

use base64::Engine;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use uuid::Uuid;

use crate::auth::{Identity, Viewer};

pub(super) const ISSUER: &str = "kopitiam";
pub(super) const AUDIENCE: &str = "kopitiam";
/// ASN.1 around the 32 secret bytes of an Ed25519 key in PKCS #8 (RFC 8410).
const ED25519_PREFIX: &str = "MC4CAQAwBQYDK2VwBCIEIA==";
const LIFETIME_SECONDS: i64 = 900;

/// A signing key of the test's own.
pub struct TestTokens {
    key: EncodingKey,
    key_id: String,
}

impl Default for TestTokens {
    fn default() -> Self {
        Self::new()
    }
}

impl TestTokens {
    /// A fresh key.
    pub fn new() -> Self {
        let mut der = base64::engine::general_purpose::STANDARD.decode(ED25519_PREFIX).expect("constant");
        der.extend(rand::random::<[u8; 32]>());
        Self { key: EncodingKey::from_ed_der(&der), key_id: Uuid::new_v4().to_string() }
    }

    /// Its public half.
    pub fn jwks(&self) -> JwkSet {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::EdDSA).expect("an Ed25519 key");
        jwk.common.key_id = Some(self.key_id.clone());
        JwkSet { keys: vec![jwk] }
    }

    /// A token for the user with these roles and (space-separated) scopes.
    pub fn issue(&self, user_id: Uuid, roles: &[&str], scope: &str) -> String {
        let now = chrono::Utc::now().timestamp();
        self.sign(&json!({
            "sub": user_id, "roles": roles, "scope": scope, "sid": Uuid::new_v4(), "ver": 1,
            "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + LIFETIME_SECONDS,
        }))
    }

    /// A token with exactly these claims.
    pub fn sign(&self, claims: &serde_json::Value) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, claims, &self.key).expect("claims are JSON and the key is valid")
    }
}

impl Viewer {
    /// A viewer as its token would make it, for tests below HTTP.
    pub fn test(user_id: Uuid, roles: &[&str], scope: &str) -> Self {
        Self::known(Identity {
            user_id,
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            scopes: scope.split_whitespace().map(str::to_owned).collect(),
            session_id: None,
            version: None,
            issued_at: None,
            expires_at: None,
        })
    }
}
