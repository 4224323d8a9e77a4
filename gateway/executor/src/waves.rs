//! Fetches that are sent twice: first for what stands in the first items of streamed lists (`@stream`), and once more for
//! what stands in the others alone, so that the first items do not wait for those.
//!
//! In: a compiled plan, and how many items of each streamed list come first. Out: how far each fetch looks the first time, and
//! which sending waits for which.
//! Always: what a fetch sends first is all that is needed for what comes first; both together send what one would, each
//! object once; what would have to know more of a list than its first items waits for both.
//! Elsewhere: sending (`run.rs`), what is delivered when (`incremental/delivery.rs`).
//!
//! A sending is a fetch's index, and for its second time the number of fetches more than that.

use std::collections::{BTreeSet, HashMap, HashSet};

use kopitiam_plan::{Key, PathStep, ShapeSource, StreamOf};

use crate::incremental::initial_count;
use crate::program::{FetchProgram, FetchProgramKind, ObjectShapeId, Program, TargetProgram, ValueShape};
use crate::tree::{NodeId, index_of};
use crate::variables::Variables;

/// For each step of a path, how many items of the list behind it are looked at.
pub(crate) type ItemsMax = Vec<usize>;

/// Objects that were asked about.
pub(crate) type Asked = HashSet<NodeId, ahash::RandomState>;

/// See the module's header.
#[derive(Debug)]
pub(crate) struct Waves {
    fetches: u32,
    /// By fetch, for each target of each group; `None`: it is sent once.
    items_max: Vec<Option<Vec<Vec<ItemsMax>>>>,
    /// By sending: those that wait for it.
    dependents: Vec<Vec<u32>>,
    /// By sending: for how many it waits.
    dependency_counts: Vec<u32>,
    /// By fetch and group, what the first sending asked about.
    asked: HashMap<(u32, usize), Asked>,
}

/// How far a path goes into streamed lists.
struct Way {
    items_max: ItemsMax,
    lists: Lists,
}

/// Streamed lists, by the keys that lead there.
type Lists = BTreeSet<Vec<Key>>;

impl Waves {
    /// `None`: nothing is sent twice.
    pub(crate) fn new(program: &Program, variables: &Variables) -> Option<Self> {
        if !program.deferral.has_streams {
            return None;
        }
        let ways: Vec<_> = program.fetches.iter().map(|fetch| ways(program, variables, fetch)).collect();
        if ways.iter().all(|ways| lists(ways).is_empty()) {
            return None;
        }
        let count = program.fetches.len();
        let mut waves = Self {
            fetches: index_of(count),
            items_max: Vec::new(),
            dependents: vec![Vec::new(); 2 * count],
            dependency_counts: vec![0; 2 * count],
            asked: HashMap::new(),
        };
        waves.depend(program, &ways);
        waves.items_max = ways.into_iter().map(items_max).collect();
        Some(waves)
    }

    fn depend(&mut self, program: &Program, ways: &[Vec<Vec<Way>>]) {
        let is_twice = |fetch: u32| !lists(&ways[fetch as usize]).is_empty();
        let count = self.fetches;
        let second = |fetch: u32| count + fetch;
        let mut edges = Vec::new();
        // Of two fetches one of which waits for the other a third may name the later one alone.
        for (fetch, above) in (0..).zip(all_dependencies(program)) {
            // The second waits for the first to be sent, which says what is left to it, not to be answered.
            self.dependency_counts[second(fetch) as usize] += 1;
            for dependency in above {
                edges.push((fetch, dependency));
                edges.push((second(fetch), dependency));
                if is_twice(dependency) {
                    edges.push((second(fetch), second(dependency)));
                    let needed = lists(&ways[dependency as usize]);
                    let knows_enough = |way: &Way| needed.is_subset(&way.lists);
                    if !is_twice(fetch) || !ways[fetch as usize].iter().flatten().all(knows_enough) {
                        edges.push((fetch, second(dependency)));
                    }
                }
            }
        }
        for (dependent, dependency) in edges {
            self.dependents[dependency as usize].push(dependent);
            self.dependency_counts[dependent as usize] += 1;
        }
    }

    /// For how many others each sending waits.
    pub(crate) fn dependency_counts(&self) -> Vec<u32> {
        self.dependency_counts.clone()
    }

