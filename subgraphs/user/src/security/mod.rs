//! Passwords and tokens: what touches clear-text secrets, and what guards them.
//!
//! - [`passwords`]: argon2id in a bounded pool
//! - [`limits`]: what may be tried how often
//! - [`tokens`]: signing keys, access tokens, refresh tokens

pub mod limits;
pub mod passwords;
pub mod tokens;
