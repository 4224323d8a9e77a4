//! `@skip` and `@include` as data: a disjunction of conjunctions of Boolean variables.
//!
//! Always: no conjunction has both values of one variable, none repeats another.
//! Elsewhere: the variables' values (`variables.rs`), evaluation loops (`executor`).

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
            || self.0.iter().any(|conjunction| {
                conjunction.iter().all(|literal| lookup(&literal.variable) == literal.expected)
            })
    }

    /// A single literal.
    pub fn literal(variable: &str, expected: bool) -> Self {
        Self(vec![vec![ConditionLiteral { variable: variable.into(), expected }]])
    }

    /// Holds when both hold; `None` when they contradict each other.
    pub fn and(&self, other: &Self) -> Option<Self> {
        if self.is_always() || self == other {
            return Some(other.clone());
        }
        if other.is_always() {
            return Some(self.clone());
        }
        let pairs = self.0.iter().flat_map(|left| other.0.iter().map(move |right| (left, right)));
        let mut product: Vec<_> = pairs.filter_map(|(left, right)| conjunction(left, right)).collect();
        absorb(&mut product);
        (!product.is_empty()).then_some(Self(product))
    }

    /// Holds when any of them holds; `None` when that takes more than `most` alternatives, equal ones counted once.
    pub fn any<'c>(all: impl IntoIterator<Item = &'c Self>, most: usize) -> Option<Self> {
        let mut alternatives: Vec<_> = Vec::new();
        for conditions in all {
            if conditions.is_always() {
                return Some(Self::ALWAYS);
            }
            alternatives.extend(conditions.0.iter().cloned());
        }
        alternatives.sort();
        alternatives.dedup();
        if alternatives.len() > most {
            return None;
        }
        absorb(&mut alternatives);
        Some(Self(alternatives))
    }

    /// Holds when either holds.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        if self.is_always() || other.is_always() {
            return Self::ALWAYS;
        }
        let mut all: Vec<_> = self.0.iter().chain(&other.0).cloned().collect();
        absorb(&mut all);
        Self(all)
    }
}

/// Both conjunctions as one, sorted; `None` when a variable would have to be both.
fn conjunction(left: &[ConditionLiteral], right: &[ConditionLiteral]) -> Option<Vec<ConditionLiteral>> {
    let mut both: Vec<_> = left.iter().chain(right).cloned().collect();
    both.sort();
    both.dedup();
    let contradicts = both.windows(2).any(|pair| pair[0].variable == pair[1].variable);
    (!contradicts).then_some(both)
}

/// Drops conjunctions that another, weaker one already covers.
fn absorb(all: &mut Vec<Vec<ConditionLiteral>>) {
    all.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut kept: Vec<Vec<ConditionLiteral>> = Vec::with_capacity(all.len());
    for candidate in all.drain(..) {
        if !kept.iter().any(|weaker| weaker.iter().all(|literal| candidate.contains(literal))) {
            kept.push(candidate);
        }
    }
    *all = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_vanish_and_weaker_conditions_absorb_stronger_ones() {
        let (a, not_a, b) =
            (Conditions::literal("a", true), Conditions::literal("a", false), Conditions::literal("b", true));
        assert_eq!(a.and(&not_a), None);
        let both = a.and(&b).unwrap();
        assert_eq!(a.or(&both), a);
        assert!(a.or(&Conditions::ALWAYS).is_always());
        assert_eq!(Conditions::any([&both, &b, &a, &both], 3), Some(a.or(&b)));
        assert_eq!(Conditions::any([&both, &b, &a, &both], 2), None);
        assert_eq!(Conditions::any([&both, &b, &Conditions::ALWAYS], 1), Some(Conditions::ALWAYS));
        assert!(both.holds(|_| true) && !both.holds(|name| name == "a"));
    }
}
