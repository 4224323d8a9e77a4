//! `@defer` and `@stream` of a normalised operation: which fields are delivered together, and which after which.
//!
//! In: what the client wrote, once the conditions of one request are known. Out: the parts of its response.
//! Always: part 0 is what is delivered first; an operation without the directives has no other.
//! Elsewhere: finding them (`normalise/`), fetching for each part (`planner`), delivering (`executor`).

use std::sync::Arc;

use apollo_compiler::Name;

/// A part of a response: an index into [`Incremental::parts`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId(pub u32);

impl PartId {
    /// What is delivered first.
    pub const FIRST: Self = Self(0);
}

/// A deferred fragment: an index into [`Incremental::fragments`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FragmentId(pub u32);

/// A fragment with `@defer`, where it stands in the operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeferredFragment {
    /// The client's name for it.
    pub label: Option<Box<str>>,
    /// The deferred fragment around it; it is delivered before this one.
    pub parent: Option<FragmentId>,
    /// How many fields are above it.
    pub depth: u32,
}

/// What of a response is delivered later than the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Incremental {
    /// A fragment comes after the one around it.
    pub fragments: Vec<DeferredFragment>,
    /// By part, the fragments whose fields those of the part are: all of these, and no others. Empty when nothing is
    /// deferred, else the first is empty.
    pub parts: Vec<Vec<FragmentId>>,
    /// Whether a list is streamed.
    pub has_streams: bool,
}

impl Incremental {
    /// Whether anything is delivered later.
    pub fn is_empty(&self) -> bool {
        self.parts.len() <= 1 && !self.has_streams
    }
}

/// A list whose items are delivered one after the other (`@stream`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stream {
    /// The client's name for it.
    pub label: Option<Box<str>>,
    /// How many items are delivered with the list.
    pub initial_count: InitialCount,
}

/// The `initialCount` of a [`Stream`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InitialCount {
    /// Not negative.
    Literal(usize),
    /// A variable of this name, an `Int`.
    Variable(Name),
}

/// The Boolean variables of one request: what they are decides which fragments are deferred.
pub type Booleans<'a> = &'a dyn Fn(&str) -> bool;

/// How a [`FieldNode`](crate::FieldNode) is streamed; shared between the types it is asked on.
pub type StreamOf = Option<Arc<Stream>>;
