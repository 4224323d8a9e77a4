//! Money: whole minor units and a currency. Never a float, never rounded, never past 64 bits without an error.

use std::fmt;

use async_graphql::Object;
use kopitiam_kafka::messages::Amount;
use serde::{Deserialize, Serialize};

use crate::errors::UserError;
use crate::graphql::Decimal;

/// Why an amount is not money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three capital letters of a known currency.
    #[error("`{0}` is not a currency code")]
    UnknownCurrency(String),
    /// Not digits with at most one point.
    #[error("`{0}` is not a decimal number")]
    NotDecimal(String),
    /// More digits after the point than the currency has.
    #[error("{currency} has {decimals} digits after the point")]
    TooPrecise {
        /// Which currency.
        currency: Currency,
        /// How many it has.
        decimals: u32,
    },
    /// Amounts of two currencies cannot be added or compared.
    #[error("{left} and {right} are different currencies")]
    CurrencyMismatch {
        /// One.
        left: Currency,
        /// The other.
        right: Currency,
    },
    /// Outside 64 bits of minor units.
    #[error("amount too large")]
    Overflow,
}

impl From<MoneyError> for UserError {
    fn from(error: MoneyError) -> Self {
        let code = match error {
            MoneyError::UnknownCurrency(_) => "UNKNOWN_CURRENCY",
            MoneyError::CurrencyMismatch { .. } => "CURRENCY_MISMATCH",
            MoneyError::NotDecimal(_) | MoneyError::TooPrecise { .. } | MoneyError::Overflow => {
                "INVALID_AMOUNT"
            }
        };
        Self::new(code, error.to_string())
    }
}

