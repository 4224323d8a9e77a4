//! The listing aggregate: what may be created, and how a listing moves through its statuses.
//!
//! In: checked inputs and the time. Out: a listing, or why not (a code, a message and the field). No I/O.

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::errors::UserError;
use kopitiam_kit::money::Money;
use uuid::Uuid;

use super::bid::Bid;

/// Longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 120;
/// Longest description of a service, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// An auction runs at least this long.
pub const AUCTION_LENGTH_MIN: TimeDelta = TimeDelta::minutes(1);
/// An auction runs at most this long.
pub const AUCTION_LENGTH_MAX: TimeDelta = TimeDelta::days(30);
/// Most pieces that one listing offers.
pub const QUANTITY_MAX: i32 = 1_000_000;
/// The next bid is at least this share of the current price higher (rounded up, at least one minor unit).
const BID_STEP_DIVISOR: i64 = 20;

/// Where a listing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListingStatus {
    /// An auction that waits for its item to be locked.
    Pending,
    /// Open.
    Active,
    /// Kept for one order.
    Reserved,
    /// An auction that ended and waits for money and item to change hands.
    Settling,
    /// Sold.
    Sold,
    /// Ended without a sale.
    Closed,
    /// Called off.
    Cancelled,
}

impl ListingStatus {
    /// Every status, with its name in the database, in events and in GraphQL.
    pub const NAMES: [(Self, &'static str); 7] = [
        (Self::Pending, "PENDING"),
        (Self::Active, "ACTIVE"),
        (Self::Reserved, "RESERVED"),
        (Self::Settling, "SETTLING"),
        (Self::Sold, "SOLD"),
        (Self::Closed, "CLOSED"),
        (Self::Cancelled, "CANCELLED"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(status, _)| *status == self).map_or("CLOSED", |(_, name)| name)
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(status, _)| *status)
    }
}

/// What is particular to a kind of listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Details {
    /// Sold to the highest bidder.
    Auction {
        /// The collectible that changes hands.
        item_id: Uuid,
        /// Where bidding starts.
        start_price: Money,
        /// Below this nothing is sold; secret, only whether it is met is shown.
        reserve_price: Option<Money>,
        /// A bid of this much ends the auction.
        buy_now_price: Option<Money>,
        /// When bidding ends, by this service's clock.
        ends_at: DateTime<Utc>,
        /// How many bids were accepted.
        bid_count: i32,
        /// The leading bid.
        highest_bid_id: Option<Uuid>,
    },
    /// Sold at its price.
    FixedPrice {
        /// The product it offers, when it is one of the catalogue.
        product_id: Option<Uuid>,
        /// How many pieces.
        quantity: i32,
        /// Kept for an order until then.
        reserved_until: Option<DateTime<Utc>>,
        /// The buyer it is kept for.
        reserved_by: Option<Uuid>,
    },
    /// Booked at its price.
    Service {
        /// What is done.
        description: String,
        /// Paid before work starts, in percent of the price, 0–100.
        deposit_percent: i32,
        /// How long it takes.
        duration_minutes: Option<i32>,
    },
}

/// A listing of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its id.
    pub id: Uuid,
    /// Its title.
    pub title: String,
    /// Who sells.
    pub seller_id: Uuid,
    /// Where it stands.
    pub status: ListingStatus,
    /// The price now: the current price of an auction, the price of the others.
    pub ask_price: Money,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Grows by one with every change.
    pub version: i64,
    /// What is particular to its kind.
    pub details: Details,
}

impl Listing {
    /// The lowest amount that a new bid may have: the start price, then a twentieth above the current price.
    ///
    /// `None` when the listing is no auction or the amount would leave 64 bits.
    pub fn min_next_bid(&self) -> Option<Money> {
        let Details::Auction { start_price, bid_count, .. } = &self.details else { return None };
        if *bid_count == 0 {
            return Some(*start_price);
        }
        let current = self.ask_price.minor();
        let step = current.checked_add(BID_STEP_DIVISOR - 1)? / BID_STEP_DIVISOR;
        Some(Money::new(current.checked_add(step.max(1))?, self.ask_price.currency()))
    }