    /// Those that wait for a sending to be answered.
    pub(crate) fn dependents(&self, sending: u32) -> &[u32] {
        &self.dependents[sending as usize]
    }

    /// The second sending of what was just sent for the first time, where there is one.
    pub(crate) fn second(&self, sending: u32) -> Option<u32> {
        let is_twice = self.items_max.get(sending as usize).is_some_and(Option::is_some);
        is_twice.then(|| self.fetches + sending)
    }

    /// How far each target of a group is followed; `None`: to the end.
    pub(crate) fn items_max(&self, sending: u32, group: usize) -> Option<&[ItemsMax]> {
        Some(&self.items_max.get(sending as usize)?.as_ref()?[group])
    }

    /// What the first sending asked about, for the second.
    pub(crate) fn asked(&mut self, sending: u32, group: usize) -> Asked {
        let first = sending.checked_sub(self.fetches);
        first.and_then(|first| self.asked.remove(&(first, group))).unwrap_or_default()
    }

    /// Keeps what a sending asked about for the one after it.
    pub(crate) fn has_asked(&mut self, sending: u32, group: usize, asked: Asked) {
        if self.second(sending).is_some() {
            self.asked.insert((sending, group), asked);
        }
    }
}

/// All that a fetch waits for, however far away.
fn all_dependencies(program: &Program) -> Vec<BTreeSet<u32>> {
    let count = program.fetches.len();
    let mut direct: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (index, fetch) in (0..).zip(&program.fetches) {
        for &dependent in &fetch.dependents {
            direct[dependent as usize].push(index);
        }
    }
    let all_of = |fetch: usize| {
        let mut all = BTreeSet::new();
        let mut open: Vec<u32> = direct[fetch].clone();
        while let Some(next) = open.pop() {
            if all.insert(next) {
                open.extend(&direct[next as usize]);
            }
        }
        all
    };
    (0..count).map(all_of).collect()
}

fn lists(ways: &[Vec<Way>]) -> Lists {
    ways.iter().flatten().flat_map(|way| way.lists.iter().cloned()).collect()
}

fn items_max(ways: Vec<Vec<Way>>) -> Option<Vec<Vec<ItemsMax>>> {
    let is_twice = !lists(&ways).is_empty();
    let of_group = |group: Vec<Way>| group.into_iter().map(|way| way.items_max).collect();
    is_twice.then(|| ways.into_iter().map(of_group).collect())
}

/// By group and target. Fetches with values from above their entities, and those of root fields below the root, are sent
/// once.
fn ways(program: &Program, variables: &Variables, fetch: &FetchProgram) -> Vec<Vec<Way>> {
    match &fetch.kind {
        FetchProgramKind::Entities { groups, .. } if fetch.template.is_none() => {
            let of_target = |target: &TargetProgram| way(program, variables, &target.path.0);
            groups.iter().map(|group| group.targets.iter().map(of_target).collect()).collect()
        }
        _ => Vec::new(),
    }
}

fn way(program: &Program, variables: &Variables, path: &[PathStep]) -> Way {
    let mut shapes: Vec<ObjectShapeId> = vec![program.shape.root];
    let mut way = Way { items_max: Vec::with_capacity(path.len()), lists: Lists::new() };
    let mut keys = Vec::new();
    for step in path {
        let PathStep::Field(key) = step else {
            way.items_max.push(usize::MAX);
            continue;
        };
        keys.push(*key);
        let all = shapes.iter().flat_map(|&shape| program.shape.fields(shape));
        let here: Vec<_> = all.filter(|field| field.source == ShapeSource::Key(*key)).collect();
        // Where a type decides how much comes first, enough for each.
        let count =
            |stream: &StreamOf| stream.as_ref().map_or(usize::MAX, |stream| initial_count(stream, variables));
        let items_max = here.iter().map(|field| count(&field.stream)).max().unwrap_or(usize::MAX);
        if items_max < usize::MAX {
            way.lists.insert(keys.clone());
        }
        way.items_max.push(items_max);
        shapes = here
            .iter()
            .filter_map(|field| match field.value {
                ValueShape::Object(shape) => Some(shape),
                ValueShape::Leaf(_) => None,
            })
            .collect();
    }
    way
}