/// An ISO 4217 currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Known currencies and how many digits they have after the point (ISO 4217).
const CURRENCIES: [(&str, u32); 17] = [
    ("AUD", 2),
    ("BHD", 3),
    ("CAD", 2),
    ("CHF", 2),
    ("CNY", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("IDR", 2),
    ("INR", 2),
    ("JPY", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("MYR", 2),
    ("SGD", 2),
    ("THB", 2),
    ("USD", 2),
    ("VND", 0),
];

impl Currency {
    /// US dollar.
    pub const USD: Self = Self(*b"USD");

    /// Reads a code.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`] when it is not one of the known codes.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        CURRENCIES
            .iter()
            .find(|(known, _)| *known == code)
            .and_then(|(known, _)| known.as_bytes().try_into().ok().map(Self))
            .ok_or_else(|| MoneyError::UnknownCurrency(code.chars().take(16).collect()))
    }

    /// The three-letter code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("built from an ASCII code only")
    }

    /// Digits after the point.
    pub fn decimals(self) -> u32 {
        CURRENCIES.iter().find(|(known, _)| *known == self.code()).map_or(2, |(_, decimals)| *decimals)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(code: String) -> Result<Self, MoneyError> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// An amount, possibly negative, in one currency. In GraphQL: `Money { amount currency }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// `minor` units (cents for USD) of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// `minor` units of the currency with that code, as stored.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`].
    pub fn stored(minor: i64, currency: &str) -> Result<Self, MoneyError> {
        Ok(Self::new(minor, Currency::parse(currency)?))
    }

    /// Reads what a client wrote, such as `12.5` or `12.50` for USD.
    ///
    /// # Errors
    /// [`MoneyError`] when the currency is unknown, the text is no decimal number, or it is more precise than the currency.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, MoneyError> {
        let currency = Currency::parse(currency)?;
        let not_decimal = || MoneyError::NotDecimal(amount.chars().take(32).collect());
        let (negative, digits) = amount.strip_prefix('-').map_or((false, amount), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let well_formed = !whole.is_empty()
            && (digits.len() == whole.len() || !fraction.is_empty())
            && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !well_formed {
            return Err(not_decimal());
        }
        let decimals = currency.decimals();
        let significant = fraction.trim_end_matches('0');
        if significant.len() > decimals as usize {
            return Err(MoneyError::TooPrecise { currency, decimals });
        }
        // Built from the negative side, because i64::MIN has no positive counterpart.
        let mut minor: i64 = 0;
        let padding = std::iter::repeat_n(b'0', decimals as usize - significant.len());
        for byte in whole.bytes().chain(significant.bytes()).chain(padding) {
            minor = minor
                .checked_mul(10)
                .and_then(|minor| minor.checked_sub(i64::from(byte - b'0')))
                .ok_or(MoneyError::Overflow)?;
        }
        let minor = if negative { minor } else { minor.checked_neg().ok_or(MoneyError::Overflow)? };
        Ok(Self::new(minor, currency))
    }

    /// Minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// Its currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is more than nothing.
    pub const fn is_positive(self) -> bool {
        self.minor > 0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError`] when the currencies differ or the sum leaves 64 bits; amounts are never rounded.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// The difference.
    ///
    /// # Errors
    /// As [`Self::checked_add`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// `count` times as much.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn checked_mul(self, count: i64) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(count).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// `percent` of it, cut towards zero to a whole minor unit.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn percent(self, percent: u32) -> Result<Self, MoneyError> {
        let minor = i128::from(self.minor) * i128::from(percent) / 100;
        Ok(Self::new(i64::try_from(minor).map_err(|_| MoneyError::Overflow)?, self.currency))
    }

    /// The amount as a decimal string with the currency's digits: `12.50`.
    pub fn decimal(self) -> String {
        let decimals = self.currency.decimals();
        let unit = 10_u64.pow(decimals);
        let sign = if self.minor < 0 { "-" } else { "" };
        let size = self.minor.unsigned_abs();
        if decimals == 0 {
            return format!("{sign}{size}");
        }
        format!("{sign}{}.{:0width$}", size / unit, size % unit, width = decimals as usize)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency })
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.decimal(), self.currency)
    }
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self::new(money.minor, money.currency.code())
    }
}

impl TryFrom<&Amount> for Money {
    type Error = MoneyError;

    fn try_from(amount: &Amount) -> Result<Self, MoneyError> {
        Self::stored(amount.minor, &amount.currency)
    }
}

#[Object(shareable)]
impl Money {
    async fn amount(&self) -> Decimal {
        Decimal(self.decimal())
    }

    #[graphql(name = "currency")]
    async fn currency_code(&self) -> &str {
        self.currency.code()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimal_strings_are_read_exactly() {
        assert_eq!(Money::parse("12.5", "USD"), Ok(Money::new(1250, Currency::USD)));
        assert_eq!(Money::parse("0.10", "USD"), Ok(Money::new(10, Currency::USD)));
        assert_eq!(Money::parse("-3", "USD"), Ok(Money::new(-300, Currency::USD)));
        assert_eq!(Money::parse("1000", "JPY").map(Money::minor), Ok(1000));
        assert_eq!(Money::parse("1.500", "BHD").map(Money::minor), Ok(1500));
        assert_eq!(Money::parse("1.5000", "USD").map(Money::minor), Ok(150));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-", ".5", "1.", "1e3", "NaN", "1,5", " 1", "+1", "١"] {
            assert!(matches!(Money::parse(text, "USD"), Err(MoneyError::NotDecimal(_))), "{text:?}");
        }
        assert!(matches!(Money::parse("0.001", "USD"), Err(MoneyError::TooPrecise { decimals: 2, .. })));
        assert_eq!(Money::parse("92233720368547758.08", "USD"), Err(MoneyError::Overflow));
        assert!(matches!(Money::parse("1", "usd"), Err(MoneyError::UnknownCurrency(_))));
    }

    #[test]
    fn currencies_do_not_mix() {
        let yen = Money::stored(1, "JPY").unwrap();
        assert!(matches!(
            yen.checked_add(Money::zero(Currency::USD)),
            Err(MoneyError::CurrencyMismatch { .. })
        ));
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same_amount(minor in any::<i64>(), currency in 0..CURRENCIES.len()) {
            let money = Money::stored(minor, CURRENCIES[currency].0).unwrap();
            prop_assert_eq!(Money::parse(&money.decimal(), money.currency().code()), Ok(money));
        }

        #[test]
        fn a_sum_is_exact_or_an_error(left in any::<i64>(), right in any::<i64>()) {
            let sum = Money::new(left, Currency::USD).checked_add(Money::new(right, Currency::USD));
            let exact = left.checked_add(right).map(|minor| Money::new(minor, Currency::USD));
            prop_assert_eq!(sum, exact.ok_or(MoneyError::Overflow));
        }

        #[test]
        fn reading_never_panics(text in ".*") {
            let _ = Money::parse(&text, "USD");
        }
    }
}
