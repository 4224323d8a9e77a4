//! The product service, tested. One program, because each links everything anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batching;
mod catalogue;
mod common;
mod events;
mod http;
mod schema;
mod stock;
