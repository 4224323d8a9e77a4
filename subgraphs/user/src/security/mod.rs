//! Passwords and tokens: the only place that touches clear-text secrets.
//!
//! - [`passwords`]: argon2id in a bounded pool
//! - [`tokens`]: signing keys, access tokens, refresh tokens

pub mod passwords;
pub mod tokens;
