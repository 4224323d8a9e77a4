//! Random operations with `@defer` and `@stream`: the payloads put together are the response of the operation without.

use kopitiam_engine::IncrementalFormat;
use kopitiam_testkit::simulation::{
    Nature, Simulation, Verdict, deferred, random_operation, random_subgraphs,
};

use super::{OPERATIONS, compose, number};

#[tokio::test]
async fn payloads_put_together_are_the_response_of_the_operation_without_the_directives() {
    let (first, count) = (number("KOPITIAM_SEED", 0), number("KOPITIAM_CASES", 12));
    let mut compared = 0;
    for seed in first..first + count {
        let subgraphs = random_subgraphs(seed);
        let Ok(supergraph) = compose(&subgraphs) else { continue };
        let simulation = Simulation::new(&supergraph, &subgraphs, Nature::of(seed))
            .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{supergraph}"));
        for number in 0..OPERATIONS {
            let seed_of = seed * 1000 + number;
            let Some(plain) = random_operation(simulation.api(), seed_of, 5) else { continue };
            let Some(operation) = deferred(simulation.api(), &plain, seed_of) else { continue };
            for format in [IncrementalFormat::Current, IncrementalFormat::August2022] {
                match simulation.check_deferred(&operation, &plain, format).await {
                    Verdict::NotComparable => {}
                    Verdict::Same => compared += 1,
                    Verdict::Different(found) => {
                        panic!(
                            "KOPITIAM_SEED={seed} KOPITIAM_CASES=1, operation {number}, {format:?}:\n{found}"
                        )
                    }
                }
            }
        }
    }
    println!("seeds {first}..{}: {compared} responses agree", first + count);
    assert!(compared * 10 > count * OPERATIONS * 8, "most cases can be compared, only {compared} could");
}
