//! How many sockets, or streams, are open, and whose.
//!
//! Always: a place is given back when its holder is dropped; clients without one are forgotten.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::{Client, network};

/// Counts what is open. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Census(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_client: HashMap<Whose, usize, ahash::RandomState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    Address(IpAddr),
    Subject(Arc<str>),
}

/// How many may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caps {
    pub(crate) total: usize,
    /// From one address; of IPv6, from one /64 network.
    pub(crate) per_address: usize,
    /// Of one subject of verified tokens.
    pub(crate) per_subject: usize,
}

/// Which cap is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Total,
    Address,
    Subject,
}

impl Full {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Address => "address",
            Self::Subject => "subject",
        }
    }
}

/// One place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    census: Census,
    in_total: usize,
    held: Vec<Whose>,
}

impl Census {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more of this client. Who has no address, such as a neighbour by a Unix socket, or no subject, is not
    /// counted by it.
    ///
    /// # Errors
    /// [`Full`] says which cap is reached; nothing is counted then.
    pub(crate) fn enter(&self, client: &Client, caps: Caps) -> Result<Place, Full> {
        let mut counts = self.counts();
        if counts.total >= caps.total {
            return Err(Full::Total);
        }
        let address = client.address.map(|address| Whose::Address(network(address)));
        if address.as_ref().is_some_and(|address| counts.of(address) >= caps.per_address) {
            return Err(Full::Address);
        }
        let subject = client.subject.clone().map(Whose::Subject);
        if subject.as_ref().is_some_and(|subject| counts.of(subject) >= caps.per_subject) {
            return Err(Full::Subject);
        }
        counts.total += 1;
        let held: Vec<Whose> = address.into_iter().chain(subject).collect();
        for whose in &held {
            *counts.by_client.entry(whose.clone()).or_default() += 1;
        }
        Ok(Place { census: self.clone(), in_total: 1, held })
    }

    /// A place of a subject alone, for what has a place and learns later whose it is.
    ///
    /// # Errors
    /// [`Full::Subject`].
    pub(super) fn identify(&self, subject: &Arc<str>, per_subject: usize) -> Result<Place, Full> {
        let mut counts = self.counts();
        let whose = Whose::Subject(Arc::clone(subject));
        if counts.of(&whose) >= per_subject {
            return Err(Full::Subject);
        }
        *counts.by_client.entry(whose.clone()).or_default() += 1;
        Ok(Place { census: self.clone(), in_total: 0, held: vec![whose] })
    }

    /// What is open.
    #[cfg(test)]
    fn total(&self) -> usize {
        self.counts().total
    }
}

impl Counts {
    fn of(&self, whose: &Whose) -> usize {
        self.by_client.get(whose).copied().unwrap_or(0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.census.counts();
        counts.total -= self.in_total;
        for whose in &self.held {
            if let Some(count) = counts.by_client.get_mut(whose) {
                *count -= 1;
                if *count == 0 {
                    counts.by_client.remove(whose);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps = Caps { total: 4, per_address: 2, per_subject: 2 };

    fn client(address: Option<&str>, subject: Option<&str>) -> Client {
        Client { address: address.map(|text| text.parse().unwrap()), subject: subject.map(Into::into) }
    }

    #[test]
    fn a_client_gets_its_places_back() {
        let census = Census::default();
        let enter = |address, subject| census.enter(&client(address, subject), CAPS);
        let first = enter(Some("10.0.0.1"), Some("a")).unwrap();
        let second = enter(Some("10.0.0.1"), None).unwrap();
        assert_eq!(enter(Some("10.0.0.1"), None).unwrap_err(), Full::Address);
        let third = enter(Some("10.0.0.2"), Some("a")).unwrap();
        assert_eq!(enter(None, Some("a")).unwrap_err(), Full::Subject);
        let fourth = enter(None, None).unwrap();
        assert_eq!(enter(None, None).unwrap_err(), Full::Total);
        drop(second);
        let again = enter(Some("10.0.0.1"), Some("b")).unwrap();
        drop((first, third, fourth, again));
        assert_eq!(census.total(), 0);
        assert!(census.counts().by_client.is_empty());
    }

    #[test]
    fn all_addresses_of_one_subscriber_are_one() {
        let census = Census::default();
        let enter = |address| census.enter(&client(Some(address), None), CAPS);
        let _held = [enter("2001:db8:1:2::1").unwrap(), enter("2001:db8:1:2:ffff::9").unwrap()];
        assert_eq!(enter("2001:db8:1:2::3").unwrap_err(), Full::Address);
        enter("2001:db8:1:3::1").unwrap();
    }

    #[test]
    fn who_is_known_later_is_counted_then() {
        let census = Census::default();
        let subject: Arc<str> = "a".into();
        let _held = [census.identify(&subject, 2).unwrap(), census.identify(&subject, 2).unwrap()];
        assert_eq!(census.identify(&subject, 2).unwrap_err(), Full::Subject);
        assert_eq!(census.total(), 0);
    }
}
