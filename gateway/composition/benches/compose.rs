//! What composing and reading cost: `cargo bench -p kopitiam-composition`.
//!
//! The subgraphs are generated, so that the same ones come out everywhere. The largest has 100 subgraphs with 5 000 types;
//! composing it is to stay under a second.

// The file and not the crate: composing must be measurable while the rest of the gateway does not compile.
#[path = "../../testkit/src/generate.rs"]
#[allow(unreachable_pub, reason = "public where it is at home")]
mod generate;

use kopitiam_composition::{Subgraph, compose};
use kopitiam_supergraph::Supergraph;

/// Types and subgraphs.
const SIZES: &[(usize, usize)] = &[(20, 3), (100, 10), (5_000, 100)];

fn main() {
    divan::main();
}

fn subgraphs((types, subgraphs): (usize, usize)) -> Vec<Subgraph> {
    generate::generated(types, subgraphs)
        .into_iter()
        .map(|(name, sdl)| Subgraph { url: format!("http://{name}"), name, sdl })
        .collect()
}

#[divan::bench(args = SIZES, max_time = 5)]
fn composing(bencher: divan::Bencher, size: (usize, usize)) {
    let subgraphs = subgraphs(size);
    bencher.bench(|| compose(divan::black_box(&subgraphs)).expect("generated subgraphs compose"));
}

#[divan::bench(args = SIZES, max_time = 5)]
fn reading(bencher: divan::Bencher, size: (usize, usize)) {
    let composed = compose(&subgraphs(size)).expect("generated subgraphs compose");
    bencher.bench(|| Supergraph::parse(divan::black_box(&composed.supergraph_sdl)).expect("it was composed"));
}
