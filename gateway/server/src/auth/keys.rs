//! The public keys of one issuer.
//!
//! In: a key id. Out: a key with the one algorithm it may be used with.
//! Always: at most one fetch per [`FETCH_INTERVAL_MIN`] however many unknown ids arrive; keys once known keep serving
//! while their source is down; symmetric and encryption keys are never used.
//! Elsewhere: verification (`mod.rs`).

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::{JwtAlgorithm, JwtIssuer};
use crate::subgraph_client::{HttpClient, fetch};

/// A flood of unknown key ids causes no more than one fetch in this time.
const FETCH_INTERVAL_MIN: Duration = Duration::from_secs(30);
/// After this long the set is fetched again in the background, so that a key taken out of it stops being accepted.
const FRESH_FOR: Duration = Duration::from_mins(5);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const KEY_SET_BYTES_MAX: usize = 1024 * 1024;

/// Where the key set (RFC 7517, section 5) of an issuer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Fetched by HTTP when first needed, then when an unknown key id appears and every five minutes.
    Url(String),
    /// Read at the start, then as from a URL.
    File(PathBuf),
    /// The JSON text itself; never changes.
    Static(String),
}

/// Why a key set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{}: {source}", .path.display())]
    File {
        /// The key set's file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Not a key set.
    #[error("not a JSON Web Key Set: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A key set without any key for the configured algorithms.
    #[error("the key set has no signature key for the configured algorithms")]
    NoUsableKey,
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
}

/// A key and the one algorithm it verifies.
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The outcome of a search for a key.
pub(super) enum KeyChoice {
    /// The key.
    Key(Arc<Key>),
    /// The set has no such key.
    Unknown,
    /// There is no set yet.
    Unavailable,
}

struct KeySet {
    keys: Vec<Arc<Key>>,
    read_at: Instant,
}

struct Shared {
    source: KeySource,
    algorithms: Vec<JwtAlgorithm>,
    client: HttpClient,
    current: RwLock<Option<Arc<KeySet>>>,
    /// When the source was last asked; the lock makes equal waits share one fetch.
    last_fetch: tokio::sync::Mutex<Option<Instant>>,
}

/// The keys of one issuer, kept up to date.
pub(super) struct KeyRing(Arc<Shared>);

impl KeyRing {
    /// Reads the keys that are given in place. Keys from a URL are those that `known` has of the same URL, if any: they
    /// serve while the URL does not answer.
    pub(super) fn new(
        issuer: &JwtIssuer,
        client: HttpClient,
        known: Option<&Self>,
    ) -> Result<Self, KeyError> {
        let initial = match &issuer.keys {
            KeySource::Url(_) => None,
            KeySource::File(path) => {
                let text =
                    std::fs::read(path).map_err(|source| KeyError::File { path: path.clone(), source })?;
                Some(text)
            }
            KeySource::Static(text) => Some(text.clone().into_bytes()),
        };
        let set = initial.map(|text| usable_keys(&text, &issuer.algorithms)).transpose()?;
        let current = match set {
            Some(keys) => Some(Arc::new(KeySet { keys, read_at: Instant::now() })),
            None => known.filter(|known| known.is_of(issuer)).and_then(|known| known.0.current()),
        };
        Ok(Self(Arc::new(Shared {
            source: issuer.keys.clone(),
            algorithms: issuer.algorithms.clone(),
            client,
            current: RwLock::new(current),
            last_fetch: tokio::sync::Mutex::new(None),
        })))
    }

    /// Whether these are the keys that an issuer asks for.
    fn is_of(&self, issuer: &JwtIssuer) -> bool {
        self.0.source == issuer.keys && self.0.algorithms == issuer.algorithms
    }

