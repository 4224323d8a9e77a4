//! Everything derived from one supergraph, replaced whole.
//!
//! Always: immutable but for the plan cache, which lives in here so that no plan outlives its schema. Where fields move to
//! another subgraph for a part of the requests (`@override(label: "percent(n)")`), there is one generation for each
//! share of the requests to which the same fields have moved; they share whatever does not depend on that, and are not
//! many ([`GENERATIONS_MAX`]).
//! Elsewhere: swapping generations (`engine.rs`).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use apollo_compiler::collections::{HashMap, HashSet};
use apollo_compiler::schema::Implementers;
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Schema};
use kopitiam_supergraph::{Overrides, SetField, Supergraph, SupergraphDocument, SupergraphError, percentage};
use sha2::{Digest, Sha256};

use crate::EngineSettings;
use crate::authorization::Requirements;
use crate::cost::Weights;
use crate::engine::EngineError;
use crate::incremental;
use crate::plan_cache::{Hot, PlanCache};

/// Generations of one supergraph. More percentages than this are not told apart.
const GENERATIONS_MAX: usize = 32;
/// Plans that each of several generations may keep at least.
const PLANS_MIN: usize = 50;

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) supergraph: Supergraph,
    /// Told apart from every other schema, also by another process: the SHA-256 of the supergraph's SDL in hexadecimal.
    pub(crate) id: Arc<str>,
    /// What clients see: with `@defer` and `@stream` when they are on.
    schema: Arc<Valid<Schema>>,
    pub(crate) plans: PlanCache,
    pub(crate) weights: Arc<Weights>,
    pub(crate) requirements: Arc<Requirements>,
    /// Names of the fields that some `@requires` asks with arguments.
    pub(crate) required_with_arguments: HashSet<Name>,
    implementers: Arc<HashMap<Name, Implementers>>,
    /// Counted by its engine for as long as anything holds this generation.
    _alive: Arc<()>,
}

/// The generations of one supergraph, each with the percentile at which its share of the requests ends.
#[derive(Debug)]
pub(crate) struct Generations(Vec<(f64, Arc<Generation>)>);

impl Generations {
    pub(crate) fn new(sdl: &str, settings: &EngineSettings, alive: &Arc<()>) -> Result<Self, EngineError> {
        let refused = |error: SupergraphError| EngineError::Supergraph(error.to_string());
        let document = SupergraphDocument::parse(sdl).map_err(refused)?;
        let ends = ends(document.override_labels());
        // One cache's worth of plans for all of them, but some for each.
        let entries = settings.plan_cache_entries;
        let entries = (entries / ends.len()).max(entries.min(PLANS_MIN));
        let mut all: Vec<(f64, Arc<Generation>)> = Vec::with_capacity(ends.len());
        let mut start = 0.0;
        let id: Arc<str> = schema_id(sdl).into();
        for end in ends {
            let overrides = Overrides { percentile: start, labels: settings.override_labels.clone() };
            let like = all.first().map(|(_, first)| &**first);
            let supergraph =
                document.read(&overrides, like.map(|first| &first.supergraph)).map_err(refused)?;
            let generation = match like {
                Some(first) => Generation {
                    required_with_arguments: required_with_arguments(&supergraph),
                    schema: Arc::clone(&first.schema),
                    supergraph,
                    id: Arc::clone(&id),
                    plans: PlanCache::new(entries),
                    weights: Arc::clone(&first.weights),
                    requirements: Arc::clone(&first.requirements),
                    implementers: Arc::clone(&first.implementers),
                    _alive: Arc::clone(alive),
                },
                None => Generation {
                    required_with_arguments: required_with_arguments(&supergraph),
                    implementers: Arc::new(supergraph.api_schema().implementers_map()),
                    schema: Arc::new(incremental::schema(supergraph.api_schema(), settings.incremental)),
                    supergraph,
                    id: Arc::clone(&id),
                    plans: PlanCache::new(entries),
                    weights: Arc::new(Weights::read(sdl)),
                    requirements: Arc::new(Requirements::read(sdl)),
                    _alive: Arc::clone(alive),
                },
            };
            all.push((end, Arc::new(generation)));
            start = end;
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

/// What tells a supergraph from any other, also in another process: the SHA-256 of its SDL in hexadecimal.
pub fn schema_id(sdl: &str) -> String {
    Sha256::digest(sdl).iter().fold(String::with_capacity(64), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// The percentiles at which another share of the requests begins, and 100. Where there are too many, the closest two are
/// one.
fn ends(labels: &BTreeSet<Box<str>>) -> Vec<f64> {
    let mut ends: Vec<f64> = labels.iter().filter_map(|label| percentage(label)).collect();
    ends.push(100.0);
    ends.sort_by(f64::total_cmp);
    ends.dedup();
    ends.retain(|&end| end > 0.0);
    // The first of the percentages that are one, and where their share ends now.
    let mut shares: Vec<(f64, f64)> = ends.into_iter().map(|end| (end, end)).collect();
    while shares.len() > GENERATIONS_MAX {
        let widths = shares.windows(2).map(|pair| pair[1].1 - pair[0].0).enumerate();
        let (narrowest, _) =
            widths.min_by(|one, other| one.1.total_cmp(&other.1)).expect("there are several");
        let (first, _) = shares.remove(narrowest);
        shares[narrowest].0 = first;
    }
    shares.into_iter().map(|(_, end)| end).collect()
}

impl Generation {
    /// What clients see.
    pub(crate) fn api_schema(&self) -> &Valid<Schema> {
        &self.schema
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

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(percentages: impl Iterator<Item = f64>) -> BTreeSet<Box<str>> {
        percentages.map(|percentage| format!("percent({percentage})").into()).collect()
    }

    #[test]
    fn shares_end_where_percentages_say() {
        assert_eq!(ends(&BTreeSet::from(["beta".into()])), [100.0]);
        assert_eq!(ends(&labels([50.0, 0.0, 10.0, 50.0].into_iter())), [10.0, 50.0, 100.0]);
    }

    #[test]
    fn closest_shares_are_one_where_there_are_too_many() {
        let given: Vec<f64> = (1..=60).map(f64::from).chain([60.25]).collect();
        let found = ends(&labels(given.iter().copied()));
        assert!(
            found.len() == GENERATIONS_MAX && found.is_sorted() && found.last() == Some(&100.0),
            "{found:?}"
        );
        for percentage in given {
            let end = found.iter().find(|end| **end >= percentage).expect("the last is 100");
            assert!(end - percentage <= 2.0, "{percentage} became {end}: {found:?}");
        }
    }
}
