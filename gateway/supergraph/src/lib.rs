//! The read-only model of a composed schema: what the types are and which subgraph resolves which field.
//!
//! In: supergraph SDL of the `join` specification, v0.1 to v0.5. Out: [`Supergraph`].
//! Always: immutable; object types have the smallest [`TypeId`]s, so a [`TypeSet`] stays small.
//!
//! - `ids.rs`: typed ids; `typeset.rs`: sets of object types
//! - `model.rs`: types, fields and what each subgraph knows of them
//! - `fieldset.rs`: the field sets of `@key`, `@requires` and `@provides` as trees
//! - `overrides.rs`: who has a field that is moving
//! - `read/`: SDL → model; `api.rs`: SDL → the schema clients see
//!
//! Elsewhere: making a supergraph (`composition`), moving between subgraphs (`planner`).

mod api;
mod fieldset;
mod ids;
mod model;
mod overrides;
mod read;
mod typeset;

pub use fieldset::{FieldSet, SetField};
pub use ids::{SubgraphId, TypeId};
pub use model::{
    ContextArgument, ContextValue, Field, FieldView, Key, Root, Subgraph, Supergraph, SupergraphDocument,
    Type, TypeKind, TypeView,
};
pub use overrides::{Overrides, percentage};
pub use typeset::TypeSet;

/// Why a text is not a supergraph this gateway can serve.
#[derive(Debug, thiserror::Error)]
pub enum SupergraphError {
    /// The text does not parse as GraphQL; the message carries positions.
    #[error("the supergraph does not parse: {0}")]
    Syntax(String),
    /// There is no `join__Graph` enum with `@join__graph` on its values.
    #[error("the schema is no supergraph: enum join__Graph is missing")]
    NotASupergraph,
    /// A directive of the `join` specification has a bad argument.
    #[error("{place}: {message}")]
    Join {
        /// The type or field that carries the directive.
        place: String,
        /// What is wrong with it.
        message: String,
    },
    /// The schema that remains for clients is not a valid GraphQL schema.
    #[error("the API schema is invalid: {0}")]
    ApiSchema(String),
}
