//! Inputs to start from: the testkit's random subgraphs, operations over them, and what strict subgraphs answer.

use kopitiam_testkit::simulation::{Nature, RandomOperation, Simulation, random_operation, random_subgraphs};

/// Seeds of the subgraph sets: few, since planning tries each document on all of them.
const SEEDS: [u64; 4] = [3, 8, 16, 21];

/// One composed set.
pub(crate) struct World {
    pub(crate) supergraph: String,
    pub(crate) simulation: Simulation,
    pub(crate) operations: Vec<RandomOperation>,
}

pub(crate) fn worlds() -> Vec<World> {
    SEEDS.into_iter().filter_map(world).collect()
}

fn world(seed: u64) -> Option<World> {
    let subgraphs = random_subgraphs(seed);
    let sdls: Vec<_> = subgraphs.iter().map(|(name, sdl)| (name.as_str(), sdl.as_str())).collect();
    let supergraph = kopitiam_testkit::compose(&sdls).ok()?.supergraph_sdl;
    let nature = Nature { seed, errors: 30, ..Nature::default() };
    let simulation = Simulation::new(&supergraph, &subgraphs, nature).ok()?;
    let operations =
        (0..12).filter_map(|number| random_operation(simulation.api(), seed * 100 + number, 4)).collect();
    Some(World { supergraph, simulation, operations })
}

/// Supergraphs.
pub fn supergraphs() -> Vec<String> {
    worlds().into_iter().map(|world| world.supergraph).collect()
}

/// Documents over them.
pub fn operations() -> Vec<String> {
    let all = worlds().into_iter().flat_map(|world| world.operations);
    all.map(|operation| operation.query).collect()
}

/// Inputs of [`merging`](crate::merging).
pub fn answers() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for world in worlds() {
        for operation in &world.operations {
            let mut input = vec![u8::try_from(found.len()).expect("there are few")];
            for answer in futures::executor::block_on(world.simulation.answers(operation)) {
                input.push(0x1e);
                input.extend_from_slice(&answer);
            }
            found.push(input);
        }
    }
    found
}
