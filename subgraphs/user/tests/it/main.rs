//! The user service, tested. One program, because each links everything anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod authorization;
mod batching;
mod common;
mod escrow;
mod events;
mod http;
mod ledger;
mod ledger_random;
mod mail;
mod management;
mod notices;
mod recovery;
mod schema;
mod seed;
mod top_ups;
