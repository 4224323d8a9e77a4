//! The fuzz targets over a bounded number of damaged inputs. A failure prints what brings it back.

use kopitiam_fuzz::{Mutator, answers, merging, operations, planning, supergraph, supergraphs};

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Runs a target on the corpus as it is, then on damaged inputs.
fn drive(target: fn(&[u8]), corpus: &[Vec<u8>], usual: u64) {
    for input in corpus {
        target(input);
    }
    let first = number("KOPITIAM_SEED", 0);
    for seed in first..first + number("KOPITIAM_CASES", usual) {
        let input = Mutator::new(seed, corpus.to_vec()).input();
        let found = std::panic::catch_unwind(|| target(&input));
        assert!(found.is_ok(), "KOPITIAM_SEED={seed} KOPITIAM_CASES=1:\n{}", String::from_utf8_lossy(&input));
    }
}

fn bytes(texts: Vec<String>) -> Vec<Vec<u8>> {
    texts.into_iter().map(String::into_bytes).collect()
}

#[test]
fn any_text_is_read_as_a_supergraph_or_refused() {
    drive(supergraph, &bytes(supergraphs()), 60);
}

#[test]
fn any_document_is_refused_or_gets_a_proved_plan() {
    drive(planning, &bytes(operations()), 250);
}

#[test]
fn whatever_subgraphs_answer_the_response_is_one_of_graphql() {
    drive(merging, &answers(), 2_000);
}
