//! A plan as a Mermaid flowchart, for documents and reviews: a box is one request, an arrow goes from a fetch to a
//! fetch that waits for it, so what no arrows join runs in parallel.
//!
//! Elsewhere: the text of one fetch and of conditions (`display.rs`), JSON (`json.rs`).

use std::fmt::Write;

use crate::{Fetch, OperationKind, Plan};

/// A line of a box is broken at the space before this many characters.
const WIDTH: usize = 80;

impl Plan {
    /// The plan as the source of a Mermaid flowchart, with a line break at the end. A subscription's stream is drawn
    /// round, and a plan without fetches as one box that says so.
    pub fn to_mermaid(&self) -> String {
        let mut text = "flowchart TD\n".to_owned();
        if self.fetches.is_empty() {
            text.push_str("  none[\"nothing to fetch\"]\n");
        }
        for fetch in &self.fetches {
            let stream = fetch.operation == OperationKind::Subscription;
            let (open, close) = if stream { ("([", "])") } else { ("[", "]") };
            let label = self.label(fetch);
            let _ = writeln!(text, "  f{}{open}\"{label}\"{close}", fetch.id.0);
        }
        for fetch in &self.fetches {
            for before in &fetch.depends_on {
                let _ = writeln!(text, "  f{} --> f{}", before.0, fetch.id.0);
            }
        }
        text
    }

    fn label(&self, fetch: &Fetch) -> String {
        let lines: Vec<String> = self
            .deferred_text(fetch)
            .into_iter()
            .chain(self.fetch_lines(fetch))
            .collect::<Vec<_>>()
            .iter()
            .flat_map(|line| wrapped(line))
            .map(|line| escaped(&line))
            .collect();
        lines.join("<br>")
    }
}

/// A line in pieces of at most [`WIDTH`] characters, but for words that are longer.
fn wrapped(line: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for word in line.split_whitespace() {
        if !piece.is_empty() && piece.chars().count() + 1 + word.chars().count() > WIDTH {
            pieces.push(std::mem::take(&mut piece));
        }
        if !piece.is_empty() {
            piece.push(' ');
        }
        piece.push_str(word);
    }
    pieces.push(piece);
    pieces
}

/// Text for a quoted label: Mermaid writes characters that mean something to it as `#name;` or `#number;`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            _ => out.push(char),
        }
    }
    out
}
