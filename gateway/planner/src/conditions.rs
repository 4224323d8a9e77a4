//! Conditions as numbers: equal ones are one, and what two of them come to together is worked out once.
//!
//! Always: bounded. What would grow beyond the bounds is replaced by something that holds more often: then more is fetched
//! than needed, never less. The response's own conditions are not these, and exact.

use ahash::{HashMap, RandomState};
use indexmap::IndexSet;
use kopitiam_operation::Conditions;

/// How many alternatives a condition of a fetch may have.
const ALTERNATIVES_MAX: usize = 64;

/// How many pairs of alternatives are looked at to combine two conditions.
const PAIRS_MAX: usize = 256;

/// A condition of the [`CondTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Cond(u32);

impl Cond {
    /// The one that always holds.
    pub(crate) const ALWAYS: Self = Self(0);

    pub(crate) fn is_always(self) -> bool {
        self == Self::ALWAYS
    }
}

pub(crate) struct CondTable {
    all: IndexSet<Conditions, RandomState>,
    either: HashMap<(Cond, Cond), Cond>,
    both: HashMap<(Cond, Cond), Option<Cond>>,
}

impl Default for CondTable {
    fn default() -> Self {
        let all = std::iter::once(Conditions::ALWAYS).collect();
        Self { all, either: HashMap::default(), both: HashMap::default() }
    }
}

impl CondTable {
    pub(crate) fn intern(&mut self, conditions: &Conditions) -> Cond {
        let found = self.all.get_index_of(conditions);
        let index = found.unwrap_or_else(|| self.all.insert_full(conditions.clone()).0);
        Cond(u32::try_from(index).expect("steps bound how many conditions there are"))
    }

    pub(crate) fn get(&self, cond: Cond) -> &Conditions {
        &self.all[cond.0 as usize]
    }

    /// Holds when either holds; may hold more often.
    pub(crate) fn or(&mut self, a: Cond, b: Cond) -> Cond {
        if a == b || a.is_always() {
            return a;
        }
        if b.is_always() {
            return b;
        }
        let pair = (a.min(b), a.max(b));
        if let Some(&found) = self.either.get(&pair) {
            return found;
        }
        let (left, right) = (self.get(a), self.get(b));
        let found = if left.0.len() + right.0.len() > 2 * ALTERNATIVES_MAX {
            Cond::ALWAYS
        } else {
            let either = left.or(right);
            if either.0.len() > ALTERNATIVES_MAX { Cond::ALWAYS } else { self.intern(&either) }
        };
        self.either.insert(pair, found);
        found
    }

    /// Holds when `inner` does inside `outer`; may hold more often, but never when `outer` does not. `None`: never.
    pub(crate) fn and(&mut self, outer: Cond, inner: Cond) -> Option<Cond> {
        if outer.is_always() || outer == inner {
            return Some(inner);
        }
        if inner.is_always() {
            return Some(outer);
        }
        if let Some(&found) = self.both.get(&(outer, inner)) {
            return found;
        }
        let (left, right) = (self.get(outer), self.get(inner));
        let found = if left.0.len() * right.0.len() > PAIRS_MAX {
            Some(outer)
        } else {
            let both = left.and(right);
            both.map(|both| self.intern(&both))
        };
        self.both.insert((outer, inner), found);
        found
    }

    /// Whether `wider` holds whenever `narrow` does, as far as can be seen at once.
    pub(crate) fn covers(&mut self, wider: Cond, narrow: Cond) -> bool {
        self.or(wider, narrow) == wider
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_grow_to_their_bound_and_then_always_hold() {
        let mut table = CondTable::default();
        let mut any = table.intern(&Conditions::literal("v0", true));
        for index in 1..ALTERNATIVES_MAX {
            let one = table.intern(&Conditions::literal(&format!("v{index}"), true));
            any = table.or(any, one);
            assert!(!any.is_always());
        }
        let (last, other) = (Conditions::literal("w", true), Conditions::literal("w", false));
        let (last, other) = (table.intern(&last), table.intern(&other));
        assert!(table.or(any, last).is_always());
        assert!(table.covers(any, any) && !table.covers(any, last));
        let both = table.and(last, any).unwrap();
        assert_eq!(table.get(both).0.len(), ALTERNATIVES_MAX);
        assert_eq!(table.and(any, any), Some(any));
        assert_eq!(table.and(last, other), None);
    }

    #[test]
    fn products_beyond_their_bound_keep_the_outer_condition() {
        let mut table = CondTable::default();
        let any = |table: &mut CondTable, prefix: &str| {
            (0..20).fold(None, |any: Option<Cond>, index| {
                let one = table.intern(&Conditions::literal(&format!("{prefix}{index}"), true));
                Some(any.map_or(one, |any| table.or(any, one)))
            })
        };
        let (outer, inner) = (any(&mut table, "a").unwrap(), any(&mut table, "b").unwrap());
        assert_eq!(table.and(outer, inner), Some(outer));
    }
}
