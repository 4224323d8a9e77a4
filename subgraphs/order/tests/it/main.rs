//! The integration tests of the order service in one program; what they share is in `support`.

#![allow(clippy::unwrap_used, reason = "in a test it is a claim that fails the test")]

mod api;
mod authorization;
mod batching;
mod bookings;
mod earlier;
mod history;
mod live;
mod races;
mod reviews;
mod sagas;
mod sdl;
mod simulation;
mod support;
mod tickets;
