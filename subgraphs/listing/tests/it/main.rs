//! The listing service, tested. One program, because each links everything anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod auctions;
mod authorization;
mod earlier;
mod events;
mod guards;
mod live;
mod locks;
mod queries;
mod races;
mod schema;
mod support;
