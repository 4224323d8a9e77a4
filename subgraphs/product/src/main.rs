//! Starts the product service.
fn main() {}
