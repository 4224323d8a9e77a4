//! The product service: the catalogue, all stock and its reservations, search, and collectible items.
//!
//! - [`app`]: wiring and shutdown; [`seed`]: the data every fresh installation starts with
//! - [`audit`]: what must hold in the database
//! - [`domain`]: types and rules without I/O
//! - [`store`]: sea-orm entities and queries; [`migration`]: the schema
//! - [`commands`]: what mutations do, each in one transaction
//! - [`graphql`]: the schema; [`events`]: what is published; [`projections`]: what is consumed

pub mod app;
pub mod audit;
pub mod commands;
pub mod domain;
pub mod events;
pub mod graphql;
pub mod migration;
pub mod projections;
pub mod seed;
pub mod store;

pub use app::sdl;
pub use seed::seed;
