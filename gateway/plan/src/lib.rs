//! The query plan as data: what to fetch, from where, in which order, and how the answer is shaped.
//!
//! In: what the planner decided. Out: what the executor runs and what `gateway plan` prints.
//! Always: a plan is immutable and request-independent, so it can be cached and shared; fetches are in
//! topological order (a dependency has the smaller [`FetchId`]); nothing here performs I/O.
//!
//! - `fetch.rs`: one subgraph request and where its answer goes
//! - `shape.rs`: the client's response, field by field
//! - `deferral.rs`: what is delivered later than the rest
//! - `check/`: the proof that a plan answers its operation
//! - `keys.rs`: interned response keys and type names
//! - `display.rs`: text form, for people and snapshots; `mermaid.rs`: a flowchart; `json.rs`: JSON form, for tools
//!
//! Elsewhere: `@skip`/`@include` as data (`operation`), building a plan (`planner`), running it (`executor`).

mod check;
mod deferral;
mod display;
mod fetch;
mod json;
mod keys;
mod mermaid;
mod shape;

pub use check::{Gap, check};
pub use deferral::{Deferral, DeferredPart};
pub use fetch::{
    ContextSource, ContextVariable, EntityGroup, EntityVariant, Fetch, FetchField, FetchId, FetchKind,
    FetchSelection, GroupContexts, Path, PathStep, RepresentationField,
};
pub use keys::{Key, KeyTable, TypeId, TypeTable};
pub use kopitiam_operation::{
    ConditionLiteral, Conditions, DeferredFragment, FragmentId, InitialCount, OperationKind, PartId, Stream,
    StreamOf,
};
pub use shape::{LeafKind, ResponseShape, ShapeField, ShapeSource, ShapeType, ShapeValue};

/// A complete, request-independent plan of one operation.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What kind of operation this answers. A mutation's root fetches are chained by `depends_on`, in the client's
    /// order; a subscription's `fetches[0]` is the stream's source, the others run once for each event.
    pub kind: OperationKind,
    /// All subgraph requests in topological order; a [`FetchId`] is an index into this.
    pub fetches: Vec<Fetch>,
    /// Every response key of the merged response tree.
    pub keys: KeyTable,
    /// Every object type name that a condition, representation or shape of this plan names.
    pub types: TypeTable,
    /// The client's response.
    pub shape: ResponseShape,
    /// What of the response is delivered later than the rest.
    pub deferral: Deferral,
}
