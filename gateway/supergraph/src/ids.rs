//! Typed ids: indexes into one [`crate::Supergraph`], meaningless with another.

/// A named type of the supergraph. Object types come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub u32);

/// A subgraph, in the order of `join__Graph`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubgraphId(pub u32);

impl TypeId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).expect("a schema has fewer than 2^32 types"))
    }
}

impl SubgraphId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).expect("a supergraph has fewer than 2^32 subgraphs"))
    }
}
