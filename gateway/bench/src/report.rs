//! What was measured, as a table for people and as JSON.

use std::fmt::Write;

use serde::Serialize;

/// One contender in one mode in one round.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// Whose.
    pub name: String,
    /// What was shared.
    pub mode: &'static str,
    /// Gateway CPU per client request, in microseconds.
    pub cpu_us: f64,
    /// Client requests per second.
    pub per_second: f64,
    /// Latencies in milliseconds.
    pub p50_ms: f64,
    /// As `p50_ms`.
    pub p95_ms: f64,
    /// As `p50_ms`.
    pub p99_ms: f64,
    /// The gateway's highest resident memory so far, in MB.
    pub peak_mb: f64,
    /// Subgraph requests per client request.
    pub subgraph_requests: f64,
    /// CPU of the subgraphs per client request, in microseconds: tells how busy the machine was.
    pub subgraph_cpu_us: f64,
}

/// All of a run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// In the order they were taken.
    pub samples: Vec<Sample>,
}

/// The middle one; of an even number the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => 0.0,
        (length, middle) if length % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}

impl Report {
    fn of<'a>(&'a self, name: &'a str, mode: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name && sample.mode == mode)
    }

    fn median_of(&self, name: &str, mode: &str, value: impl Fn(&Sample) -> f64) -> f64 {
        median(self.of(name, mode).map(value).collect())
    }

    /// Distinct values in the order of their first appearance.
    fn distinct<'a>(&'a self, value: impl Fn(&'a Sample) -> &'a str) -> Vec<&'a str> {
        let mut known = Vec::new();
        for sample in &self.samples {
            if !known.contains(&value(sample)) {
                known.push(value(sample));
            }
        }
        known
    }

    /// Medians of the rounds; `ratio` is CPU relative to each peer's: below one the first contender needs less.
    pub fn table(&self) -> String {
        let names = self.distinct(|sample| &sample.name);
        let mut text = String::from(
            "| mode | gateway | CPU us/request (min-max) | CPU ratio | requests/s | p50 / p95 / p99 ms | peak MB | subgraph requests |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for mode in self.distinct(|sample| sample.mode) {
            let Some(first) = names.first() else { continue };
            let own = self.median_of(first, mode, |sample| sample.cpu_us);
            for name in &names {
                let median = |value: fn(&Sample) -> f64| self.median_of(name, mode, value);
                let cpu = self.of(name, mode).map(|sample| sample.cpu_us);
                let (low, high) =
                    cpu.fold((f64::MAX, 0.0_f64), |(low, high), cpu| (low.min(cpu), high.max(cpu)));
                let ratio =
                    if name == first { String::new() } else { format!("{:.2}", own / median(|s| s.cpu_us)) };
                writeln!(
                    text,
                    "| {mode} | {name} | {:.1} ({low:.1}-{high:.1}) | {ratio} | {:.0} | {:.1} / {:.1} / {:.1} | {:.0} | {:.2} |",
                    median(|s| s.cpu_us),
                    median(|s| s.per_second),
                    median(|s| s.p50_ms),
                    median(|s| s.p95_ms),
                    median(|s| s.p99_ms),
                    median(|s| s.peak_mb),
                    median(|s| s.subgraph_requests),
                )
                .expect("writing to a string never fails");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_gives_medians_and_the_ratio_to_each_peer() {
        let sample = |name: &str, cpu_us| Sample {
            name: name.to_owned(),
            mode: "full",
            cpu_us,
            per_second: 10.0,
            p50_ms: 1.0,
            p95_ms: 2.0,
            p99_ms: 3.0,
            peak_mb: 4.0,
            subgraph_requests: 7.0,
            subgraph_cpu_us: 5.0,
        };
        let samples =
            vec![sample("own", 90.0), sample("peer", 400.0), sample("own", 110.0), sample("own", 100.0)];
        let table = Report { samples }.table();
        assert!(table.contains("| full | own | 100.0 (90.0-110.0) |  | 10 |"), "{table}");
        assert!(table.contains("| full | peer | 400.0 (400.0-400.0) | 0.25 |"), "{table}");
    }
}
