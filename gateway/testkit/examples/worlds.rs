//! Random subgraphs, random operations over them, and where the gateway and the oracle differ, made small.
//!
//! `worlds FIRST COUNT [OPERATIONS]`: seeds of the subgraphs, operations for each. With `print` the SDLs too. Each
//! operation is run with all subgraphs, and with one of them out.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::BTreeMap;

use futures::executor::block_on;
use kopitiam_testkit::simulation::{Nature, Simulation, Trial, Verdict, random_operation, random_subgraphs};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number =
        |at: usize, usual: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (first, count, operations) = (number(1, 0), number(2, 20), number(3, 30));
    let prints = arguments.iter().any(|word| word == "print");
    let (mut compared, mut different, mut uncomposed) = (0, 0, 0);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for seed in first..first + count {
        let subgraphs = random_subgraphs(seed);
        if prints {
            for (name, sdl) in &subgraphs {
                println!("# {name}\n{sdl}");
            }
        }
        let sdls: Vec<_> = subgraphs.iter().map(|(name, sdl)| (name.as_str(), sdl.as_str())).collect();
        let supergraph = match kopitiam_testkit::compose(&sdls) {
            Ok(composed) => composed.supergraph_sdl,
            Err(diagnostics) => {
                uncomposed += 1;
                let found = &diagnostics[0];
                *kinds.entry(format!("uncomposed {}", found.code)).or_default() += 1;
                println!("seed {seed}: {}: {}", found.code, found.message);
                continue;
            }
        };
        let nature = Nature::of(seed);
        let simulation = match Simulation::new(&supergraph, &subgraphs, nature) {
            Ok(simulation) => simulation,
            Err(error) => {
                println!("seed {seed}: the supergraph is refused: {error}");
                continue;
            }
        };
        let mut shown = 0;
        for number in 0..operations {
            let Some(operation) = random_operation(simulation.api(), seed * 1000 + number, 5) else {
                continue;
            };
            for trial in Trial::of(nature, &simulation, number) {
                match block_on(trial.run(&simulation, &operation)) {
                    Verdict::NotComparable => {}
                    Verdict::Same => compared += 1,
                    Verdict::Different(found) => {
                        compared += 1;
                        different += 1;
                        *kinds.entry(found.class()).or_default() += 1;
                        if shown == 0 {
                            shown += 1;
                            println!("seed {seed} operation {number}");
                            println!("{}", trial.smallest(&subgraphs, &operation, &found.class()));
                        }
                    }
                }
            }
        }
    }
    println!("{compared} compared, {different} different, {uncomposed} of {count} not composed: {kinds:?}");
}