    /// Whether the current price reaches the reserve; an auction without a reserve meets it with the first bid.
    pub fn reserve_met(&self) -> bool {
        match &self.details {
            Details::Auction { reserve_price, bid_count, .. } => {
                *bid_count > 0
                    && reserve_price.is_none_or(|reserve| self.ask_price.minor() >= reserve.minor())
            }
            _ => false,
        }
    }

    /// What a buyer of the service pays before work starts: the percentage of the price, rounded up to a minor unit.
    pub fn deposit(&self) -> Option<Money> {
        let Details::Service { deposit_percent, .. } = &self.details else { return None };
        let minor = (i128::from(self.ask_price.minor()) * i128::from(*deposit_percent) + 99) / 100;
        Some(Money::new(i64::try_from(minor).ok()?, self.ask_price.currency()))
    }

    /// Pending or open: its terms can change, and it can be called off.
    pub fn is_open(&self) -> bool {
        matches!(self.status, ListingStatus::Pending | ListingStatus::Active)
    }

    /// A bid leads from now on; the end moves when `extended_to` says so.
    pub fn lead(&mut self, bid: &Bid, extended_to: Option<DateTime<Utc>>) {
        self.ask_price = bid.amount;
        self.version += 1;
        if let Details::Auction { ends_at, bid_count, highest_bid_id, .. } = &mut self.details {
            *bid_count += 1;
            *highest_bid_id = Some(bid.id);
            *ends_at = extended_to.unwrap_or(*ends_at);
        }
    }

    /// The listing with another title or price; the price of an auction is where bidding starts.
    ///
    /// # Errors
    /// Every rule that the new terms break, each with its argument.
    pub fn with_terms(&self, title: Option<&str>, price: Option<Money>) -> Result<Self, Vec<UserError>> {
        let mut new = Self { version: self.version + 1, ..self.clone() };
        let mut errors = Vec::new();
        if let Some(title) = title {
            title.trim().clone_into(&mut new.title);
            errors.extend(check_title(title));
        }
        if let Some(price) = price {
            new.ask_price = price;
            errors.extend(check_price("price", &price));
            if let Details::Auction { start_price, reserve_price, buy_now_price, .. } = &mut new.details {
                *start_price = price;
                let above_reserve = reserve_price.is_some_and(|reserve| reserve.minor() < price.minor());
                let above_buy_now = buy_now_price.is_some_and(|buy_now| buy_now.minor() <= price.minor());
                if above_reserve || above_buy_now {
                    let message = "The start price stays below the reserve and the buy-now price.";
                    errors.push(invalid("price", message));
                }
            }
        }
        for error in &mut errors {
            // The mutation has arguments, not an input object.
            error.field = error.field.take().map(|path| path.into_iter().skip(1).collect());
        }
        if errors.is_empty() { Ok(new) } else { Err(errors) }
    }

    /// Its kind's name in events.
    pub fn kind(&self) -> kopitiam_kafka::messages::listing::ListingKind {
        use kopitiam_kafka::messages::listing::ListingKind;
        match self.details {
            Details::Auction { .. } => ListingKind::Auction,
            Details::FixedPrice { .. } => ListingKind::FixedPrice,
            Details::Service { .. } => ListingKind::Service,
        }
    }
}

/// What is asked when an auction is made; amounts are already money of one currency.
#[derive(Clone, Debug)]
pub struct NewAuction {
    /// The collectible.
    pub item_id: Uuid,
    /// Title.
    pub title: String,
    /// Where bidding starts.
    pub start_price: Money,
    /// Secret reserve.
    pub reserve_price: Option<Money>,
    /// Ends the auction at once.
    pub buy_now_price: Option<Money>,
    /// When bidding ends.
    pub ends_at: DateTime<Utc>,
}

