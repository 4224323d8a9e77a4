//! `supergraph`: the composed schema, where it comes from, and what of it is on.
//!
//! Elsewhere: reading and following it (`reload/`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use kopitiam_engine::EngineSettings;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{FileError, HumanDuration};
use crate::options::Options;
use crate::reload::{S3Source, SupergraphSource, UplinkSource, UrlSource};

/// Where the composed schema is: one of `file`, `url`, `hive`, `uplink` and `s3`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SupergraphConfig {
    /// File, relative to this one.
    pub file: Option<PathBuf>,
    /// A document at a URL; one with an `ETag` is sent again only when it has changed.
    pub url: Option<UrlConfig>,
    /// Hive's CDN.
    pub hive: Option<HiveConfig>,
    /// Apollo Uplink.
    pub uplink: Option<UplinkConfig>,
    /// An object in an S3-compatible store.
    pub s3: Option<S3Config>,
    /// How often to look whether the supergraph or this file has changed; `0s`: only at SIGHUP. What can be served holds
    /// from then on.
    pub poll_interval: HumanDuration,
    /// How many of the most frequent operations are planned for another supergraph before it is served.
    pub warm_up_operations: usize,
    /// Labels of progressive overrides (`@override(label:)`) that are on. `percent(n)` is on for that share of the requests.
    pub override_labels: BTreeSet<String>,
}

/// A document at a URL.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UrlConfig {
    /// Where it is.
    pub url: String,
    /// Headers of each request, such as a key: `{ authorization: 'Bearer ${env.KEY}' }`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// Hive's CDN.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HiveConfig {
    /// The target's endpoint, as Hive shows it: `https://cdn.graphql-hive.com/artifacts/v1/…`.
    pub endpoint: String,
    /// The CDN access token; take it from the environment: `${env.HIVE_CDN_KEY}`.
    pub key: String,
}

/// Apollo Uplink.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UplinkConfig {
    /// The graph and its variant: `shop@production`.
    pub graph_ref: String,
    /// The graph's API key; take it from the environment: `${env.APOLLO_KEY}`.
    pub key: String,
    /// Asked in this order until one answers. Default: Apollo's two.
    #[serde(default)]
    pub endpoints: Vec<String>,
}

/// An object in an S3-compatible store, addressed in path style.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The store, such as `https://s3.eu-central-1.amazonaws.com`.
    pub endpoint: String,
    /// The region that signatures name.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// The object's key: letters, digits and `-_./`.
    pub key: String,
    /// Who reads it.
    pub access_key: String,
    /// The secret of who reads it; take it from the environment: `${env.AWS_SECRET_ACCESS_KEY}`.
    pub secret_key: String,
}

const UPLINKS: [&str; 2] =
    ["https://uplink.api.apollographql.com/", "https://aws.uplink.api.apollographql.com/"];

/// Prints what is no secret.
macro_rules! debug_without_secrets {
    ($name:ident, $shown:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter
                    .debug_struct(stringify!($name))
                    .field(stringify!($shown), &self.$shown)
                    .finish_non_exhaustive()
            }
        }
    };
}

debug_without_secrets!(HiveConfig, endpoint);
debug_without_secrets!(UplinkConfig, graph_ref);
debug_without_secrets!(S3Config, bucket);

impl Default for SupergraphConfig {
    fn default() -> Self {
        Self {
            file: None,
            url: None,
            hive: None,
            uplink: None,
            s3: None,
            poll_interval: HumanDuration(Duration::from_secs(1)),
            warm_up_operations: EngineSettings::default().warm_up_operations,
            override_labels: BTreeSet::new(),
        }
    }
}

