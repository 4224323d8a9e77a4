//! A plan as text, for people and snapshots: what runs in sequence, what in parallel, who is asked for what.
//!
//! Elsewhere: JSON (`json.rs`), a flowchart (`mermaid.rs`).

use std::fmt::{self, Display, Formatter, Write};

use crate::{Conditions, EntityGroup, Fetch, FetchKind, Path, PathStep, Plan};

impl Plan {
    /// The fetches by serial level: those of one level run in parallel, after those of the level before.
    pub fn levels(&self) -> Vec<Vec<&Fetch>> {
        let mut level_of: Vec<usize> = Vec::with_capacity(self.fetches.len());
        let mut levels: Vec<Vec<&Fetch>> = Vec::new();
        for fetch in &self.fetches {
            let after = fetch.depends_on.iter().map(|dep| level_of[dep.0 as usize] + 1).max().unwrap_or(0);
            level_of.push(after);
            levels.resize_with(levels.len().max(after + 1), Vec::new);
            levels[after].push(fetch);
        }
        levels
    }

    /// A path as text: `product.reviews[User].author`.
    pub fn path_text(&self, path: &Path) -> String {
        let mut text = String::new();
        for step in &path.0 {
            match step {
                PathStep::Field(key) => {
                    let dot = if text.is_empty() || text.ends_with('.') { "" } else { "." };
                    let _ = write!(text, "{dot}{}", self.keys.name(*key));
                }
                PathStep::On(types) => {
                    let names: Vec<&str> = types.iter().map(|&ty| self.types.name(ty)).collect();
                    let _ = write!(text, "[{}]", names.join("|"));
                }
            }
        }
        text
    }

    /// One fetch: who is asked, where its entities stand, what for.
    pub(crate) fn fetch_lines(&self, fetch: &Fetch) -> Vec<String> {
        let when = condition_text(&fetch.conditions);
        let head = format!("Fetch({}){when}", fetch.subgraph);
        match &fetch.kind {
            FetchKind::Root { at, .. } => {
                let body = fetch.document.find('{').map_or("", |start| body_at(&fetch.document, start));
                let paths: Vec<String> = at.iter().map(|path| self.path_text(path)).collect();
                let place =
                    if paths.is_empty() { String::new() } else { format!(" at {}", paths.join(", ")) };
                vec![format!("{head}{place} {}{}", spaced(body), fragments(&fetch.document))]
            }
            FetchKind::Entities { groups } => {
                let entries: Vec<String> = groups
                    .iter()
                    .map(|group| {
                        let paths: Vec<String> =
                            group.targets.iter().map(|path| self.path_text(path)).collect();
                        let mark = format!("representations:${})", group.variable);
                        let start = fetch.document.find(&mark).map(|found| found + mark.len());
                        let body = start.map_or("", |start| body_at(&fetch.document, start));
                        let when = condition_text(&group.conditions);
                        let with = self.context_text(group);
                        format!("at {}{when}{with} {}", paths.join(", "), spaced(body))
                    })
                    .collect();
                let fragments = fragments(&fetch.document);
                if let [single] = entries.as_slice() {
                    return vec![format!("{head} {single}{fragments}")];
                }
                let mut lines = vec![format!("{head} {{")];
                lines.extend(entries.into_iter().map(|entry| format!("  {entry}")));
                lines.push(format!("}}{fragments}"));
                lines
            }
        }
    }
}

impl Plan {
    /// What a group takes from objects above: ` with $contextualArgument_1_0 = top { unit }`, `or` for what applies to
    /// other objects or further up. The places are those above the group's first path.
    fn context_text(&self, group: &EntityGroup) -> String {
        let (Some(contexts), Some(target)) = (&group.contexts, group.targets.first()) else {
            return String::new();
        };
        let variables = contexts.variables.iter().map(|variable| {
            let sources = variable.sources.iter().map(|source| {
                let place = self.path_text(&target.above(source.up));
                let types: Vec<&str> = source.on.iter().map(|&ty| self.types.name(ty)).collect();
                let types = if types.is_empty() { String::new() } else { format!("[{}]", types.join("|")) };
                let gap = if place.is_empty() && types.is_empty() { "" } else { " " };
                format!("{place}{types}{gap}{{ {} }}", self.fields_text(&source.value))
            });
            format!("${} = {}", variable.name, sources.collect::<Vec<_>>().join(" or "))
        });
        format!(" with {}", variables.collect::<Vec<_>>().join(", "))
    }
}

impl Path {
    /// The path to the objects so many fields above those at its end.
    pub(crate) fn above(&self, up: u32) -> Path {
        let mut fields = 0;
        let end = self.0.iter().rposition(|step| {
            fields += u32::from(matches!(step, PathStep::Field(_)));
            fields == up
        });
        Path(self.0[..end.unwrap_or(0)].to_vec())
    }
}