    /// The key with an id; without an id, the only key of the set.
    pub(super) async fn find(&self, id: Option<&str>) -> KeyChoice {
        if let Some(set) = self.0.current()
            && let Some(key) = set.find(id)
        {
            if set.read_at.elapsed() > FRESH_FOR && !matches!(self.0.source, KeySource::Static(_)) {
                let shared = Arc::clone(&self.0);
                tokio::spawn(async move { shared.refresh().await });
            }
            return KeyChoice::Key(key);
        }
        self.0.refresh().await;
        match self.0.current() {
            None => KeyChoice::Unavailable,
            Some(set) => set.find(id).map_or(KeyChoice::Unknown, KeyChoice::Key),
        }
    }
}

impl KeySet {
    fn find(&self, id: Option<&str>) -> Option<Arc<Key>> {
        match (id, self.keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)).cloned(),
            (None, [only]) => Some(Arc::clone(only)),
            (None, _) => None,
        }
    }
}

impl Shared {
    fn current(&self) -> Option<Arc<KeySet>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the source again, unless it was asked a moment ago.
    async fn refresh(&self) {
        if matches!(self.source, KeySource::Static(_)) {
            return;
        }
        let mut last_fetch = self.last_fetch.lock().await;
        if last_fetch.is_some_and(|at| at.elapsed() < FETCH_INTERVAL_MIN) {
            return;
        }
        let result = self.load().await;
        // Counted from the end, so that a slow source is not asked back to back.
        *last_fetch = Some(Instant::now());
        match result {
            Ok(keys) => {
                let set = Arc::new(KeySet { keys, read_at: Instant::now() });
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(set);
            }
            Err(error) => tracing::warn!(%error, "the key set could not be read; known keys stay in use"),
        }
    }

    async fn load(&self) -> Result<Vec<Arc<Key>>, KeyError> {
        let text = match &self.source {
            KeySource::Url(url) => {
                fetch::get(&self.client, url, FETCH_TIMEOUT, KEY_SET_BYTES_MAX).await?.to_vec()
            }
            KeySource::File(path) => {
                tokio::fs::read(path).await.map_err(|source| KeyError::File { path: path.clone(), source })?
            }
            KeySource::Static(text) => text.clone().into_bytes(),
        };
        usable_keys(&text, &self.algorithms)
    }
}

/// The signature keys of a set whose algorithm is among the configured ones. Keys of unknown kinds are skipped, as
/// RFC 7517, section 5 asks.
fn usable_keys(text: &[u8], algorithms: &[JwtAlgorithm]) -> Result<Vec<Arc<Key>>, KeyError> {
    let set: JwkSet = serde_json::from_slice(text)?;
    let keys: Vec<_> = set.keys.iter().filter_map(|jwk| usable_key(jwk, algorithms)).map(Arc::new).collect();
    if keys.is_empty() { Err(KeyError::NoUsableKey) } else { Ok(keys) }
}

fn usable_key(jwk: &Jwk, allowed: &[JwtAlgorithm]) -> Option<Key> {
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let by_kind = algorithm_of(&jwk.algorithm)?;
    if !allowed.contains(&by_kind) {
        return None;
    }
    let (named, algorithm) = match by_kind {
        JwtAlgorithm::EdDSA => (KeyAlgorithm::EdDSA, Algorithm::EdDSA),
        JwtAlgorithm::ES256 => (KeyAlgorithm::ES256, Algorithm::ES256),
        JwtAlgorithm::RS256 => (KeyAlgorithm::RS256, Algorithm::RS256),
    };
    // A key published for another algorithm (PS256, say) is not ours to use.
    if jwk.common.key_algorithm.is_some_and(|stated| stated != named) {
        return None;
    }
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    Some(Key { id: jwk.common.key_id.clone(), algorithm, decoding })
}

fn algorithm_of(parameters: &AlgorithmParameters) -> Option<JwtAlgorithm> {
    match parameters {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Some(JwtAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Some(JwtAlgorithm::ES256)
        }
        AlgorithmParameters::RSA(_) => Some(JwtAlgorithm::RS256),
        _ => None,
    }
}
