//! Sets of object types as bits.

use smallvec::SmallVec;

use crate::TypeId;

/// A set of object types of one supergraph.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeSet(SmallVec<[u64; 2]>);

impl TypeSet {
    /// The set without members.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The set of one type.
    pub fn one(id: TypeId) -> Self {
        let mut set = Self::default();
        set.insert(id);
        set
    }

    /// Adds a type.
    pub fn insert(&mut self, id: TypeId) {
        let word = id.index() / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (id.index() % 64);
    }

    /// Whether the type is in the set.
    pub fn contains(&self, id: TypeId) -> bool {
        self.0.get(id.index() / 64).is_some_and(|word| word & (1 << (id.index() % 64)) != 0)
    }

    /// Whether the set has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many types it has.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Members of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect()).trimmed()
    }

    /// Members of either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let (long, short) = if self.0.len() >= other.0.len() { (self, other) } else { (other, self) };
        let mut words = long.0.clone();
        for (word, more) in words.iter_mut().zip(&short.0) {
            *word |= more;
        }
        Self(words)
    }

    /// Members of this set that are not in the other.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let word = |index: usize| other.0.get(index).copied().unwrap_or(0);
        Self(self.0.iter().enumerate().map(|(index, bits)| bits & !word(index)).collect()).trimmed()
    }

    /// Whether every member is in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.minus(other).is_empty()
    }

    /// Whether there is a common member.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Its members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = TypeId> + '_ {
        self.0.iter().enumerate().flat_map(|(index, &bits)| {
            let without_lowest = |bits: &u64| Some(bits & (bits - 1)).filter(|&rest| rest != 0);
            let rests = std::iter::successors(Some(bits).filter(|&bits| bits != 0), without_lowest);
            rests.map(move |rest| TypeId::from_index(index * 64 + rest.trailing_zeros() as usize))
        })
    }

    /// The smallest member.
    pub fn first(&self) -> Option<TypeId> {
        self.iter().next()
    }

    /// Equal sets have equal words: no trailing zero is kept.
    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }
}

impl FromIterator<TypeId> for TypeSet {
    fn from_iter<I: IntoIterator<Item = TypeId>>(ids: I) -> Self {
        let mut set = Self::default();
        for id in ids {
            set.insert(id);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_algebra_agrees_with_equality() {
        let set = |ids: &[u32]| ids.iter().map(|&id| TypeId(id)).collect::<TypeSet>();
        assert_eq!(set(&[1, 70, 200]).minus(&set(&[200, 70])), set(&[1]));
        assert_eq!(set(&[1, 70]).and(&set(&[70, 3])), set(&[70]));
        assert_eq!(set(&[1]).or(&set(&[130])), set(&[1, 130]));
        assert!(set(&[65]).and(&set(&[66])).is_empty());
        assert!(set(&[1]).is_subset(&set(&[1, 99])) && !set(&[99]).is_subset(&set(&[1])));
        assert_eq!(set(&[5, 64]).iter().map(|id| id.0).collect::<Vec<_>>(), [5, 64]);
    }
}
