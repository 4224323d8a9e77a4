//! Starts the listing service.
fn main() {}
