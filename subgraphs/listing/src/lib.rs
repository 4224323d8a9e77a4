//! The listing service: auctions, fixed-price listings and services on offer.
//!
//! - [`app`]: starts the service: database, tasks, schema
//! - [`domain`]: the rules; no I/O in it
//! - [`store`], [`migration`]: tables and queries
//! - [`commands`]: changes of listings, each one transaction with its events
//! - [`graphql`]: the schema
//! - [`events`]: what it publishes; [`projections`]: what it learns from the others
//! - [`seed`]: listings to look at in a new shop
//!
//! Owns: listings, bids, the replica of seller names. Elsewhere: items and stock (product), money (user), orders (order).

pub mod app;
pub mod commands;
pub mod domain;
pub mod events;
pub mod graphql;
pub mod migration;
pub mod projections;
pub mod seed;
pub mod store;
