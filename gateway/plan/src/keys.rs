//! Interned response keys and type names, so that execution compares integers, never strings.

use indexmap::IndexSet;

/// A response key of the merged response tree: an index into the plan's [`KeyTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u32);

impl Key {
    /// Where every object keeps its runtime type's name, when the plan fetched it.
    pub const TYPENAME: Key = Key(0);
}

/// The response keys of one plan. [`Key::TYPENAME`] is always present.
///
/// Two client fields share a key exactly when they share a response name at the same place; what the planner
/// adds for itself (key fields, `@requires` inputs) gets a key of its own when the client's key holds another value.
#[derive(Debug, Clone)]
pub struct KeyTable(IndexSet<Box<str>>);

impl Default for KeyTable {
    fn default() -> Self {
        Self(IndexSet::from([Box::from("__typename")]))
    }
}

impl KeyTable {
    /// Interns a name.
    pub fn intern(&mut self, name: &str) -> Key {
        let index = self.0.get_index_of(name).unwrap_or_else(|| self.0.insert_full(name.into()).0);
        Key(u32::try_from(index).expect("a plan has fewer than 2^32 response keys"))
    }

    /// The name behind a key of this table.
    pub fn name(&self, key: Key) -> &str {
        &self.0[key.0 as usize]
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never true: [`Key::TYPENAME`] is always there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An object type's name: an index into the plan's [`TypeTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

/// The type names that one plan mentions.
#[derive(Debug, Clone, Default)]
pub struct TypeTable(IndexSet<Box<str>>);

impl TypeTable {
    /// Interns a type name.
    pub fn intern(&mut self, name: &str) -> TypeId {
        let index = self.0.get_index_of(name).unwrap_or_else(|| self.0.insert_full(name.into()).0);
        TypeId(u32::try_from(index).expect("a plan names fewer than 2^32 types"))
    }

    /// The name behind an id of this table.
    pub fn name(&self, id: TypeId) -> &str {
        &self.0[id.0 as usize]
    }

    /// The id of a name, if this plan mentions it.
    pub fn get(&self, name: &str) -> Option<TypeId> {
        self.0.get_index_of(name).and_then(|index| u32::try_from(index).ok()).map(TypeId)
    }

    /// How many types there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the plan names no type.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