/// Makes an auction; it is `PENDING` until the item is locked.
///
/// # Errors
/// Every rule that the input breaks, each with its field.
pub fn new_auction(
    id: Uuid,
    seller_id: Uuid,
    new: &NewAuction,
    now: DateTime<Utc>,
) -> Result<Listing, Vec<UserError>> {
    let mut errors: Vec<UserError> = check_title(&new.title).into_iter().collect();
    errors.extend(check_price("startPrice", &new.start_price));
    if let Some(reserve) = &new.reserve_price
        && reserve.minor() < new.start_price.minor()
    {
        errors.push(invalid("reservePrice", "The reserve cannot be below the start price."));
    }
    let floor = new.reserve_price.map_or(new.start_price.minor(), Money::minor);
    if let Some(buy_now) = &new.buy_now_price
        && (buy_now.minor() <= new.start_price.minor() || buy_now.minor() < floor)
    {
        errors
            .push(invalid("buyNowPrice", "The buy-now price must be above the start price and the reserve."));
    }
    let length = new.ends_at.signed_duration_since(now);
    if length < AUCTION_LENGTH_MIN || length > AUCTION_LENGTH_MAX {
        errors.push(invalid("endsAt", "An auction ends between one minute and thirty days from now."));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Listing {
        id,
        title: new.title.trim().to_owned(),
        seller_id,
        status: ListingStatus::Pending,
        ask_price: new.start_price,
        created_at: now,
        version: 1,
        details: Details::Auction {
            item_id: new.item_id,
            start_price: new.start_price,
            reserve_price: new.reserve_price,
            buy_now_price: new.buy_now_price,
            ends_at: new.ends_at,
            bid_count: 0,
            highest_bid_id: None,
        },
    })
}

/// What is asked when a fixed-price listing is made.
#[derive(Clone, Debug)]
pub struct NewFixedPrice {
    /// The product it offers.
    pub product_id: Option<Uuid>,
    /// Title.
    pub title: String,
    /// Price.
    pub price: Money,
    /// Pieces.
    pub quantity: i32,
}

/// Makes a fixed-price listing; it is open at once.
///
/// # Errors
/// Every rule that the input breaks, each with its field.
pub fn new_fixed_price(
    id: Uuid,
    seller_id: Uuid,
    new: &NewFixedPrice,
    now: DateTime<Utc>,
) -> Result<Listing, Vec<UserError>> {
    let mut errors: Vec<UserError> = check_title(&new.title).into_iter().collect();
    errors.extend(check_price("price", &new.price));
    if !(1..=QUANTITY_MAX).contains(&new.quantity) {
        errors.push(invalid("quantity", "The quantity is between 1 and 1000000."));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Listing {
        id,
        title: new.title.trim().to_owned(),
        seller_id,
        status: ListingStatus::Active,
        ask_price: new.price,
        created_at: now,
        version: 1,
        details: Details::FixedPrice {
            product_id: new.product_id,
            quantity: new.quantity,
            reserved_until: None,
            reserved_by: None,
        },
    })
}

/// What is asked when a service is offered.
#[derive(Clone, Debug)]
pub struct NewService {
    /// Title.
    pub title: String,
    /// What is done.
    pub description: String,
    /// Price.
    pub price: Money,
    /// Paid before work starts, in percent.
    pub deposit_percent: i32,
    /// How long it takes.
    pub duration_minutes: Option<i32>,
}

/// Offers a service; it is open at once.
///
/// # Errors
/// Every rule that the input breaks, each with its field.
pub fn new_service(
    id: Uuid,
    seller_id: Uuid,
    new: &NewService,
    now: DateTime<Utc>,
) -> Result<Listing, Vec<UserError>> {
    let mut errors: Vec<UserError> = check_title(&new.title).into_iter().collect();
    errors.extend(check_price("price", &new.price));
    let description = new.description.trim();
    if description.is_empty() || description.chars().count() > DESCRIPTION_CHARS_MAX {
        errors.push(invalid("description", "A description has between 1 and 4000 characters."));
    }
    if !(0..=100).contains(&new.deposit_percent) {
        errors.push(invalid("depositPercent", "The deposit is between 0 and 100 percent."));
    }
    if new.duration_minutes.is_some_and(|minutes| minutes < 1) {
        errors.push(invalid("durationMinutes", "A duration is at least one minute."));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Listing {
        id,
        title: new.title.trim().to_owned(),
        seller_id,
        status: ListingStatus::Active,
        ask_price: new.price,
        created_at: now,
        version: 1,
        details: Details::Service {
            description: description.to_owned(),
            deposit_percent: new.deposit_percent,
            duration_minutes: new.duration_minutes,
        },
    })
}

