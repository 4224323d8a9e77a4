//! Random sets of subgraphs that make up one API: a seed gives names and SDLs that must compose.
//!
//! One model of the whole is made first (`model.rs`), every part of it with the subgraphs that have it; then each
//! subgraph is written out (`write.rs`) with what it needs of the others: references, external fields, shared values.
//! A hub in each entity's subgraphs knows all its keys, so that everything can be reached from everywhere.
//!
//! - `model.rs`: types and who has them; `fields.rs`: fields, `@requires`, `@provides` and the other directives
//! - `contexts.rs`: values from above; `write.rs`: SDL; `reduce.rs`: makes a failing set smaller
//!
//! Elsewhere: data for them (`universe.rs`), operations over them (`operations.rs`).

mod contexts;
mod fields;
mod model;
mod reduce;
mod write;

pub use reduce::reduce;

use super::rng::Rng;

/// Subgraphs, as name and SDL, for a seed.
pub fn random_subgraphs(seed: u64) -> Vec<(String, String)> {
    let mut rng = Rng::new(seed);
    let mut model = model::Model::random(&mut rng);
    fields::add(&mut model, &mut rng);
    let mut subgraphs = write::subgraphs(&model);
    // Chance of its own: the rest of a seed's API is the same with contexts and without.
    let mut rng = Rng::new(seed ^ 0x00c0_47e4);
    if rng.chance(40) {
        contexts::add(&mut subgraphs, &model, &mut rng);
    }
    subgraphs
}
