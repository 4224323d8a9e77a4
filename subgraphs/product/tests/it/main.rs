//! The product service, tested. One program, because each links everything anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authorization;
mod batching;
mod catalogue;
mod common;
mod events;
mod history;
mod http;
mod process;
mod schema;
mod stock;
