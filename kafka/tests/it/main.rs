//! The integration tests of the contracts and of the embedded broker in one program; `examples` has every payload once.

#![allow(clippy::unwrap_used, reason = "in a test it is a claim that fails the test")]

mod embedded;
mod envelope;
mod examples;
mod golden;
