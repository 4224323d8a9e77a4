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
    Listing, ListingStatus, NewAuction, NewFixedPrice, NewService, new_auction, new_fixed_price, new_service,
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

/// Titles of the things in the sellers' collections, one a line, as the product service seeds them; item `FIRST_THING` and
/// following, listing `FIRST_LOT` and following.
const THINGS: &str = include_str!("../../seed/things.txt");
/// How many of them are put up for auction; the others stay in their collections.
const LOTS: usize = 30;
const FIRST_THING: u128 = 7;
const FIRST_LOT: u128 = 16;
/// Buyers of the larger shop.
const FIRST_BUYER: u128 = 25;
const BUYERS: u128 = 20;
/// The product service gives its things to the twenty sellers in turn.
const FIRST_SELLER: u128 = 5;
const SELLERS: u128 = 20;

/// Seller, product if it is one of the catalogue, title, price, pieces: tickets of the larger shop.
const TICKETS: [(u128, Option<u128>, &str, i64, i32); 6] = [
    (9, None, "Shadow play in the courtyard, Saturday, one seat", 1_200, 60),
    (11, None, "Lion dance rehearsal, front row", 900, 24),
    (13, None, "Harbour cruise with the night fishers", 4_800, 16),
    (15, None, "Listening evening: shellac and tea", 1_500, 30),
    (17, None, "Last ferry to the old lighthouse, return", 2_200, 1),
    (20, None, "Cook with Auntie: laksa from scratch", 6_500, 8),
];

/// Seller, title, description, price, deposit in percent, minutes: services of the larger shop.
const MORE_SERVICES: [Offer; 4] = [
    (10, "Piano tuning at home", "One visit, standard pitch, small repairs included.", 9_000, 20, Some(120)),
    (12, "Shoe resoling, leather", "Sent back within a week; heels included.", 5_500, 0, None),
    (
        14,
        "Family portrait in the old studio",
        "Four prints on fibre paper and the negatives.",
        18_000,
        30,
        Some(90),
    ),
    (16, "Signwriting on glass", "Gold leaf or paint, up to one square metre.", 42_000, 50, None),
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

/// Lets the seeded buyers bid on the seeded auctions that are open and have no bid yet, each bid above the one before.
/// Their funds are held like anybody's, so the services have to be running for the bids to lead.
///
/// # Errors
/// [`Failure`] when the database refuses.
pub async fn bids(db: &Db) -> Result<(), Failure> {
    let market = Market::new(db.clone(), Hub::default(), Rules::default());
    for number in auction_numbers() {
        let auction = id(LISTING, number);
        let found = store::listings::by_ids(db.read(), &[auction]).await?.remove(&auction);
        let Some(listing) = found.filter(|listing| listing.status == ListingStatus::Active) else { continue };
        let none_yet = store::bids::visible(db.read(), auction, None, 1).await?.is_empty()
            && store::bids::waiting(db.read(), auction).await?.is_empty();
        if !none_yet {
            continue;
        }
        let mut minor = listing.ask_price.minor();
        for turn in 0..=number % 4 {
            let bidder = id(USER, FIRST_BUYER + (number * 3 + turn * 7) % BUYERS);
            let amount = Money::new(minor, listing.ask_price.currency());
            let key = format!("seed-{number}-{turn}");
            match market.place_bid(bidder, Some(auction), amount, &key).await {
                Ok(_) | Err(Failure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
            minor += minor / 8 + 100;
        }
    }
    Ok(())
}

/// Numbers of the seeded auctions.
fn auction_numbers() -> impl Iterator<Item = u128> {
    (1..=4).chain((FIRST_LOT..).take(LOTS))
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
    listings.extend(offers(&mut next, &FIXED_PRICES, &SERVICES, now)?);
    for (nth, title) in (0_u128..).zip(THINGS.lines().take(LOTS)) {
        let (item, nth_minor) = (FIRST_THING + nth, i64::try_from(nth).unwrap_or_default());
        let start = 800 + nth_minor * 370 % 2_900;
        let new = NewAuction {
            item_id: id(ITEM, item),
            title: title.to_owned(),
            start_price: usd(start),
            reserve_price: (nth % 4 == 3).then(|| usd(start * 3 / 2)),
            buy_now_price: (nth % 3 == 0).then(|| usd(start * 4)),
            ends_at: now + TimeDelta::hours(6 + nth_minor * 7),
        };
        let seller = FIRST_SELLER + item % SELLERS;
        listings.push(new_auction(next(), id(USER, seller), &new, now)?);
    }
    listings.extend(offers(&mut next, &TICKETS, &MORE_SERVICES, now)?);
    Ok(listings)
}

/// Fixed-price listings, then services.
fn offers(
    mut next: impl FnMut() -> Uuid,
    fixed_prices: &[(u128, Option<u128>, &str, i64, i32)],
    services: &[Offer],
    now: DateTime<Utc>,
) -> Result<Vec<Listing>, Vec<UserError>> {
    let mut listings = Vec::new();
    for &(seller, product, title, price, quantity) in fixed_prices {
        let product_id = product.map(|product| id(PRODUCT, product));
        let new = NewFixedPrice { product_id, title: title.to_owned(), price: usd(price), quantity };
        listings.push(new_fixed_price(next(), id(USER, seller), &new, now)?);
    }
    for &(seller, title, description, price, deposit_percent, duration_minutes) in services {
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
