//! Damages inputs, the same way for the same seed.

use kopitiam_testkit::simulation::Rng;

/// Parts that GraphQL and JSON are made of.
const WORDS: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ":",
    ",",
    "\"",
    "\\u0000",
    "null",
    "true",
    "-1",
    "1e999",
    "{}",
    "[]",
    "[null]",
    "@",
    "...",
    " on ",
    "$",
    "__typename",
    "_entities",
    "data",
    "errors",
    "path",
    "id",
    "query",
    "fragment F on Query",
    "...F",
    "@include(if: true)",
    "@skip(if: $c0)",
    "@join__field(graph: S0)",
    "@join__type(graph: S0, key: \"id\")",
    "extend type Query",
    "interface",
    "union",
    "\u{e9}",
    "\"\"\"",
    "\u{1e}",
];

/// Makes inputs out of others.
#[derive(Debug)]
pub struct Mutator {
    rng: Rng,
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    /// From what to start.
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Self { rng: Rng::new(seed), corpus }
    }

    /// The next input: one of the corpus with a few changes.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = self.rng.pick(&self.corpus).clone();
        for _ in 0..=self.rng.below(6) {
            self.change(&mut input);
        }
        input
    }

    fn range(&mut self, length: usize, longest: usize) -> std::ops::Range<usize> {
        let start = self.rng.below(length + 1);
        start..(start + self.rng.below(longest)).min(length)
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.rng.below(input.len() + 1);
        match self.rng.below(7) {
            0 if at < input.len() => input[at] = u8::try_from(self.rng.below(256)).expect("below 256"),
            1 => {
                let range = self.range(input.len(), 20);
                input.drain(range);
            }
            2 => {
                let range = self.range(input.len(), 60);
                let copy = input[range].to_vec();
                input.splice(at..at, copy);
            }
            3 => {
                let other = self.rng.pick(&self.corpus).clone();
                let range = self.range(other.len(), 120);
                input.splice(at..at, other[range].iter().copied());
            }
            4 => {
                let range = self.range(input.len(), 12);
                input.splice(range, self.rng.pick(&WORDS).bytes());
            }
            5 if self.rng.chance(10) => input.truncate(at),
            _ => {
                let word = self.rng.pick(&WORDS);
                input.splice(at..at, word.bytes());
            }
        }
    }
}
