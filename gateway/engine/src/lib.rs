//! The gateway as a library: a supergraph in, GraphQL requests answered, no HTTP anywhere.
//!
//! In: a supergraph SDL, a [`SubgraphTransport`], requests. Out: response bytes, or a stream of them.
//! Always: everything derived from one SDL, its plans too, is replaced whole; a request ends on the schema
//! it began with.
//!
//! - `engine.rs`: [`Engine`], the façade: prepare, execute, subscribe, replace
//! - `prepare.rs`: parse, bound, validate and plan a document
//! - `generation.rs`: what is derived from one supergraph
//! - `plan_cache.rs`: prepared operations by document and operation name; equal misses share one planning
//! - `expansion.rs`: refuses by count what is too deep, too wide or too much, fragments in place
//! - `cost/`: what an operation costs, from `@cost`, `@listSize`, paging arguments and its plan
//! - `incremental.rs`: `@defer` and `@stream` in the schema and in documents
//! - `introspection.rs`: `__schema` and `__type`
//! - `streams.rs`: subscriptions, also while supergraphs are replaced
//! - `request.rs`, `response.rs`, `settings.rs`, `codes.rs`: what goes in and out
//!
//! Elsewhere: planning (`planner`), fetching and projecting (`executor`), variable coercion (`operation`).

mod authorization;
mod codes;
mod cost;
mod engine;
mod expansion;
mod generation;
mod incremental;
mod introspection;
mod plan_cache;
mod prepare;
mod request;
mod response;
mod settings;
mod streams;

pub use authorization::Grants;
pub use codes::ErrorCode;
pub use cost::CostSettings;
pub use engine::{Engine, EngineError, Prepared, SubgraphInfo, SupergraphInfo};
pub use futures::stream::BoxStream;
pub use generation::schema_id;
pub use kopitiam_executor::transport::{
    Cacheable, EntityField, SubgraphRequest, SubgraphTransport, TransportError,
};
pub use kopitiam_executor::{AnswerLimits, ErrorRule, ErrorVisibility, IncrementalFormat};
pub use kopitiam_plan::{OperationKind, Plan};
pub use request::{Request, Variables, VariablesNotAnObject};
pub use response::{IncrementalResponse, Location, Outcome, RequestError, Response};
pub use settings::{DocumentLimits, EngineSettings};
