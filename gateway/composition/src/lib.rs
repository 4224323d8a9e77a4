//! Composition: subgraph SDLs in, one supergraph SDL out, or coded diagnostics.
//!
//! In: Federation 1 and 2.0–2.14 subgraph documents. Out: the standard `join` v0.5 supergraph document, which other
//! gateways accept too. Always: the result is either a complete supergraph or a list of errors, never both.
//! Elsewhere: reading a composed supergraph (`kopitiam-supergraph`), files and URLs of subgraphs (`kopitiam-server`).
//!
//! In the order of work:
//! - [`ingest`]: SDL → [`model`], with `@link` resolved ([`federation`] is the table of directives, [`field_set`] their syntax);
//! - [`validate`]: rules of one subgraph, facts about its fields;
//! - [`merge`]: types, fields, values and directives of all subgraphs into one schema, with hints;
//! - [`contract`]: the part of it for one audience, by tags;
//! - [`post`]: what clients may see, and what [`auth`] asks of them;
//! - [`satisfiability`]: every query the supergraph allows can be answered;
//! - [`emit`]: the supergraph document;
//! - [`diagnostic`]: codes, messages and places.

mod auth;
mod contract;
mod diagnostic;
mod emit;
mod federation;
mod field_set;
mod ingest;
mod merge;
mod model;
mod post;
mod satisfiability;
mod validate;

pub use contract::Contract;
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
/// Every problem found, with Apollo's published codes and the places in the subgraphs they come from. Later steps are
/// skipped when an earlier one fails: a subgraph that cannot be read is not merged.
pub fn compose(subgraphs: &[Subgraph]) -> Result<Composed, Vec<Diagnostic>> {
    compose_with(subgraphs, None)
}

/// Composes subgraphs into the supergraph of one contract: the same, with the rest marked `@inaccessible`.
///
/// # Errors
/// As [`compose`], and where what remains visible is not a valid schema.
pub fn compose_contract(subgraphs: &[Subgraph], contract: &Contract) -> Result<Composed, Vec<Diagnostic>> {
    compose_with(subgraphs, Some(contract))
}

fn compose_with(subgraphs: &[Subgraph], contract: Option<&Contract>) -> Result<Composed, Vec<Diagnostic>> {
    let schemas = read(subgraphs)?;
    let (mut merged, errors, mut hints) = merge::merge(&schemas);
    none(errors)?;
    if let Some(contract) = contract {
        contract::apply(contract, &mut merged);
    }
    none(post::check(&mut merged, &schemas, &mut hints))?;
    none(satisfiability::check(&merged, &schemas))?;
    Ok(Composed { supergraph_sdl: emit::supergraph(&merged, &schemas), hints })
}

/// Below this much SDL, threads cost more than they save.
const PARALLEL_BYTES_MIN: usize = 256 * 1024;
const THREADS_MAX: usize = 8;

/// Reads and checks each subgraph by itself, in order of name.
fn read(subgraphs: &[Subgraph]) -> Result<Vec<model::SubgraphSchema>, Vec<Diagnostic>> {
    let mut ordered: Vec<&Subgraph> = subgraphs.iter().collect();
    ordered.sort_by(|left, right| left.name.cmp(&right.name));
    let mut errors: Vec<Diagnostic> = Vec::new();
    for pair in ordered.windows(2).filter(|pair| pair[0].name == pair[1].name) {
        let message = format!("a subgraph named \"{}\" is given twice", pair[0].name);
        errors.push(Diagnostic::error("INVALID_SUBGRAPH_NAME", message));
    }
    let mut schemas = Vec::new();
    for read in read_each(&ordered) {
        match read {
            Ok((schema, found)) => {
                errors.extend(found);
                schemas.push(schema);
            }
            Err(found) => errors.extend(found),
        }
    }
    none(errors)?;
    none(ingest::one::upgrade(&mut schemas))?;
    Ok(schemas)
}

/// A subgraph as far as it goes without the others, with what is wrong with it; or why it cannot be read at all.
type Read = Result<(model::SubgraphSchema, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Reads subgraphs side by side when they are large: they know nothing of each other yet.
fn read_each(subgraphs: &[&Subgraph]) -> Vec<Read> {
    let one = |subgraph: &&Subgraph| {
        let mut schema = ingest::read(subgraph)?;
        let found = validate::subgraph(&mut schema);
        Ok((schema, found))
    };
    let bytes: usize = subgraphs.iter().map(|subgraph| subgraph.sdl.len()).sum();
    let threads =
        std::thread::available_parallelism().map_or(1, usize::from).min(subgraphs.len()).min(THREADS_MAX);
    if bytes < PARALLEL_BYTES_MIN || threads < 2 {
        return subgraphs.iter().map(one).collect();
    }
    std::thread::scope(|scope| {
        let parts: Vec<_> = subgraphs
            .chunks(subgraphs.len().div_ceil(threads))
            .map(|part| scope.spawn(move || part.iter().map(one).collect::<Vec<Read>>()))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Stops at the end of a step that found errors.
fn none(errors: Vec<Diagnostic>) -> Result<(), Vec<Diagnostic>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
