//! Passwords and tokens: what touches clear-text secrets, and what guards them.
//!
//! - [`passwords`]: argon2id in a bounded pool
//! - [`limits`]: what may be tried how often
//! - [`key_ring`]: which signing key is used when
//! - [`tokens`]: signing keys, access tokens, refresh tokens

pub mod key_ring;
pub mod limits;
pub mod passwords;
pub mod tokens;
