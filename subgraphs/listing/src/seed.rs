//! Listings for a new shop: auctions of collectibles, resales of catalogue products, tickets and services.
//!
//! Always: fixed ids, so that a second run changes nothing. An auction is made like any other: it opens once the product
//! service has locked its item.

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::errors::{Failure, UserError};
use kopitiam_kit::live::Hub;
use kopitiam_kit::money::Currency;
use kopitiam_kit::{Db, Money};
use uuid::Uuid;

use crate::commands::{ACTOR, Market};
use crate::domain::auction::Rules;
use crate::domain::listing::{
    Listing, NewAuction, NewFixedPrice, NewService, new_auction, new_fixed_price, new_service,
};
use crate::store;

/// The services may be started long after the seed was written.
const PATIENCE: TimeDelta = TimeDelta::days(1);

/// Kinds of seeded things, as in the ids that the services share.
const USER: u128 = 1;
const PRODUCT: u128 = 3;
const ITEM: u128 = 4;
const LISTING: u128 = 6;

/// The fixed id of seeded thing `number` of a kind.
const fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + (kind << 16) + number)
}

const fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

type Auction = (u128, u128, &'static str, i64, Option<i64>, Option<i64>, i64);
type Offer = (u128, &'static str, &'static str, i64, i32, Option<i32>);

/// Item, its owner, title, start price, reserve, buy-now price, days until the end.
const AUCTIONS: [Auction; 4] = [
    (1, 5, "Vintage kopitiam sign, hand-painted, 1968", 12_000, Some(18_000), Some(45_000), 3),
    (2, 7, "First-press night market LP", 4_500, None, Some(16_000), 2),
    (3, 8, "Signed hawker cookbook", 3_000, Some(4_000), None, 5),
    (4, 6, "Antique batik stamp, copper", 8_000, None, None, 7),
];

/// Seller, product if it is one of the catalogue, title, price, pieces.
const FIXED_PRICES: [(u128, Option<u128>, &str, i64, i32); 7] = [
    (6, Some(7), "Copper long-spout kettle, used twice", 5_200, 1),
    (8, Some(21), "Hawker cookbook, display copy", 2_600, 3),
    (7, Some(2), "Enamel kopi cup, small chip", 600, 1),
    (5, Some(18), "USB-C soldering iron, open box", 3_900, 1),
    (6, Some(4), "Restored valve radio, scratched case", 36_000, 1),
    (8, None, "Night market tour, Friday 19:00, one seat", 2_500, 12),
    (5, None, "Cupping evening at Kopi House, one seat", 1_800, 20),
];

/// Seller, title, description, price, deposit in percent, minutes.
const SERVICES: [Offer; 4] = [
    (
        5,
        "Barista for your party",
        "One barista, a grinder and a two-group machine for up to forty guests. Beans and cups included.",
        32_000,
        25,
        Some(240),
    ),
    (
        6,
        "Batik workshop for two",
        "Draw, wax and dye your own cloth in our studio. You take it home the same day.",
        9_500,
        20,
        Some(180),
    ),
    (
        7,
        "Radio and amplifier repair",
        "Diagnosis, parts up to twenty dollars and a soak test of a day for valve and transistor sets.",
        12_000,
        30,
        None,
    ),
    (
        8,
        "Letterpress cards, fifty pieces",
        "Two colours on cotton paper, set by hand from your text.",
        14_500,
        50,
        None,
    ),
];

/// Writes what is missing of the seed; `now` is when auctions start to run.
///
/// # Errors
/// [`Failure`] when the database refuses or the seed breaks a rule.
pub async fn seed(db: &Db, now: DateTime<Utc>) -> Result<(), Failure> {
    let market = &Market::new(db.clone(), Hub::default(), Rules::default());
    for listing in listings(now).map_err(Failure::Refused)? {
        let listing = &listing;
        db.transaction(|tx| async move {
            if store::listings::by_ids(&tx, &[listing.id]).await?.is_empty() {
                market.create(&tx, listing, ACTOR, Some(PATIENCE)).await?;
            }
            Ok::<(), Failure>(())
        })
        .await?;
    }
    Ok(())
}

fn listings(now: DateTime<Utc>) -> Result<Vec<Listing>, Vec<UserError>> {
    let mut numbers = 1..;
    let mut next = || id(LISTING, numbers.next().unwrap_or_default());
    let mut listings = Vec::new();
    for (item, owner, title, start, reserve, buy_now, days) in AUCTIONS {
        let new = NewAuction {
            item_id: id(ITEM, item),
            title: title.to_owned(),
            start_price: usd(start),
            reserve_price: reserve.map(usd),
            buy_now_price: buy_now.map(usd),
            ends_at: now + TimeDelta::days(days),
        };
        listings.push(new_auction(next(), id(USER, owner), &new, now)?);
    }
    for (seller, product, title, price, quantity) in FIXED_PRICES {
        let product_id = product.map(|product| id(PRODUCT, product));
        let new = NewFixedPrice { product_id, title: title.to_owned(), price: usd(price), quantity };
        listings.push(new_fixed_price(next(), id(USER, seller), &new, now)?);
    }
    for (seller, title, description, price, deposit_percent, duration_minutes) in SERVICES {
        let new = NewService {
            title: title.to_owned(),
            description: description.to_owned(),
            price: usd(price),
            deposit_percent,
            duration_minutes,
        };
        listings.push(new_service(next(), id(USER, seller), &new, now)?);
    }
    Ok(listings)
}
