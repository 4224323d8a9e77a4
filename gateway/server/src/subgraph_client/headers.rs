//! What becomes of headers on the way to each subgraph.
//!
//! In: rules in the operator's order. Out: for each subgraph, where each of its headers comes from.
//! Always: a later rule replaces an earlier one about the same header; nothing the rules do not name travels.
//! Elsewhere: the gateway's own headers and the names that no rule may touch (`context.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::cache::ScopeWriter;

/// What is done with one header of subgraph requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderRule {
    /// Passes a client's header on.
    Forward {
        /// The client's header.
        from: HeaderName,
        /// Its name at the subgraph.
        to: HeaderName,
        /// What the subgraph gets when the client sent none. `None`: nothing.
        default: Option<HeaderValue>,
    },
    /// Sends the same to whoever asks.
    Insert {
        /// The header.
        name: HeaderName,
        /// Its value.
        value: HeaderValue,
    },
    /// Sends none: takes back an earlier rule, and the gateway's own header of this name.
    Remove {
        /// The header.
        name: HeaderName,
    },
}

impl HeaderRule {
    /// Passes a header on under its own name.
    pub fn forward(name: HeaderName) -> Self {
        Self::Forward { from: name.clone(), to: name, default: None }
    }

    /// The header that a subgraph sees, or does not.
    pub(crate) fn name(&self) -> &HeaderName {
        match self {
            Self::Forward { to: name, .. } | Self::Insert { name, .. } | Self::Remove { name } => name,
        }
    }
}

/// The rules for all subgraphs, and after them those for each one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// For every subgraph.
    pub all: Vec<HeaderRule>,
    /// By the subgraph's name.
    pub by_subgraph: BTreeMap<String, Vec<HeaderRule>>,
}

/// What one subgraph gets.
#[derive(Debug, Default)]
pub(super) struct HeaderPlan(Vec<HeaderRule>);

/// What each subgraph gets.
#[derive(Debug, Default)]
pub(super) struct HeaderPlans {
    others: Arc<HeaderPlan>,
    by_subgraph: BTreeMap<String, Arc<HeaderPlan>>,
}

impl HeaderRules {
    /// Writes the rules, each different from every other.
    pub(crate) fn write(&self, all: &mut ScopeWriter) {
        for (subgraph, rules) in std::iter::once((&String::new(), &self.all)).chain(&self.by_subgraph) {
            all.item(subgraph.as_bytes());
            all.item(&rules.len().to_le_bytes());
            for rule in rules {
                let (kind, from, to, value) = match rule {
                    HeaderRule::Forward { from, to, default } => ("forward", from, to, default.as_ref()),
                    HeaderRule::Insert { name, value } => ("insert", name, name, Some(value)),
                    HeaderRule::Remove { name } => ("remove", name, name, None),
                };
                for item in [kind.as_bytes(), from.as_str().as_bytes(), to.as_str().as_bytes()] {
                    all.item(item);
                }
                all.item(if value.is_some() { b"1" } else { b"0" });
                all.item(value.map_or(b"", HeaderValue::as_bytes));
            }
        }
    }

    /// The client's headers that any subgraph may see.
    pub(crate) fn forwarded(&self) -> Vec<HeaderName> {
        let mut names = Vec::new();
        for rule in self.all.iter().chain(self.by_subgraph.values().flatten()) {
            if let HeaderRule::Forward { from, .. } = rule
                && !names.contains(from)
            {
                names.push(from.clone());
            }
        }
        names
    }
}

impl HeaderPlans {
    pub(super) fn new(rules: &HeaderRules) -> Self {
        let plan = |own: &[HeaderRule]| Arc::new(HeaderPlan::new(rules.all.iter().chain(own)));
        let own = rules.by_subgraph.iter();
        Self { others: plan(&[]), by_subgraph: own.map(|(name, own)| (name.clone(), plan(own))).collect() }
    }

    pub(super) fn of(&self, subgraph: &str) -> Arc<HeaderPlan> {
        Arc::clone(self.by_subgraph.get(subgraph).unwrap_or(&self.others))
    }
}

