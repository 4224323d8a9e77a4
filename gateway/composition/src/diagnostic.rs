//! What composition says about its input: a code, a message, and places in the subgraphs.
//!
//! `tests/codes.txt` says which case shows which code. Of the published codes these are never given: those that Federation 2
//! removed (`INTERFACE_FIELD_IMPLEM_TYPE_MISMATCH` is `INVALID_GRAPHQL` now); `INVALID_FEDERATION_SUPERGRAPH`,
//! `UNSUPPORTED_FEATURE` and `DOWNSTREAM_SERVICE_ERROR`, which readers of supergraphs give; and
//! `REQUIRES_FIELDS_HAS_ARGS` and `PROVIDES_FIELDS_SELECT_INVALID_TYPE`, which name what is allowed.
//!
//! Elsewhere: how it is printed with file names (`kopitiam-server`).

use std::fmt;

/// A place in a subgraph's SDL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Name of the subgraph.
    pub subgraph: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One error or hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Published code, such as `INVALID_FIELD_SHARING`.
    pub code: &'static str,
    /// One or more sentences for the schema's author.
    pub message: String,
    /// Places it is about; may be empty when it concerns the whole.
    pub locations: Vec<Location>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    pub fn error(code: &'static str, message: String) -> Diagnostic {
        Diagnostic { code, message, locations: Vec::new() }
    }

    /// The same diagnostic with places.
    #[must_use]
    pub fn at(mut self, locations: impl IntoIterator<Item = Location>) -> Diagnostic {
        self.locations.extend(locations);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        for place in &self.locations {
            write!(f, "\n  at {}:{}:{}", place.subgraph, place.line, place.column)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
