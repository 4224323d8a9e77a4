//! What a simulation is like beyond its schema.

/// What the simulated data, and the subgraphs, are like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nature {
    /// Another seed gives other data.
    pub seed: u64,
    /// How many fields in a thousand fail.
    pub errors: u64,
    /// How many entities in a thousand a subgraph does not know that others refer to.
    pub missing: u64,
    /// Which labels of progressive overrides are on: `l0` for the lowest bit, and so on.
    pub labels: u64,
}

impl Nature {
    /// All sorts, one for each seed.
    pub fn of(seed: u64) -> Self {
        let one_of = |choices: [u64; 4], at: u64| choices[usize::try_from(at % 4).expect("below 4")];
        Self {
            seed,
            errors: one_of([0, 25, 0, 100], seed),
            missing: one_of([0, 100, 300, 0], seed / 4),
            labels: seed / 2,
        }
    }

    /// The labels that are on.
    pub(crate) fn is_on(self, label: &str) -> bool {
        match label.strip_prefix('l').and_then(|number| number.parse::<u32>().ok()) {
            Some(number) => self.labels.checked_shr(number).unwrap_or(0) & 1 == 1,
            // A share of the requests is all of them here, or none.
            None => label == "percent(100)",
        }
    }
}
