//! What may be tried how often. Counters live in the database (`store/attempts.rs`); their names are hashes, so that a
//! long or private text from a client is neither stored nor fills the table.
//!
//! Always: a name is counted whether an account of that name exists or not; being refused says nothing about it.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A counter and its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Names the counter.
    pub name: String,
    /// Most attempts within the window.
    pub max: i64,
    /// How long attempts count, from the first on.
    pub window: Duration,
}

fn limit(kind: &str, subject: &str, max: i64, window: Duration) -> Limit {
    let digest = Sha256::digest(subject.as_bytes());
    Limit { name: format!("{kind}:{}", URL_SAFE_NO_PAD.encode(&digest[..16])), max, window }
}

/// Wrong passwords for one account.
pub fn log_in(account: &str) -> Limit {
    limit("login", &account.trim().to_lowercase(), 10, Duration::minutes(15))
}

/// Wrong passwords from one address, whatever the accounts.
pub fn log_in_from(address: IpAddr) -> Limit {
    limit("login-from", &network(address), 100, Duration::minutes(15))
}

/// Wrong current passwords of somebody who is signed in. Apart from [`log_in`]: whoever has a stolen access token shall
/// neither find the password here nor shut the owner out there.
pub fn password_check(user_id: Uuid) -> Limit {
    limit("password", &user_id.to_string(), 10, Duration::minutes(15))
}

/// Wrong secrets of one service.
pub fn service(name: &str) -> Limit {
    limit("service", name, 20, Duration::minutes(15))
}

/// New accounts from one address.
pub fn register_from(address: IpAddr) -> Limit {
    limit("register-from", &network(address), 50, Duration::hours(1))
}

/// Letters with a reset link to one account.
pub fn reset(account: &str) -> Limit {
    limit("reset", &account.trim().to_lowercase(), 5, Duration::hours(1))
}

/// Reset links asked for from one address.
pub fn reset_from(address: IpAddr) -> Limit {
    limit("reset-from", &network(address), 30, Duration::hours(1))
}

/// Letters with a verification link to one account.
pub fn verification(user_id: Uuid) -> Limit {
    limit("verify", &user_id.to_string(), 5, Duration::hours(1))
}

/// Payments begun by one account.
pub fn top_up(user_id: Uuid) -> Limit {
    limit("top-up", &user_id.to_string(), 30, Duration::hours(1))
}

/// An IPv6 customer has a whole /64 of addresses.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_a_short_name_that_gives_nothing_away() {
        let limit = log_in(&"Bob@Shop.example".repeat(10_000));
        assert!(limit.name.len() < 40 && !limit.name.contains("bob"), "{}", limit.name);
        assert_eq!(log_in("Bob@Shop.example "), log_in("bob@shop.example"));
        assert_ne!(log_in("bob@shop.example").name, reset("bob@shop.example").name);
    }

    #[test]
    fn addresses_of_one_ipv6_network_and_mapped_ipv4_addresses_are_one() {
        let of = |text: &str| log_in_from(text.parse().unwrap()).name;
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
    }
}
