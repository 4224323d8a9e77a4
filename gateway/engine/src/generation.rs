//! Everything derived from one supergraph, replaced whole.
//!
//! Always: immutable but for the plan cache, which lives in here so that no plan outlives its schema.
//! Elsewhere: swapping generations (`engine.rs`).

use std::sync::Arc;

use apollo_compiler::collections::{HashMap, HashSet};
use apollo_compiler::schema::Implementers;
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Schema};
use kopitiam_supergraph::{SetField, Supergraph};

use crate::engine::EngineError;
use crate::plan_cache::PlanCache;

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) supergraph: Supergraph,
    pub(crate) plans: PlanCache,
    /// Names of the fields that some `@requires` asks with arguments.
    pub(crate) required_with_arguments: HashSet<Name>,
    implementers: HashMap<Name, Implementers>,
}

impl Generation {
    pub(crate) fn new(sdl: &str, plan_cache_entries: usize) -> Result<Arc<Self>, EngineError> {
        let supergraph =
            Supergraph::parse(sdl).map_err(|error| EngineError::Supergraph(error.to_string()))?;
        let implementers = supergraph.api_schema().implementers_map();
        let plans = PlanCache::new(plan_cache_entries);
        let required_with_arguments = required_with_arguments(&supergraph);
        Ok(Arc::new(Self { supergraph, plans, required_with_arguments, implementers }))
    }

    /// What clients see.
    pub(crate) fn api_schema(&self) -> &Valid<Schema> {
        self.supergraph.api_schema()
    }

    pub(crate) fn implementers(&self) -> &HashMap<Name, Implementers> {
        &self.implementers
    }
}

fn required_with_arguments(supergraph: &Supergraph) -> HashSet<Name> {
    let fields = supergraph.types().flat_map(|(_, ty)| ty.fields.values());
    let sets =
        fields.flat_map(|field| field.views.iter().flatten()).filter_map(|view| view.requires.as_ref());
    let mut open: Vec<&SetField> = sets.flat_map(|set| &set.fields).collect();
    let mut names = HashSet::default();
    while let Some(field) = open.pop() {
        if !field.arguments.is_empty() {
            names.insert(field.name.clone());
        }
        open.extend(&field.selection.fields);
    }
    names
}