impl Plan {
    /// The part of the response that a fetch is sent for, in words; `None` for what is delivered first.
    pub(crate) fn deferred_text(&self, fetch: &Fetch) -> Option<String> {
        let part = self.deferral.part_of(fetch.id).filter(|&part| part > 0)?;
        let fragments = self.deferral.parts[part].fragments.iter().map(|fragment| {
            let found = &self.deferral.fragments[fragment.0 as usize];
            found.label.as_ref().map_or_else(|| format!("#{}", fragment.0), |label| format!("{label:?}"))
        });
        Some(format!("Deferred({})", fragments.collect::<Vec<_>>().join(", ")))
    }
}

impl Display for Plan {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut levels = self.levels();
        if self.deferral.parts.is_empty() {
            return out.write_str(&self.lines_of(&levels).join("\n"));
        }
        // Each part as a plan of its own, in the order in which they are delivered at the earliest.
        for part in 0..self.deferral.parts.len() {
            let mut own: Vec<Vec<&Fetch>> = Vec::new();
            for level in &mut levels {
                let (taken, rest) =
                    level.iter().partition(|fetch| self.deferral.part_of(fetch.id) == Some(part));
                *level = rest;
                own.push(taken);
            }
            own.retain(|level| !level.is_empty());
            let Some(first) = own.first().and_then(|level| level.first()) else { continue };
            let head = self.deferred_text(first).unwrap_or_else(|| "First".to_owned());
            let end = if part == 0 { "" } else { "\n" };
            let lines: Vec<String> =
                self.lines_of(&own).into_iter().map(|line| format!("  {line}")).collect();
            write!(out, "{end}{head} {{\n{}\n}}", lines.join("\n"))?;
        }
        Ok(())
    }
}

impl Plan {
    fn lines_of(&self, levels: &[Vec<&Fetch>]) -> Vec<String> {
        let sequence = levels.len() > 1;
        let mut lines = Vec::new();
        for level in levels {
            let parallel = level.len() > 1;
            let fetches = level.iter().flat_map(|fetch| self.fetch_lines(fetch));
            if parallel {
                lines.push("Parallel {".to_owned());
                lines.extend(fetches.map(|line| format!("  {line}")));
                lines.push("}".to_owned());
            } else {
                lines.extend(fetches);
            }
        }
        if sequence {
            for line in &mut lines {
                line.insert_str(0, "  ");
            }
            lines.insert(0, "Sequence {".to_owned());
            lines.push("}".to_owned());
        }
        lines
    }
}

fn condition_text(conditions: &Conditions) -> String {
    if conditions.is_always() {
        return String::new();
    }
    let any: Vec<String> = conditions
        .0
        .iter()
        .map(|all| {
            let all: Vec<String> = all
                .iter()
                .map(|literal| format!("{}${}", if literal.expected { "" } else { "!" }, literal.variable))
                .collect();
            all.join(" & ")
        })
        .collect();
    format!(" if {}", any.join(" | "))
}

/// The fragments of a document, each after a space.
fn fragments(document: &str) -> String {
    let operation = document.find('{').map_or(document.len(), |start| start + body_at(document, start).len());
    let mut rest = &document[operation..];
    let mut text = String::new();
    while let Some(start) = rest.find('{') {
        let body = body_at(rest, start);
        let _ = write!(text, " {} {}", &rest[..start], spaced(body));
        rest = &rest[start + body.len()..];
    }
    text
}

/// The selection set that starts at a byte position, with its braces.
fn body_at(document: &str, start: usize) -> &str {
    let mut depth = 0_u32;
    let mut quoted = false;
    let mut escaped = false;
    for (offset, char) in document[start..].char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '(' | '[' if !quoted => depth += 1,
            '}' | ')' | ']' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return &document[start..=start + offset];
                }
            }
            _ => {}
        }
    }
    &document[start..]
}

/// A minified selection set with spaces around its braces and after `...`.
fn spaced(body: &str) -> String {
    let mut text = String::with_capacity(body.len() * 2);
    let mut nested = 0_u32;
    let mut quoted = false;
    for char in body.chars() {
        if char == '"' {
            quoted = !quoted;
        }
        match char {
            '(' | '[' if !quoted => nested += 1,
            ')' | ']' if !quoted => nested = nested.saturating_sub(1),
            _ => {}
        }
        let outside = nested == 0 && !quoted;
        let gap = text.is_empty() || text.ends_with([' ', '{']);
        match char {
            '{' if outside => text.push_str(if gap { "{ " } else { " { " }),
            '}' if outside => text.push_str(if text.ends_with(' ') { "} " } else { " } " }),
            '@' if outside && !text.ends_with(' ') => text.push_str(" @"),
            '.' if outside && !text.ends_with([' ', '{', '.']) => text.push_str(" ."),
            _ if outside && text.ends_with([')', '"']) && (char.is_alphanumeric() || char == '_') => {
                text.push(' ');
                text.push(char);
            }
            _ => text.push(char),
        }
    }
    text.trim_end().replace("...on ", "... on ")
}
