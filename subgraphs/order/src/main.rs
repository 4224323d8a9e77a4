//! Starts the order service.
fn main() {}
