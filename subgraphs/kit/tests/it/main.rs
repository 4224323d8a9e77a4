//! What `kit` promises, over real databases, HTTP and a broker. One program, because each links everything anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod auth;
mod clocks;
mod database;
mod database_faults;
mod full_database;
mod history;
mod http;
mod idempotency;
mod messaging;
mod notes;
mod own_pages;
mod parking;
mod patience;
mod saga_simulation;
mod saga_steps;
mod saga_sweeps;
mod senders;
mod timers;
