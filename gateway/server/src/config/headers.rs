//! `headers`: what travels to subgraphs.
//!
//! Always: a later rule replaces an earlier one about the same header, `by_subgraph` comes after `rules`, and `rules` after
//! `forward`.
//! Elsewhere: what never travels, whatever this says (`subgraph_client/context.rs`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use ::http::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::options::{ClientAddress, Options};
use crate::subgraph_client::{AnswerHeaderRule, AnswerHeaderRules, Combine, HeaderRule, HeaderRules};

/// What travels to subgraphs: beside the verified credential and the trace, only what is named here. Headers of the
/// connection and of the body's form cannot be named.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeadersConfig {
    /// Request headers forwarded to every subgraph as they are. Name no header by which a subgraph recognises a user
    /// unless something in front of the gateway sets it.
    pub forward: Vec<String>,
    /// What else is done with headers for every subgraph, in this order; a later rule replaces an earlier one about the
    /// same header.
    pub rules: Vec<HeaderRuleConfig>,
    /// Further rules for one subgraph, by its name.
    pub by_subgraph: BTreeMap<String, Vec<HeaderRuleConfig>>,
    /// What of subgraphs' answers reaches the client.
    pub response: ResponseHeadersConfig,
    /// The name of a header that tells subgraphs the client's address, such as `x-client-address`. Unset: they are not told.
    pub client_address: Option<String>,
    /// Proxies in front of the gateway, by address: the client is whom they name in `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpAddr>,
}

/// What of subgraphs' answers reaches the client.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseHeadersConfig {
    /// Headers of answers that clients get; `set-cookie` of mutations only.
    pub forward: Vec<ForwardAnswerConfig>,
    /// Whether a query's response may be cached when all answers to it may be, as long as the shortest; only by the
    /// client itself when a credential was in play. Otherwise no response may be stored.
    pub merge_cache_control: bool,
}

/// Passes a header of subgraphs' answers on to the client.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardAnswerConfig {
    /// The subgraphs' header.
    pub name: String,
    /// Its name at the client. Unset: the same.
    #[serde(default, rename = "as")]
    pub renamed: Option<String>,
    /// Which of several values: first, last, or all. Default: all.
    #[serde(default)]
    pub combine: Combine,
}

/// What is done with one header; exactly one of these.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderRuleConfig {
    /// Passes a client's header on.
    pub forward: Option<ForwardConfig>,
    /// Sends the same to whoever asks.
    pub insert: Option<InsertConfig>,
    /// Sends none of this name: takes back an earlier rule, and the gateway's own `authorization`, `x-request-id`,
    /// `traceparent` or `tracestate`.
    pub remove: Option<String>,
}

/// Passes a client's header on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardConfig {
    /// The client's header.
    pub name: String,
    /// Its name at the subgraph. Unset: the same.
    #[serde(default, rename = "as")]
    pub renamed: Option<String>,
    /// What the subgraph gets when the client sent none. Unset: nothing.
    #[serde(default)]
    pub default: Option<String>,
}

/// Sends the same to whoever asks. Exactly one of `value` and `value_env`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InsertConfig {
    /// The header.
    pub name: String,
    /// Its value.
    #[serde(default)]
    pub value: Option<String>,
    /// The environment variable that holds its value.
    #[serde(default)]
    pub value_env: Option<String>,
}

impl HeadersConfig {
    pub(super) fn apply(self, options: &mut Options) -> Result<(), String> {
        options.headers = self.rules()?;
        options.answer_headers =
            self.response.rules().map_err(|error| format!("`headers.response`: {error}"))?;
        options.client_address = self.client_address()?;
        options.trusted_proxies = self.trusted_proxies;
        Ok(())
    }

    fn rules(&self) -> Result<HeaderRules, String> {
        let mut all = Vec::new();
        for header in &self.forward {
            all.push(HeaderRule::forward(
                name(header).map_err(|error| format!("`headers.forward`: {error}"))?,
            ));
        }
        all.extend(rules(&self.rules).map_err(|error| format!("`headers.rules`: {error}"))?);
        let mut by_subgraph = BTreeMap::new();
        for (subgraph, own) in &self.by_subgraph {
            let own = rules(own).map_err(|error| format!("`headers.by_subgraph.{subgraph}`: {error}"))?;
            by_subgraph.insert(subgraph.clone(), own);
        }
        Ok(HeaderRules { all, by_subgraph })
    }

    fn client_address(&self) -> Result<Option<ClientAddress>, String> {
        let Some(header) = &self.client_address else { return Ok(None) };
        let header = name(header).map_err(|error| format!("`headers.client_address`: {error}"))?;
        Ok(Some(ClientAddress { header, trusted_proxies: self.trusted_proxies.clone() }))
    }
}

fn rules(rules: &[HeaderRuleConfig]) -> Result<Vec<HeaderRule>, String> {
    rules.iter().map(HeaderRuleConfig::rule).collect()
}

impl ResponseHeadersConfig {
    fn rules(&self) -> Result<AnswerHeaderRules, String> {
        let rule = |forward: &ForwardAnswerConfig| {
            Ok(AnswerHeaderRule {
                from: name(&forward.name)?,
                to: name(forward.renamed.as_ref().unwrap_or(&forward.name))?,
                combine: forward.combine,
            })
        };
        let forward = self.forward.iter().map(rule).collect::<Result<_, String>>()?;
        Ok(AnswerHeaderRules { forward, merge_cache_control: self.merge_cache_control })
    }
}

impl HeaderRuleConfig {
    fn rule(&self) -> Result<HeaderRule, String> {
        match (&self.forward, &self.insert, &self.remove) {
            (Some(forward), None, None) => Ok(HeaderRule::Forward {
                from: name(&forward.name)?,
                to: name(forward.renamed.as_ref().unwrap_or(&forward.name))?,
                default: forward.default.as_deref().map(value).transpose()?,
            }),
            (None, Some(insert), None) => {
                Ok(HeaderRule::Insert { name: name(&insert.name)?, value: insert.value()? })
            }
            (None, None, Some(removed)) => Ok(HeaderRule::Remove { name: name(removed)? }),
            _ => Err("a rule has exactly one of `forward`, `insert` and `remove`".to_owned()),
        }
    }
}

impl InsertConfig {
    fn value(&self) -> Result<HeaderValue, String> {
        match (&self.value, &self.value_env) {
            (Some(text), None) => value(text),
            (None, Some(variable)) => {
                let text = std::env::var(variable)
                    .map_err(|error| format!("environment variable `{variable}`: {error}"))?;
                let mut value = value(text.trim())?;
                value.set_sensitive(true);
                Ok(value)
            }
            _ => Err(format!("`{}` needs either `value` or `value_env`", self.name)),
        }
    }
}

fn name(text: &str) -> Result<HeaderName, String> {
    text.parse().map_err(|_| format!("`{text}` is not a header name"))
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| "a value is not visible ASCII".to_owned())
}
