//! Starts the user service.
fn main() {}
