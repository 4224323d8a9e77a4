//! `@skip` and `@include` as data: a disjunction of conjunctions of Boolean variables.
//!
//! Elsewhere: the variables' values (per request, `operation`), evaluation loops (`executor`).

use serde::Serialize;

/// One Boolean variable and the value it must have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ConditionLiteral {
    /// The variable's name, without `$`.
    pub variable: Box<str>,
    /// `true` for `@include(if: $v)`, `false` for `@skip(if: $v)`.
    pub expected: bool,
}

/// Holds when any of its conjunctions holds; an empty disjunction always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Conditions(pub Vec<Vec<ConditionLiteral>>);

impl Conditions {
    /// The condition that always holds.
    pub const ALWAYS: Self = Self(Vec::new());

    /// Whether no variable can switch this off.
    pub fn is_always(&self) -> bool {
        self.0.is_empty()
    }

    /// Evaluates against the request's coerced variables; `lookup` gives a Boolean variable's value.
    pub fn holds(&self, lookup: impl Fn(&str) -> bool) -> bool {
        self.is_always()
            || self
                .0
                .iter()
                .any(|conjunction| conjunction.iter().all(|literal| lookup(&literal.variable) == literal.expected))
    }
}
