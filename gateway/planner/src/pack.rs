//! Fetches become requests: what goes to one subgraph at one level travels together.

use std::collections::{BTreeMap, BTreeSet};

use ahash::HashMap;
use kopitiam_operation::PartId;
use kopitiam_supergraph::SubgraphId;

use crate::draft::{Build, DraftId, NodeId};

/// Fetches that are sent as one request: `_entities` fetches, or fetches of the same query fields below the root. Query
/// fields that differ stay apart, since a failure of one that may not be null would take the others with it.
pub(crate) struct Request {
    pub(crate) drafts: Vec<DraftId>,
    pub(crate) subgraph: SubgraphId,
    pub(crate) level: u32,
}

/// How many fields may be compared to find fetches that are the same.
const TWINS_WORK_MAX: usize = 50_000;

/// How many fetches may be looked at to move one of them.
const MOVES_WORK_MAX: usize = 200_000;

/// Groups all fetches into requests, in topological order.
pub(crate) fn requests(build: &Build<'_>) -> Vec<Request> {
    let mut levels: Vec<u32> = build.drafts.iter().map(|draft| draft.level).collect();
    // What is delivered first shall not wait for what is delivered later.
    if build.needs.is_empty() {
        delay_to_share(build, &mut levels);
    }
    let mut requests: Vec<Request> = Vec::new();
    let mut twins = Twins { build, nested: Vec::new(), work: 0 };
    let mut shared: HashMap<(SubgraphId, u32, PartId), usize> = HashMap::default();
    for (index, &level) in levels.iter().enumerate() {
        let draft = build.draft(DraftId(index));
        let new = requests.len();
        let request = match &draft.entities {
            Some(_) => *shared.entry((draft.subgraph, level, draft.part)).or_insert(new),
            None => twins.of(DraftId(index), level).map_or(new, |twin| request_with(&requests, twin)),
        };
        if request == new {
            requests.push(Request { drafts: Vec::new(), subgraph: draft.subgraph, level });
        }
        requests[request].drafts.push(DraftId(index));
    }
    requests.sort_by_key(|request| request.level);
    requests
}

fn request_with(requests: &[Request], draft: DraftId) -> usize {
    let found = requests.iter().position(|request| request.drafts.contains(&draft));
    found.expect("every draft before has a request")
}

/// Finds fetches of query fields below the root that ask one subgraph for the same.
struct Twins<'b, 'a> {
    build: &'b Build<'a>,
    /// Those seen, no two of them the same.
    nested: Vec<(DraftId, u32)>,
    work: usize,
}

impl Twins<'_, '_> {
    fn of(&mut self, draft: DraftId, level: u32) -> Option<DraftId> {
        let build = self.build;
        let new = build.draft(draft);
        build.position(new.position).parent?;
        for index in 0..self.nested.len() {
            let (other, other_level) = self.nested[index];
            let found = build.draft(other);
            let is_peer = other_level == level && found.subgraph == new.subgraph && found.part == new.part;
            if is_peer && self.same(found.node, new.node) {
                return Some(other);
            }
        }
        self.nested.push((draft, level));
        None
    }

    /// Whether two selection sets ask the same, under the same keys and conditions.
    fn same(&mut self, left: NodeId, right: NodeId) -> bool {
        let (left, right) = (self.build.node(left), self.build.node(right));
        self.work += 1;
        left.static_type == right.static_type
            && left.fields.len() == right.fields.len()
            && left.fields.iter().zip(&right.fields).all(|(left, right)| {
                self.work += 1;
                let alike = left.key == right.key
                    && left.name == right.name
                    && left.arguments == right.arguments
                    && left.on == right.on
                    && left.conditions == right.conditions
                    && left.ty == right.ty;
                alike
                    && self.work < TWINS_WORK_MAX
                    && match (left.child, right.child) {
                        (Some(left), Some(right)) => self.same(left, right),
                        (left, right) => left == right,
                    }
            })
    }
}

/// Moves fetches to a later level where another request to their subgraph is, as long as nothing gets deeper.
fn delay_to_share(build: &Build<'_>, levels: &mut Vec<u32>) {
    let total = levels.iter().copied().max().unwrap_or(0);
    let latest = latest(build, total);
    let mut of_subgraph: HashMap<SubgraphId, BTreeSet<u32>> = HashMap::default();
    for (draft, level) in build.drafts.iter().zip(levels.iter()) {
        if draft.entities.is_some() {
            of_subgraph.entry(draft.subgraph).or_default().insert(*level);
        }
    }
    let mut work = 0;
    for index in 0..build.drafts.len() {
        let draft = build.draft(DraftId(index));
        if draft.entities.is_none() || latest[index] == levels[index] {
            continue;
        }
        // Levels that others have left meanwhile cost a look, no more.
        let others = of_subgraph.get(&draft.subgraph).into_iter().flatten().copied();
        let others: Vec<u32> =
            others.filter(|&level| level > levels[index] && level <= latest[index]).collect();
        if others.is_empty() {
            continue;
        }
        let now = count(build, levels);
        let mut better: Option<(usize, Vec<u32>)> = None;
        for level in others {
            work += build.drafts.len();
            if work > MOVES_WORK_MAX {
                return;
            }
            let mut moved = levels.clone();
            moved[index] = level;
            settle(build, &mut moved);
            let fewer = count(build, &moved);
            let deep = moved.iter().copied().max().unwrap_or(0) > total;
            if !deep && fewer < now && better.as_ref().is_none_or(|(best, _)| fewer < *best) {
                better = Some((fewer, moved));
            }
        }
        if let Some((_, moved)) = better {
            for (draft, level) in
                build.drafts.iter().zip(&moved).filter(|(draft, _)| draft.entities.is_some())
            {
                of_subgraph.entry(draft.subgraph).or_default().insert(*level);
            }
            *levels = moved;
        }
    }
}

/// The last level at which each fetch may run without making the plan deeper.
fn latest(build: &Build<'_>, total: u32) -> Vec<u32> {
    let mut latest = vec![total; build.drafts.len()];
    for index in (0..build.drafts.len()).rev() {
        for dep in &build.drafts[index].deps {
            latest[dep.0] = latest[dep.0].min(latest[index].saturating_sub(1));
        }
    }
    latest
}

fn settle(build: &Build<'_>, levels: &mut [u32]) {
    for index in 0..build.drafts.len() {
        for dep in &build.drafts[index].deps {
            levels[index] = levels[index].max(levels[dep.0] + 1);
        }
    }
}

fn count(build: &Build<'_>, levels: &[u32]) -> usize {
    let mut shared: BTreeSet<(u32, SubgraphId)> = BTreeSet::new();
    let mut alone = 0;
    for (index, draft) in build.drafts.iter().enumerate() {
        if draft.entities.is_some() {
            shared.insert((levels[index], draft.subgraph));
        } else {
            alone += 1;
        }
    }
    alone + shared.len()
}

/// The request that each fetch is part of.
pub(crate) fn request_of(requests: &[Request]) -> BTreeMap<DraftId, usize> {
    let all = requests.iter().enumerate();
    all.flat_map(|(index, request)| request.drafts.iter().map(move |&draft| (draft, index))).collect()
}
