//! What of a response is delivered later than the rest, and which fetches each part of it waits for.
//!
//! Elsewhere: the parts as the operation has them (`operation/incremental.rs`), delivering them (`executor`).

use kopitiam_operation::{DeferredFragment, FragmentId, Incremental};

use crate::FetchId;

/// See the module's header. Empty for a response that comes whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deferral {
    /// A fragment comes after the one around it.
    pub fragments: Vec<DeferredFragment>,
    /// By [`PartId`](crate::PartId): the first is what is delivered first. Empty when nothing is deferred.
    pub parts: Vec<DeferredPart>,
    /// Whether some list is delivered item by item.
    pub has_streams: bool,
}

/// Fields of a response that are delivered together, at each place where they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeferredPart {
    /// The fragments that they belong to.
    pub fragments: Vec<FragmentId>,
    /// What must be finished before they are there, with all that those fetches wait for.
    pub fetches: Vec<FetchId>,
}

impl Deferral {
    /// The parts of an operation, with the fetches of each.
    pub fn new(incremental: &Incremental, fetches: impl IntoIterator<Item = Vec<FetchId>>) -> Self {
        let parts = incremental.parts.iter().zip(fetches);
        Self {
            fragments: incremental.fragments.clone(),
            parts: parts
                .map(|(fragments, fetches)| DeferredPart { fragments: fragments.clone(), fetches })
                .collect(),
            has_streams: incremental.has_streams,
        }
    }

    /// Whether the response comes whole.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty() && !self.has_streams
    }

    /// The first part that waits for a fetch.
    pub(crate) fn part_of(&self, fetch: FetchId) -> Option<usize> {
        self.parts.iter().position(|part| part.fetches.contains(&fetch))
    }
}
