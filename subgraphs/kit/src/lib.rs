//! The one crate that all services share: everything about being a service, nothing about the marketplace.
//!
//! A type belongs here only if a service in another trade could use it: `Money` yes, a stock-keeping unit no.
//! - [`config`], [`telemetry`], [`trace`]: settings from the environment; logs; the trace that messages belong to
//! - [`db`], [`migrations`]: SQLite or PostgreSQL by URL, transactions, the kit's own tables
//! - [`outbox`]: events written in the business transaction, and the relay that publishes them
//! - [`message_keys`], `senders`: in whose name a message is sent, and whether it is believed
//! - [`consumer`], [`inbox`], [`parked`]: events applied once, in order per key; the version gate of projections; what waits
//! - [`rebuild`]: read models made anew from the topics
//! - [`audit`]: what must hold in a database, asked of it
//! - [`purge`]: rows that may go after a while
//! - [`operator`]: what a person can ask of a service's database from the command line
//! - [`idempotency`]: one effect per client key
//! - [`saga`], [`timers`]: long business transactions over services; things to do later
//! - [`ids`], [`money`], [`page`], [`time`]: values
//! - [`own_pages`]: pages of many lists by one statement
//! - [`errors`]: refusals to the client, failures of the system, and how each becomes GraphQL
//! - [`auth`]: access tokens, the viewer of a request, guards
//! - [`signing`]: signatures by a shared key: calls of the gateway
//! - [`graphql`]: scalars, shared types, limits, the federation SDL
//! - [`live`]: who to wake when something changed, for subscriptions
//! - [`serve`], [`service`]: HTTP in front of a schema; a started service and its tasks
//! - [`failpoint`]: where tests stop a service between two effects
//! - [`testing`]: databases, broker, tokens and waiting, for tests of services

pub mod audit;
pub mod auth;
pub mod config;
pub mod consumer;
pub mod db;
pub mod errors;
pub mod failpoint;
pub mod graphql;
pub mod idempotency;
pub mod ids;
pub mod inbox;
pub mod live;
pub mod message_keys;
pub mod migrations;
pub mod money;
pub mod operator;
pub mod outbox;
pub mod own_pages;
pub mod page;
pub mod parked;
pub mod purge;
pub mod rebuild;
pub mod saga;
mod senders;
pub mod serve;
pub mod service;
pub mod signing;
pub mod telemetry;
pub mod testing;
pub mod time;
pub mod timers;
pub mod trace;

pub use db::{Db, Tx};
pub use errors::{Failure, SystemError, UserError};
pub use money::Money;
pub use service::{Service, Tasks};