/// By how much `lowest` is below `price`, in whole percent cut towards zero; `None` when it is not below.
pub fn discount_percent(price: Money, lowest: Money) -> Option<i32> {
    if price.currency() != lowest.currency() || price.minor() <= 0 || lowest.minor() >= price.minor() {
        return None;
    }
    let saved = i128::from(price.minor()) - i128::from(lowest.minor());
    i32::try_from(saved * 100 / i128::from(price.minor())).ok()
}

fn check_title(title: &str) -> Option<UserError> {
    let chars = title.trim().chars().count();
    (chars == 0 || chars > TITLE_CHARS_MAX)
        .then(|| invalid("title", "A title has between 1 and 120 characters."))
}

fn check_price(field: &str, price: &Money) -> Option<UserError> {
    (price.minor() <= 0).then(|| invalid(field, "A price is above zero."))
}

fn invalid(field: &str, message: &str) -> UserError {
    UserError::on(&["input", field], "INVALID_INPUT", message)
}

#[cfg(test)]
mod tests {
    use kopitiam_kit::money::Currency;

    use super::*;

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::USD)
    }

    fn auction(
        start: i64,
        reserve: Option<i64>,
        buy_now: Option<i64>,
        ends_in: TimeDelta,
    ) -> Result<Listing, Vec<UserError>> {
        let now = DateTime::UNIX_EPOCH;
        let new = NewAuction {
            item_id: Uuid::from_u128(1),
            title: " A sign ".to_owned(),
            start_price: usd(start),
            reserve_price: reserve.map(usd),
            buy_now_price: buy_now.map(usd),
            ends_at: now + ends_in,
        };
        new_auction(Uuid::from_u128(2), Uuid::from_u128(3), &new, now)
    }

    fn fields(errors: Vec<UserError>) -> Vec<String> {
        errors.into_iter().filter_map(|error| error.field?.pop()).collect()
    }

    #[test]
    fn a_new_auction_waits_for_its_item_and_asks_the_start_price() {
        let listing = auction(1_000, Some(2_000), Some(5_000), TimeDelta::days(2)).unwrap();
        assert_eq!(
            (listing.status, listing.ask_price, listing.title.as_str()),
            (ListingStatus::Pending, usd(1_000), "A sign")
        );
        assert_eq!(listing.min_next_bid(), Some(usd(1_000)));
        assert!(!listing.reserve_met());
    }

    #[test]
    fn every_broken_rule_of_an_auction_is_told_with_its_field() {
        let errors = auction(0, Some(-5), Some(0), TimeDelta::seconds(5)).unwrap_err();
        assert_eq!(fields(errors), ["startPrice", "reservePrice", "buyNowPrice", "endsAt"]);
    }

    #[test]
    fn the_next_bid_is_a_twentieth_higher_and_at_least_one_unit() {
        let mut listing = auction(1_000, None, None, TimeDelta::days(1)).unwrap();
        for (current, next) in [(1, 2), (100, 105), (101, 107), (1_000, 1_050)] {
            listing.ask_price = usd(current);
            if let Details::Auction { bid_count, .. } = &mut listing.details {
                *bid_count = 1;
            }
            assert_eq!(listing.min_next_bid(), Some(usd(next)), "after {current}");
        }
        listing.ask_price = usd(i64::MAX);
        assert_eq!(listing.min_next_bid(), None);
    }

    #[test]
    fn a_deposit_is_rounded_up_to_a_whole_unit() {
        let new = NewService {
            title: "Latte art".to_owned(),
            description: "Two hours".to_owned(),
            price: usd(9_999),
            deposit_percent: 25,
            duration_minutes: Some(120),
        };
        let listing =
            new_service(Uuid::from_u128(1), Uuid::from_u128(2), &new, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(listing.deposit(), Some(usd(2_500)));
    }

    #[test]
    fn a_quantity_below_one_is_refused() {
        let new = NewFixedPrice { product_id: None, title: "Cup".to_owned(), price: usd(1), quantity: -1 };
        let errors =
            new_fixed_price(Uuid::from_u128(1), Uuid::from_u128(2), &new, DateTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(fields(errors), ["quantity"]);
    }
}
