//! Under what a part of an answer is kept.
//!
//! Always: a key holds everything that the part may depend on, in full; two keys are equal only byte for byte. What many
//! parts have in common (the scope) is held once for all of them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What all parts of one answer have in common: subgraph, schema, document, variables, headers.
#[derive(Clone)]
pub(crate) struct Scope {
    bytes: Arc<[u8]>,
    /// Seeded for each process; only to find, never to tell apart.
    hash: u64,
}

impl Scope {
    pub(crate) fn new(bytes: Vec<u8>, hasher: &ahash::RandomState) -> Self {
        Self { hash: hasher.hash_one(&bytes), bytes: bytes.into() }
    }
}

/// It holds a credential.
impl fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Scope")
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes) || (self.hash == other.hash && self.bytes == other.bytes)
    }
}

impl Eq for Scope {}

/// A key: a scope, and which part of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    scope: Scope,
    part: Arc<[u8]>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.scope.hash.hash(state);
        self.part.hash(state);
    }
}

impl Key {
    pub(crate) fn new(scope: &Scope, part: &Arc<[u8]>) -> Self {
        Self { scope: scope.clone(), part: Arc::clone(part) }
    }

    /// Both, in full.
    pub(super) fn scope_and_part(&self) -> (&Arc<[u8]>, &[u8]) {
        (&self.scope.bytes, &self.part)
    }

    /// Of the whole key, the scope included although it is shared.
    pub(crate) fn bytes(&self) -> usize {
        self.scope.bytes.len() + self.part.len()
    }
}

/// Writes a scope: each item with its length before it, so that no two lists of items are written the same.
#[derive(Debug, Default)]
pub(crate) struct ScopeWriter(Vec<u8>);

impl ScopeWriter {
    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn item(&mut self, item: &[u8]) {
        self.0.extend_from_slice(&(item.len() as u64).to_le_bytes());
        self.0.extend_from_slice(item);
    }

    /// The scope that holds for everybody, and the one that holds for a credential.
    pub(crate) fn finish(
        self,
        credential: Option<&[u8]>,
        hasher: &ahash::RandomState,
    ) -> (Scope, Option<Scope>) {
        let own = credential.map(|credential| {
            let mut own = Self(self.0.clone());
            own.item(b"credential");
            own.item(credential);
            Scope::new(own.0, hasher)
        });
        (Scope::new(self.0, hasher), own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(items: &[&str], credential: Option<&'static str>) -> Scope {
        let hasher = ahash::RandomState::with_seed(1);
        let mut writer = ScopeWriter::default();
        for item in items {
            writer.item(item.as_bytes());
        }
        let (shared, own) = writer.finish(credential.map(str::as_bytes), &hasher);
        own.unwrap_or(shared)
    }

    #[test]
    fn scopes_are_equal_only_where_every_item_is() {
        let is = scope(&["ab", "c"], None);
        assert_eq!(is, scope(&["ab", "c"], None));
        for other in [scope(&["a", "bc"], None), scope(&["abc"], None), scope(&["ab", "c"], Some("t"))] {
            assert_ne!(is, other);
        }
        assert_ne!(scope(&["a"], Some("t")), scope(&["a"], Some("u")));
    }

    #[test]
    fn a_collision_of_hashes_is_no_equality() {
        let one = Scope { bytes: b"one".as_slice().into(), hash: 7 };
        let other = Scope { bytes: b"other".as_slice().into(), hash: 7 };
        assert_ne!(one, other);
    }
}
