//! Everything derived from one supergraph, replaced whole.
//!
//! Always: immutable but for the plan cache, which lives in here so that no plan outlives its schema.
//! Elsewhere: swapping generations (`engine.rs`).

use std::sync::Arc;

use apollo_compiler::collections::HashMap;
use apollo_compiler::schema::Implementers;
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Schema};
use kopitiam_supergraph::Supergraph;

use crate::engine::EngineError;
use crate::plan_cache::PlanCache;

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) supergraph: Supergraph,
    pub(crate) plans: PlanCache,
    implementers: HashMap<Name, Implementers>,
}

impl Generation {
    pub(crate) fn new(sdl: &str, plan_cache_entries: usize) -> Result<Arc<Self>, EngineError> {
        let supergraph =
            Supergraph::parse(sdl).map_err(|error| EngineError::Supergraph(error.to_string()))?;
        let implementers = supergraph.api_schema().implementers_map();
        Ok(Arc::new(Self { supergraph, plans: PlanCache::new(plan_cache_entries), implementers }))
    }

    /// What clients see.
    pub(crate) fn api_schema(&self) -> &Valid<Schema> {
        self.supergraph.api_schema()
    }

    pub(crate) fn implementers(&self) -> &HashMap<Name, Implementers> {
        &self.implementers
    }
}
