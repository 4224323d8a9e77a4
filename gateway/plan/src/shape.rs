//! The client's response, field by field: what is written, in which order, and how nulls spread.
//!
//! Elsewhere: doing it (`executor`, `nulls.rs` and `project.rs`).

use crate::{Conditions, Key, PartId, StreamOf, TypeId};

/// The client's response, from `data` down.
#[derive(Debug, Clone, Default)]
pub struct ResponseShape {
    /// The root operation type's name, for error messages.
    pub root_type: Box<str>,
    /// The fields of `data`, in the client's order (GraphQL specification, section 6.3.2 "CollectFields").
    pub fields: Vec<ShapeField>,
}

/// One field of the client's response. For any runtime type and any variables at most one entry of a selection with
/// a given response key applies.
#[derive(Debug, Clone)]
pub struct ShapeField {
    /// The client's response key.
    pub response_key: Box<str>,
    /// The field's name and its parent type's, for messages.
    pub field_name: Box<str>,
    /// The type the field was asked on.
    pub parent_type: Box<str>,
    /// Where the value comes from.
    pub source: ShapeSource,
    /// Applies only to objects whose runtime type is one of these; empty means any.
    pub on: Vec<TypeId>,
    /// Applies only when these hold.
    pub conditions: Conditions,
    /// The field's type: where nulls stop.
    pub value_type: ShapeType,
    /// What stands in it.
    pub value: ShapeValue,
    /// With what it is delivered.
    pub part: PartId,
    /// Whether its items are delivered one after the other.
    pub stream: StreamOf,
}

/// Where a field's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShapeSource {
    /// The response tree.
    Key(Key),
    /// The object's runtime type; `Some` when it is known without asking (an object type, or the root).
    Typename(Option<Box<str>>),
    /// Nowhere: the client may not have it. Null, with an error.
    Refused,
    /// Root introspection fields (`__schema`, `__type`): answered by the engine from the API schema and written as they
    /// are, under the response key.
    Introspection,
}

/// The wrappers of a field's type, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShapeType {
    /// The named type itself.
    Named {
        /// Whether null stops here.
        nullable: bool,
    },
    /// A list of it.
    List {
        /// Whether null stops here.
        nullable: bool,
        /// The items' type.
        item: Box<ShapeType>,
    },
}

/// What stands at the end of a field.
#[derive(Debug, Clone)]
pub enum ShapeValue {
    /// A scalar or an enum.
    Leaf(LeafKind),
    /// An object, interface or union.
    Object {
        /// Its fields in the client's order.
        fields: Vec<ShapeField>,
        /// The API schema's object types that may stand here. An object of any other runtime type (an `@inaccessible`
        /// one) is null to the client. Empty: the position has exactly one possible type and needs no check.
        possible_types: Vec<TypeId>,
    },
}

/// How a leaf's value is checked before it is written (GraphQL specification, section 3.5 and 3.9, Result Coercion).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafKind {
    /// `Int`: an integer in 32 bits.
    Int,
    /// `Float`: any JSON number.
    Float,
    /// `String`.
    String,
    /// `Boolean`.
    Boolean,
    /// `ID`: a string or an integer, written as a string.
    Id,
    /// Any other scalar: written byte for byte.
    Custom,
    /// An enum: a value that the API schema does not have is null.
    Enum(Vec<Box<str>>),
}
