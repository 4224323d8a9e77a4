//! From a validated document to what the planner and the executor need of it.
//!
//! - `normalise/`: fragments inlined, fields merged, limits
//! - `model.rs`: the normalised operation
//! - `condition.rs`: `@skip` and `@include` as data
//! - `incremental.rs`: `@defer` and `@stream`
//! - `refusal.rs`: fields that the client may not have
//! - `variables.rs`: variable coercion; `literals.rs`: literals as variables
//!
//! Elsewhere: parsing and validation (`engine`), planning (`planner`).

mod condition;
mod incremental;
mod literals;
mod model;
mod normalise;
mod refusal;
pub mod variables;

pub use condition::{ConditionLiteral, Conditions};
pub use incremental::{
    Booleans, DeferredFragment, FragmentId, Incremental, InitialCount, PartId, Stream, StreamOf,
};
pub use literals::lift_literals;
pub use model::{FieldNode, NormalisedOperation, OperationKind, Selection};
pub use normalise::{Limits, NormaliseError, normalise, normalise_incremental};
pub use refusal::refuse_fields;
