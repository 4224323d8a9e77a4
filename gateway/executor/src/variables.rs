//! The coerced variables of one request, as JSON texts.
//!
//! Elsewhere: coercing them (`operation/variables.rs`).

/// Coerced variables: each is complete, valid JSON; an absent variable is not here.
#[derive(Debug, Clone, Default)]
pub struct Variables(Vec<(Box<str>, Box<str>)>);

impl Variables {
    /// Takes names (without `$`) and their values' JSON.
    pub fn new(entries: impl IntoIterator<Item = (Box<str>, Box<str>)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// A variable's JSON; `None` when it has no value, which is not the same as `null`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, json)| &**json)
    }

    /// Whether the variable is the Boolean `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}
