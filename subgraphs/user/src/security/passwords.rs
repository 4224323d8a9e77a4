//! argon2id in a pool of its own: hashing takes a core for tens of milliseconds and 19 MiB, so a storm of log-ins must
//! neither stop the other requests nor eat the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::domain::input::Password;

/// Why a password was not hashed or compared: always our fault.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The stored text is no PHC string, or hashing refused its parameters.
    #[error("password hash: {0}")]
    Hash(String),
    /// The blocking task died.
    #[error("password task: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The password is another one.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, and its hash is weaker than today's; this is a new one.
    RightButWeak(String),
}

/// Hashes and compares passwords. Cheap to clone; all clones share one pool.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    dummy_hash: Arc<str>,
    /// Hashes made so far.
    made: Arc<AtomicU64>,
}

impl Passwords {
    /// A pool of half the machine's cores, at least one.
    ///
    /// # Errors
    /// [`PasswordError::Hash`] when argon2 cannot make the dummy hash.
    pub fn new() -> Result<Passwords, PasswordError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let dummy_hash = hash_now(b"nobody has this password")?;
        Ok(Passwords {
            permits: Arc::new(Semaphore::new((cores / 2).max(1))),
            dummy_hash: dummy_hash.into(),
            made: Arc::default(),
        })
    }

    /// How many times argon2id has run: nearly all that an answer about a password costs, and so what its time tells.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Hashes a new password with a fresh salt.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn hash(&self, password: Password) -> Result<String, PasswordError> {
        let _permit = self.permits.acquire().await;
        self.made.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || hash_now(password.as_bytes())).await?
    }

    /// Compares a password with a stored hash. Without one (no such user) it compares with a dummy, so that the answer
    /// takes as long.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<Verdict, PasswordError> {
        let dummy = Arc::clone(&self.dummy_hash);
        let _permit = self.permits.acquire().await;
        self.made.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| dummy.to_string());
            let verdict = verify_now(password.as_bytes(), &stored)?;
            Ok(if known { verdict } else { Verdict::Wrong })
        })
        .await?
    }
}

fn hash_now(password: &[u8]) -> Result<String, PasswordError> {
    Argon2::default()
        .hash_password(password)
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError::Hash(error.to_string()))
}

fn verify_now(password: &[u8], stored: &str) -> Result<Verdict, PasswordError> {
    let parsed = PasswordHash::new(stored).map_err(|error| PasswordError::Hash(error.to_string()))?;
    if Argon2::default().verify_password(password, &parsed).is_err() {
        return Ok(Verdict::Wrong);
    }
    if is_weak(stored) { Ok(Verdict::RightButWeak(hash_now(password)?)) } else { Ok(Verdict::Right) }
}

/// Whether a hash was made with less work than today's parameters.
fn is_weak(stored: &str) -> bool {
    let today = argon2::Params::default();
    let cost = |name: &str| -> u32 {
        stored
            .split(['$', ','])
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
            .unwrap_or(0)
    };
    !stored.starts_with("$argon2id$") || cost("m") < today.m_cost() || cost("t") < today.t_cost()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn hashes_are_argon2id_with_the_owasp_minimum_and_a_fresh_salt() {
        let passwords = Passwords::new().unwrap();
        let [one, two] = [
            passwords.hash(password("kopi-o-kosong")).await.unwrap(),
            passwords.hash(password("kopi-o-kosong")).await.unwrap(),
        ];
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$") && !is_weak(&one), "{one}");
        let params = argon2::Params::default();
        assert!(params.m_cost() >= 19_456 && params.t_cost() >= 2);
        assert_eq!(passwords.verify(password("kopi-o-kosong"), Some(one)).await.unwrap(), Verdict::Right);
        assert_eq!(passwords.verify(password("kopi-c-kosong"), Some(two)).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn nobody_can_sign_in_with_the_dummy_password() {
        let passwords = Passwords::new().unwrap();
        let verdict = passwords.verify(password("nobody has this password"), None).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_weak_hash_is_replaced_at_log_in() {
        let weak = Argon2::new(
            argon2::Algorithm::Argon2id,
            argon2::Version::default(),
            argon2::Params::new(1024, 1, 1, None).unwrap(),
        );
        let stored = weak.hash_password(b"kopi-o-kosong").unwrap().to_string();
        let passwords = Passwords::new().unwrap();
        match passwords.verify(password("kopi-o-kosong"), Some(stored)).await.unwrap() {
            Verdict::RightButWeak(new) => assert!(!is_weak(&new)),
            other => panic!("{other:?}"),
        }
    }
}
