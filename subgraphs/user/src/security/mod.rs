//! Passwords and tokens: the only place that touches clear-text secrets.
//!
//! - [`passwords`]: argon2id in a bounded pool
//! - [`attempts`]: failed log-ins per account
//! - [`tokens`]: signing keys, access tokens, refresh tokens

pub mod attempts;
pub mod passwords;
pub mod tokens;
