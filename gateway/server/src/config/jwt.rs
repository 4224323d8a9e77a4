//! `jwt`: who may ask.
//!
//! Elsewhere: checking tokens (`auth/`).

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::HumanDuration;
use crate::auth::{JwtAlgorithm, JwtIssuer, KeySource};
use crate::options::Options;

/// Who may ask.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JwtConfig {
    /// Issuers whose tokens are accepted. Without any, credentials are neither read nor forwarded.
    pub issuers: Vec<IssuerConfig>,
}

/// One issuer of access tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` claim, compared exactly.
    pub issuer: String,
    /// At least one of these must be in the `aud` claim.
    pub audiences: Vec<String>,
    /// Algorithms its keys may be used with.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Where its keys are: exactly one of `url` and `file`.
    pub jwks: JwksConfig,
    /// By how much clocks may differ. Default: 60s.
    pub leeway: Option<HumanDuration>,
}

/// Where a JSON Web Key Set is: exactly one of the keys.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JwksConfig {
    /// Fetched by HTTP, again when an unknown key id appears (at most every 30 s) and every five minutes.
    pub url: Option<String>,
    /// Read from a file, relative to this one.
    pub file: Option<PathBuf>,
}

impl JwtConfig {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for file in self.issuers.iter_mut().filter_map(|issuer| issuer.jwks.file.as_mut()) {
            *file = folder.join(&*file);
        }
    }

    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        options.jwt = self.issuers.into_iter().map(IssuerConfig::issuer).collect::<Result<_, _>>()?;
        Ok(())
    }
}

impl IssuerConfig {
    fn issuer(self) -> Result<JwtIssuer, String> {
        let keys = match (self.jwks.url, self.jwks.file) {
            (Some(url), None) => KeySource::Url(url),
            (None, Some(file)) => KeySource::File(file),
            _ => return Err(format!("issuer `{}`: `jwks` needs either `url` or `file`", self.issuer)),
        };
        if self.audiences.is_empty() || self.algorithms.is_empty() {
            return Err(format!("issuer `{}`: `audiences` and `algorithms` must not be empty", self.issuer));
        }
        Ok(JwtIssuer {
            issuer: self.issuer,
            audiences: self.audiences,
            algorithms: self.algorithms,
            keys,
            leeway: self.leeway.map_or(JwtIssuer::DEFAULT_LEEWAY, |leeway| leeway.0),
        })
    }
}
