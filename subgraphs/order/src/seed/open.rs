//! Orders that are under way when the shop opens: begun like any other, so the services go on with them for real.
//!
//! One is PENDING until the services run, and then paid with its buyer's credit; the others are AWAITING_PAYMENT, kept
//! for days instead of minutes. Elsewhere: orders of the past (the parent module).

use chrono::{DateTime, TimeDelta, Utc};
use kopitiam_kit::live::Hub;
use kopitiam_kit::saga::Sagas;
use kopitiam_kit::{SystemError, Tx};
use uuid::Uuid;

use super::data::Fate;
use super::{LISTING, Plan, USER, seed_id};
use crate::domain::listing::{Listing, ListingKind};
use crate::domain::order;
use crate::events::{self, ACTOR};
use crate::sagas::place_order::{OfCart, PlaceOrder};
use crate::sagas::purchase::PurchaseOwner;
use crate::sagas::reserve_listing::{OfListing, ReserveListing};
use crate::store::orders;

/// The services may be started long after the seed was written.
const PATIENCE: TimeDelta = TimeDelta::days(1);
/// How long the reserved pieces are kept.
const KEPT: TimeDelta = TimeDelta::days(7);

/// What the cart of the PENDING order holds: buyer, (product, quantity).
const CART: (u16, [(u16, i32); 2]) = (4, [(14, 1), (9, 2)]);

/// Buyer, listing, title, seller, price. Single pieces: a listing of many is kept from everybody while one is reserved.
/// The second buyer's wallet does not hold enough.
const RESERVED: [(u16, u16, &str, u16, i64); 2] = [
    (3, 7, "Enamel kopi cup, small chip", 7, 600),
    (2, 9, "Restored valve radio, scratched case", 6, 36_000),
];

/// Begins those that are not there, under ids from `first` on.
pub(super) async fn begin(
    tx: &Tx,
    first: impl Fn(u16) -> Uuid,
    now: DateTime<Utc>,
) -> Result<(), SystemError> {
    pending(tx, first(0), now).await?;
    for (piece, number) in RESERVED.iter().zip(1..) {
        reserved(tx, first(number), *piece, now).await?;
    }
    Ok(())
}

async fn pending(tx: &Tx, id: Uuid, now: DateTime<Utc>) -> Result<(), SystemError> {
    if orders::find(tx, id).await?.is_some() {
        return Ok(());
    }
    let (buyer, lines) = CART;
    let plan = Plan { buyer, lines: lines.to_vec(), fate: Fate::Confirmed, placed_at: now };
    let order = plan.pending(id);
    let actor = format!("user:{}", order.buyer_id);
    orders::insert(tx, &order, &actor).await?;
    let sagas = Sagas::new(PurchaseOwner::<OfCart>::new(Hub::default()), ACTOR);
    let context = PlaceOrder::of(&order, None, now);
    let saga_id = sagas.begin_until(tx, now + PATIENCE, id, context, now).await?;
    events::order_created(tx, &order, &actor, saga_id).await
}

async fn reserved(
    tx: &Tx,
    id: Uuid,
    (buyer, listing, title, seller, price_minor): (u16, u16, &str, u16, i64),
    now: DateTime<Utc>,
) -> Result<(), SystemError> {
    if orders::find(tx, id).await?.is_some() {
        return Ok(());
    }
    let listing = Listing {
        id: seed_id(LISTING, listing),
        kind: ListingKind::FixedPrice,
        title: title.to_owned(),
        seller_id: seed_id(USER, seller),
        status: "ACTIVE".to_owned(),
        price_minor,
        currency: "USD".to_owned(),
        deposit_percent: 0,
    };
    let until = now + KEPT;
    let order = order::reserve(id, &listing, seed_id(USER, buyer), now, until)
        .expect("the seeded pieces can be reserved");
    let actor = format!("user:{}", order.buyer_id);
    orders::insert(tx, &order, &actor).await?;
    let sagas = Sagas::new(PurchaseOwner::<OfListing>::new(Hub::default()), ACTOR);
    let context = ReserveListing::of(&order, listing.id, until);
    let saga_id = sagas.begin_until(tx, until, id, context, now).await?;
    events::order_created(tx, &order, &actor, saga_id).await
}
