//! Who is asking: JSON Web Tokens verified at the gateway.
//!
//! In: the `Authorization` header. Out: nobody, a verified subject, or a refusal.
//! Always: the algorithm comes from the key and the configuration, never from the token; `jku`, `x5u` and `jwk` of a
//! token are ignored; every refusal of a token reads the same to the client, the reason goes to the log.
//! Elsewhere: what a subject may see (the subgraphs check again).
//!
//! - `keys.rs`: the keys of one issuer, where they come from and when they are fetched again

mod keys;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use kopitiam_engine::Grants;
use serde::Deserialize;

use self::keys::{KeyChoice, KeyRing};
pub use self::keys::{KeyError, KeySource};
use crate::subgraph_client::HttpClient;

/// Room for some sixty scopes; a token beyond it is refused before any cryptography.
const TOKEN_BYTES_MAX: usize = 6 * 1024;

/// A signature algorithm that may be configured. Symmetric ones are absent on purpose: a public key published as a
/// key set must never be usable as a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub enum JwtAlgorithm {
    /// Ed25519 (RFC 8037).
    EdDSA,
    /// ECDSA on P-256 with SHA-256 (RFC 7518, section 3.4).
    ES256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3).
    RS256,
}

/// One issuer whose tokens the gateway accepts.
#[derive(Debug, Clone)]
pub struct JwtIssuer {
    /// The `iss` claim, compared exactly.
    pub issuer: String,
    /// At least one of these must be in the `aud` claim.
    pub audiences: Vec<String>,
    /// Algorithms its keys may be used with.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Where its keys are.
    pub keys: KeySource,
    /// By how much clocks may differ when `exp` and `nbf` are compared.
    pub leeway: Duration,
}

impl JwtIssuer {
    /// The default leeway for clocks that differ.
    pub const DEFAULT_LEEWAY: Duration = Duration::from_mins(1);
}

/// A credential that was verified.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    /// The header to forward to subgraphs.
    pub(crate) authorization: HeaderValue,
    /// When the token ends, leeway included; a stream opened with it ends then.
    pub(crate) expires_at: SystemTime,
    /// Issuer and subject, for limits; `None` for a token without a subject.
    pub(crate) subject: Option<Arc<str>>,
    /// What the schema's directives ask for.
    pub(crate) grants: Arc<Grants>,
}

/// Why a credential was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthError {
    /// Several `Authorization` headers, or one that is not a bearer token.
    #[error("the Authorization header is not a single bearer token")]
    NotBearer,
    /// The token is not valid; the text is for the log.
    #[error("the token is not valid: {0}")]
    InvalidToken(String),
    /// No key set could be had from the issuer yet: not the client's fault.
    #[error("the keys of the issuer are not available")]
    KeysUnavailable,
}

struct Issuer {
    config: JwtIssuer,
    keys: KeyRing,
}

/// Verifies tokens of the configured issuers.
pub(crate) struct Authenticator {
    issuers: Vec<Issuer>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.issuers.iter().map(|issuer| &issuer.config.issuer)).finish()
    }
}

/// Only what picks the issuer; everything is checked after the signature.
#[derive(Deserialize)]
struct UnverifiedClaims {
    iss: String,
}

/// Names in a claim.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    List(Vec<String>),
}

