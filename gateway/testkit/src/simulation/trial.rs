//! One way to try an operation: on some data, with all subgraphs or with one of them out; and a failing trial made small.
//!
//! Elsewhere: the verdicts (`compare.rs`, `degraded.rs`), smaller operations (`shrink.rs`) and subgraphs (`schemas/reduce.rs`).

use std::fmt::Write as _;

use futures::executor::block_on;

use super::{Nature, Outage, RandomOperation, Simulation, Verdict, reduce, shrink};

/// What an operation is tried on.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The data.
    pub nature: Nature,
    /// The subgraph that is out.
    pub out: Option<(String, Outage)>,
}

impl Trial {
    /// The trials of an operation that has this number among those of its seed: with all subgraphs, and with one of them
    /// out, another one and in another way for each number.
    pub fn of(nature: Nature, simulation: &Simulation, number: u64) -> [Self; 2] {
        let names = simulation.subgraphs();
        let turn = usize::try_from(number).expect("there are few operations");
        let out = (names[turn % names.len()].clone(), Outage::of(turn / names.len() + turn));
        [Self { nature, out: None }, Self { nature, out: Some(out) }]
    }

    /// Tries an operation.
    pub async fn run(&self, simulation: &Simulation, operation: &RandomOperation) -> Verdict {
        match &self.out {
            None => simulation.check(operation).await,
            Some((subgraph, outage)) => simulation.check_outage(operation, subgraph, *outage).await,
        }
    }

    fn verdict(&self, subgraphs: &[(String, String)], operation: &RandomOperation) -> Option<Verdict> {
        let sdls: Vec<_> = subgraphs.iter().map(|(name, sdl)| (name.as_str(), sdl.as_str())).collect();
        let composed = crate::compose(&sdls).ok()?;
        let simulation = Simulation::new(&composed.supergraph_sdl, subgraphs, self.nature).ok()?;
        Some(block_on(self.run(&simulation, operation)))
    }

    /// The smallest subgraphs and operation found that differ in the same class, and how, as text.
    pub fn smallest(
        &self,
        subgraphs: &[(String, String)],
        operation: &RandomOperation,
        class: &str,
    ) -> String {
        let differs = |subgraphs: &[(String, String)], operation: &RandomOperation| {
            let verdict = self.verdict(subgraphs, operation);
            matches!(verdict, Some(Verdict::Different(found)) if found.class() == class)
        };
        let small = shrink(operation, |tried| differs(subgraphs, tried));
        let fewer = reduce(subgraphs, |tried| differs(tried, &small));
        let small = shrink(&small, |tried| differs(&fewer, tried));
        let mut text = String::new();
        for (name, sdl) in &fewer {
            writeln!(text, "# {name}\n{sdl}").expect("a string takes all");
        }
        if let Some(Verdict::Different(found)) = self.verdict(&fewer, &small) {
            writeln!(text, "{self:?} {found}").expect("a string takes all");
        }
        text
    }
}
