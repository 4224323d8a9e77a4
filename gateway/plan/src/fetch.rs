//! One subgraph request: its document, what it needs from the response tree, and where its answer goes.

use crate::{Conditions, Key, OperationKind, TypeId};

/// Identifies a fetch: its index in `Plan::fetches`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(pub u32);

/// One request to one subgraph.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Its index in the plan.
    pub id: FetchId,
    /// The subgraph's name as in the supergraph's `@join__graph(name:)`.
    pub subgraph: Box<str>,
    /// The GraphQL document to send, minified and complete.
    pub document: Box<str>,
    /// The operation's kind in the subgraph (an entity fetch is always a query).
    pub operation: OperationKind,
    /// Names of the client's variables that the document uses; each is passed through under its own name, and left
    /// out when the client gave none and it has no default.
    pub variables: Vec<Box<str>>,
    /// Root fields or entities.
    pub kind: FetchKind,
    /// Fetches that must be finished first (all have smaller ids). A failed dependency does not stop this fetch: it
    /// simply finds fewer representations.
    pub depends_on: Vec<FetchId>,
    /// When it does not hold the fetch is not sent at all.
    pub conditions: Conditions,
}

/// Where a fetch starts.
#[derive(Debug, Clone)]
pub enum FetchKind {
    /// Root fields of the operation type.
    Root {
        /// The objects that the answer is merged into: the root of the response tree when the path is empty, else
        /// objects of the query type below other fields, as in a mutation's payload. Where there are none by then,
        /// nothing is asked.
        at: Path,
        /// What to take from the answer.
        selection: FetchSelection,
    },
    /// `_entities` fields, one group each, all in one request.
    Entities {
        /// At least one group.
        groups: Vec<EntityGroup>,
    },
}

/// One `_entities` field of an entity fetch.
#[derive(Debug, Clone)]
pub struct EntityGroup {
    /// The response key of this `_entities` field in the document: `_entities`, or `_e0`, `_e1`, …
    pub response_key: Box<str>,
    /// The variable that takes this group's representations: `representations`, or `r0`, `r1`, …
    pub variable: Box<str>,
    /// Where the entities stand in the response tree. Representations are de-duplicated across all of them.
    pub targets: Vec<Path>,
    /// How to make a representation from an object of the tree; the first variant that matches applies, and an object
    /// that none matches is left out.
    pub variants: Vec<EntityVariant>,
    /// What to take from each entity of the answer.
    pub selection: FetchSelection,
    /// When it does not hold, the group sends an empty list.
    pub conditions: Conditions,
}

/// The representation of entities of some runtime types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityVariant {
    /// The runtime types (`__typename` in the tree) this applies to; empty means any, also an unknown one.
    pub on: Vec<TypeId>,
    /// The `__typename` to send (the interface's name when the target has an `@interfaceObject`).
    pub typename: TypeId,
    /// The fields to send: the key's and those of `@requires`.
    pub fields: Vec<RepresentationField>,
}

/// A field of a representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepresentationField {
    /// Its name in the subgraph's schema.
    pub name: Box<str>,
    /// Where the response tree keeps it.
    pub source: Key,
    /// Applies only inside an object whose runtime type is one of these; empty means any.
    pub on: Vec<TypeId>,
    /// A key field: when it is missing or null, no representation is sent and the entity's fields stay null.
    /// A `@requires` field may be null; when it is missing from the tree (its fetch failed) no representation is sent.
    pub is_key: bool,
    /// When they do not hold, nothing that is asked needs the field: it is left out.
    pub conditions: Conditions,
    /// Sub-fields when the field is an object (or a list of objects); empty for a leaf, which is sent as it came.
    pub selection: Vec<RepresentationField>,
}

/// What to take from an object of a subgraph's answer. Flat: type conditions of the document do not matter here,
/// because a response key stands for one place whatever the runtime type is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchSelection {
    /// In the order in which the subgraph is expected to answer.
    pub fields: Vec<FetchField>,
}

/// One response key of a subgraph's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchField {
    /// The key in the subgraph's answer.
    pub response_key: Box<str>,
    /// Where the response tree keeps the value. Two response keys may share a place when their types exclude each other.
    pub key: Key,
    /// `None` for a leaf: its JSON is kept as bytes.
    pub selection: Option<FetchSelection>,
}

/// A path from the root of the response tree to objects; lists on the way are walked through, all their items.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Path(pub Vec<PathStep>);

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// Into a field (and through its lists).
    Field(Key),
    /// Only objects whose runtime type is one of these.
    On(Vec<TypeId>),
}
