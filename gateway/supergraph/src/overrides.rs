//! Progressive overrides: fields that move to another subgraph for a part of the requests.
//!
//! Always: what is on for one percentile is on for all smaller ones, so that there are no more cases than percentages.
//! Elsewhere: choosing a percentile for a request (`engine`).

use std::collections::BTreeSet;

/// Which labels of `@override(label:)` are on.
#[derive(Debug, Clone, PartialEq)]
pub struct Overrides {
    /// From 0 up to 100: `percent(n)` is on where this is less than `n`.
    pub percentile: f64,
    /// Other labels that are on.
    pub labels: BTreeSet<String>,
}

impl Default for Overrides {
    /// What holds for most requests: `percent(50)` and more, and no other label.
    fn default() -> Self {
        Self { percentile: 49.999_999_99, labels: BTreeSet::new() }
    }
}

impl Overrides {
    /// Whether a label is on.
    pub fn is_on(&self, label: &str) -> bool {
        match percentage(label) {
            Some(percentage) => self.percentile < percentage,
            None => self.labels.contains(label),
        }
    }
}

/// `n` of a label `percent(n)`.
pub fn percentage(label: &str) -> Option<f64> {
    let text = label.strip_prefix("percent(")?.strip_suffix(')')?;
    text.trim().parse().ok().filter(|found| (0.0..=100.0).contains(found))
}
