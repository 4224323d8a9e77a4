//! The order service: carts, orders, invoices, the sagas that place and refund orders, reviews and bookings.
//!
//! - [`app`]: wires and starts it.
//! - [`audit`]: what must hold in the database.
//! - [`domain`]: the rules, without I/O.
//! - [`commands`]: what the mutations do, each in one transaction.
//! - [`sagas`]: what takes several services: placing, reserving, refunding, paying bookings.
//! - [`store`], [`migration`]: rows, and the tables they are in.
//! - [`graphql`]: the schema.
//! - [`live`]: wakes subscriptions for what other processes changed.
//! - [`invoices`], [`pdf`]: the printable invoices, and the files they are.
//! - [`events`], [`projections`]: what is published, what is made of others' messages.
//! - [`mod@seed`]: the data of a fresh installation.
//!
//! Elsewhere: stock (product service), money (user service), listings and bids (listing service).

pub mod app;
pub mod audit;
pub mod commands;
pub mod domain;
pub mod events;
pub mod graphql;
pub mod invoices;
pub mod live;
pub mod migration;
pub mod pdf;
pub mod projections;
pub mod sagas;
pub mod seed;
pub mod store;

pub use graphql::sdl;
pub use seed::seed;
