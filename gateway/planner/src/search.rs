//! Looks for a better plan as long as the bounds allow: the best one found so far is always at hand.
//!
//! The first attempt takes the best-looking subgraph at every choice. Each further one takes another subgraph at one
//! choice; what improves the plan is kept. Serial levels count first, then requests, then what is asked in all.

use kopitiam_operation::NormalisedOperation;
use kopitiam_plan::Plan;
use kopitiam_supergraph::Supergraph;

use crate::{
    Limits, PlanError,
    attempt::{Attempt, Strategy},
    draft::{Build, NodeId},
    emit,
    facts::Facts,
    pack,
};

/// Serial levels, requests, fetches, and fields asked, the later the dearer.
type Price = (u32, usize, usize, usize);

/// Nothing is cheaper than one request.
const CHEAPEST: Price = (1, 1, 1, usize::MAX);

struct Found<'a> {
    price: Price,
    strategy: Strategy,
    decisions: Vec<usize>,
    choices: Vec<usize>,
    /// Whether the strategy made a difference.
    has_reentries: bool,
    build: Build<'a>,
}

/// The best plan within the limits, and the steps it took.
pub(crate) fn best_plan(
    supergraph: &Supergraph,
    operation: &NormalisedOperation,
    limits: &Limits,
) -> (Result<Plan, PlanError>, usize) {
    let mut facts = Facts::new(supergraph);
    let found = search(&mut facts, operation, limits).map(|best| {
        let requests = pack::requests(&best.build);
        emit::plan(supergraph, operation, &best.build, &requests, &mut facts.conditions)
    });
    (found, facts.steps)
}

fn search<'a>(
    facts: &mut Facts<'a>,
    operation: &'a NormalisedOperation,
    limits: &Limits,
) -> Result<Found<'a>, PlanError> {
    let by_key = Strategy { avoids_reentry: true };
    let mut best = match attempt(facts, operation, Strategy::default(), Vec::new(), limits.steps) {
        // What is not had by asking a parent's field again may be had by keys.
        Err(first @ PlanError::Unreachable { .. }) => {
            attempt(facts, operation, by_key, Vec::new(), limits.steps).map_err(|_| first)?
        }
        found => found?,
    };
    if best.price > CHEAPEST {
        let bound = facts.steps + limits.search_steps;
        if best.has_reentries
            && let Ok(found) = attempt(facts, operation, by_key, Vec::new(), bound)
            && found.price < best.price
        {
            best = found;
        }
        improve(facts, operation, &mut best, limits.attempts, bound);
    }
    Ok(best)
}

/// Takes another subgraph at one choice after the other, and keeps what is better.
fn improve<'a>(
    facts: &mut Facts<'a>,
    operation: &'a NormalisedOperation,
    best: &mut Found<'a>,
    attempts: usize,
    bound: usize,
) {
    let mut tried = 0;
    let mut choice = 0;
    while choice < best.choices.len() {
        let taken = best.decisions.get(choice).copied().unwrap_or(0);
        let mut improved = false;
        for option in (0..best.choices[choice]).filter(|&option| option != taken) {
            tried += 1;
            if tried > attempts || facts.steps > bound {
                return;
            }
            let mut decisions = best.decisions.clone();
            decisions.resize(choice + 1, 0);
            decisions[choice] = option;
            // An option that fails or takes too long is no better; the best plan so far stands.
            let other = attempt(facts, operation, best.strategy, decisions, bound);
            if let Ok(found) = other
                && found.price < best.price
            {
                *best = found;
                improved = true;
                break;
            }
        }
        if !improved {
            choice += 1;
        }
    }
}

fn attempt<'a>(
    facts: &mut Facts<'a>,
    operation: &'a NormalisedOperation,
    strategy: Strategy,
    decisions: Vec<usize>,
    step_limit: usize,
) -> Result<Found<'a>, PlanError> {
    facts.step_limit = step_limit;
    let mut attempt = Attempt::new(facts, operation, &decisions, strategy);
    attempt.run()?;
    let (build, choices, has_reentries) = (attempt.build, attempt.choices, attempt.has_reentries);
    let requests = pack::requests(&build);
    let price = (
        requests.iter().map(|request| request.level + 1).max().unwrap_or(0),
        requests.len(),
        build.drafts.len(),
        asked(&build),
    );
    Ok(Found { price, strategy, decisions, choices, has_reentries, build })
}

fn asked(build: &Build<'_>) -> usize {
    let mut open: Vec<(NodeId, usize)> =
        build.drafts.iter().map(|draft| (draft.node, draft.level as usize + 1)).collect();
    let mut total = 0;
    while let Some((node, weight)) = open.pop() {
        let fields = &build.node(node).fields;
        total += fields.len() * weight;
        open.extend(fields.iter().filter_map(|field| field.child).map(|child| (child, weight)));
    }
    total
}
