//! The platform's fee, and how a captured payment is split between sellers and the platform.
//!
//! The buyer pays the prices shown; the fee comes out of the seller's share. Always: the parts of a split add up
//! to the total. Elsewhere: moving the money (user service).

use std::collections::BTreeMap;

use uuid::Uuid;

/// Fee in basis points (hundredths of a percent) of what is sold.
pub const FEE_BASIS_POINTS: i64 = 500;

/// Fee on `minor` units, rounded half up to a whole minor unit. Not negative for a price that is not.
pub fn platform_fee(minor: i64) -> i64 {
    let rounded = (i128::from(minor) * i128::from(FEE_BASIS_POINTS) + 5_000) / 10_000;
    i64::try_from(rounded).expect("five percent of an i64 is an i64")
}

/// Who receives how much of one payment, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Per seller, in the order of ids.
    pub sellers: Vec<(Uuid, i64)>,
    /// The platform's part: its fee, and all of what no seller offers.
    pub platform: i64,
}

/// Splits lines of (seller, line total, fee), all in minor units.
pub fn split(lines: impl IntoIterator<Item = (Option<Uuid>, i64, i64)>) -> Split {
    let mut sellers = BTreeMap::<Uuid, i64>::new();
    let mut platform = 0;
    for (seller, total, fee) in lines {
        match seller {
            Some(seller) => {
                *sellers.entry(seller).or_default() += total - fee;
                platform += fee;
            }
            None => platform += total,
        }
    }
    Split { sellers: sellers.into_iter().collect(), platform }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fee_rounds_half_up() {
        assert_eq!(platform_fee(1_250), 63);
        assert_eq!(platform_fee(890), 45);
        assert_eq!(platform_fee(9), 0);
        assert_eq!(platform_fee(10), 1);
        assert_eq!(platform_fee(0), 0);
        assert_eq!(platform_fee(i64::MAX), i64::MAX / 20);
    }

    #[test]
    fn parts_of_a_split_add_up_to_the_total() {
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let lines =
            [(Some(second), 1_250, 63), (Some(first), 890, 45), (Some(second), 10, 1), (None, 500, 25)];
        let split = split(lines);
        assert_eq!(split.sellers, [(first, 845), (second, 1_196)]);
        assert_eq!(split.platform, 609);
        assert_eq!(845 + 1_196 + 609, 1_250 + 890 + 10 + 500);
    }
}
