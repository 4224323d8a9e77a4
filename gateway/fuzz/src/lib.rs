//! What must hold for any bytes: reading supergraphs, planning operations, merging answers of subgraphs.
//!
//! Each target is a function of bytes that panics when something is wrong. Two drivers call them:
//! - `tests/targets.rs`: in every test run, over a bounded number of mutated inputs from a seed (`mutate.rs`), on stable;
//!   `KOPITIAM_CASES` and `KOPITIAM_SEED` ask for more and others;
//! - `libfuzzer/`: a workspace apart, for `cargo fuzz` on nightly: `cargo run -p kopitiam-fuzz --example corpus` writes
//!   the inputs to start from, then `cd gateway/fuzz/libfuzzer && cargo +nightly fuzz run --fuzz-dir . planning corpus/planning`.
//!
//! - `corpus.rs`: inputs to start from, made by the testkit's generators; `mutate.rs`: damage; `replay.rs`: a transport
//!   that gives what the input says

mod corpus;
mod mutate;
mod replay;

pub use corpus::{answers, operations, supergraphs};
pub use mutate::Mutator;

use std::cell::OnceCell;

use apollo_compiler::ExecutableDocument;
use kopitiam_supergraph::Supergraph;

use replay::Replayed;

thread_local! {
    static PLANNED: OnceCell<Vec<Supergraph>> = const { OnceCell::new() };
    static MERGED: OnceCell<Vec<Replayed>> = const { OnceCell::new() };
}

/// Any text is read as a supergraph or refused.
pub fn supergraph(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(supergraph) = Supergraph::parse(&text) {
        // What is read can be asked for all it says.
        for (id, ty) in supergraph.types() {
            for subgraph in supergraph.subgraph_ids() {
                let _ = supergraph.type_in(subgraph, id);
                for name in ty.fields.keys() {
                    let _ = supergraph.field_in(subgraph, id, name);
                }
            }
        }
    }
}

/// Any document is refused, or gets a plan that is proved.
///
/// # Panics
/// When a plan is not what the operation asks for.
pub fn planning(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    PLANNED.with(|known| {
        let read = |sdl: String| Supergraph::parse(&sdl).expect("composition gives a supergraph");
        let supergraphs = known.get_or_init(|| supergraphs().into_iter().map(read).collect());
        for supergraph in supergraphs {
            plan(supergraph, &text);
        }
    });
}

fn plan(supergraph: &Supergraph, text: &str) {
    let parsed = ExecutableDocument::parse_and_validate(supergraph.api_schema(), text, "query.graphql");
    let Ok(document) = parsed else { return };
    let limits = kopitiam_operation::Limits::default();
    let Ok(operation) = kopitiam_operation::normalise(supergraph, &document, None, &limits) else { return };
    let Ok(plan) = kopitiam_planner::plan(supergraph, &operation, &kopitiam_planner::Limits::default())
    else {
        return;
    };
    if let Err(gaps) = kopitiam_plan::check(supergraph, &operation, &plan) {
        let gaps: Vec<_> = gaps.iter().map(ToString::to_string).collect();
        panic!("{text}\n{plan}\nis no answer:\n{}", gaps.join("\n"));
    }
}

/// Whatever subgraphs answer, the response is a GraphQL response: JSON, with errors where there is no data.
///
/// The input is which operation to run (a byte) and the answers, each after a byte 0x1e.
///
/// # Panics
/// When it is not.
pub fn merging(input: &[u8]) {
    let Some((&number, answers)) = input.split_first() else { return };
    MERGED.with(|known| {
        let all = known.get_or_init(Replayed::all);
        all[usize::from(number) % all.len()].check(answers);
    });
}
