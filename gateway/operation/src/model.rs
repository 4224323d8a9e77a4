//! A normalised operation: fragments gone, one entry per response key and set of runtime types.
//!
//! Elsewhere: making it (`normalise/`), answering it (`planner`).

use std::sync::Arc;

use apollo_compiler::{Name, Node, ast};
use kopitiam_supergraph::{TypeId, TypeSet};

use crate::Conditions;
use crate::incremental::{Incremental, PartId, StreamOf};

/// What kind of operation this is (GraphQL specification, section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationKind {
    /// Root fields may be fetched in any order.
    Query,
    /// Root fields run one after the other.
    Mutation,
    /// The one root field is a stream of events.
    Subscription,
}

/// An operation with its fragments inlined.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NormalisedOperation {
    /// What kind of operation it is.
    pub kind: OperationKind,
    /// The client's name for it.
    pub name: Option<Name>,
    /// The root operation type.
    pub root: TypeId,
    /// The client's variables.
    pub variables: Vec<Node<ast::VariableDefinition>>,
    /// The fields of the root.
    pub selection: Selection,
    /// How many [`FieldNode`]s there are in all; their ids are smaller.
    pub field_count: u32,
    /// What is delivered later than the rest.
    pub incremental: Incremental,
}

/// The fields selected at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// In the client's order. For any runtime type and response key at most one entry applies.
    pub fields: Vec<FieldNode>,
}

/// One selected field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldNode {
    /// Unique within the operation.
    pub id: u32,
    /// The client's alias, or the field's name.
    pub response_key: Name,
    /// What tells it from all others at its place: the response key, but where a subgraph that does not know runtime
    /// types could be asked several fields of one response key for one object.
    pub key: Name,
    /// The field's name; may be `__typename`, and at the root of a query `__schema` or `__type`.
    pub name: Name,
    /// Its arguments as the client wrote them.
    pub arguments: Arc<[Node<ast::Argument>]>,
    /// The type it is asked on.
    pub parent: TypeId,
    /// The object types it applies to, only such that clients may see.
    pub on: TypeSet,
    /// `@skip` and `@include` on it and on the fragments around it, up to the enclosing field.
    pub conditions: Conditions,
    /// Its type in the API schema.
    pub ty: ast::Type,
    /// The named type at the end of `ty`.
    pub base: TypeId,
    /// What is selected below it.
    pub selection: Selection,
    /// With what it is delivered.
    pub part: PartId,
    /// Whether its items are delivered one after the other.
    pub stream: StreamOf,
    /// Whether the client may not have it: null, with an error.
    pub is_refused: bool,
}

impl FieldNode {
    /// Whether this is `__typename`.
    pub fn is_typename(&self) -> bool {
        self.name == "__typename"
    }

    /// Whether subgraphs are asked for it.
    pub fn is_asked(&self) -> bool {
        !self.is_refused && !self.name.starts_with("__")
    }

    /// Whether this is `__schema` or `__type`.
    pub fn is_introspection(&self) -> bool {
        self.name == "__schema" || self.name == "__type"
    }
}
