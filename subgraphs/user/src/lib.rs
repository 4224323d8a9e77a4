//! The user service: accounts, sessions, tokens, stalls, and all the money in a double-entry ledger.
//!
//! - [`app`]: wiring and shutdown; [`seed`]: the data every fresh installation starts with
//! - [`audit`]: what must hold in the database
//! - [`domain`]: types and rules without I/O
//! - [`store`]: sea-orm entities and queries; [`migration`]: the schema
//! - [`commands`]: what mutations do, each in one transaction
//! - [`security`]: passwords, tokens, limits; [`mail`]: letters and the ways out
//! - [`graphql`]: the schema; [`events`]: what is published; [`projections`]: what is consumed
//! - [`payments`]: payment providers and the simulator of one; [`webhooks`]: their reports; [`service_tokens`]: for programs
//! - [`herald`]: who tells people; [`live`]: changes of other processes for open streams

pub mod app;
pub mod audit;
pub mod commands;
pub mod domain;
pub mod events;
pub mod graphql;
pub mod herald;
pub mod live;
pub mod mail;
pub mod migration;
pub mod payments;
pub mod projections;
pub mod security;
pub mod seed;
pub mod service_tokens;
pub mod store;
pub mod webhooks;

pub use app::sdl;
pub use seed::seed;
