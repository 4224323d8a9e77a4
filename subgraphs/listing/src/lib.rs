//! The listing service: auctions, fixed-price listings and services on offer.
//!
//! - [`app`]: starts the service: database, tasks, schema
//! - [`audit`]: what must hold in the database
//! - [`domain`]: the rules; no I/O in it
//! - [`store`], [`migration`]: tables and queries
//! - [`commands`]: changes of listings and bids, each one transaction with its events
//! - [`sagas`]: an auction's steps over several services; [`clock`]: what happens by itself
//! - [`graphql`]: the schema
//! - [`events`]: what it publishes; [`projections`]: what it learns from the others
//! - [`seed`]: listings to look at in a new shop
//!
//! Owns: listings, bids, locks of listings by orders, the replica of seller names. Elsewhere: items and stock (product), money (user), orders (order).

pub mod app;
pub mod audit;
pub mod clock;
pub mod commands;
pub mod domain;
pub mod events;
pub mod graphql;
pub mod migration;
pub mod projections;
pub mod sagas;
pub mod seed;
pub mod store;