impl SupergraphConfig {
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        if let Some(file) = &mut self.file {
            *file = folder.join(&*file);
        }
    }

    pub(super) fn apply(self, options: &mut Options) {
        options.engine.override_labels = self.override_labels;
        options.engine.warm_up_operations = self.warm_up_operations;
    }

    /// Nothing but this file.
    pub(crate) fn only_file(&mut self, file: PathBuf) {
        *self = Self {
            file: Some(file),
            poll_interval: self.poll_interval,
            warm_up_operations: self.warm_up_operations,
            override_labels: std::mem::take(&mut self.override_labels),
            ..Self::default()
        };
    }

    /// How often to look; never: `None`.
    pub(crate) fn interval(&self) -> Option<Duration> {
        (!self.poll_interval.0.is_zero()).then_some(self.poll_interval.0)
    }

    /// The source that is named, if any.
    pub(crate) fn source(&self, file: &Path) -> Result<Option<SupergraphSource>, FileError> {
        let invalid = |message: String| FileError::new(file, "CONFIG_INVALID", message);
        let file = self.file.clone().map(|file| Ok(SupergraphSource::File(file)));
        let all = [
            file,
            self.url.as_ref().map(|url| url.source().map(SupergraphSource::Url)),
            self.hive.as_ref().map(|hive| hive.source().map(SupergraphSource::Url)),
            self.uplink.as_ref().map(|uplink| uplink.source().map(SupergraphSource::Uplink)),
            self.s3.as_ref().map(|s3| s3.source().map(SupergraphSource::S3)),
        ];
        let mut named = all.into_iter().flatten();
        let first = named.next().transpose().map_err(invalid)?;
        if named.next().is_some() {
            let message = "`supergraph`: name one of `file`, `url`, `hive`, `uplink` and `s3`".to_owned();
            return Err(invalid(message));
        }
        Ok(first)
    }
}

fn uri(key: &str, text: &str) -> Result<Uri, String> {
    let uri: Option<Uri> = text.parse().ok();
    uri.filter(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")))
        .ok_or_else(|| format!("`supergraph.{key}`: `{text}` is not an http:// or https:// URL"))
}

impl UrlConfig {
    fn source(&self) -> Result<UrlSource, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let key: HeaderName = name
                .parse()
                .map_err(|_| format!("`supergraph.url.headers`: `{name}` is not a header name"))?;
            // The value may be a key: it is not shown.
            let mut value: HeaderValue = value
                .parse()
                .map_err(|_| format!("`supergraph.url.headers.{name}`: this cannot be a header's value"))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        Ok(UrlSource { url: uri("url.url", &self.url)?, headers })
    }
}

impl HiveConfig {
    /// Source: Hive's documentation, "High-Availability CDN".
    fn source(&self) -> Result<UrlSource, String> {
        let endpoint = self.endpoint.trim_end_matches('/');
        let url = match endpoint.strip_suffix("/supergraph") {
            Some(_) => endpoint.to_owned(),
            None => format!("{endpoint}/supergraph"),
        };
        let key = self.key.parse().map_err(|_| "`supergraph.hive.key`: this cannot be a key".to_owned())?;
        let source = UrlSource { url: uri("hive.endpoint", &url)?, headers: HeaderMap::new() };
        Ok(source.with_key(HeaderName::from_static("x-hive-cdn-key"), key))
    }
}

impl UplinkConfig {
    fn source(&self) -> Result<UplinkSource, String> {
        let own = self.endpoints.iter().map(String::as_str);
        let endpoints: Vec<&str> = if self.endpoints.is_empty() { UPLINKS.to_vec() } else { own.collect() };
        let endpoints = endpoints.into_iter().map(|endpoint| uri("uplink.endpoints", endpoint));
        Ok(UplinkSource {
            endpoints: endpoints.collect::<Result<_, _>>()?,
            graph_ref: self.graph_ref.clone(),
            key: self.key.clone(),
        })
    }
}

impl S3Config {
    fn source(&self) -> Result<S3Source, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./~".contains(&byte);
        if ![&self.bucket, &self.key].iter().all(|text| !text.is_empty() && text.bytes().all(plain)) {
            return Err("`supergraph.s3`: bucket and key are letters, digits and `-_./`".to_owned());
        }
        let visible = |byte: u8| byte.is_ascii_graphic();
        if ![&self.access_key, &self.region].iter().all(|text| text.bytes().all(visible)) {
            return Err("`supergraph.s3`: access key and region are visible ASCII".to_owned());
        }
        let endpoint = self.endpoint.trim_end_matches('/');
        let url = format!("{endpoint}/{}/{}", self.bucket, self.key.trim_start_matches('/'));
        Ok(S3Source {
            url: uri("s3.endpoint", &url)?,
            region: self.region.clone(),
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
        })
    }
}
