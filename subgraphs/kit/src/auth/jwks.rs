//! Verifies access tokens with a published key set, kept in memory.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use tokio::sync::Mutex;

use super::{Claims, Denylist, Identity, TokenError};
use crate::config::{AuthConfig, JwksSource};
use crate::signing::SigningKeys;

/// At most one fetch per this, however many tokens name unknown keys.
const REFRESH_EVERY: Duration = Duration::from_secs(30);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// Clocks may differ by this.
const LEEWAY_SECONDS: u64 = 60;

/// Verifies access tokens. Shared by all requests.
pub struct Verifier {
    config: AuthConfig,
    keys: RwLock<Arc<Keys>>,
    last_refresh: Mutex<Option<Instant>>,
    denylist: Denylist,
}

#[derive(Default)]
struct Keys(HashMap<String, (Algorithm, DecodingKey)>);

impl Verifier {
    /// A verifier that reads its keys when the first token arrives.
    pub fn new(config: AuthConfig) -> Self {
        let keys = match &config.jwks {
            JwksSource::Static(set) => Keys::from_set(set),
            JwksSource::Url(_) | JwksSource::File(_) | JwksSource::Live(_) => Keys::default(),
        };
        Self {
            config,
            keys: RwLock::new(Arc::new(keys)),
            last_refresh: Mutex::new(None),
            denylist: Denylist::default(),
        }
    }

    /// The same, refusing tokens of the people on the list.
    #[must_use]
    pub fn with_denylist(self, denylist: Denylist) -> Self {
        Self { denylist, ..self }
    }

    /// Whose tokens are refused.
    pub fn denylist(&self) -> &Denylist {
        &self.denylist
    }

    /// What requests must be signed with.
    pub fn gateway(&self) -> &SigningKeys {
        &self.config.gateway
    }

    /// Who the token is for.
    ///
    /// # Errors
    /// [`TokenError`]; the client is to be told nothing but that the token is not valid.
    pub async fn verify(&self, token: &str) -> Result<Identity, TokenError> {
        let key_id = jsonwebtoken::decode_header(token)?.kid.unwrap_or_default();
        let (algorithm, key) = if let Some(found) = self.find(&key_id) {
            found
        } else {
            self.refresh().await?;
            self.find(&key_id).ok_or(TokenError::UnknownKey)?
        };
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let identity = jsonwebtoken::decode::<Claims>(token, &key, &validation)?.claims.try_into()?;
        if self.denylist.is_denied(&identity) { Err(TokenError::Banned) } else { Ok(identity) }
    }

    fn find(&self, key_id: &str) -> Option<(Algorithm, DecodingKey)> {
        let keys = Arc::clone(&self.keys.read().expect("no code panics while it holds this lock"));
        match keys.0.get(key_id) {
            Some(found) => Some(found.clone()),
            // A token without `kid` is fine where there is only one key it can mean.
            None if key_id.is_empty() && keys.0.len() == 1 => keys.0.values().next().cloned(),
            None => None,
        }
    }

    async fn refresh(&self) -> Result<(), TokenError> {
        if let JwksSource::Live(live) = &self.config.jwks {
            self.replace(&live.get());
            return Ok(());
        }
        let mut last = self.last_refresh.lock().await;
        if last.is_some_and(|at| at.elapsed() < REFRESH_EVERY) {
            return Ok(());
        }
        let set = match &self.config.jwks {
            JwksSource::Static(_) | JwksSource::Live(_) => return Ok(()),
            JwksSource::File(path) => parse(&tokio::fs::read(path).await.map_err(no_keys)?)?,
            JwksSource::Url(url) => parse(&fetch(url).await?)?,
        };
        self.replace(&set);
        *last = Some(Instant::now());
        Ok(())
    }

    fn replace(&self, set: &JwkSet) {
        *self.keys.write().expect("no code panics while it holds this lock") = Arc::new(Keys::from_set(set));
    }
}

async fn fetch(url: &str) -> Result<Vec<u8>, TokenError> {
    let client = reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(no_keys)?;
    let mut response =
        client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(no_keys)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_keys)? {
        if body.len() + chunk.len() > KEY_SET_BYTES_MAX {
            return Err(no_keys("the key set is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse(body: &[u8]) -> Result<JwkSet, TokenError> {
    serde_json::from_slice(body).map_err(no_keys)
}

#[expect(clippy::needless_pass_by_value, reason = "it is a mapping for `map_err`")]
fn no_keys(reason: impl ToString) -> TokenError {
    TokenError::NoKeys(reason.to_string())
}

impl Keys {
    /// The keys of the set that we accept: EdDSA over Ed25519 and ES256.
    fn from_set(set: &JwkSet) -> Self {
        Self(set.keys.iter().filter_map(accepted).collect())
    }
}

fn accepted(jwk: &Jwk) -> Option<(String, (Algorithm, DecodingKey))> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        _ => return None,
    };
    let key_id = jwk.common.key_id.clone().unwrap_or_default();
    Some((key_id, (algorithm, DecodingKey::from_jwk(jwk).ok()?)))
}
