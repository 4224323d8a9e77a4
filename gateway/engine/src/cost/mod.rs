//! What an operation costs before it is executed.
//!
//! In: the normalised operation, its plan, weights of the schema; then a request's variables. Out: an estimate from
//! above.
//! Always: a tree of the operation's size is made once for each plan; a request adds it up with its own list sizes. What
//! `@skip` and `@include` leave out is counted: it is there in the next request.
//!
//! - `weights.rs`: `@cost` and `@listSize` of the schema
//! - `estimate.rs`: from an operation to its tree, and from that to a number
//!
//! Elsewhere: bounds on the document itself (`expansion.rs`).

mod estimate;
mod weights;

pub(crate) use estimate::CostTree;
pub(crate) use weights::Weights;

/// How operations are costed. An object costs 1, a leaf nothing, a mutation's root field 10, where `@cost` says nothing
/// else; whatever is in a list costs as often as the list is expected to be long; each entity fetched by key costs 1
/// more, and each subgraph request 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostSettings {
    /// Operations that cost more are refused before anything is fetched. `None`: none is.
    pub operation_max: Option<u64>,
    /// The length of a list of which neither `@listSize` nor an argument says anything.
    pub list_size: u64,
    /// Integer arguments that say how long a list is, where `@listSize` says nothing: of the list itself, or of the
    /// `edges` and `nodes` of a connection.
    pub paging_arguments: Vec<String>,
}

impl Default for CostSettings {
    fn default() -> Self {
        Self {
            operation_max: None,
            list_size: 10,
            paging_arguments: ["first", "last", "limit", "pageSize"].map(str::to_owned).to_vec(),
        }
    }
}
