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
        /// The objects that the answer is merged into, into each of them: the root of the response tree when there is no
        /// path, else objects of the query type below other fields, as in a mutation's payload. Where there are none by
        /// then, nothing is asked.
        at: Vec<Path>,
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
    /// What fields of the group take from objects above the entities; `None` for nothing.
    pub contexts: Option<GroupContexts>,
}

/// The contexts of a group (`@fromContext`): variables with a value for each entity.
///
/// Entities for which all values are equal are asked together. For others the group stands in the document once more,
/// its response key, the variable of its representations and these variables with `_` and a number behind them. No other
/// name of the document, nor any variable of the client, is one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupContexts {
    /// At least one.
    pub variables: Vec<ContextVariable>,
    /// The bytes of the document that declare the group's variables.
    pub declarations: std::ops::Range<usize>,
    /// Those that are the group's field, with arguments and selection set.
    pub field: std::ops::Range<usize>,
}

/// A variable whose value comes from objects above the entities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextVariable {
    /// Its name in the document.
    pub name: Box<str>,
    /// Its type, as the document declares it.
    pub ty: Box<str>,
    /// Where the value comes from: nearest objects first, and the first source that fits applies. An entity that none
    /// fits is left out.
    pub sources: Vec<ContextSource>,
}

/// Objects above an entity that give a context's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextSource {
    /// How many fields above the entity: 1 for the object in whose field the entity stands.
    pub up: u32,
    /// The runtime types this applies to; empty means any.
    pub on: Vec<TypeId>,
    /// The value is that of the first of these that applies to the runtime type, and so on below it; null when none does.
    /// Conditions and keys mean nothing here.
    pub value: Vec<RepresentationField>,
}

impl GroupContexts {
    /// The sources of all variables.
    pub fn sources(&self) -> impl Iterator<Item = &ContextSource> {
        self.variables.iter().flat_map(|variable| &variable.sources)
    }
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
