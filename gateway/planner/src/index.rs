//! Where keys are in a list: looked through while it is short, looked up when it is long.

use ahash::HashMap;
use kopitiam_plan::Key;

/// Up to this length looking through is quicker.
const SHORT: usize = 32;

/// The keys of a list that only grows.
#[derive(Default)]
pub(crate) struct KeyIndex {
    keys: Vec<Key>,
    /// Empty while the list is short.
    places: HashMap<Key, Vec<usize>>,
}

impl KeyIndex {
    pub(crate) fn push(&mut self, key: Key) {
        self.keys.push(key);
        if self.keys.len() == SHORT {
            for (place, &key) in self.keys.iter().enumerate() {
                self.places.entry(key).or_default().push(place);
            }
        } else if self.keys.len() > SHORT {
            self.places.entry(key).or_default().push(self.keys.len() - 1);
        }
    }

    /// The keys in the order of the list.
    pub(crate) fn all(&self) -> &[Key] {
        &self.keys
    }

    pub(crate) fn contains(&self, key: Key) -> bool {
        self.places_of(key).next().is_some()
    }

    /// The places of a key, in the order of the list.
    pub(crate) fn places_of(&self, key: Key) -> impl Iterator<Item = usize> + '_ {
        let looked_through = if self.keys.len() < SHORT { self.keys.as_slice() } else { &[] };
        let looked_up = self.places.get(&key).map_or(&[][..], Vec::as_slice);
        let found = looked_through.iter().enumerate().filter(move |(_, found)| **found == key);
        found.map(|(place, _)| place).chain(looked_up.iter().copied())
    }
}

impl FromIterator<Key> for KeyIndex {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let mut index = Self::default();
        keys.into_iter().for_each(|key| index.push(key));
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_lists_find_the_same_places() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 3 * SHORT] {
            let keys: Vec<Key> = (0..length).map(|index| Key(u32::try_from(index % 7).unwrap())).collect();
            let index: KeyIndex = keys.iter().copied().collect();
            for wanted in (0..8).map(Key) {
                let expected: Vec<usize> = (0..length).filter(|&place| keys[place] == wanted).collect();
                assert_eq!(index.places_of(wanted).collect::<Vec<_>>(), expected);
                assert_eq!(index.contains(wanted), !expected.is_empty());
            }
        }
    }
}
