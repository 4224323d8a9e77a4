//! What an operation may cost at most: every hard one is planned or refused with a code, within bounds of memory and of
//! steps. Nothing here looks at a clock: the benches do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod hard;

use std::sync::{Mutex, PoisonError};

use apollo_compiler::ExecutableDocument;
use apollo_compiler::validation::Valid;
use kopitiam_operation::{NormalisedOperation, normalise};
use kopitiam_plan::Plan;
use kopitiam_planner::{Limits, plan_counted};
use kopitiam_supergraph::Supergraph;
use kopitiam_testkit::compose;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The counters are the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What planning may take beyond what the document already takes.
const BYTES_MAX: usize = 128 << 20;

fn supergraph(hard: &hard::Hard) -> Supergraph {
    let borrowed: Vec<(&str, &str)> =
        hard.subgraphs.iter().map(|(name, sdl)| (name.as_str(), sdl.as_str())).collect();
    Supergraph::parse(&compose(&borrowed).unwrap().supergraph_sdl).unwrap()
}

/// Validation of fragments that multiply is not this crate's: the engine counts them first.
fn parsed(supergraph: &Supergraph, operation: &str) -> Valid<ExecutableDocument> {
    Valid::assume_valid(ExecutableDocument::parse(supergraph.api_schema(), operation, "hard").unwrap())
}

fn normalised(supergraph: &Supergraph, operation: &str) -> Result<NormalisedOperation, &'static str> {
    let document = parsed(supergraph, operation);
    let limits = kopitiam_operation::Limits::default();
    normalise(supergraph, &document, None, &limits).map_err(|error| error.code())
}

fn planned(supergraph: &Supergraph, operation: &str) -> (Result<Plan, &'static str>, usize) {
    match normalised(supergraph, operation) {
        Ok(operation) => {
            let (plan, steps) = plan_counted(supergraph, &operation, &Limits::default());
            (plan.map_err(|error| error.code()), steps)
        }
        Err(code) => (Err(code), 0),
    }
}

fn stays_within_bounds(hard: &hard::Hard) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let supergraph = supergraph(hard);
    for (name, operation) in &hard.operations {
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let (found, steps) = planned(&supergraph, operation);
        let bytes = MEMORY.peak_usage() - before;
        let place = format!("{}, {name}: {steps} steps, {bytes} bytes", hard.name);
        assert!(bytes < BYTES_MAX, "{place}");
        // One look at a field may count many steps, so the limit is passed by a little.
        assert!(steps < Limits::default().steps * 11 / 10, "{place}");
        match found {
            Ok(plan) => {
                let written: usize = plan.fetches.iter().map(|fetch| fetch.document.len()).sum();
                assert!(written < 4 * operation.len() + 200_000, "{place}: {written} bytes of documents");
                assert!(!hard.refused.contains(name), "{place}: is planned now");
            }
            Err(code) => {
                assert!(
                    ["OPERATION_TOO_COMPLEX", "QUERY_PLAN_TOO_COMPLEX"].contains(&code),
                    "{place}: {code}"
                );
                assert!(hard.refused.contains(name), "{place}: {code}");
            }
        }
    }
}

#[test]
fn ten_thousand_fields_of_a_tree_and_fragments_that_multiply_are_planned_or_refused() {
    stays_within_bounds(&hard::tree());
}

#[test]
fn conditions_on_hundreds_of_variables_are_planned_or_refused() {
    stays_within_bounds(&hard::conditions());
}

#[test]
fn fields_that_thirty_subgraphs_share_by_ten_keys_are_planned_or_refused() {
    stays_within_bounds(&hard::shared());
}

#[test]
fn interfaces_of_seventy_types_five_deep_are_planned() {
    stays_within_bounds(&hard::interface("interfaces", 70, 1));
    stays_within_bounds(&hard::interface("scattered", 70, 7));
}

#[test]
fn unions_of_seventy_members_are_planned() {
    stays_within_bounds(&hard::union());
}

#[test]
fn mutations_by_the_thousand_and_inputs_of_many_fields_are_planned() {
    stays_within_bounds(&hard::mutation());
    stays_within_bounds(&hard::required());
}

#[test]
fn every_kind_is_tested() {
    let names: Vec<&str> = hard::all().iter().map(|hard| hard.name).collect();
    let tested = ["tree", "conditions", "shared", "interfaces", "scattered", "union", "mutation", "required"];
    assert_eq!(names, tested);
}

/// A hundred times the fields may take a hundred times the steps, with some to spare; not a hundred times a hundred.
#[test]
fn steps_grow_with_the_operation_and_not_with_its_square() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let supergraph = supergraph(&hard::tree());
    for each in ["name", "size", "left { size }", "left { right { size name } }"] {
        let steps = |count: usize| {
            let fields: Vec<String> = (0..count).map(|index| format!("a{index}: {each}")).collect();
            let (plan, steps) = planned(&supergraph, &format!("{{ node {{ {} }} }}", fields.join(" ")));
            plan.unwrap();
            steps
        };
        let (few, many) = (steps(20), steps(2_000));
        assert!(many < 150 * few, "{each}: {few} steps, then {many}");
    }
}