impl HeaderPlan {
    fn new<'a>(rules: impl Iterator<Item = &'a HeaderRule>) -> Self {
        let mut plan: Vec<HeaderRule> = Vec::new();
        for rule in rules {
            plan.retain(|earlier| earlier.name() != rule.name());
            plan.push(rule.clone());
        }
        Self(plan)
    }

    /// Whether the gateway's own header of this name is not sent.
    pub(super) fn replaces(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|rule| !matches!(rule, HeaderRule::Forward { .. }) && rule.name() == name)
    }

    /// Gives what the subgraph gets of `client`, but for headers that are `own` to the gateway.
    pub(super) fn for_each(
        &self,
        client: &HeaderMap,
        own: impl Fn(&HeaderName) -> bool,
        emit: &mut dyn FnMut(&HeaderName, &HeaderValue),
    ) {
        for rule in &self.0 {
            match rule {
                HeaderRule::Forward { to, .. } if own(to) => {}
                HeaderRule::Forward { from, to, default } => {
                    let mut sent = client.get_all(from).iter().peekable();
                    if let (None, Some(default)) = (sent.peek(), default) {
                        emit(to, default);
                    }
                    sent.for_each(|value| emit(to, value));
                }
                HeaderRule::Insert { name, value } => emit(name, value),
                HeaderRule::Remove { .. } => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &'static str) -> HeaderName {
        HeaderName::from_static(name)
    }

    fn forward(from: &'static str, to: &'static str, default: Option<&'static str>) -> HeaderRule {
        HeaderRule::Forward { from: name(from), to: name(to), default: default.map(HeaderValue::from_static) }
    }

    fn insert(header: &'static str, value: &'static str) -> HeaderRule {
        HeaderRule::Insert { name: name(header), value: HeaderValue::from_static(value) }
    }

    fn sent(rules: &HeaderRules, subgraph: &str) -> Vec<String> {
        let client = [("x-tenant", "a"), ("x-tenant", "b"), ("x-other", "c")];
        let client =
            client.iter().map(|(header, value)| (name(header), HeaderValue::from_static(value))).collect();
        let mut lines = Vec::new();
        let mut emit = |name: &HeaderName, value: &HeaderValue| {
            lines.push(format!("{name}: {}", value.to_str().unwrap()));
        };
        HeaderPlans::new(rules).of(subgraph).for_each(&client, |name| name == "x-request-id", &mut emit);
        lines
    }

    #[test]
    fn headers_are_passed_on_renamed_and_given_a_default() {
        let all = vec![
            forward("x-tenant", "x-shop", Some("none")),
            forward("x-region", "x-region", Some("eu")),
            forward("x-absent", "x-absent", None),
            forward("x-other", "x-request-id", None),
        ];
        let rules = HeaderRules { all, ..HeaderRules::default() };
        assert_eq!(sent(&rules, "any"), ["x-shop: a", "x-shop: b", "x-region: eu"]);
        let forwarded: Vec<_> = rules.forwarded().iter().map(|name| name.as_str().to_owned()).collect();
        assert_eq!(forwarded, ["x-tenant", "x-region", "x-absent", "x-other"]);
    }

    #[test]
    fn a_subgraphs_own_rules_come_after_those_for_all() {
        let all = vec![forward("x-tenant", "x-tenant", None), insert("x-gateway", "kopitiam")];
        let own = vec![HeaderRule::Remove { name: name("x-tenant") }, insert("x-gateway", "other")];
        let rules = HeaderRules { all, by_subgraph: BTreeMap::from([("own".to_owned(), own)]) };
        assert_eq!(sent(&rules, "any"), ["x-tenant: a", "x-tenant: b", "x-gateway: kopitiam"]);
        assert_eq!(sent(&rules, "own"), ["x-gateway: other"]);
        let plans = HeaderPlans::new(&rules);
        assert!(plans.of("own").replaces(&name("x-tenant")) && !plans.of("any").replaces(&name("x-tenant")));
    }
}
