//! Placeholder header: replaced by the crate's own.
pub mod transport;