impl Default for Words {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Words {
    fn into_set(self) -> BTreeSet<String> {
        match self {
            Self::Text(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
            Self::List(words) => words.into_iter().collect(),
        }
    }
}

/// A struct and not a map, so that a claim given twice is an error instead of a choice.
#[derive(Deserialize)]
struct Claims {
    /// NumericDate may have a fraction (RFC 7519, section 2).
    exp: f64,
    #[serde(rename = "iss")]
    _issuer: String,
    #[serde(rename = "aud")]
    _audience: Option<serde::de::IgnoredAny>,
    #[serde(rename = "nbf")]
    _not_before: Option<f64>,
    #[serde(rename = "sub")]
    subject: Option<String>,
    /// Words between spaces (RFC 8693, section 4.2), or a list of them as some issuers have it.
    #[serde(default, alias = "scp")]
    scope: Words,
    /// Policies that hold for the subject, for `@policy`.
    #[serde(default)]
    policies: Words,
}

impl Authenticator {
    /// Loads key sets given in files or in place; key sets given by URL are those of `known` for the same issuer and URL,
    /// or fetched when first needed.
    ///
    /// # Errors
    /// [`KeyError`] when a key set given in place cannot be read or has no usable key.
    pub(crate) fn new(
        issuers: Vec<JwtIssuer>,
        client: &HttpClient,
        known: Option<&Self>,
    ) -> Result<Self, KeyError> {
        let issuers = issuers
            .into_iter()
            .map(|config| {
                let same = known
                    .and_then(|known| known.issuers.iter().find(|one| one.config.issuer == config.issuer));
                let keys = KeyRing::new(&config, client.clone(), same.map(|issuer| &issuer.keys))?;
                Ok(Issuer { config, keys })
            })
            .collect::<Result<_, KeyError>>()?;
        Ok(Self { issuers })
    }

    /// Verifies the credential of a request; `None` means that there is none.
    ///
    /// # Errors
    /// [`AuthError`] when there is one and it does not hold.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Verified>, AuthError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(AuthError::NotBearer);
        }
        let token = value.to_str().ok().and_then(bearer).ok_or(AuthError::NotBearer)?;
        let (expires_at, claims) = self.verify(token).await?;
        Ok(Some(Verified {
            authorization: value.clone(),
            expires_at,
            subject: claims.subject.map(Into::into),
            grants: Arc::new(Grants {
                authenticated: true,
                scopes: claims.scope.into_set(),
                policies: claims.policies.into_set(),
            }),
        }))
    }

    async fn verify(&self, token: &str) -> Result<(SystemTime, Claims), AuthError> {
        let invalid = |reason: &str| AuthError::InvalidToken(reason.to_owned());
        if token.len() > TOKEN_BYTES_MAX {
            return Err(invalid("too long"));
        }
        let header = decode_header(token).map_err(|error| invalid(reason(error.kind())))?;
        // RFC 7515, section 4.1.11: extensions that must be understood and are not.
        if header.crit.is_some() {
            return Err(invalid("critical extensions"));
        }
        let unverified: UnverifiedClaims =
            insecure_decode_claims(token).map_err(|error| invalid(reason(error.kind())))?;
        let issuer = self
            .issuers
            .iter()
            .find(|issuer| issuer.config.issuer == unverified.iss)
            .ok_or_else(|| invalid("unknown issuer"))?;
        let key = match issuer.keys.find(header.kid.as_deref()).await {
            KeyChoice::Key(key) => key,
            KeyChoice::Unknown => return Err(invalid("unknown key")),
            KeyChoice::Unavailable => return Err(AuthError::KeysUnavailable),
        };
        let mut claims = decode::<Claims>(token, &key.decoding, &issuer.validation(key.algorithm))
            .map_err(|error| invalid(reason(error.kind())))?
            .claims;
        let expires_at = Duration::try_from_secs_f64(claims.exp)
            .ok()
            .and_then(|end| UNIX_EPOCH.checked_add(end.saturating_add(issuer.config.leeway)))
            .ok_or_else(|| invalid("exp out of range"))?;
        // A line feed can be in neither a URL nor a sensible name: two pairs never look the same.
        claims.subject = claims.subject.map(|subject| format!("{}\n{subject}", issuer.config.issuer));
        Ok((expires_at, claims))
    }
}

impl Issuer {
    fn validation(&self, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.config.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&self.config.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation
    }
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}

/// A reason for the log that repeats nothing of the token.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "expired",
        ErrorKind::ImmatureSignature => "not valid yet",
        ErrorKind::InvalidAudience => "wrong audience",
        ErrorKind::InvalidIssuer => "wrong issuer",
        ErrorKind::InvalidAlgorithm => "wrong algorithm",
        ErrorKind::InvalidSignature => "wrong signature",
        ErrorKind::MissingRequiredClaim(_) => "a required claim is missing",
        _ => "malformed",
    }
}
