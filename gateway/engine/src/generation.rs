//! Everything derived from one supergraph, replaced whole.
//!
//! Always: immutable but for the plan cache, which lives in here so that no plan outlives its schema. Where fields move to
//! another subgraph for a part of the requests (`@override(label: "percent(n)")`), there is one generation for each
//! share of the requests to which the same fields have moved.
//! Elsewhere: swapping generations (`engine.rs`).

use std::sync::Arc;

use apollo_compiler::collections::{HashMap, HashSet};
use apollo_compiler::schema::Implementers;
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Schema};
use kopitiam_supergraph::{Overrides, SetField, Supergraph, percentage};

use crate::EngineSettings;
use crate::cost::Weights;
use crate::engine::EngineError;
use crate::plan_cache::{Hot, PlanCache};

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) supergraph: Supergraph,
    pub(crate) plans: PlanCache,
    pub(crate) weights: Weights,
    /// Names of the fields that some `@requires` asks with arguments.
    pub(crate) required_with_arguments: HashSet<Name>,
    implementers: HashMap<Name, Implementers>,
    /// Counted by its engine for as long as anything holds this generation.
    _alive: Arc<()>,
}

/// The generations of one supergraph, each with the percentile at which its share of the requests ends.
#[derive(Debug)]
pub(crate) struct Generations(Vec<(f64, Arc<Generation>)>);

impl Generations {
    pub(crate) fn new(sdl: &str, settings: &EngineSettings, alive: &Arc<()>) -> Result<Self, EngineError> {
        let with = |percentile: f64| {
            let overrides = Overrides { percentile, labels: settings.override_labels.clone() };
            Generation::new(sdl, &overrides, settings.plan_cache_entries, alive)
        };
        let first = with(0.0)?;
        let labels = first.supergraph.override_labels().iter();
        let mut ends: Vec<f64> = labels.filter_map(|label| percentage(label)).collect();
        ends.push(100.0);
        ends.sort_by(f64::total_cmp);
        ends.dedup();
        ends.retain(|&end| end > 0.0);
        let mut all = vec![(ends[0], first)];
        for pair in ends.windows(2) {
            all.push((pair[1], with(pair[0])?));
        }
        Ok(Self(all))
    }

    /// The generation of a request that has yet to be prepared.
    pub(crate) fn choose(&self) -> &Arc<Generation> {
        match self.0.as_slice() {
            [(_, only)] => only,
            all => {
                let percentile = rand::random_range(0.0..100.0);
                let found = all.iter().find(|(end, _)| percentile < *end);
                &found.or(all.last()).expect("there is one at least").1
            }
        }
    }

    /// Whether a generation is one of these.
    pub(crate) fn contains(&self, generation: &Arc<Generation>) -> bool {
        self.0.iter().any(|(_, one)| Arc::ptr_eq(one, generation))
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Generation>> {
        self.0.iter().map(|(_, generation)| generation)
    }

    /// The operations that were asked most, the most frequent first.
    pub(crate) fn hottest(&self, count: usize) -> Vec<Hot> {
        let mut all: Vec<Hot> = self.all().flat_map(|generation| generation.plans.asked()).collect();
        all.sort_unstable_by(|one, other| {
            other.asked.cmp(&one.asked).then_with(|| one.document.cmp(&other.document))
        });
        all.truncate(count);
        all
    }

    /// Any of them: they differ only in who resolves fields.
    pub(crate) fn any(&self) -> &Generation {
        &self.0[0].1
    }
}

impl Generation {
    fn new(
        sdl: &str,
        overrides: &Overrides,
        plan_cache_entries: usize,
        alive: &Arc<()>,
    ) -> Result<Arc<Self>, EngineError> {
        let supergraph = Supergraph::parse_with(sdl, overrides)
            .map_err(|error| EngineError::Supergraph(error.to_string()))?;
        let implementers = supergraph.api_schema().implementers_map();
        let plans = PlanCache::new(plan_cache_entries);
        let weights = Weights::read(sdl);
        let required_with_arguments = required_with_arguments(&supergraph);
        let alive = Arc::clone(alive);
        Ok(Arc::new(Self {
            supergraph,
            plans,
            weights,
            required_with_arguments,
            implementers,
            _alive: alive,
        }))
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
