//! Reads subgraph SDL into [`SubgraphSchema`].
//!
//! In: [`Subgraph`]s. Out: one schema each, with directives recognised and field sets parsed, or diagnostics.
//! Modules: [`links`] (`@link`), [`graphql`] (validity), [`build`] (syntax tree → model), [`one`] (Federation 1).
//! Elsewhere: federation's own rules (`validate`).

mod build;
mod graphql;
mod links;
pub(crate) mod one;

use apollo_compiler::ast::Document;
use apollo_compiler::parser::{LineColumn, SourceMap, SourceSpan};

use crate::Subgraph;
use crate::diagnostic::{Diagnostic, Location};
use crate::model::{Place, SubgraphSchema};

/// Turns spans into places.
pub(crate) struct Reader<'a> {
    pub(crate) sources: &'a SourceMap,
}

impl Reader<'_> {
    pub(crate) fn place(&self, span: Option<SourceSpan>) -> Place {
        line_column(span.and_then(|span| span.line_column(self.sources)))
    }
}

/// A place, or none where the parser has none.
pub(crate) fn line_column(at: Option<LineColumn>) -> Place {
    at.map_or_else(Place::default, |at| Place { line: at.line, column: at.column })
}

/// The errors of one subgraph.
pub(crate) struct Problems<'a> {
    subgraph: &'a str,
    found: Vec<Diagnostic>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(subgraph: &'a str) -> Problems<'a> {
        Problems { subgraph, found: Vec::new() }
    }

    /// Adds an error; the message begins with the subgraph's name.
    pub(crate) fn add(&mut self, code: &'static str, message: impl AsRef<str>, place: Place) {
        let mut diagnostic = Diagnostic::error(code, format!("[{}] {}", self.subgraph, message.as_ref()));
        if place.line > 0 {
            let location =
                Location { subgraph: self.subgraph.to_owned(), line: place.line, column: place.column };
            diagnostic = diagnostic.at([location]);
        }
        if !self.found.contains(&diagnostic) {
            self.found.push(diagnostic);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn into_found(self) -> Vec<Diagnostic> {
        self.found
    }
}

/// Reads one subgraph.
///
/// # Errors
/// Syntax errors, invalid links, invalid GraphQL, root type clashes.
pub(crate) fn read(subgraph: &Subgraph) -> Result<SubgraphSchema, Vec<Diagnostic>> {
    let mut problems = Problems::new(&subgraph.name);
    if subgraph.name.is_empty() || subgraph.name == "_" {
        problems.add(
            "INVALID_SUBGRAPH_NAME",
            format!("invalid name \"{}\" for a subgraph: it is reserved", subgraph.name),
            Place::default(),
        );
        return Err(problems.into_found());
    }
    let document = match Document::parse(subgraph.sdl.as_str(), subgraph.name.as_str()) {
        Ok(document) => document,
        Err(failed) => {
            // What the parser says after its first error only follows from that one.
            for error in failed.errors.iter().take(1) {
                let json = error.unstable_to_json_compat();
                problems.add("INVALID_GRAPHQL", json.message, line_column(json.locations.first().copied()));
            }
            return Err(problems.into_found());
        }
    };
    let reader = Reader { sources: &document.sources };
    let links = links::read(&document, &reader, &mut problems);
    if problems.is_empty() {
        graphql::validate(&document, &links, &reader, &mut problems);
    }
    if !problems.is_empty() {
        return Err(problems.into_found());
    }
    let schema = build::build(subgraph, &document, links, &reader, &mut problems);
    if problems.is_empty() { Ok(schema) } else { Err(problems.into_found()) }
}
