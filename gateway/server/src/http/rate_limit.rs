//! Token buckets: how much one client may ask.
//!
//! In: a client's operations, and how often they name the fields that are counted on their own. Out: nothing, or how
//! long to wait.
//! Always: counts operations and occurrences of fields, not requests, so that neither a batch nor aliases get more out
//! of one request. The tables are bounded: clients that ask the least are forgotten first, and start anew.
//! Elsewhere: where a client is (`client_address.rs`), who it is (`auth/`), bounds on all clients together (`app.rs`).

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use kopitiam_engine::{OperationKind, Prepared};
use quick_cache::sync::Cache;

use super::encode::Refusal;
use crate::options::{FieldLimit, Rate, RateLimitSettings};

/// Who is counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    /// `None` for one on the same machine, by a Unix socket.
    pub(crate) address: Option<IpAddr>,
    /// Issuer and subject of a verified token.
    pub(crate) subject: Option<Arc<str>>,
}

/// What a bucket belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Subject(Arc<str>),
}

/// The buckets of one limit.
struct Buckets {
    quota: Quota,
    table: Cache<Key, Arc<DefaultDirectRateLimiter>>,
}

struct FieldBuckets {
    kind: OperationKind,
    name: String,
    buckets: Buckets,
}

/// All limits of a gateway.
pub(crate) struct RateLimits {
    per_address: Option<Buckets>,
    per_subject: Option<Buckets>,
    fields: Vec<FieldBuckets>,
}

impl std::fmt::Debug for RateLimits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RateLimits")
    }
}

impl RateLimits {
    pub(crate) fn new(settings: &RateLimitSettings) -> Self {
        let buckets = |rate: Rate| Buckets::new(rate, settings.clients_max);
        let field = |limit: &FieldLimit| FieldBuckets {
            kind: limit.kind,
            name: limit.name.clone(),
            buckets: buckets(limit.rate),
        };
        Self {
            per_address: settings.per_address.map(buckets),
            per_subject: settings.per_subject.map(buckets),
            fields: settings.fields.iter().map(field).collect(),
        }
    }

    /// Counts one operation.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] with the time until there is room for it.
    pub(crate) fn count_operation(&self, client: &Client) -> Result<(), Refusal> {
        if let (Some(buckets), Some(key)) = (&self.per_address, client.address_key()) {
            buckets.take(&key, NonZeroU32::MIN)?;
        }
        if let (Some(buckets), Some(key)) = (&self.per_subject, client.subject_key()) {
            buckets.take(&key, NonZeroU32::MIN)?;
        }
        Ok(())
    }

    /// Counts the fields of an operation that have limits of their own, each as often as it stands there.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] with the time until there is room for it.
    pub(crate) fn count_fields(&self, client: &Client, prepared: &Prepared) -> Result<(), Refusal> {
        for field in self.fields.iter().filter(|field| field.kind == prepared.kind()) {
            let occurrences = prepared.count_root_fields(&field.name);
            let occurrences = u32::try_from(occurrences).unwrap_or(u32::MAX);
            // Where it came from tells more than a token that anyone may have made for the purpose.
            let key = client.address_key().or_else(|| client.subject_key());
            if let (Some(occurrences), Some(key)) = (NonZeroU32::new(occurrences), key) {
                field.buckets.take(&key, occurrences)?;
            }
        }
        Ok(())
    }
}

impl Client {
    fn address_key(&self) -> Option<Key> {
        self.address.map(|address| Key::Address(network(address)))
    }

    fn subject_key(&self) -> Option<Key> {
        self.subject.clone().map(Key::Subject)
    }
}

/// A subscriber of IPv6 has a whole /64 and can take a new address for each request.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

impl Buckets {
    fn new(rate: Rate, clients_max: usize) -> Self {
        let interval = rate.per / rate.operations.get();
        let quota = Quota::with_period(interval.max(Duration::from_nanos(1)))
            .expect("the period is not zero")
            .allow_burst(rate.burst);
        Self { quota, table: Cache::new(clients_max.max(1)) }
    }

    fn take(&self, key: &Key, count: NonZeroU32) -> Result<(), Refusal> {
        let made = || Ok::<_, Refusal>(Arc::new(RateLimiter::direct(self.quota)));
        let bucket = self.table.get_or_insert_with(key, made)?;
        match bucket.check_n(count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                Err(Refusal::RateLimited { wait: until.wait_time_from(DefaultClock::default().now()) })
            }
            // More than the bucket ever holds: waiting does not help, asking for less does.
            Err(_) => Err(Refusal::RateLimited { wait: self.quota.burst_size_replenished_in() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(operations: u32, burst: u32, clients_max: usize) -> Buckets {
        let number = |number| NonZeroU32::new(number).unwrap();
        let rate =
            Rate { operations: number(operations), per: Duration::from_hours(1), burst: number(burst) };
        Buckets::new(rate, clients_max)
    }

    fn address(text: &str) -> Key {
        Client { address: Some(text.parse().unwrap()), subject: None }.address_key().unwrap()
    }

    #[test]
    fn a_client_has_its_burst_and_then_waits() {
        let buckets = buckets(1, 3, 10);
        for _ in 0..3 {
            buckets.take(&address("10.0.0.1"), NonZeroU32::MIN).unwrap();
        }
        let Err(Refusal::RateLimited { wait }) = buckets.take(&address("10.0.0.1"), NonZeroU32::MIN) else {
            panic!("a fourth was let through");
        };
        assert!(wait > Duration::from_mins(50) && wait <= Duration::from_hours(1), "{wait:?}");
        buckets.take(&address("10.0.0.2"), NonZeroU32::MIN).unwrap();
    }

    #[test]
    fn what_is_more_than_a_bucket_holds_is_refused_whole() {
        let buckets = buckets(1, 3, 10);
        assert!(buckets.take(&address("10.0.0.1"), NonZeroU32::new(4).unwrap()).is_err());
        buckets.take(&address("10.0.0.1"), NonZeroU32::new(3).unwrap()).unwrap();
    }

    #[test]
    fn all_addresses_of_one_subscriber_share_a_bucket() {
        let buckets = buckets(1, 1, 10);
        buckets.take(&address("2001:db8:1:2::1"), NonZeroU32::MIN).unwrap();
        assert!(buckets.take(&address("2001:db8:1:2:ffff::9"), NonZeroU32::MIN).is_err());
        buckets.take(&address("2001:db8:1:3::1"), NonZeroU32::MIN).unwrap();
    }

    #[test]
    fn a_flood_of_clients_stays_within_the_table() {
        let buckets = buckets(1, 1, 100);
        for number in 0..10_000_u32 {
            let address = Key::Address(std::net::Ipv4Addr::from_bits(number).into());
            let _ = buckets.take(&address, NonZeroU32::MIN);
        }
        assert!(buckets.table.len() <= 100, "{}", buckets.table.len());
    }
}
