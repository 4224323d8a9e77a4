//! How many sockets are open, and whose.
//!
//! Always: a place is given back when its holder is dropped; addresses without a socket are forgotten.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts sockets. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Census(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
pub(crate) struct Counts {
    total: usize,
    by_address: HashMap<IpAddr, usize, ahash::RandomState>,
}

/// One socket's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    census: Census,
    address: Option<IpAddr>,
}

impl Census {
    /// A place for one more socket, when there is one. What has no address, such as a neighbour by a Unix socket, is
    /// counted in the total alone.
    pub(super) fn enter(
        &self,
        address: Option<IpAddr>,
        total_max: usize,
        per_address_max: usize,
    ) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= total_max {
            return None;
        }
        if let Some(address) = address {
            let count = counts.by_address.entry(address).or_default();
            if *count >= per_address_max {
                return None;
            }
            *count += 1;
        }
        counts.total += 1;
        Some(Place { census: self.clone(), address })
    }

    /// Sockets that are open.
    #[cfg(test)]
    fn total(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.census.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        let Some(address) = self.address else { return };
        if let Some(count) = counts.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_places_back() {
        let census = Census::default();
        let enter = |address| census.enter(address, 3, 2);
        let [one, two]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        let held = [enter(Some(one)).unwrap(), enter(Some(one)).unwrap()];
        assert!(enter(Some(one)).is_none(), "two are enough for one address");
        let other = enter(Some(two)).unwrap();
        assert!(enter(None).is_none(), "three are enough for all");
        assert_eq!(census.total(), 3);
        drop((held, other));
        assert_eq!(census.total(), 0);
        assert!(census.0.lock().unwrap().by_address.is_empty());
    }
}
