//! Stock reservations: what an order asks for, summed per product, and the answers it can get.

use std::collections::BTreeMap;

use uuid::Uuid;

/// Most units of one product in one order; far above any cart, far below what could overflow.
pub const QUANTITY_MAX: i64 = 1_000_000;

/// Where a reservation stands. It leaves `Reserved` once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationStatus {
    /// The units are set aside.
    Reserved,
    /// There were not enough.
    Rejected,
    /// The units are free again.
    Released,
    /// The units are sold.
    Committed,
}

impl ReservationStatus {
    /// The stored name.
    pub fn name(self) -> &'static str {
        match self {
            ReservationStatus::Reserved => "RESERVED",
            ReservationStatus::Rejected => "REJECTED",
            ReservationStatus::Released => "RELEASED",
            ReservationStatus::Committed => "COMMITTED",
        }
    }

    /// Reads a stored name.
    pub fn parse(name: &str) -> Option<ReservationStatus> {
        [Self::Reserved, Self::Rejected, Self::Released, Self::Committed]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// What is wrong with the lines of a command. A wrong command is a bug of its sender, so it is rejected as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinesError {
    /// Nothing to reserve.
    #[error("a reservation needs at least one line")]
    Empty,
    /// Zero, negative, or more than anyone buys.
    #[error("a quantity is between 1 and {QUANTITY_MAX}")]
    Quantity,
}

/// Sums the lines per product, in id order: the order in which rows are locked, so that two orders with the same
/// products never wait for each other in a circle.
///
/// # Errors
/// [`LinesError`].
pub fn sum_lines(lines: impl IntoIterator<Item = (Uuid, i64)>) -> Result<BTreeMap<Uuid, i64>, LinesError> {
    let mut sums: BTreeMap<Uuid, i64> = BTreeMap::new();
    for (product, quantity) in lines {
        let sum = sums.entry(product).or_default();
        *sum = sum.checked_add(quantity).ok_or(LinesError::Quantity)?;
        if quantity < 1 || *sum > QUANTITY_MAX {
            return Err(LinesError::Quantity);
        }
    }
    if sums.is_empty() { Err(LinesError::Empty) } else { Ok(sums) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_product_on_two_lines_is_one_sum() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sums = sum_lines([(b, 1), (a, 2), (b, 3)]).unwrap();
        assert_eq!(sums.into_iter().collect::<Vec<_>>(), [(a, 2), (b, 4)]);
    }

    #[test]
    fn quantities_below_one_and_beyond_the_bound_are_refused() {
        let a = Uuid::from_u128(1);
        for lines in [
            vec![(a, 0)],
            vec![(a, -1)],
            vec![(a, i64::MAX)],
            vec![(a, 5), (a, -1)],
            vec![(a, QUANTITY_MAX), (a, 1)],
        ] {
            assert_eq!(sum_lines(lines), Err(LinesError::Quantity));
        }
        assert_eq!(sum_lines([]), Err(LinesError::Empty));
    }
}
