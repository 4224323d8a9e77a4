//! Runs random operations over folders of subgraphs and prints where the gateway and the oracle differ.
//!
//! `differ FOLDER CASES [SEED] [compose]`: each folder in `FOLDER` has `subgraphs.json` (a list of `name` and `sdl`) and
//! `supergraph.graphql`; with `compose` the supergraph is made from the subgraphs instead.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::path::Path;
use std::time::Instant;

use kopitiam_testkit::simulation::{Nature, Simulation, Verdict, random_operation, shrink};
use serde::Deserialize;

#[derive(Deserialize)]
struct Given {
    name: String,
    sdl: String,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = arguments.get(1).expect("a folder");
    let cases: u64 = arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(100);
    let seed: u64 = arguments.get(3).and_then(|text| text.parse().ok()).unwrap_or(0);
    let composes = arguments.iter().any(|word| word == "compose");
    let mut suites: Vec<_> = if Path::new(folder).join("subgraphs.json").exists() {
        vec![Path::new(folder).to_owned()]
    } else {
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
    };
    suites.sort();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for suite in suites {
        runtime.block_on(run(&suite, seed, cases, composes));
    }
}

async fn run(suite: &Path, seed: u64, cases: u64, composes: bool) {
    let name = suite.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(suite.join("subgraphs.json")).expect("subgraphs.json");
    let given: Vec<Given> = serde_json::from_str(&text).expect("subgraphs.json is a list");
    let subgraphs: Vec<(String, String)> = given.into_iter().map(|one| (one.name, one.sdl)).collect();
    let supergraph = if composes {
        let sdls: Vec<_> = subgraphs.iter().map(|(name, sdl)| (name.as_str(), sdl.as_str())).collect();
        match kopitiam_testkit::compose(&sdls) {
            Ok(composed) => composed.supergraph_sdl,
            Err(diagnostics) => {
                println!("{name}: does not compose: {diagnostics:?}");
                return;
            }
        }
    } else {
        std::fs::read_to_string(suite.join("supergraph.graphql")).expect("supergraph.graphql")
    };
    let (mut compared, mut different, mut worst) = (0, 0, 0);
    let mut shown: Vec<(&str, String)> = Vec::new();
    for number in seed..seed + cases {
        let nature = Nature::of(number);
        let simulation = match Simulation::new(&supergraph, &subgraphs, nature) {
            Ok(simulation) => simulation,
            Err(error) => {
                println!("{name}: {error}");
                return;
            }
        };
        for seed in 0..50 {
            let Some(operation) = random_operation(simulation.api(), number * 50 + seed, 5) else { continue };
            let start = Instant::now();
            let verdict = simulation.check(&operation).await;
            worst = worst.max(start.elapsed().as_millis());
            match verdict {
                Verdict::NotComparable => {}
                Verdict::Same => compared += 1,
                Verdict::Different(found) => {
                    compared += 1;
                    different += 1;
                    if shown.iter().filter(|(kind, _)| *kind == found.kind).count() < 2 {
                        let small = shrink(
                            &operation,
                            |tried| matches!(futures::executor::block_on(simulation.check(tried)), Verdict::Different(now) if now.kind == found.kind),
                        );
                        if let Verdict::Different(small) = simulation.check(&small).await {
                            shown.push((found.kind, format!("seed {number}/{seed} {nature:?} {small}")));
                        }
                    }
                }
            }
        }
    }
    println!("{name}: {compared} compared, {different} different, worst {worst} ms");
    for (_, text) in shown {
        println!("  {text}");
    }
}
