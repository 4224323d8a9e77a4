//! Wrong passwords per account, so that nobody tries a dictionary on one. Counted for unknown accounts alike: being refused
//! says nothing about whether an account exists. Per process and in memory; the gateway limits per address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, Utc};

/// Failures after which an account waits.
pub const FAILURES_MAX: u32 = 10;
/// How long failures count.
const WINDOW: Duration = Duration::minutes(15);
/// Accounts remembered; the oldest windows make room.
const ACCOUNTS_MAX: usize = 10_000;
/// Characters of a name that are kept, more than any e-mail address has: what a client sends must not fill the memory.
const NAME_CHARS_MAX: usize = 512;

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: DateTime<Utc>,
    count: u32,
}

/// Counts failures. Clones share their counts.
#[derive(Debug, Clone, Default)]
pub struct Attempts {
    accounts: Arc<Mutex<HashMap<String, Failures>>>,
}

impl Attempts {
    /// Whether the account may be tried now.
    pub fn allowed(&self, account: &str, now: DateTime<Utc>) -> bool {
        let accounts = self.accounts.lock().expect("no code panics while it holds this lock");
        accounts
            .get(&kept(account))
            .is_none_or(|failures| failures.over(now) || failures.count < FAILURES_MAX)
    }

    /// Notes a failure.
    pub fn failed(&self, account: &str, now: DateTime<Utc>) {
        let mut accounts = self.accounts.lock().expect("no code panics while it holds this lock");
        let account = kept(account);
        if accounts.len() >= ACCOUNTS_MAX && !accounts.contains_key(&account) {
            make_room(&mut accounts, now);
        }
        let fresh = Failures { since: now, count: 0 };
        let failures = accounts.entry(account).or_insert(fresh);
        if failures.over(now) {
            *failures = fresh;
        }
        failures.count += 1;
    }

    /// Forgets the account's failures: its owner is here.
    pub fn succeeded(&self, account: &str) {
        self.accounts.lock().expect("no code panics while it holds this lock").remove(&kept(account));
    }
}

fn kept(account: &str) -> String {
    account.chars().take(NAME_CHARS_MAX).collect()
}

impl Failures {
    fn over(self, now: DateTime<Utc>) -> bool {
        now - self.since >= WINDOW
    }
}

fn make_room(accounts: &mut HashMap<String, Failures>, now: DateTime<Utc>) {
    accounts.retain(|_, failures| !failures.over(now));
    if accounts.len() < ACCOUNTS_MAX {
        return;
    }
    let oldest =
        accounts.iter().min_by_key(|(_, failures)| failures.since).map(|(account, _)| account.clone());
    if let Some(oldest) = oldest {
        accounts.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_waits_after_ten_failures_until_the_window_is_over() {
        let attempts = Attempts::default();
        let now = Utc::now();
        for _ in 0..FAILURES_MAX {
            assert!(attempts.allowed("bob", now));
            attempts.failed("bob", now);
        }
        assert!(!attempts.allowed("bob", now));
        assert!(attempts.allowed("eve", now));
        assert!(attempts.allowed("bob", now + WINDOW));
        attempts.succeeded("bob");
        assert!(attempts.allowed("bob", now));
    }

    #[test]
    fn the_memory_is_bounded() {
        let attempts = Attempts::default();
        for n in 0..ACCOUNTS_MAX + 5 {
            attempts.failed(&n.to_string(), Utc::now());
        }
        assert_eq!(attempts.accounts.lock().unwrap().len(), ACCOUNTS_MAX);
    }

    #[test]
    fn a_long_name_is_not_kept_whole() {
        let attempts = Attempts::default();
        attempts.failed(&"x".repeat(1_000_000), Utc::now());
        assert!(attempts.accounts.lock().unwrap().keys().all(|kept| kept.len() <= 512));
    }
}
